"""A stream of items in, answers in order out, against the scripted server."""

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.server import ServerConnection

from service.client import Answer, AsyncClient, Item, Refusal, Refused, Verdict
from service.client.items import refusal
from service.client.streaming import MOST_UNREAD
from tests.service.client.scripted import Server, http, serving
from tests.service.waiting import soon


def items(n: int) -> Iterator[Item]:
    for k in range(n):
        yield Item(x=[k], id=f"i{k}")


async def answers(server: Any, given: Any, **options: Any) -> list[Answer]:
    async with serving(server) as url, asyncio.timeout(30), AsyncClient(http(url), **options) as client:
        return [answer async for answer in client.stream(given)]


@pytest.mark.parametrize("n", [0, 1, 1000])
async def test_an_answer_each_in_order(n: int) -> None:
    """Whatever is iterated."""
    got = await answers(Server(), items(n))

    assert [f"i{k}" for k in range(n)] == [answer.id for answer in got]
    assert all(isinstance(answer, Verdict) for answer in got)


async def test_cuts() -> None:
    """Cut again and again, every item is answered once, in order, and counted once."""
    server = Server(credit=64, cuts=6, cut_after=2)
    got = await answers(server, items(1000))

    assert [f"i{k}" for k in range(1000)] == [answer.id for answer in got]
    assert 1000 == len(server.counted)
    assert 7 == server.connections


async def test_arrays_go_raw() -> None:
    """In frames of many; beside them what is none, and all in order."""
    server = Server()
    got = await answers(server, [*np.zeros((6, 4), dtype=np.uint8), [0], *np.zeros((3, 4), dtype=np.float32)])

    assert 10 == len(got)
    assert ["batch", "items", "batch"] == server.kinds
    assert [answer.id for answer in got] == [id for frame in server.frames for id in frame]


async def test_what_is_not_read_raw_is_sent_as_json() -> None:
    """A frame of another size is ignored by the service: then its items are sent one by one, and nothing is lost."""
    server = Server(width=64)
    got = await answers(server, [Item(x=x, id=f"i{k}") for k, x in enumerate(np.zeros((9, 4), dtype="<f4"))])

    assert [f"i{k}" for k in range(9)] == [answer.id for answer in got]
    assert {"items"} == set(server.kinds)
    assert 2 == server.connections


async def test_ids_that_repeat() -> None:
    """Each item has its answer, also where two of one frame are the same."""
    got = await answers(Server(), [Item(x=[0], id="same")] * 5)

    assert ["same"] * 5 == [answer.id for answer in got]


async def test_what_cannot_be_sent_is_answered_in_its_place() -> None:
    """NaN, an item wider than a frame, and a refusal that was known before."""
    given = [
        Item(x=[0], id="a"),
        Item(x=[float("nan")], id="b"),
        Item(x=["wide" * 200], id="c"),
        refusal("d", "line 4 is no JSON"),
        Item(x=[1], id="e"),
    ]
    got = await answers(Server(max_bytes=300), given)

    assert ["a", "b", "c", "d", "e"] == [answer.id for answer in got]
    refused = [answer.problem.kind for answer in got if isinstance(answer, Refusal)]
    assert ["/problems/invalid-item", "/problems/too-large", "/problems/invalid-item"] == refused


async def test_a_caller_that_does_not_read_stops_the_stream() -> None:
    """What is on the way is bounded, however long the stream."""
    server = Server(credit=100_000)
    read = 0

    def endless() -> Iterator[Item]:
        nonlocal read
        for item in items(10**9):
            read += 1
            yield item

    async with serving(server) as url, asyncio.timeout(30), AsyncClient(http(url)) as client:
        stream = client.stream(endless())
        assert "i0" == (await anext(stream)).id
        await soon(lambda: read >= MOST_UNREAD, "as many are on the way as may be")
        await soon(lambda: len(server.counted) >= MOST_UNREAD - 300, "they are answered")
        assert read <= 2 * MOST_UNREAD
        await stream.aclose()


async def test_what_the_iterable_raises_is_raised() -> None:
    """After what it gave."""

    def failing() -> Iterator[Item]:
        yield from items(3)
        raise ValueError("the caller's")

    with pytest.raises(ValueError, match="the caller's"):
        await answers(Server(), failing())


async def test_what_is_no_item_is_raised() -> None:
    """It is a slip of the program, not of the data."""
    with pytest.raises(TypeError, match="An item is"):
        await answers(Server(), [Item(x=[0]), 7])


async def test_a_stream_that_is_refused_for_good() -> None:
    """Not retried; the service's reason is in the error."""

    async def refuse(socket: ServerConnection) -> None:
        await socket.close(4401, "no key")

    with pytest.raises(Refused, match="no key"):
        await answers(refuse, items(3))


async def test_a_quiet_iterable_needs_no_service() -> None:
    """Cut while nothing is on the way, it connects again when there is something to send, however late."""
    server = Server(cuts=1, cut_after=2)
    gate = asyncio.Event()

    async def slow() -> Any:
        yield Item(x=[0], id="a")
        await soon(lambda: server.counted, "the first is answered")
        yield Item(x=[1], id="b")
        await gate.wait()
        yield Item(x=[2], id="c")

    async with serving(server) as url, asyncio.timeout(30), AsyncClient(http(url), patience_s=5) as client:
        stream = client.stream(slow())
        first = [(await anext(stream)).id for _ in range(2)]
        gate.set()
        rest = [answer.id async for answer in stream]

    assert (["a", "b"], ["c"]) == (first, rest)
    assert 2 <= server.connections
