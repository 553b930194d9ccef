"""The command line: what a person types, and the one line that says what was wrong with it."""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from model.bundle import Bundle
from service import cli
from service.settings import Settings

runner = CliRunner()


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit status of `firstseen ARGUMENTS`."""
    monkeypatch.setattr(sys, "argv", ["firstseen", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_version() -> None:
    """The version is that of the distribution."""
    assert version("firstseen") == runner.invoke(cli.app, ["--version"]).stdout.strip()


@pytest.mark.parametrize("command", ["train", "inspect", "serve", "demo"])
def test_help(command: str) -> None:
    """Every command explains itself."""
    answer = runner.invoke(cli.app, [command, "--help"])

    assert 0 == answer.exit_code
    assert "Usage" in answer.stdout


def test_nothing() -> None:
    """Without a command the help is shown."""
    assert "demo" in runner.invoke(cli.app, []).output


def test_inspect(digits_dir: Path, digits_bundle: Bundle) -> None:
    """A bundle can be looked at as JSON."""
    shown = json.loads(runner.invoke(cli.app, ["inspect", str(digits_dir), "--json"]).stdout)

    assert digits_bundle.manifest.bundle_id in json.dumps(shown)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("inspect", "nowhere"), "nowhere"),
        (("serve", "nowhere"), "nowhere"),
        (("serve", "x", "--stream", "a b"), "FIRSTSEEN_STREAM"),
        (("serve", "x", "--known-error-rate", "7"), "FIRSTSEEN_KNOWN_ERROR_RATE"),
    ],
)
def test_errors(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    says: str,
) -> None:
    """What a person can mend is one line and status 1."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"FIRSTSEEN_{name.upper()}", raising=False)
    monkeypatch.setenv("FIRSTSEEN_LOG_LEVEL", "error")

    assert 1 == run(monkeypatch, *arguments)
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("firstseen:")
    assert says in last


def test_wrong_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option that is none is a wrong use, status 2."""
    assert 2 == run(monkeypatch, "serve", "x", "--nothing")
