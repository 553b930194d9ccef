"""A bundle of texts is served like any other: over HTTP and both encodings of the WebSocket, bad items alone."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from service.ingest.protocol import JSON, MSGPACK
from service.settings import Settings
from tests.service import texts
from tests.service.inside import Inside, running

LONG = "x" * 10_001


@pytest.fixture(scope="module")
def service() -> Iterator[Inside]:
    with (
        tempfile.TemporaryDirectory(prefix="fs-") as folder,
        running(Settings.read({}, data_dir=Path(folder)), texts.bundle()) as inside,
    ):
        yield inside


@pytest.fixture
def http(service: Inside) -> Iterator[httpx.Client]:
    is_json = {"content-type": "application/json"}
    with httpx.Client(base_url=service.url, timeout=60, headers=is_json) as client:
        yield client


def classify(http: httpx.Client, *items: Any) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = http.post("/classify", json={"items": items}).json()["results"]
    return results


def test_a_text_gets_a_verdict(http: httpx.Client) -> None:
    """A question of a known intent is known by its label; the very same text under another id gets the same."""
    verdict = http.post("/classify", json={"id": "a", "x": "Could you block the lost card"}).json()
    again = http.post("/classify", json={"id": "b", "x": "  Could you block the lost card\n"}).json()

    assert ("known", "card") == (verdict["verdict"], verdict["label"])
    assert {**verdict, "id": "b", "seq": again["seq"]} == again


def test_known_intents_are_known_and_unseen_ones_are_found(http: httpx.Client) -> None:
    """Most questions of intents that were never trained are not taken for a known one, and they form clusters."""
    known = classify(http, *texts.items("k", "weather", 60), *texts.items("k", "alarm", 60))
    in_turn = zip(*(texts.items("u", intent, 90) for intent in texts.UNSEEN), strict=True)
    unseen = classify(http, *(item for pair in in_turn for item in pair))

    right = [r["label"] == r["id"].split("-")[1] for r in known]
    assert sum(right) > 0.9 * len(right)
    assert sum(r["verdict"] != "known" for r in unseen) > 0.8 * len(unseen)
    clusters = http.get("/clusters").json()["clusters"]
    assert {exemplar.split("-")[1] for c in clusters for exemplar in c["exemplars"]} <= set(texts.UNSEEN)
    assert clusters


@pytest.mark.parametrize(
    ("x", "says"),
    [
        ("", "got an empty string"),
        (" \n ", "got a string of white space"),
        (LONG, "got a string of 10,001 characters: cut it"),
        ("," * 20_000, "far too many values: send a text (a JSON string of 1 to 10,000 characters) as x"),
        (None, "got null"),
        ([1, 2, 3], "got a list"),
        ({"text": "a"}, "got an object"),
        (7, "got a single number"),
    ],
)
def test_a_bad_text_fails_alone(http: httpx.Client, x: object, says: str) -> None:
    """In its place, under its id where that could be read, and told what to send; its neighbours are answered."""
    before, bad, after = classify(http, {"x": "play some jazz"}, {"id": "bad", "x": x}, {"x": "set an alarm"})

    assert ["music", "alarm"] == [before["nearest"], after["nearest"]]
    assert bad["id"] in {"bad", None}
    assert says in bad["problem"]["detail"]
    assert 422 == bad["problem"]["status"]


def test_an_item_without_a_text_is_told_what_to_send(http: httpx.Client) -> None:
    """In words."""
    answer = http.post("/classify", json={"id": "a"})

    assert 422 == answer.status_code
    assert "has no x: send a text (a JSON string of 1 to 10,000 characters) as x" in answer.json()["detail"]


def test_the_longest_text_of_the_widest_letters_is_taken(http: httpx.Client) -> None:
    """Characters are counted, not bytes; commas and brackets are letters like any other."""
    for text in ("😀" * 10_000, ",[{" * 3333):
        assert {"verdict", "nearest"} <= http.post("/classify", json={"x": text}).json().keys()


def test_info_and_docs_show_a_text(http: httpx.Client) -> None:
    """An example that can be sent as it is."""
    shown = http.get("/info").json()["input"]

    assert {"kind": "text", "max_characters": 10_000, "example": "How do I reset my PIN?"} == shown
    assert "verdict" in http.post("/classify", json={"x": shown["example"]}).json()
    example = http.get("/openapi.json").json()["paths"]["/classify"]["post"]["requestBody"]["content"]
    assert {"items": [{"id": "a", "x": shown["example"]}]} == example["application/json"]["example"]


@pytest.mark.parametrize("subprotocol", [JSON, MSGPACK])
def test_the_websocket_takes_texts(service: Inside, subprotocol: str) -> None:
    """In both encodings; a bad one gets a nack at its position."""
    items = [
        {"id": f"{subprotocol}-1", "x": "play that song"},
        {"id": f"{subprotocol}-2", "x": ""},
        {"id": f"{subprotocol}-3", "x": "größe 名前 \u2028 👩\u200d🔬"},
    ]
    message = {"type": "items", "items": items}
    with connect(
        f"{service.ws_url}/stream", subprotocols=[Subprotocol(subprotocol)], compression=None, proxy=None
    ) as ws:
        ws.send(msgspec.msgpack.encode(message) if subprotocol == MSGPACK else json.dumps(message))
        got = [decoded(ws.recv(10)) for _ in range(3)]
        while got[-1]["type"] != "ack" or got[-1]["durable"] < 3:
            got.append(decoded(ws.recv(10)))

    results = [r for m in got if m["type"] == "verdicts" for r in m["results"]]
    nacks = [m for m in got if m["type"] == "nack"]
    assert [(0, items[0]["id"]), (2, items[2]["id"])] == [(r["position"], r["id"]) for r in results]
    assert "music" == results[0]["nearest"]
    assert [(1, items[1]["id"])] == [(m["position"], m["id"]) for m in nacks]


def decoded(frame: str | bytes) -> dict[str, Any]:
    message: dict[str, Any] = msgspec.msgpack.decode(frame) if isinstance(frame, bytes) else json.loads(frame)
    return message
