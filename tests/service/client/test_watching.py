"""Watching against a scripted server: cuts, a closed socket, refusals."""

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from service.client import AsyncClient, Clusters, GaveUp, Refused
from tests.service.client.scripted import http, serving


def hello(seq: int) -> str:
    return json.dumps({"type": "hello", "seq": seq, "clusters": []})


@pytest.mark.parametrize("code", [None, 1000, 1012, 1013])
async def test_it_comes_back(code: int | None) -> None:
    """After a cut, and after any close that is not for good, the clusters come anew."""
    connections = 0

    async def server(socket: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        await socket.send(hello(connections))
        await socket.send('{"type": "something-newer"}')
        if connections < 3:
            if code is None:
                socket.transport.abort()
            else:
                await socket.close(code, "again")
        else:
            await socket.wait_closed()

    seen: list[Any] = []
    async with serving(server) as url, asyncio.timeout(60), AsyncClient(http(url)) as client:
        async for event in client.watch():
            seen.append(event)
            if isinstance(event, Clusters) and event.seq == 3:
                break

    assert [1, 2, 3][-len(seen) :] == [event.seq for event in seen]


@pytest.mark.parametrize("code", [1008, 4401, 4403])
async def test_a_refusal_for_good(code: int) -> None:
    """Is raised at once, with the problem."""

    async def server(socket: ServerConnection) -> None:
        problem = {"type": "/problems/scope", "title": "t", "status": 403, "detail": "no right to watch"}
        await socket.send(json.dumps({"type": "error", "problem": problem}))
        await socket.close(code, "no right")

    async with serving(server) as url, asyncio.timeout(60), AsyncClient(http(url)) as client:
        with pytest.raises(Refused, match="no right to watch") as raised:
            await anext(client.watch())
    assert raised.value.problem is not None
    assert "/problems/scope" == raised.value.problem.kind


async def test_a_service_that_greets_nobody() -> None:
    """It is not asked for ever, though it says something each time."""

    async def server(socket: ServerConnection) -> None:
        await socket.send('{"type": "something-newer"}')
        await socket.close(1013, "too many watch")

    async with serving(server) as url, asyncio.timeout(60), AsyncClient(http(url), patience_s=0.1) as client:
        with pytest.raises(GaveUp, match="too many watch"):
            await anext(client.watch())


async def test_nobody_there() -> None:
    """It gives up when its patience ends."""
    async with asyncio.timeout(60), AsyncClient("http://127.0.0.1:1", patience_s=0) as client:
        with pytest.raises(GaveUp, match="did not answer"):
            await anext(client.watch())


async def test_a_handshake_that_is_refused() -> None:
    """Something that speaks HTTP and knows no such socket is not asked again."""

    async def page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(page, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, asyncio.timeout(60), AsyncClient(f"http://127.0.0.1:{port}") as client:
        with pytest.raises(Refused, match="404"):
            await anext(client.watch())
