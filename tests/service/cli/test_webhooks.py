"""`firstseen webhooks` against a running service: what it prints where, and how it ends."""

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook
from typer.testing import CliRunner

from service.cli.webhooks import app
from service.settings import Settings
from service.webhooks.signing import key_of
from tests.service import digits
from tests.service.inside import Inside, running
from tests.service.waiting import until
from tests.service.webhooks.receiver import Receiver, receiving, status

URL = "https://example.com/hook"


@pytest.fixture(scope="module")
def service() -> Iterator[Inside]:
    with (
        tempfile.TemporaryDirectory(prefix="fs-") as folder,
        running(
            Settings.read({}, data_dir=Path(folder), webhooks_private="true", log_requests=False),
            digits.bundle(),
        ) as inside,
    ):
        until(lambda: httpx.get(f"{inside.url}/webhooks").status_code == 200, "the webhooks are loaded")
        yield inside


@pytest.fixture(autouse=True)
def _none_left(service: Inside) -> Iterator[None]:
    yield
    for hook in httpx.get(f"{service.url}/webhooks").json()["webhooks"]:
        httpx.delete(f"{service.url}/webhooks/{hook['id']}")


def run(service: Inside, *arguments: str, fails: int = 0) -> str:
    """Standard output of a command; of one that fails, with this status, why."""
    done = CliRunner(env={"COLUMNS": "200"}).invoke(app, [*arguments, "--url", service.url])
    assert fails == done.exit_code, (done.output, done.exception)
    return " ".join(done.stderr.split()) if fails else done.stdout


def added(service: Inside, *arguments: str, target: str = URL) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(service, "add", target, "--json", *arguments))
    return found


def test_a_secret_is_alone_on_standard_output(service: Inside) -> None:
    """So that it can be put where it belongs; it is what signs."""
    printed = run(service, "add", URL)
    (hook,) = json.loads(run(service, "list", "--json"))["webhooks"]
    rotated = run(service, "rotate", hook["id"], "--overlap", "1h")

    assert [32, 32] == [len(key_of(text.strip())) for text in (printed, rotated)]
    assert printed != rotated
    assert "whsec_" not in run(service, "list") + run(service, "show", hook["id"])


def test_what_it_wants(service: Inside) -> None:
    """Every option is what the service has then."""
    hook = added(
        service,
        *("--events", "emerged, gone", "--min-items", "9", "--min-per-hour", "2.5"),
        *("--debounce", "10m", "--per-day", "3", "--note", "ops"),
    )

    assert (["emerged", "gone"], 9, 2.5, 600.0, 3, "ops") == tuple(
        hook[key] for key in ("events", "min_items", "min_per_hour", "debounce_s", "per_day", "note")
    )


def test_a_change(service: Inside) -> None:
    """What is not given stays as it is."""
    hook = added(service, "--events", "emerged", "--per-day", "3", "--note", "ops")
    run(service, "change", hook["id"], "--min-items", "9", "--debounce", "1h", "--to", f"{URL}/2")
    once = json.loads(run(service, "show", hook["id"]))
    twice = json.loads(
        run(service, "change", hook["id"], "--events", "all", "--per-day", "0", "--disable", "--json")
    )

    assert (["emerged"], 3, "ops", 9, 3600.0, f"{URL}/2", True) == tuple(
        once[key] for key in ("events", "per_day", "note", "min_items", "debounce_s", "url", "enabled")
    )
    assert ([], None, "ops", 9, False) == tuple(
        twice[key] for key in ("events", "per_day", "note", "min_items", "enabled")
    )


def test_a_list_for_people(service: Inside) -> None:
    """Others' text drives no terminal; and there may be none."""
    empty = run(service, "list")
    hook = added(service, "--note", "\x1b[31mred")
    listed = run(service, "list")

    assert "There is no webhook.\n" == empty
    assert hook["id"] in listed
    assert "\x1b[31m" not in listed


def test_a_try_that_fails_fails(service: Inside) -> None:
    """With the reason; and it is among the deliveries."""
    hook = added(service, target="http://127.0.0.1:1/x")
    nothing = run(service, "deliveries", hook["id"])
    said = run(service, "test", hook["id"], fails=1)

    assert "told nothing yet" in nothing
    assert "Connect" in said
    assert "webhook.test" in run(service, "deliveries", hook["id"])
    (tried,) = json.loads(run(service, "deliveries", hook["id"], "--json", "--limit", "1"))["deliveries"]
    assert "failed" == tried["outcome"]


def test_enable_and_remove(service: Inside) -> None:
    """And what was removed is not there."""
    hook = added(service)
    run(service, "change", hook["id"], "--disable")
    run(service, "enable", hook["id"], "--from-now")
    is_enabled = json.loads(run(service, "show", hook["id"]))["enabled"]
    run(service, "remove", hook["id"])

    assert is_enabled
    assert "no webhook" in run(service, "show", hook["id"], fails=1)


@pytest.mark.parametrize("id", ["../keys", "a/b", "?x", "wh_0"])
def test_an_id_that_is_none(service: Inside, id: str) -> None:
    """Whatever it holds, it is a part of the path and no more."""
    assert re.search(r"no webhook|not here", run(service, "show", id, fails=1))


def test_what_the_service_refuses(service: Inside) -> None:
    """Is told as it says it."""
    said = run(service, "add", "ftp://example.com", fails=2)

    assert "https://" in said


@pytest.mark.parametrize("arguments", [("--debounce", "soon"), ("--per-day", "0"), ("--min-items", "-1")])
def test_what_is_asked_wrongly(service: Inside, arguments: tuple[str, ...]) -> None:
    """Ends with 2."""
    assert 2 == CliRunner().invoke(app, ["add", URL, *arguments, "--url", service.url]).exit_code


def test_nobody_answers() -> None:
    """It ends with 3, and says for how long it has asked."""
    done = CliRunner().invoke(app, ["list", "--url", "http://127.0.0.1:1", "--patience", "0"])

    assert (3, True) == (done.exit_code, "127.0.0.1:1" in done.stderr)


def test_a_try_that_is_taken(service: Inside) -> None:
    """Says so, with what the receiver answered; it is signed with the secret that was shown."""
    with receiving(Receiver([status(204)])) as receiver:
        hook = added(service, target=receiver.url)
        run(service, "test", hook["id"])
    (told,) = receiver.told
    message = Webhook(hook["secret"]).verify(told.body, told.headers)
    (tried,) = json.loads(run(service, "deliveries", hook["id"], "--json"))["deliveries"]

    assert ("webhook.test", "default") == (message["type"], message["stream"])
    assert ("delivered", 204, 1, told.headers["webhook-id"]) == (
        tried["outcome"],
        tried["status"],
        tried["try"],
        tried["id"],
    )


@pytest.mark.parametrize("code", [301, 410, 429])
def test_a_try_that_is_answered_otherwise(service: Inside, code: int) -> None:
    """Is not taken; the status is told, and one that is gone is not disabled by a try."""
    with receiving(Receiver([status(code, "location: /x", "retry-after: 9", body="no")])) as receiver:
        hook = added(service, target=receiver.url)
        said = run(service, "test", hook["id"], fails=1)

    assert f"it answered {code}. no" in said
    assert 1 == len(receiver.told)
    assert json.loads(run(service, "show", hook["id"]))["enabled"]
