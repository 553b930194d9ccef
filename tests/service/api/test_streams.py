"""Several streams of one service, over every way in: apart from each other, and told apart."""

import asyncio
import itertools
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from service.settings import Settings
from service.state.embedded import EmbeddedServer
from service.streams.stream import Stream
from tests.service import digits
from tests.service.inside import Inside, running
from tests.service.waiting import soon, until

IS_JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def service() -> Iterator[Inside]:
    """A service that may have three streams open."""
    with tempfile.TemporaryDirectory(prefix="fs-") as folder:
        settings = Settings.read({}, data_dir=Path(folder), max_streams=3)
        with running(settings, digits.bundle()) as inside:
            yield inside


_names = itertools.count()


@pytest.fixture
def name() -> str:
    """Of a stream that no other test uses, or the beginning of several."""
    return f"s{next(_names)}"


@contextmanager
def redis() -> Iterator[str]:
    """The address of a store of its own."""
    with tempfile.TemporaryDirectory(prefix="fs-") as folder:
        server = EmbeddedServer(Path(folder))
        asyncio.run(server.start())
        try:
            yield server.url
        finally:
            asyncio.run(server.stop())


@pytest.fixture
def http(service: Inside) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=60, headers=IS_JSON) as client:
        yield client


def send(http: httpx.Client, stream: str, *items: dict[str, Any]) -> list[dict[str, Any]]:
    answer = http.post("/classify", params={"stream": stream}, json={"items": items})
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def info(http: httpx.Client, stream: str) -> dict[str, Any]:
    found: dict[str, Any] = http.get("/info", params={"stream": stream}).json()
    return found


def listed(http: httpx.Client) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in http.get("/streams").json()["streams"]}


def is_idle(service: Inside, name: str) -> bool:
    """Whether nobody uses the stream, as the service sees it."""
    stream: Stream = service.app.state.context.streams.peek(name)
    return stream.is_idle


def test_sending_makes_a_stream(http: httpx.Client, name: str) -> None:
    """The first items are answered like any others, and the stream counts from 0, beside the default one."""
    before = info(http, "default")
    first = send(http, name, *digits.many("i", 3))
    seen = info(http, name)

    assert [1, 2, 3] == [one["seq"] for one in first]
    assert (name, 4, 1) == (seen["stream"], seen["seq"], seen["epoch"])
    assert before == info(http, "default")
    assert first == send(http, name, *digits.many("i", 3))
    assert 200 == http.get("/readyz", params={"stream": name}).status_code


def test_streams_learn_apart(http: httpx.Client, name: str) -> None:
    """The same items get the same verdicts in both; what is sent to one does not move the other."""
    items = [{"id": item["id"], "x": item["x"]} for item in digits.stream_items()[:400]]
    one, other = f"{name}-1", f"{name}-2"
    found = [send(http, stream, *items) for stream in (one, other)]
    before = info(http, other)
    send(http, one, *digits.many("more", 40))

    assert found[0] == found[1]
    assert before == info(http, other)
    assert [440, 400] == [sum(info(http, stream)["verdicts"].values()) for stream in (one, other)]
    assert before["seq"] == http.get("/clusters", params={"stream": other}).json()["seq"]


def test_a_stream_that_had_to_make_room(http: httpx.Client, name: str) -> None:
    """It is closed for others and comes back as it was: same hash, same verdicts, no item twice."""
    before = send(http, name, *digits.many("i", 30))
    state = info(http, name)["state_hash"]
    for n in range(3):
        send(http, f"{name}-{n}", {"id": "x", "x": digits.raw()})
    row = listed(http)[name]
    not_ready = http.get("/readyz", params={"stream": name})

    assert (False, "not open here; its first use opens it") == (row["ready"], row["reason"])
    assert (503, row["reason"]) == (not_ready.status_code, not_ready.json()["reason"])
    assert state == info(http, name)["state_hash"]
    assert before == send(http, name, *digits.many("i", 30))
    row = listed(http)[name]
    assert (True, None) == (row["ready"], row["reason"])
    assert row["epoch"] >= 2


async def test_sockets_hold_their_streams(service: Inside, name: str) -> None:
    """With a socket on each open stream there is no room: HTTP gets 503 and sockets 1013, until one goes."""
    url, item = "/classify", {"x": digits.raw()}
    async with (
        httpx.AsyncClient(base_url=service.url, timeout=60, headers=IS_JSON) as http,
        connect(f"{service.ws_url}/stream?stream={name}-1", proxy=None) as one,
        connect(f"{service.ws_url}/stream?stream={name}-2", proxy=None) as two,
    ):
        welcomes = [json.loads(await socket.recv()) for socket in (one, two)]
        refused = await http.post(url, params={"stream": name}, json=item)
        async with connect(f"{service.ws_url}/stream?stream={name}", proxy=None) as third:
            await third.wait_closed()
            code = third.close_code
        await one.close()
        await soon(lambda: is_idle(service, f"{name}-1"), "its stream is free")
        served = await http.post(url, params={"stream": name}, json=item)
        await two.send(json.dumps({"type": "items", "items": digits.many("i", 2)}))
        verdicts = json.loads(await two.recv())

    assert [f"{name}-1", f"{name}-2"] == [welcome["stream"] for welcome in welcomes]
    assert (503, "/problems/too-many-streams") == (refused.status_code, refused.json()["type"])
    assert "FIRSTSEEN_MAX_STREAMS" in refused.json()["detail"]
    assert (1013, 200) == (code, served.status_code)
    assert 2 == len(verdicts["results"])


