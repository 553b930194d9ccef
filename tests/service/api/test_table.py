"""Rows of a table through everything: a csv file, a trained bundle, the running service, an answer a row."""

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import numpy as np
import pytest
from websockets.sync.client import connect

from model.bundle import Bundle, read_bundle
from model.configs import starting_config
from model.export import run
from service.settings import Settings
from tests.service.inside import Inside, running

KNOWN = {"web": ("tcp", 80, 6.0), "dns": ("udp", 53, 4.0), "mail": ("tcp", 25, 8.0)}
NEW = ("icmp", 0, 11.0)


def rows(kind: tuple[str, int, float], n: int, seed: int) -> list[dict[str, Any]]:
    """Connections of one kind: protocol, port, bytes around exp(size); every tenth cell is missing."""
    protocol, port, size = kind
    rng = np.random.default_rng(seed)
    full = [
        {"protocol": protocol, "port": str(port), "bytes": round(float(b), 1), "seconds": round(float(s), 3)}
        for b, s in zip(rng.lognormal(size, 0.4, n), rng.lognormal(size / 4, 0.4, n), strict=True)
    ]
    return [
        {name: None if rng.random() < 0.1 and name != "bytes" else cell for name, cell in row.items()}
        for row in full
    ]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Trained on a csv of three known kinds and one held out."""
    folder = tmp_path_factory.mktemp("table")
    labelled = [
        {**row, "id": f"{name}-{i}", "kind": name}
        for seed, (name, kind) in enumerate((KNOWN | {"scan": NEW}).items())
        for i, row in enumerate(rows(kind, 240, seed))
    ]
    with (folder / "flows.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [*labelled[0]])
        writer.writeheader()
        writer.writerows(labelled)
    changes = {
        "label": "kind", "drop": ("id",), "categories": ("port",), "hold_out": ("scan",)
    }  # fmt: skip
    run(
        starting_config(str(folder / "flows.csv"), None, changes),
        data_dir=None,
        out=folder / "bundle",
        progress=lambda *_: None,
        created=datetime(2026, 3, 1, tzinfo=UTC),
    )
    return read_bundle(folder / "bundle")


@pytest.fixture(scope="module")
def service(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with running(Settings.read({}, data_dir=tmp_path_factory.mktemp("state")), bundle) as inside:
        yield inside


@pytest.fixture
def http(service: Inside) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url) as client:
        yield client


def test_known_rows_get_their_class_and_others_none(http: httpx.Client) -> None:
    """Rows that were never seen: known kinds are known, also with cells missing; the new kind is not."""
    for seed, (name, kind) in enumerate(KNOWN.items()):
        results = http.post(
            "/classify", json={"items": [{"x": x} for x in rows(kind, 60, 100 + seed)]}
        ).json()
        labels = [result["label"] for result in results["results"]]

        assert labels.count(name) >= 54, name
    results = http.post("/classify", json={"items": [{"x": x} for x in rows(NEW, 60, 200)]}).json()

    assert [result["verdict"] for result in results["results"]].count("known") <= 6


def test_info_tells_the_columns_and_has_an_example_that_works(http: httpx.Client) -> None:
    """What to send is read from the service: columns by name and kind, and a row to start from."""
    told = http.get("/info").json()["input"]
    answer = http.post("/classify", json={"id": "example", "x": told["example"]})

    assert {c["name"]: c["kind"] for c in told["columns"]} == {
        "protocol": "category",
        "port": "category",
        "bytes": "number",
        "seconds": "number",
    }
    assert set(told["example"]) == {"protocol", "port", "bytes", "seconds"}
    assert answer.status_code == 200
    assert (
        told["example"]
        == (
            http.get("/openapi.json").json()["paths"]["/classify"]["post"]["requestBody"]["content"][
                "application/json"
            ]["example"]["items"][0]["x"]
        )
    )


def test_a_row_may_be_written_in_several_ways(http: httpx.Client) -> None:
    """As an object, as the strings of a csv file, as a list, without what is missing: one verdict."""
    same: list[Any] = [
        {"protocol": "udp", "port": "53", "bytes": 60, "seconds": None},
        {"protocol": " udp ", "port": 53, "bytes": "60", "seconds": ""},
        {"bytes": 60.0, "port": "53", "protocol": "udp"},
        ["udp", 53, 60, "NaN"],
    ]
    results = http.post("/classify", json={"items": [{"x": x} for x in same]}).json()["results"]

    assert {result["label"] for result in results} == {"dns"}
    assert len({result["novelty"] for result in results}) == 1
    assert len({result["distance"] for result in results}) == 1


@pytest.mark.parametrize(
    ("x", "detail"),
    [
        ({"Bytes": 3}, "got 'Bytes', which is none of the columns ('bytes' is one)."),
        ({"bytes": "many"}, "got a string that is no number in 'bytes', a column of numbers."),
        ({"protocol": ["tcp"]}, "got a list in 'protocol', a column of categories."),
        (["tcp", 80], "got a list of 2 values."),
        ([0] * 64, "got a list of 64 values."),
        ({}, "got an object without columns."),
        ("tcp", "got a string."),
        ({f"c{i}": 1 for i in range(20_000)}, "far too many values"),
    ],
)
def test_a_bad_row_fails_alone_and_is_told_what_to_send(http: httpx.Client, x: object, detail: str) -> None:
    """Its neighbour is answered."""
    good = {"id": "good", "x": {"protocol": "tcp", "bytes": 400}}
    answer = http.post("/classify", json={"items": [{"id": "bad", "x": x}, good]}).json()["results"]

    assert 422 == answer[0]["problem"]["status"]
    assert detail in answer[0]["problem"]["detail"]
    assert 'an object of columns like {"protocol": "tcp"' in answer[0]["problem"]["detail"]
    assert "verdict" in answer[1]


def test_rows_come_over_the_socket_too(service: Inside) -> None:
    """One good, one bad: a verdict and a nack."""
    items = [
        {"id": "ws-1", "x": {"protocol": "udp", "port": 53, "bytes": 55}},
        {"id": "ws-2", "x": {"port": {}}},
    ]
    with connect(f"{service.ws_url}/stream") as socket:
        socket.recv()  # welcome
        socket.send(json.dumps({"type": "items", "items": items}))
        socket.send(json.dumps({"type": "end"}))
        answers = [json.loads(message) for message in socket]
    verdicts = [result for answer in answers if answer["type"] == "verdicts" for result in answer["results"]]
    nacks = [answer for answer in answers if answer["type"] == "nack"]

    assert [("ws-1", "dns")] == [(verdict["id"], verdict["label"]) for verdict in verdicts]
    assert ["ws-2"] == [nack["id"] for nack in nacks]
    assert "got an object in 'port', a column of categories" in nacks[0]["problem"]["detail"]
