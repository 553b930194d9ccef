"""The command line: what a person types, and the one line that says what was wrong with it."""

import dataclasses
import json
import re
import shlex
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from model.auxiliary import AUXILIARIES
from model.bundle import Bundle
from model.card import command
from model.config import DEVICES, NORMS, TrainConfig
from model.configs import starting_config
from model.networks import NETWORKS
from model.objectives import OBJECTIVES
from model.scores import SCORES
from service.cli import main as cli
from service.pipeline.recovery import ReplayMismatch
from service.report.page import draw_page
from service.report.records import from_json
from service.settings import Settings
from tests.service.report.drawn import parsed

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


@pytest.mark.parametrize("command", ["train", "inspect", "replay", "serve", "demo"])
def test_help(command: str) -> None:
    """Every command explains itself."""
    answer = runner.invoke(cli.app, [command, "--help"])

    assert 0 == answer.exit_code
    assert "Usage" in answer.stdout


@pytest.mark.parametrize("command", ["train", "replay", "serve", "demo"])
def test_defaults_in_help(command: str) -> None:
    """Every default that an option's help states is there when it is shown."""
    shown = " ".join(runner.invoke(cli.app, [command, "--help"], env={"COLUMNS": "400"}).stdout.split())
    options = get_command(cli.app).commands[command].params  # type: ignore[attr-defined]  # it is a group
    stated = [
        default for option in options for default in re.findall(r"\[default: ([^\]]*)\]", option.help or "")
    ]
    stated += [str(option.default) for option in options if option.default and option.show_default]

    assert stated
    assert [] == [default for default in stated if f"[default: {default}]" not in shown]


def train_options() -> dict[str, Any]:
    """The options of `firstseen train` by name."""
    train = get_command(cli.app).commands["train"]  # type: ignore[attr-defined]  # it is a group
    return {option.name: option for option in train.params}


def test_every_setting_of_a_run_is_an_option() -> None:
    """A person can ask for whatever a configuration can say; what is a list there is parted by commas here."""
    fields = {field.name: field.default for field in dataclasses.fields(TrainConfig)}

    assert fields.keys() <= train_options().keys()
    assert {name for name, default in fields.items() if isinstance(default, tuple)} == set(cli._LISTS)


@pytest.mark.parametrize(
    ("option", "choices"),
    [
        ("network", NETWORKS),
        ("objective", OBJECTIVES),
        ("auxiliary", AUXILIARIES),
        ("gate", SCORES),
        ("norm", NORMS),
        ("device", DEVICES),
    ],
)
def test_help_names_every_choice(option: str, choices: Iterable[str]) -> None:
    """What there is to choose from is in the help of the option."""
    shown = re.findall(r"[\w-]+", train_options()[option].help)

    assert set(choices) <= set(shown)


@pytest.mark.parametrize(
    ("dataset", "changes"),
    [
        ("my tickets.csv", {"text": "q", "label": "kind of", "seed": 2}),
        ("my tickets.csv", {"text": "q", "label": "y", "encoder": "some/encoder", "tune": True}),
        ("clinc150", {"hold_out": ()}),
        ("clinc150", {"encoder": "some/encoder", "hold_out": ("oos", "card")}),
        (
            "digits",
            {"layers": ("pooled", "output"), "gate": ("energy:output", "mahalanobis"), "norm": "none"},
        ),
        ("digits", {"augment": False, "rehearse": False, "known_error_rate": 0.01}),
        ("fashion-mnist", {"flip": True, "auxiliary": "two-views", "auxiliary_weight": 0.5, "stop_at": 0.8}),
        ("fashion-mnist", {"flip": False, "auxiliary": "none", "max_items": 500, "learning_rate": 1e-4}),
    ],
)
def test_the_command_asks_for_the_run(dataset: str, changes: dict[str, Any]) -> None:
    """What a card shows, typed again, is the run it was made by."""
    config = starting_config(dataset, None, changes)
    words = shlex.split(command(config))
    options = get_command(cli.app).commands["train"].make_context("train", words[2:]).params  # type: ignore[attr-defined]
    given = {
        k: v
        for k, v in options.items()
        if v is not None and k in {f.name for f in dataclasses.fields(config)}
    }
    given |= {name: cli._names(given[name]) for name in cli._LISTS if name in given}

    assert config == starting_config(given.pop("dataset"), None, given)