async def test_watching_one_stream(service: Inside, http: httpx.Client, name: str) -> None:
    """A watcher hears of its stream alone."""
    send(http, name, {"id": "x", "x": digits.raw()})
    async with connect(f"{service.ws_url}/watch?stream={name}", proxy=None) as socket:
        hello = json.loads(await socket.recv())

    assert ("hello", 2, []) == (hello["type"], hello["seq"], hello["clusters"])


def test_dead_letters_of_one_stream(http: httpx.Client, name: str) -> None:
    """Each stream has its own quarantine."""
    send(http, name, {"id": "x", "x": digits.raw()})
    listed = http.get("/dlq", params={"stream": name})
    unknown = http.post("/dlq/retry", params={"stream": name, "id": "x"})

    assert {"items": [], "next": None} == listed.json()
    assert "/problems/unknown-dead-letter" == unknown.json()["type"]


def test_the_list_in_pages(http: httpx.Client, name: str) -> None:
    """In order of names; `after` goes on, and the last page says so."""
    for n in range(2):
        send(http, f"{name}-{n}", {"id": "x", "x": digits.raw()})
    names, after = [], ""
    while after is not None:
        page = http.get("/streams", params={"after": after, "limit": 1}).json()
        names += [row["name"] for row in page["streams"]]
        after = page["next"]

    assert sorted(names) == names == sorted(listed(http))
    assert {"default", f"{name}-0", f"{name}-1"} <= set(names)
    assert 422 == http.get("/streams", params={"limit": 0}).status_code


def test_metrics_of_open_streams(http: httpx.Client, name: str) -> None:
    """Each open stream has its series; the process has the number of them."""
    send(http, name, *digits.many("i", 3))
    text = http.get("/metrics").text

    assert f'firstseen_seq{{stream="{name}"}} 4.0' in text
    assert f'firstseen_ready{{stream="{name}"}} 1.0' in text
    assert "firstseen_open_streams 3.0" in text or "firstseen_open_streams 2.0" in text


def test_two_processes_on_one_redis() -> None:
    """One owns a, the other b: each serves its own, says whose the other is, and takes it over when it is free."""
    with redis() as url:
        settings = [Settings.read({}, redis_url=url, stream=stream, lease_ms=1000) for stream in ("a", "b")]
        with running(settings[1], digits.bundle()) as two:
            http = httpx.Client(base_url=two.url, timeout=60, headers=IS_JSON)
            with running(settings[0], digits.bundle()) as one:
                first = httpx.Client(base_url=one.url, timeout=60, headers=IS_JSON)
                mine = send(first, "a", *digits.many("i", 5))
                send(http, "b", *digits.many("i", 2))
                held = http.post("/classify", params={"stream": "a"}, json={"x": digits.raw()})
                rows = listed(first)
                first.close()
            until(lambda: http.get("/readyz", params={"stream": "a"}).status_code == 200, "it is taken over")
            heir = send(http, "a", *digits.many("i", 5))
            http.close()

    assert 503 == held.status_code
    assert "owns the stream" in held.json()["detail"]
    assert [(True, 6), (False, 3)] == [(rows[name]["ready"], rows[name]["seq"]) for name in ("a", "b")]
    assert "owns the stream" in rows["b"]["reason"]
    assert mine == heir


def test_a_stream_of_another_bundle() -> None:
    """It is refused with its reason, and retry-after; the service goes on."""
    with redis() as url:
        with running(Settings.read({}, redis_url=url, stream="old"), digits.variant()) as other:
            assert 200 == httpx.get(f"{other.url}/readyz").status_code
        with (
            running(Settings.read({}, redis_url=url), digits.bundle()) as inside,
            httpx.Client(base_url=inside.url, timeout=60, headers=IS_JSON) as http,
        ):
            refused = http.post("/classify", params={"stream": "old"}, json={"x": digits.raw()})
            row = listed(http)["old"]
            ready = http.get("/readyz").status_code

    assert (503, "/problems/stream-fails") == (refused.status_code, refused.json()["type"])
    assert digits.variant().manifest.bundle_id in refused.json()["detail"]
    assert 1 <= int(refused.headers["retry-after"]) <= 5
    assert (False, None) == (row["ready"], row["seq"])
    assert 200 == ready
