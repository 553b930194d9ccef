"""A stream as a table over HTTP: as it was answered, in its order, of one instant; and it holds up nobody."""

import asyncio
import csv
import io
import itertools
import json
import tempfile
import threading
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from service.api.context import Context
from service.api.export import _Sent, _written
from service.errors import NotReady
from service.roundtrip.tables import VERDICTS
from tests.service import digits
from tests.service.inside import Inside

_names = itertools.count()


def sent(http: httpx.Client, items: list[dict[str, Any]], stream: str) -> list[dict[str, Any]]:
    """The results, as they were answered."""
    results: list[dict[str, Any]] = []
    for at in range(0, len(items), 100):
        answer = http.post("/classify", params={"stream": stream}, json={"items": items[at : at + 100]})
        assert 200 == answer.status_code
        results += answer.json()["results"]
    return results


@pytest.fixture
def stream() -> str:
    return f"export{next(_names)}"


def rows(http: httpx.Client, stream: str, table: str) -> list[dict[str, Any]]:
    answer = http.get("/export", params={"stream": stream, "table": table})
    assert 200 == answer.status_code, answer.text
    assert int(answer.headers["content-length"]) == len(answer.content)
    return [json.loads(line) for line in answer.text.splitlines()]


def test_every_verdict_is_there_in_order(http: httpx.Client, stream: str) -> None:
    """As it was answered, that of an item without an id, too."""
    items = [{"x": digits.raw(3)}, *digits.stream_items()[:150]]
    results = sent(http, items, stream)
    found = rows(http, stream, "verdicts")

    assert list(VERDICTS.names) == list(found[0])
    assert results == [{name: row[name] for name in results[0]} for row in found]


def test_what_people_decided_stands_in_all_tables(http: httpx.Client, stream: str) -> None:
    """Clusters are those that are listed, decisions those that were made; items of the class are labelled."""
    sent(http, list(digits.stream_items()), stream)
    shown = http.get("/clusters", params={"stream": stream}).json()["clusters"]
    one = max(shown, key=lambda c: c["items"])["id"]
    body = {"label": "seven", "why": "=so"}
    made = http.post(f"/clusters/{one}/promote", params={"stream": stream}, json=body)
    assert 200 == made.status_code, made.text

    assert {c["id"] for c in shown} <= {row["id"] for row in rows(http, stream, "clusters")}
    assert [("promote", one, "seven", "=so")] == [
        (row["action"], row["cluster"], row["label"], row["why"]) for row in rows(http, stream, "decisions")
    ]
    known = [row for row in rows(http, stream, "items") if row["cluster_now"] == one]
    assert known
    assert {("seven", "decision", 64)} == {(r["label_now"], r["labelled_by"], len(r["x"])) for r in known}


def test_a_csv_is_safe_to_open(http: httpx.Client, stream: str) -> None:
    """And is a download with a name."""
    sent(http, [{"id": "=1+1", "x": digits.raw(0)}], stream)
    answer = http.get("/export", params={"stream": stream, "format": "csv"})
    (row,) = csv.DictReader(io.StringIO(answer.text, newline=""))

    assert "'=1+1" == row["id"]
    assert "text/csv; charset=utf-8" == answer.headers["content-type"]
    assert f'attachment; filename="{stream}-verdicts.csv"' == answer.headers["content-disposition"]


@pytest.mark.usefixtures("unchanged")
def test_reading_changes_nothing(http: httpx.Client) -> None:
    """Of the default stream, empty or not."""
    for table in ("items", "verdicts", "clusters", "decisions"):
        rows(http, "default", table)


def test_one_is_made_at_a_time(http: httpx.Client, service: Inside) -> None:
    """Another is told to come back, and may when the first is done."""
    with service.app.state.context.exports.share() as share:
        share.take(1)
        refused = http.get("/export")

    assert (503, "1") == (refused.status_code, refused.headers["retry-after"])
    assert "/problems/overloaded" == refused.json()["type"]
    assert [200] * 9 == [http.get("/export").status_code for _ in range(9)]


@pytest.mark.parametrize(
    ("query", "status"),
    [({"stream": "nowhere"}, 404), ({"table": "secrets"}, 422), ({"format": "xlsx"}, 422)],
)
def test_what_is_not_there_is_refused(query: dict[str, str], status: int, http: httpx.Client) -> None:
    """And makes no stream."""
    assert status == http.get("/export", params=query).status_code
    assert "nowhere" not in http.get("/streams").text


def test_without_room_it_is_said(http: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no bug, and the next one may be written."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "full"))
    refused = http.get("/export")
    monkeypatch.undo()

    assert (503, True) == (refused.status_code, "temporary files" in refused.json()["detail"])
    assert 200 == http.get("/export").status_code


def endless(_context: Any, _stream: str, _table: str, _form: str, ended: threading.Event) -> Any:
    """An export that is written until somebody ends it."""
    ended.wait()
    raise NotReady("ended")


@pytest.fixture
def writing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Coroutine[Any, Any, Any]]:
    monkeypatch.setattr("service.api.export._LOOK_S", 0.001)
    monkeypatch.setattr("service.api.export._write", endless)
    return partial(_written, cast("Context", None), "stream", "verdicts", "csv")


async def test_nothing_is_written_for_who_has_gone(writing: Callable[..., Coroutine[Any, Any, Any]]) -> None:
    """His place is free for another soon."""
    gone = iter([False, False])

    with pytest.raises(NotReady, match="ended"):
        await writing(lambda: next(gone, True))


async def test_a_stop_is_said(writing: Callable[..., Coroutine[Any, Any, Any]]) -> None:
    """And holds up nothing: what is written is given up."""
    asking = asyncio.create_task(writing(None))
    await asyncio.sleep(0.01)
    asking.cancel()

    with pytest.raises(NotReady, match="stops"):
        await asking


async def test_what_is_held_is_given_back_when_it_is_cut_off() -> None:
    """By a stop, in the middle of an answer; the connection is closed then."""
    held, given_back, sending = AsyncExitStack(), asyncio.Event(), asyncio.Event()
    held.callback(given_back.set)
    bodies = 0

    async def send(message: Any) -> None:
        nonlocal bodies
        if message["type"] == "http.response.body":
            bodies += 1
            sending.set()
            await asyncio.Event().wait()

    answer = _Sent(io.BytesIO(b"x" * (1 << 19)), 1 << 19, held, {})
    asking = asyncio.create_task(answer({}, send, send))  # type: ignore[arg-type]  # nothing is received
    await sending.wait()
    asking.cancel()
    await asking

    assert (1, True) == (bodies, given_back.is_set())
