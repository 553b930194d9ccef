"""`firstseen watch` against a running service: for people, for programs, for scripts that wait."""

import json
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from service.cli import main as cli
from service.cli.watch import _as_lines
from service.client import Client, Cluster, Event
from service.settings import Settings
from tests.service import digits
from tests.service.inside import Inside, running
from tests.service.told import cluster as cluster_as_told


@pytest.fixture(scope="module")
def service() -> Iterator[Inside]:
    with tempfile.TemporaryDirectory(prefix="fs-") as folder:
        settings = Settings.read({}, data_dir=Path(folder), log_level="warning")
        with running(settings, digits.bundle()) as inside:
            yield inside


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit status of `firstseen watch ARGUMENTS`."""
    monkeypatch.setattr(sys, "argv", ["firstseen", "watch", *arguments])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as ended:
        cli.main()
    code = ended.value.code
    assert isinstance(code, int)
    return code


def test_not_in_time(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], service: Inside
) -> None:
    """A script that waits in vain is told so: exit status 1."""
    assert 1 == run(monkeypatch, "--url", service.url, "--until-emerged", "1", "--timeout", "0.3")
    shown = capfd.readouterr()

    assert "0 of 1 cluster emerged within 0.3 s" in shown.err
    assert "0 clusters now" in shown.out


def test_until_emerged(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], service: Inside
) -> None:
    """While a stream goes on it tells what happens, a line each, until so many have emerged."""
    with Client(service.url) as client:
        sending = threading.Thread(target=lambda: client.classify(digits.many("watch", 2000)))
        sending.start()
        status = run(monkeypatch, "--url", service.url, "--until-emerged", "2", "--timeout", "60")
        sending.join()
    shown = capfd.readouterr().out

    assert 0 == status
    assert "emerged with" in shown
    assert "evidence 10^" in shown
    assert "\x1b" not in shown


def test_json_of_what_emerged_before(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], service: Inside
) -> None:
    """Clusters that emerged before it watched count: a script that comes late does not wait for ever."""
    assert 0 == run(monkeypatch, "--url", service.url, "--json", "--until-emerged", "2", "--timeout", "60")
    hello = json.loads(next(line for line in capfd.readouterr().out.splitlines() if line.startswith("{")))

    assert "hello" == hello["type"]
    assert 2 <= len([c for c in hello["clusters"] if c["emerged_seq"] is not None])


@pytest.mark.parametrize("kind", ["promoted", "linked", "undone", "freeze"])
def test_what_people_decide(capfd: pytest.CaptureFixture[str], kind: str) -> None:
    """Is told like everything else, with the class; so is what this version does not know."""
    cluster = msgspec.convert(msgspec.to_builtins(cluster_as_told(name="a", label="\x1b[31m7")), Cluster)
    _as_lines(Console())(Event(event=kind, seq=7, t=0.0, cluster=cluster, decision=7, label="7"))

    assert rf"item 7: cluster 1 'a' {kind} with 8 items, of class \x1b[31m7" in capfd.readouterr().out


def test_nobody_there(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Exit status 3."""
    assert 3 == run(monkeypatch, "--url", "http://127.0.0.1:1", "--patience", "0")
    assert "did not answer" in capfd.readouterr().err


@pytest.mark.parametrize(
    "arguments", [("--url", "somewhere"), ("--until-emerged", "0"), ("--stream", "no/such")]
)
def test_asked_wrongly(monkeypatch: pytest.MonkeyPatch, service: Inside, arguments: tuple[str, ...]) -> None:
    """Exit status 2."""
    assert 2 == run(monkeypatch, "--url", service.url, *arguments)


def test_help(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Examples, and every exit status."""
    assert 0 == run(monkeypatch, "--help")
    shown = capfd.readouterr().out

    assert "--until-emerged 1 --timeout 600" in shown
    assert "130 Ctrl-C" in shown
