"""`WS /stream` on a running service: both encodings, limits, rude clients, cuts, many at once."""

import asyncio
import itertools
import json
import socket as sockets
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from service.ingest.protocol import JSON, MSGPACK
from tests.service import digits
from tests.service.api.conftest import MAX_ITEMS, WINDOW
from tests.service.inside import Inside

_names = itertools.count()


@pytest.fixture
def name() -> str:
    return f"ws{next(_names)}"


def open_stream(service: Inside, *subprotocols: str, query: str = "") -> connect:
    offered = [Subprotocol(name) for name in subprotocols] or None
    return connect(
        f"{service.ws_url}/stream{query}", subprotocols=offered, compression=None, max_size=None, proxy=None
    )


def encoded(message: Any, subprotocol: str | None) -> str | bytes:
    return msgspec.msgpack.encode(message) if subprotocol == MSGPACK else json.dumps(message)


def decoded(frame: str | bytes) -> dict[str, Any]:
    message: dict[str, Any] = msgspec.msgpack.decode(frame) if isinstance(frame, bytes) else json.loads(frame)
    return message


async def messages(socket: ClientConnection) -> AsyncIterator[dict[str, Any]]:
    async with asyncio.timeout(60):
        async for frame in socket:
            yield decoded(frame)


async def welcome(socket: ClientConnection) -> dict[str, Any]:
    message = decoded(await socket.recv())
    assert "welcome" == message["type"]
    return message


async def exchange(
    socket: ClientConnection, raws: list[Any], subprotocol: str | None = None
) -> list[dict[str, Any]]:
    """Send items and `end`; all that comes back until the close."""
    await welcome(socket)
    await socket.send(encoded({"type": "items", "items": raws}, subprotocol))
    await socket.send(encoded({"type": "end"}, subprotocol))
    return [message async for message in messages(socket)]


def results(of: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [result for message in of if message["type"] == "verdicts" for result in message["results"]]


def vanish(socket: ClientConnection) -> None:
    """The client's machine is gone: no closing frame."""
    raw = socket.transport.get_extra_info("socket")
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    socket.transport.abort()


def streams(http: httpx.Client) -> float:
    """Open /stream connections, as the service counts them."""
    lines = http.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("firstseen_stream_connections{"))


def post(http: httpx.Client, raws: list[dict[str, Any]]) -> list[dict[str, Any]]:
    posted: list[dict[str, Any]] = http.post("/classify", json={"items": raws}).json()["results"]
    return posted


def state_hash(http: httpx.Client) -> str:
    found: str = http.get("/info").json()["state_hash"]
    return found


def is_ready(http: httpx.Client) -> bool:
    return http.get("/readyz").status_code == httpx.codes.OK


class TestSubprotocols:
    @pytest.mark.parametrize("subprotocol", [JSON, MSGPACK, None])
    async def test_each(self, service: Inside, name: str, subprotocol: str | None) -> None:
        """Items in, verdicts in order and an ack out, then 1000, in both encodings and with none named."""
        async with open_stream(service, *([subprotocol] if subprotocol else [])) as socket:
            got = await exchange(socket, digits.many(name, 10), subprotocol)

            assert subprotocol == socket.subprotocol
            assert list(range(10)) == [r["position"] for r in results(got)]
            assert [f"{name}-{n}" for n in range(10)] == [r["id"] for r in results(got)]
            assert {
                "type": "ack",
                "accepted": 10,
                "durable": 10,
                "durability": "fsync",
                "credits": WINDOW,
            } == got[-1]
            assert 1000 == socket.close_code

    async def test_unknown(self, service: Inside, name: str) -> None:
        """Where the client offers only unknown subprotocols none is chosen, and JSON is spoken."""
        async with open_stream(service, "graphql-ws") as socket:
            got = await exchange(socket, digits.many(name, 1))

            assert socket.subprotocol is None
            assert 1 == len(results(got))

    async def test_several(self, service: Inside) -> None:
        """The first of the client's that is known is chosen."""
        async with open_stream(service, "x", MSGPACK, JSON) as socket:
            await socket.recv()

            assert MSGPACK == socket.subprotocol

    async def test_same_as_http(self, service: Inside, http: httpx.Client, name: str) -> None:
        """An id has one verdict, over HTTP and WebSocket."""
        posted = post(http, digits.many(name, 5))
        async with open_stream(service, JSON) as socket:
            streamed = results(await exchange(socket, digits.many(name, 5)))

        assert posted == [{k: v for k, v in r.items() if k != "position"} for r in streamed]


