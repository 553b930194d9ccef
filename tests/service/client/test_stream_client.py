"""The client against a scripted server: credit, cuts, refusals, and when it gives up."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from service.client import GaveUp, RawItem, Refused, StreamClient
from tests.service.client.scripted import Handler, Server, serving


def item(n: int) -> RawItem:
    return {"id": f"i{n}", "x": [0]}


async def chunks(*sizes: int) -> AsyncIterator[Sequence[RawItem]]:
    n = 0
    for size in sizes:
        yield [item(k) for k in range(n, n + size)]
        n += size


async def stream(handler: Handler, *sizes: int, patience_s: float = 20.0) -> list[RawItem]:
    """The answers to a stream of chunks of these sizes."""
    got: list[RawItem] = []
    async with serving(handler) as url, asyncio.timeout(30):
        await StreamClient(url, on_result=got.append, patience_s=patience_s).run(chunks(*sizes))
    return got


async def test_all_answered() -> None:
    """Every item is answered once, in order, each chunk a frame."""
    server = Server()
    got = await stream(server, 3, 1, 2)

    assert [f"i{n}" for n in range(6)] == [result["id"] for result in got]
    assert [3, 1, 2] == [len(frame) for frame in server.frames]


async def test_nothing() -> None:
    """A stream without items ends."""
    assert [] == await stream(Server())


async def test_credit() -> None:
    """Nothing is sent beyond the credit; what is longer than the service takes at once is cut."""
    server = Server(credit=5, max_items=4)
    got = await stream(server, 3, 13)

    assert 16 == len(got)
    assert max(map(len, server.frames)) <= 4


@pytest.mark.parametrize("cut_after", [1, 2, 3])
async def test_cut(cut_after: int) -> None:
    """After each cut what was not answered is sent again; every item is answered once and counted once."""
    server = Server(cuts=3, cut_after=cut_after)
    got = await stream(server, 4, 4, 4, 4)

    assert [f"i{n}" for n in range(16)] == sorted((r["id"] for r in got), key=lambda id: int(id[1:]))
    assert 16 == len(server.counted)
    assert 2 <= server.connections <= 4


async def test_resend_is_cut_too() -> None:
    """What is sent again keeps to the limits of the connection it is sent on."""
    server = Server(credit=4, max_items=2, cuts=1, cut_after=2)

    assert 4 == len(await stream(server, 2, 2))


async def test_nack() -> None:
    """An item that is refused is handed over under its id, and not sent again."""

    async def refuse(socket: ServerConnection) -> None:
        await socket.send(json.dumps({"type": "welcome", "credits": 9, "max_items": 9, "max_bytes": 9999}))
        await socket.recv()
        problem = {"type": "/problems/invalid-item", "title": "t", "status": 422, "detail": "send numbers"}
        await socket.send(json.dumps({"type": "nack", "position": 0, "id": None, "problem": problem}))
        await socket.recv()

    (nack,) = await stream(refuse, 1)

    assert ("i0", "send numbers") == (nack["id"], nack["problem"]["detail"])


async def test_nobody_there() -> None:
    """Where nothing listens it gives up when its patience ends, naming the address."""
    async with serving(Server()) as url:
        pass
    client = StreamClient(url, on_result=lambda _: None, patience_s=0)

    with pytest.raises(GaveUp, match="did not answer"):
        await client.run(chunks(1))


@pytest.mark.parametrize("greet", [True, False])
async def test_refused_for_ever(greet: bool) -> None:
    """A service that greets and then refuses, each time, is not asked for ever."""
    problem = {"type": "/problems/x", "title": "t", "status": 400, "detail": "not this frame"}

    async def refuse(socket: ServerConnection) -> None:
        if greet:
            await socket.send(
                json.dumps({"type": "welcome", "credits": 9, "max_items": 9, "max_bytes": 9999})
            )
            await socket.recv()
        await socket.send(json.dumps({"type": "error", "problem": problem}))

    with pytest.raises(GaveUp, match="not this frame"):
        await stream(refuse, 1, patience_s=0.1)


async def test_patience_begins_anew() -> None:
    """An answer renews the patience: many cuts with answers in between are no reason to give up."""

    class Forgetful(Server):
        async def __call__(self, socket: ServerConnection) -> None:
            self._cuts = 1 if self.connections < 6 else 0
            await super().__call__(socket)

    server = Forgetful(cut_after=2)
    got = await stream(server, *[1] * 9, patience_s=1.0)

    assert 9 == len(got)


async def test_a_bug_is_not_swallowed() -> None:
    """What the caller's function raises comes out of `run`."""

    def fail(_result: dict[str, Any]) -> None:
        raise ValueError("the caller's")

    async with serving(Server()) as url, asyncio.timeout(60):
        with pytest.raises(ValueError, match="the caller's"):
            await StreamClient(url, on_result=fail).run(chunks(1))


async def test_frames_keep_to_the_bytes() -> None:
    """Wide items go in as many frames as the service's limit needs, also when they are sent again."""
    server = Server(max_bytes=400, cuts=2, cut_after=2)
    got: list[RawItem] = []

    async def wide() -> AsyncIterator[Sequence[RawItem]]:
        yield [{"id": f"é{n}", "x": [0.123456789] * 12} for n in range(20)]

    async with serving(server) as url, asyncio.timeout(30):
        await StreamClient(url, on_result=got.append).run(wide())

    assert {f"é{n}" for n in range(20)} == {result["id"] for result in got}
    assert {1, 2} >= {len(frame) for frame in server.frames}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"x": [0]}, "needs a string as id"),
        ({"id": 7, "x": [0]}, "needs a string as id"),
        ({"id": "a", "x": [float("nan")]}, "'a' cannot be written as JSON"),
        ({"id": "a", "x": {1, 2}}, "'a' cannot be written as JSON"),
    ],
)
async def test_what_cannot_be_sent_is_said_at_once(bad: RawItem, message: str) -> None:
    """Nothing is sent of a chunk with such an item, and nothing is retried."""

    async def chunk() -> AsyncIterator[Sequence[RawItem]]:
        yield [bad]

    server = Server()
    async with serving(server) as url, asyncio.timeout(60):
        with pytest.raises((TypeError, ValueError), match=message):
            await StreamClient(url, on_result=lambda _: None).run(chunk())

    assert [] == server.frames


async def test_an_item_wider_than_a_frame_is_refused_by_id() -> None:
    """It could never be sent; the message says which and how wide."""
    server = Server(max_bytes=100)

    async def chunk() -> AsyncIterator[Sequence[RawItem]]:
        yield [{"id": "wide", "x": [0.5] * 100}]

    async with serving(server) as url, asyncio.timeout(60):
        with pytest.raises(Refused, match="'wide'"):
            await StreamClient(url, on_result=lambda _: None).run(chunk())


@pytest.mark.parametrize("code", [1008, 1009, 4403])
async def test_a_refusal_for_good_is_not_retried(code: int) -> None:
    """After a close that says never, the client says so at once, with the service's reason."""
    connections = 0

    async def refuse(socket: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        await socket.close(code, "no such stream")

    async with serving(refuse) as url, asyncio.timeout(60):
        with pytest.raises(Refused, match="no such stream"):
            await StreamClient(url, on_result=lambda _: None).run(chunks(1))

    assert 1 == connections
