"""`firstseen events` against a running service: for people, for programs, and on behind an event."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from service.cli import main as cli
from service.settings import Settings
from tests.service import digits
from tests.service.inside import Inside, running


@pytest.fixture(scope="module")
def service() -> Iterator[Inside]:
    with tempfile.TemporaryDirectory(prefix="fs-") as folder:
        settings = Settings.read({}, data_dir=Path(folder), log_level="warning", log_requests=False)
        with running(settings, digits.bundle()) as inside:
            httpx.post(
                f"{inside.url}/classify", json={"items": list(digits.stream_items())}, timeout=60
            ).raise_for_status()
            yield inside


def run(service: Inside, *arguments: str, fails: int = 0) -> str:
    """Standard output; of a command that fails, with this status, why."""
    done = CliRunner(env={"COLUMNS": "250"}).invoke(cli.app, ["events", *arguments, "--url", service.url])
    assert fails == done.exit_code, (done.output, done.exception)
    return " ".join(done.stderr.split()) if fails else done.stdout


def test_a_line_an_event(service: Inside) -> None:
    """As `GET /events` has them, for programs; with time and cluster, for people."""
    history = httpx.get(f"{service.url}/events").json()["events"]
    told = [json.loads(line) for line in run(service, "--json").splitlines()]
    shown = run(service).splitlines()

    assert history
    assert [event["id"] for event in history] == [event["id"] for event in told]
    assert all(event.items() <= one.items() for event, one in zip(history, told, strict=True))
    for event, line in zip(history, shown, strict=True):
        assert f"cluster {event['cluster']['id']} {event['event']}" in line
        assert line.endswith(f"({event['id']})")


def test_some_of_them(service: Inside) -> None:
    """Behind one, and of some kinds."""
    ids = [json.loads(line)["id"] for line in run(service, "--json").splitlines()]
    behind = [json.loads(line)["id"] for line in run(service, "--json", "--after", ids[0]).splitlines()]
    kinds = {
        json.loads(line)["event"] for line in run(service, "--json", "--events", "emerged, gone").splitlines()
    }

    assert ids[1:] == behind
    assert {"emerged"} <= kinds <= {"emerged", "gone"}
    assert "" == run(service, "--events", "no-such")


def test_what_is_no_event(service: Inside) -> None:
    """Is refused with what to give."""
    assert "412-1" in run(service, "--after", "yesterday", fails=2)


def test_nobody_answers() -> None:
    """It ends with 3."""
    arguments = ["events", "--follow", "--url", "http://127.0.0.1:1", "--patience", "0"]

    assert 3 == CliRunner().invoke(cli.app, arguments).exit_code