class TestMessages:
    async def test_welcome(self, service: Inside) -> None:
        """The greeting says what is served, how far it is and what may be sent."""
        async with open_stream(service, JSON) as socket:
            said = await welcome(socket)

        assert digits.bundle().manifest.bundle_id == said["bundle_id"]
        assert (WINDOW, MAX_ITEMS, "default") == (said["credits"], said["max_items"], said["stream"])

    async def test_nack(self, service: Inside, name: str) -> None:
        """A bad item is nacked in its position; the others are answered."""
        async with open_stream(service, JSON) as socket:
            got = await exchange(socket, [{"id": f"{name}-bad", "x": []}, *digits.many(name, 2)])

        (nack,) = [message for message in got if message["type"] == "nack"]
        assert (0, f"{name}-bad", 422) == (nack["position"], nack["id"], nack["problem"]["status"])
        assert [1, 2] == [r["position"] for r in results(got)]

    @pytest.mark.parametrize(
        "frame",
        [
            "hello",
            "{}",
            '{"type": "hello"}',
            "[" * 100_000,
            b"\x00\xff",
            json.dumps({"type": "items", "items": [{}] * (MAX_ITEMS + 1)}),
        ],
    )
    async def test_not_understood(self, service: Inside, name: str, frame: str | bytes) -> None:
        """A frame that is no message is ignored with an error; the connection goes on."""
        async with open_stream(service, JSON) as socket:
            await welcome(socket)
            await socket.send(frame)
            error = decoded(await socket.recv())
            await socket.send(json.dumps({"type": "items", "items": digits.many(name, 1)}))
            verdict = decoded(await socket.recv())

        assert ("error", 400) == (error["type"], error["problem"]["status"])
        assert "verdicts" == verdict["type"]

    @pytest.mark.parametrize("subprotocol", [JSON, MSGPACK])
    async def test_wrong_kind_of_frame(self, service: Inside, name: str, subprotocol: str) -> None:
        """Text under msgpack and binary under JSON are ignored, and the right kind is named."""
        async with open_stream(service, subprotocol) as socket:
            await welcome(socket)
            message = json.dumps({"type": "items", "items": digits.many(name, 1)})
            await socket.send(message if subprotocol == MSGPACK else message.encode())
            error = decoded(await socket.recv())

        assert ("binary" if subprotocol == MSGPACK else "text") + " frames" in error["problem"]["detail"]


class TestLimits:
    async def test_credit(self, service: Inside) -> None:
        """More items than credits closes with 1008 and the numbers."""
        async with open_stream(service, JSON) as socket:
            await welcome(socket)
            await socket.send(json.dumps({"type": "items", "items": [{}] * (WINDOW + 1)}))
            with pytest.raises(ConnectionClosed):
                await socket.recv()

            assert 1008 == socket.close_code
            assert f"{WINDOW + 1} items with credit for {WINDOW}" in str(socket.close_reason)

    async def test_large_frame(self, service: Inside) -> None:
        """A frame over 1 MiB closes with 1009."""
        async with open_stream(service, JSON) as socket:
            await welcome(socket)
            await socket.send(" " * ((1 << 20) + 1))
            await socket.wait_closed()

            assert 1009 == socket.close_code

    @pytest.mark.parametrize("path", ["stream?stream=a%20b", "watch?stream=a%20b", "watch?stream=nowhere"])
    async def test_no_such_stream(self, service: Inside, path: str) -> None:
        """A name that no stream can have, and watching one that is nowhere, closes with 1008."""
        async with connect(f"{service.ws_url}/{path}", proxy=None) as socket:
            await socket.wait_closed()

            assert 1008 == socket.close_code
            assert "stream" in str(socket.close_reason)

    async def test_slow_reader(self, service: Inside, http: httpx.Client, name: str) -> None:
        """A client that sends and does not read is let go after a while; others are not slowed."""
        narrow = sockets.socket()
        narrow.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        narrow.connect(("127.0.0.1", service.port))
        async with connect(f"{service.ws_url}/stream", sock=narrow, compression=None) as slow:
            await welcome(slow)
            slow.transport.pause_reading()
            bad = json.dumps({"type": "items", "items": [{"id": "x" * 250, "x": "no"}] * WINDOW})

            async def send_for_ever() -> None:
                while True:
                    await slow.send(bad)

            sending = asyncio.create_task(send_for_ever())
            async with open_stream(service, JSON) as quick:
                assert 1 == len(results(await exchange(quick, digits.many(name, 1))))
            async with asyncio.timeout(40):
                while await asyncio.to_thread(streams, http):
                    pass
            slow.transport.abort()
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


class TestRudeClients:
    async def test_vanishes_with_items_waiting(self, service: Inside, name: str) -> None:
        """A client that goes with items in flight loses none: sent again, each has one verdict."""
        sent = digits.many(name, 30)
        async with open_stream(service, JSON) as socket:
            await welcome(socket)
            await socket.send(json.dumps({"type": "items", "items": sent}))
            vanish(socket)
        async with open_stream(service, JSON) as socket:
            first = results(await exchange(socket, sent))
        async with open_stream(service, JSON) as socket:
            again = results(await exchange(socket, sent))

        assert first == again
        assert 30 == len({r["seq"] for r in first})

    async def test_vanishes_in_a_frame(self, service: Inside, http: httpx.Client) -> None:
        """Half a frame is nothing."""
        before = state_hash(http)
        async with open_stream(service, JSON) as socket:
            await welcome(socket)
            socket.transport.write(b"\x81\xfe\x10\x00mask" + b"{" * 100)
            vanish(socket)

        assert before == state_hash(http)
        assert is_ready(http)

    async def test_vanishes_at_once(
        self, service: Inside, http: httpx.Client, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Clients that go before they are greeted are no errors of ours."""
        for _ in range(20):
            async with open_stream(service, JSON) as socket:
                vanish(socket)

        assert is_ready(http)
        assert "Exception in ASGI application" not in caplog.text

    async def test_two_hundred(self, service: Inside, name: str) -> None:
        """200 connections at once are all answered."""

        async def one(n: int) -> int:
            async with open_stream(service, JSON) as socket:
                return len(results(await exchange(socket, digits.many(f"{name}-{n}", 3))))

        assert [3] * 200 == await asyncio.gather(*(one(n) for n in range(200)))
