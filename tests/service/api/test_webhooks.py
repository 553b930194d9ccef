"""Webhooks over HTTP, of a real service with a real store: what is told, refused, and shown."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from service.settings import Settings
from tests.service import digits
from tests.service.inside import Inside, running
from tests.service.waiting import until
from tests.service.webhooks.receiver import Receiver, hang, receiving, status


@pytest.fixture(scope="module")
def private() -> Iterator[Inside]:
    """A service that may tell receivers on this machine."""
    with (
        tempfile.TemporaryDirectory(prefix="fs-") as folder,
        running(
            Settings.read({}, data_dir=Path(folder), webhooks_private="true"), digits.bundle()
        ) as service,
    ):
        yield service


@pytest.fixture
def hooks(private: Inside) -> Iterator[httpx.Client]:
    """Asks that service; leaves no webhook behind."""
    with httpx.Client(base_url=private.url, timeout=60, trust_env=False) as client:
        until(lambda: client.get("/webhooks").status_code == 200, "the webhooks are loaded")
        yield client
        for hook in client.get("/webhooks").json()["webhooks"]:
            client.delete(f"/webhooks/{hook['id']}")


def add(hooks: httpx.Client, url: str, **changes: Any) -> dict[str, Any]:
    answer = hooks.post("/webhooks", json={"url": url, **changes})
    assert 201 == answer.status_code, answer.text
    added: dict[str, Any] = answer.json()
    return added


def test_what_happens_is_told(hooks: httpx.Client) -> None:
    """Every event of the history, signed, with the same data; the log of tries says so."""
    with receiving(Receiver()) as receiver:
        hook = add(hooks, receiver.url)
        items = list(digits.stream_items())
        for at in range(0, len(items), 256):
            hooks.post("/classify", json={"items": items[at : at + 256]}).raise_for_status()
        events = {f"{e['id']}": e for e in hooks.get("/events").json()["events"]}
        until(lambda: len({t.headers["webhook-id"] for t in receiver.told}) == len(events), "all are told")
        until(lambda: hooks.get(f"/webhooks/{hook['id']}").json()["waiting"] == 0, "all are noted")
        tries = hooks.get(f"/webhooks/{hook['id']}/deliveries").json()["deliveries"]

    assert events
    assert {"delivered"} == {one["outcome"] for one in tries}
    for told in receiver.told:
        message = Webhook(hook["secret"]).verify(told.body, told.headers)
        event = events[message["event"]]
        assert {"id": message["event"], **message["data"]} == event
        assert f"cluster.{event['event']}" == message["type"]


def test_a_secret_is_shown_once(hooks: httpx.Client) -> None:
    """When it is made; not in any other answer."""
    hook = add(hooks, "https://example.com/x")
    rotated = hooks.post(f"/webhooks/{hook['id']}/rotate", json={"overlap_s": 60}).json()
    others = [
        hooks.get("/webhooks").text,
        hooks.get(f"/webhooks/{hook['id']}").text,
        hooks.patch(f"/webhooks/{hook['id']}", json={"note": "n"}).text,
        hooks.post(f"/webhooks/{hook['id']}/enable").text,
        hooks.get(f"/webhooks/{hook['id']}/deliveries").text,
    ]

    assert hook["secret"] != rotated["secret"]
    assert not any("whsec_" in text for text in others)
    assert [None, True] == [
        secret["until"] if n == 0 else secret["until"] is not None
        for n, secret in enumerate(rotated["secrets"])
    ]


def test_change_disable_enable_remove(hooks: httpx.Client) -> None:
    """Each is there when it is answered."""
    hook = add(hooks, "https://example.com/x", events=["gone"], per_day=3)
    path = f"/webhooks/{hook['id']}"
    changed = hooks.patch(path, json={"min_items": 9, "per_day": None, "enabled": False}).json()
    enabled = hooks.post(f"{path}/enable", json={"from_now": True}).json()

    assert (9, None, False, ["gone"]) == tuple(
        changed[k] for k in ("min_items", "per_day", "enabled", "events")
    )
    assert (True, None) == (enabled["enabled"], enabled["disabled"])
    assert {"removed": hook["id"]} == hooks.delete(path).json()
    assert 404 == hooks.get(path).status_code == hooks.delete(path).status_code
    assert "/problems/unknown-webhook" == hooks.get(path).json()["type"]


def test_a_try(hooks: httpx.Client) -> None:
    """Says how it went, with what the receiver said as text."""
    with receiving(Receiver([status(503, body="<b>later</b>")])) as receiver:
        hook = add(hooks, receiver.url)
        tried = hooks.post(f"/webhooks/{hook['id']}/test").json()
    (told,) = receiver.told

    assert ("failed", 503, "<b>later</b>", None) == tuple(
        tried[k] for k in ("outcome", "status", "response", "next")
    )
    assert "webhook.test" == json.loads(told.body)["type"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 422),
        ({"url": "ftp://example.com"}, 422),
        ({"url": "https://a:b@example.com"}, 422),
        ({"url": "https://example.com", "events": ["no such"]}, 422),
        ({"url": "https://example.com", "secret": "no"}, 422),
        ({"url": "https://example.com", "per_day": -1}, 400),
        ({"url": "https://example.com", "nonsense": 1}, 400),
        ([], 400),
    ],
)
def test_what_is_refused(hooks: httpx.Client, body: object, code: int) -> None:
    """With a problem; nothing is added."""
    answer = hooks.post("/webhooks", json=body)

    assert (code, "application/problem+json") == (answer.status_code, answer.headers["content-type"])
    assert [] == hooks.get("/webhooks").json()["webhooks"]


def test_a_large_body_is_refused(hooks: httpx.Client) -> None:
    """Before it is read."""
    assert 413 == hooks.post("/webhooks", content=b" " * 20_000).status_code


def test_private_addresses_are_refused_unless_allowed(http: httpx.Client) -> None:
    """As a service is set unless an operator says otherwise."""
    for url in ("http://example.com/", "https://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/"):
        assert 422 == http.post("/webhooks", json={"url": url}).status_code


def test_a_request_that_is_sent_again_makes_no_other(hooks: httpx.Client) -> None:
    """Under one Idempotency-Key, with the same answer; and enabling what is enabled changes nothing."""
    url, key = "https://example.com/x", {"idempotency-key": '"a"'}
    one, same = (hooks.post("/webhooks", json={"url": url}, headers=key).json() for _ in range(2))
    path = f"/webhooks/{one['id']}"
    rotated = [hooks.post(f"{path}/rotate", headers={"idempotency-key": "b"}).json() for _ in range(2)]
    patched = hooks.patch(path, json={"enabled": True}).json()

    assert one == same
    assert rotated[0] == rotated[1]
    assert one["secret"] != rotated[0]["secret"]
    assert 1 == len(hooks.get("/webhooks").json()["webhooks"])
    assert patched["secrets"] == rotated[0]["secrets"]
    assert 400 == hooks.post("/webhooks", json={"url": url}, headers={"idempotency-key": '""'}).status_code


def test_another_request_under_its_key_is_refused(hooks: httpx.Client) -> None:
    """Whether it asks for something else, or for the same of something else: nobody thinks that it was done."""
    url, key = "https://example.com/x", {"idempotency-key": "reused"}
    hook = hooks.post("/webhooks", json={"url": url}, headers=key).json()
    path = f"/webhooks/{hook['id']}"
    refused = [
        hooks.post("/webhooks", json={"url": f"{url}/y"}, headers=key),
        hooks.post(f"{path}/rotate", headers=key),
    ]

    assert [(422, "/problems/key-reused")] * 2 == [(one.status_code, one.json()["type"]) for one in refused]
    assert hook == hooks.get(path).json() | {"secret": hook["secret"]}
    hooks.delete(path)


def test_a_restart_finds_them(tmp_path: Path) -> None:
    """What waits is told by the next process, under the same ids; of a stream that nobody opens, too."""
    settings = Settings.read({}, data_dir=tmp_path, webhooks_private="true")
    items, ids = list(digits.stream_items()), set()
    with receiving(Receiver([hang])) as receiver:
        with running(settings, digits.bundle()) as service:
            for name in ("default", "other"):
                with httpx.Client(base_url=service.url, timeout=60, params={"stream": name}) as client:
                    client.post("/classify", json={"items": items[:1]}).raise_for_status()
                    until(lambda: client.get("/webhooks").status_code == 200, "the webhooks are loaded")
                    add(client, receiver.url)
                    client.post("/classify", json={"items": items[1:]}).raise_for_status()
                    ids |= {(name, event["id"]) for event in client.get("/events").json()["events"]}
            until(
                lambda: (
                    {t.headers["webhook-id"].partition(":")[0] for t in receiver.told} >= {"default", "other"}
                ),
                "both are tried",
            )
        first = {told.headers["webhook-id"] for told in receiver.told}
        receiver.answers = Receiver().answers
        before = len(receiver.told)
        with running(settings, digits.bundle()) as service:
            until(
                lambda: len({t.headers["webhook-id"] for t in receiver.told[before:]}) == len(ids),
                "all are told",
            )
            streams = service.app.state.context.streams
            until(lambda: streams.peek("other") is None, "it is closed again")
        told = {t.headers["webhook-id"] for t in receiver.told[before:]}

    assert first <= told
    assert ids == {(id.partition(":")[0], id.rpartition(":")[2]) for id in told}
    assert {"default", "other"} == {name for name, _ in ids}
