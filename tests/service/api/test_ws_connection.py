"""One WebSocket connection at the bytes: what a rude client can make it keep, and how each of its closes reads.

A sans-IO client of `websockets` stands on the other side of a transport that only remembers.
"""

import asyncio
import contextlib
import select
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from service.api.patience import GONE
from service.api.ws_connection import BoundedWebSocket, has_hung_up
from tests.service.waiting import soon


class Transport(asyncio.Transport):
    """Keeps what is written, and what was asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.is_reading_on = True
        self.is_closed = False
        self.is_aborted = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name in ("peername", "sockname") else default

    def write(self, data: Any) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.is_reading_on = False

    def resume_reading(self) -> None:
        self.is_reading_on = True

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = self.is_aborted = True


class Wire:
    """A connection, its client, and the application's side of it."""

    def __init__(self, *, ping_s: float | None = None) -> None:
        self.calls: asyncio.Queue[Any] = asyncio.Queue()
        config = uvicorn.Config(
            self._application,
            ws_per_message_deflate=False,
            ws_ping_interval=ping_s,
            ws_ping_timeout=ping_s,
            interface="asgi3",
            lifespan="off",
            log_config=None,
        )
        config.load()
        self.transport = Transport()
        self.state = ServerState()
        self.server = BoundedWebSocket(config, self.state, {})
        self.server.connection_made(self.transport)
        self.client = ClientProtocol(parse_uri("ws://127.0.0.1/"))
        self.client.send_request(self.client.connect())
        self.flush()

    async def _application(self, _: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        self.receive, self.send = receive, send
        await self.calls.get()

    async def opened(self) -> "Wire":
        await soon(lambda: self.server.handshake_complete, "the handshake")
        self.heard()
        return self

    def flush(self) -> None:
        """What the client has to say comes in one piece."""
        self.server.data_received(b"".join(self.client.data_to_send()))

    def heard(self) -> list[Frame]:
        """What the client hears."""
        self.client.receive_data(bytes(self.transport.written))
        self.transport.written.clear()
        return [event for event in self.client.events_received() if isinstance(event, Frame)]

    def closed_with(self) -> tuple[int, str]:
        self.heard()
        assert self.client.close_rcvd is not None
        return self.client.close_rcvd.code, self.client.close_rcvd.reason


@contextlib.asynccontextmanager
async def wire(*, ping_s: float | None = None) -> AsyncIterator[Wire]:
    made = await Wire(ping_s=ping_s).opened()
    try:
        yield made
    finally:
        made.server.connection_lost(None)
        made.calls.put_nowait(None)
        await asyncio.gather(*made.state.tasks)


async def test_tiny_frames() -> None:
    """Of tens of thousands that come at once few are taken apart before the application takes them; none is lost."""
    async with wire() as at:
        n = 30_000
        for k in range(n):
            at.client.send_text(b"%d" % k)
        at.flush()

        most = at.server.queue.qsize()
        assert most < 3_000
        assert not at.transport.is_reading_on
        for k in range(n):
            assert str(k) == (await at.receive())["text"]
            most = max(most, at.server.queue.qsize())
        assert most < 3_000
        assert at.transport.is_reading_on


async def test_a_frame_in_many_pieces() -> None:
    """A large message is whole again, and the one behind it comes next."""
    async with wire() as at:
        at.client.send_binary(bytes(range(256)) * 1000)
        at.client.send_text(b"behind")
        at.flush()

        assert bytes(range(256)) * 1000 == (await at.receive())["bytes"]
        assert "behind" == (await at.receive())["text"]


async def test_a_message_in_many_fragments() -> None:
    """However many come, empty ones too, few are kept; the message is whole at the end."""
    async with wire() as at:
        at.client.send_binary(b"<", fin=False)
        for _ in range(10):
            for n in range(5_000):
                at.client.send_continuation(b"" if n else b"x", fin=False)
            at.flush()
            assert len(at.server.frames) <= 1024
        at.client.send_continuation(b">", fin=True)
        at.flush()

        assert b"<xxxxxxxxxx>" == (await at.receive())["bytes"]


async def test_whether_the_client_is_there() -> None:
    """The application can ask, without waiting for a frame."""
    async with wire() as at:
        gone = at.server.scope["extensions"][GONE]
        assert not gone()
        at.transport.close()
        assert gone()


@pytest.mark.skipif(not hasattr(select, "POLLRDHUP"), reason="only Linux tells of an end behind unread bytes")
def test_a_client_that_left_behind_bytes_that_nobody_read() -> None:
    """It is gone, although nothing of what it sent was read; one that only waits is not."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert not has_hung_up(ours.fileno())
        theirs.sendall(b"frames that wait for the engine")
        assert not has_hung_up(ours.fileno())
        theirs.close()
        assert has_hung_up(ours.fileno())
    assert has_hung_up(ours.fileno())


async def test_pings_of_a_client_that_does_not_read() -> None:
    """They are answered once it reads, not before; a client that reads has its answer at once."""
    async with wire() as at:
        at.client.send_ping(b"one")
        at.flush()
        assert [b"one"] == [bytes(frame.data) for frame in at.heard() if frame.opcode is Opcode.PONG]

        at.server.pause_writing()
        assert not at.transport.is_reading_on
        at.client.send_ping(b"two")
        at.flush()
        assert b"" == at.transport.written
        at.server.resume_writing()

        assert [b"two"] == [bytes(frame.data) for frame in at.heard() if frame.opcode is Opcode.PONG]
        assert at.transport.is_reading_on


async def test_a_close_does_not_wait_for_the_reader() -> None:
    """It joins what is buffered, so a client that reads on finds it; after a while the connection ends anyway."""
    async with wire() as at:
        at.server.close_timeout = 0.01
        at.server.pause_writing()
        await at.send({"type": "websocket.close", "code": 1013, "reason": "too slow"})

        assert (1013, "too slow") == at.closed_with()
        await soon(lambda: at.transport.is_aborted, "it ends")


async def test_no_pong() -> None:
    """A client that does not answer a ping is closed with a code that says: come back."""
    async with wire(ping_s=0.01) as at:
        await soon(lambda: at.transport.is_closed, "it is closed")

        assert (1013, "no answer to a ping; connect again") == at.closed_with()
        assert "websocket.disconnect" == (await at.receive())["type"]


async def test_no_pong_of_a_client_that_is_not_read() -> None:
    """While its frames wait for the engine its pong cannot be seen: that is no reason to close."""
    async with wire(ping_s=0.01) as at:
        at.client.send_text(b"waits")
        at.flush()
        pings = 0
        async with asyncio.timeout(60):
            while pings < 3:
                pings += sum(frame.opcode is Opcode.PING for frame in at.heard())
                at.client.data_to_send()  # its answers, which are lost
                await asyncio.sleep(0)

        assert not at.transport.is_closed


async def test_the_process_stops() -> None:
    """1012, and why."""
    async with wire() as at:
        at.server.shutdown()

        assert (1012, "the service is stopping; connect again") == at.closed_with()
        assert at.transport.is_closed


@pytest.mark.parametrize("text", [b"\xff\xfe", b"ok\xed\xa0\x80"])
async def test_text_that_is_none(text: bytes) -> None:
    """1007, and why; nothing of it is handed on."""
    async with wire() as at:
        at.client.send_text(text)
        at.flush()

        assert (1007, "a text frame is not UTF-8") == at.closed_with()
        assert "websocket.disconnect" == (await at.receive())["type"]