def test_defaults_of_serve() -> None:
    """The defaults in the help of `serve` are those of the settings."""
    options = get_command(cli.app).commands["serve"].params  # type: ignore[attr-defined]  # it is a group
    for option in options:
        field = Settings.model_fields.get(option.name)
        if field is not None and field.default is not None:
            assert f"[default: {field.default}]" in option.help


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
        (("inspect", "/nowhere/x[bold]y"), "/nowhere/x[bold]y"),
        (("inspect", "/nowhere/[/x]"), "/nowhere/[/x]"),
        (("train", "digits", "--seed", "-1"), "seed must be at least 0"),
        (("train", "digits", "--seed", str(2**32)), "seed must be at most 4,294,967,295"),
        (("train", "red\x1b[31m\n.csv"), r"red\x1b[31m\n.csv"),
        (("train", "digits", "--choose", "--stop-at", "0.5"), "leaving classes out shows when to stop"),
        (("train", "digits", "--auxiliary", "rotation"), "auxiliary must be one of none, two-views"),
        (("train", "digits", "--gate", "softmax"), "a score of gate must be one of relative-mahalanobis"),
        (("train", "digits", "--layers", "pooled", "--gate", "energy:output"), "gate has 'energy:output'"),
        (
            ("train", "digits", "--no-rehearse", "--layers", "features"),
            "no layer 'features'; choose among pooled",
        ),
        (("train", "digits", "--known-error-rate", "0.0001"), "items to calibrate with"),
        (("train", "nowhere.csv", "--text", "q", "--label", "y"), "There is no data set 'nowhere.csv'"),
        (
            ("train", "tickets.csv"),
            "tickets.csv is a table: name the column that has the classes with --label",
        ),
        (("train", "tickets.csv", "--label", "c"), "no column 'c', named with --label. It has a, b."),
        (("train", "tickets.csv", "--label", "b"), "text in a that nearly every row has its own of"),
        (("train", "tickets.csv", "--label", "b", "--drop", "a"), "has 0 columns to learn from"),
        (("train", "digits", "--image-size", "8"), "digits takes no --image-size"),
        (("train", "tickets.csv", "--text", "q", "--label", "y"), "line 2: there is no column 'q'"),
        (("train", "tickets.csv", "--text", "a", "--label", "b", "--encoder", "no/where"), "encoder"),
        (("replay", "nowhere"), "nowhere"),
        (("replay", "x", "--html", "no/where.html"), "--html"),
        (("replay", "x", "--false-alarm-rate", "7"), "--false-alarm-rate"),
        (("serve", "x", "--stream", "a b"), "--stream"),
        (("serve", "x", "--known-error-rate", "7"), "--known-error-rate"),
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
    (tmp_path / "tickets.csv").write_text("a,b\n" + "".join(f"text {n},{n % 2}\n" for n in range(400)))
    for name in Settings.model_fields:
        monkeypatch.delenv(f"FIRSTSEEN_{name.upper()}", raising=False)
    monkeypatch.setenv("FIRSTSEEN_LOG_LEVEL", "error")

    assert 1 == run(monkeypatch, *arguments)
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("firstseen:")
    assert says in last


def test_bundle_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bundle is not overwritten unasked, and the message names the option that asks."""
    (tmp_path / "manifest.json").write_text("{}")

    assert 1 == run(monkeypatch, "train", "digits", "--out", str(tmp_path))
    assert "--replace" in capsys.readouterr().err
    assert "{}" == (tmp_path / "manifest.json").read_text()


def test_mismatch(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """State that cannot be trusted, found at start, is one line."""

    def serve(*_: object) -> int:
        raise ReplayMismatch("The log does not replay.")

    monkeypatch.setattr("service.server.run_server", serve)

    assert 1 == run(monkeypatch, "serve", "x")
    assert "firstseen: The log does not replay." == capsys.readouterr().err.strip()


def test_invalid_value(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What pydantic refuses is one line."""
    monkeypatch.setattr("service.server.run_server", lambda *_: Settings(port=-1))

    assert 1 == run(monkeypatch, "serve", "x")
    assert "firstseen: Settings port: Input should be greater" in capsys.readouterr().err


def test_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody but us can mend keeps its traceback."""

    def serve(*_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr("service.server.run_server", serve)
    monkeypatch.setattr(sys, "argv", ["firstseen", "serve", "x"])
    with pytest.raises(ZeroDivisionError):
        cli.main()


def test_interrupted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C is one line, and status 130."""

    def serve(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("service.server.run_server", serve)

    assert 130 == run(monkeypatch, "serve", "x")
    assert "firstseen: stopped by Ctrl-C." == capsys.readouterr().err.strip()


def test_replay(digits_dir: Path, tmp_path: Path) -> None:
    """A stream is replayed to a table, a JSON file that reads, and a page that parses."""
    files = tmp_path / "report.json", tmp_path / "report.html"
    answer = runner.invoke(
        cli.app,
        [
            *("replay", str(digits_dir), "--unseen", "7,3", "--share", "0.3", "--seeds", "2"),
            *("--json", str(files[0]), "--html", str(files[1])),
        ],
    )
    report = from_json(files[0].read_bytes())

    assert 0 == answer.exit_code, answer.output
    assert ("7", "3") == report.unseen
    assert 2 == len(report.runs)
    assert "known accuracy" in answer.stdout
    assert draw_page(report) == files[1].read_text(encoding="utf-8")
    parsed(draw_page(report))


def test_replay_unseen_that_is_known(
    digits_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A class that the bundle knows is not new, and the message says what to train."""
    assert 1 == run(monkeypatch, "replay", str(digits_dir), "--unseen", "8")
    assert "--hold-out 8" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [("--seed", "-1"), ("--port", "80000"), ("--port", "-1"), ("--rate", "-3")])
def test_demo_out_of_range(wrong: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A number that cannot be is a wrong use, found before anything is trained."""
    assert 2 == run(monkeypatch, "demo", *wrong)


def test_wrong_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option that is none is a wrong use, status 2."""
    assert 2 == run(monkeypatch, "serve", "x", "--nothing")
