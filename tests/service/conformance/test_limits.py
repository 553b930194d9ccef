"""The limits of `/stream`, and how each close reads."""

import asyncio
import contextlib
import socket as sockets
import uuid

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.service.conformance.talker import PATIENCE_S, Server, Talker

pytestmark = pytest.mark.slow


async def test_more_items_than_credit(server: Server) -> None:
    """1008, and the reason has both numbers; what was sent before is not answered any more."""
    async with server.stream() as (talker, welcome):
        n = welcome["credits"] + 1
        if n > welcome["max_items"]:
            pytest.skip("a frame cannot hold more items than there are credits")
        await talker.say_items([{}] * n)
        code, reason = await talker.hear_out()

        assert 1008 == code
        assert f"{n} items with credit for {n - 1}" in reason


async def test_as_many_items_as_credit(server: Server) -> None:
    """All of it may be used, and at the end there is at least a frame's again."""
    async with server.stream() as (talker, welcome):
        n = min(welcome["credits"], welcome["max_items"])
        await talker.say_items([{}] * n)
        ack = await talker.hear_until("ack", durable=n)

        assert ack["credits"] >= welcome["least_credits"]


async def test_more_items_than_a_frame_may_have(server: Server) -> None:
    """The frame is ignored, and the connection goes on."""
    async with server.stream() as (talker, welcome):
        n = welcome["max_items"] + 1
        await talker.say_items([0] * n)
        error = await talker.hear()
        await talker.say_items(server.items(1))
        await talker.hear_until("ack", accepted=1, durable=1)

        assert "error" == error["type"]
        assert str(welcome["max_items"]) in error["problem"]["detail"]


async def test_more_bytes_than_a_frame_may_have(server: Server) -> None:
    """1009."""
    async with server.stream() as (talker, welcome):
        frame = " " * (welcome["max_bytes"] + 1)
        with contextlib.suppress(ConnectionClosed):
            await talker.socket.send(frame)

        assert 1009 == (await talker.hear_out())[0]


async def test_fragments_of_more_bytes_than_a_frame_may_have(server: Server) -> None:
    """They count together."""
    async with server.stream() as (talker, welcome):
        piece = " " * (welcome["max_bytes"] // 4)
        with contextlib.suppress(ConnectionClosed):
            await talker.socket.send([piece] * 5)

        assert 1009 == (await talker.hear_out())[0]


@pytest.mark.parametrize("path", ["/stream", "/watch"])
async def test_a_stream_that_cannot_be(server: Server, path: str) -> None:
    """An error with the whole reason, then 1008."""
    async with server.socket(f"{path}?stream=%2F%20") as talker:
        code, _ = await talker.hear_out()

        assert 1008 == code
        assert ["error"] == [message["type"] for message in talker.heard]


async def test_a_stream_that_is_not_there(server: Server) -> None:
    """Who watches it is closed with 1008; who sends to it makes it, and its places start anew."""
    name = f"conformance-{uuid.uuid4().hex[:20]}"
    async with server.socket(f"/watch?stream={name}") as watcher:
        assert 1008 == (await watcher.hear_out())[0]
    async with server.socket(f"/stream?stream={name}") as talker:
        welcome = await talker.hear()
        await talker.say_items(server.items(1))
        await talker.hear_until("ack", durable=1)

        assert name == welcome["stream"]
        assert [welcome["last_durable_seq"] + 1] == [result["seq"] for result in talker.results]


@pytest.mark.parametrize("path", ["/stream", "/watch"])
async def test_a_page_of_another_site(server: Server, path: str) -> None:
    """An error with the whole reason, then 4403; a page of the server's own is greeted."""
    async with server.socket(path, origin="http://evil.example") as talker:
        code, _ = await talker.hear_out()

        assert 4403 == code
        assert ["error"] == [message["type"] for message in talker.heard]
    async with server.socket(path, origin=server.url) as talker:
        assert (await talker.hear())["type"] in ("welcome", "hello")


async def test_text_that_is_none(server: Server) -> None:
    """1007, in either subprotocol."""
    async with server.stream() as (talker, _):
        await talker.socket.send(b"\xff", text=True)

        assert 1007 == (await talker.hear_out())[0]


async def sends_without_reading(socket: ClientConnection, frame: str | bytes, pause_s: float) -> None:
    """Send as much as the server takes, and read nothing, for so long."""

    async def sends() -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await socket.send(frame)

    socket.transport.pause_reading()
    sending = asyncio.create_task(sends())
    await asyncio.wait({sending}, timeout=pause_s)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    socket.transport.resume_reading()


LONGER_S = 8.0
"""The service ends a connection ten seconds after a close that is not read."""


async def test_a_client_that_does_not_read(server: Server) -> None:
    """It is closed with 1013, and finds that behind what was sent before; others do not notice.

    How long a server waits is its own affair: the client's pauses become longer until it is let go, and never by so
    much that one ends only after the connection has, ten seconds behind the close.
    """
    narrow = sockets.socket()
    narrow.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    host, _, port = server.url.removeprefix("http://").partition(":")
    narrow.connect((host, int(port or 80)))
    async with connect(
        server.url.replace("http", "ws", 1) + "/stream",
        sock=narrow,
        additional_headers=server.headers,
        subprotocols=[Subprotocol(str(server.subprotocol))],
        compression=None,
        max_size=None,
        ping_interval=None,
    ) as socket:
        slow = Talker(socket, socket.subprotocol, "FromStream")
        n = (await slow.hear())["least_credits"]
        frame = slow.encoded({"type": "items", "items": [{"id": "x" * 250, "x": None}] * n})
        pause_s = 1.5
        while socket.close_code is None and pause_s < PATIENCE_S:
            async with server.stream() as (quick, _):
                sending = asyncio.create_task(sends_without_reading(socket, frame, pause_s))
                await quick.say_items(server.items(1))
                await quick.hear_until("ack", durable=1)
                await sending
            with contextlib.suppress(TimeoutError, ConnectionClosed):
                while True:
                    async with asyncio.timeout(1.0):
                        await socket.recv()
            pause_s += min(pause_s, LONGER_S)

        assert 1013 == slow.closed()[0]
