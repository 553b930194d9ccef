"""The fault proxy hurts what it is told to, and nothing else."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from service.state.embedded import EmbeddedServer
from service.state.store import connect
from tests.service.state.fault_proxy import FaultProxy, Moment, kind_of


@pytest.fixture
async def line() -> AsyncIterator[tuple[FaultProxy, Redis, EmbeddedServer]]:
    """A proxy, a client behind it, and the server before it."""
    with tempfile.TemporaryDirectory(prefix="fs-") as folder:
        async with (
            EmbeddedServer(Path(folder)) as server,
            FaultProxy(Path(folder) / "p", server.socket) as proxy,
        ):
            client = connect(proxy.path, timeout_s=0.3)
            await client.ping()  # connected: what a test arms it for meets no command of the handshake
            yield proxy, client, server
            await client.aclose()


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (b"*1\r\n$4\r\nping\r\n", "PING"),
        (b"*3\r\n$5\r\nFCALL\r\n$10\r\nfs1_commit\r\n$1\r\n0\r\n", "commit"),
        (b"*3\r\n$8\r\nFUNCTION\r\n$4\r\nload\r\n$1\r\nx\r\n", "FUNCTION LOAD"),
        (b"*2\r\n$3\r\nGET\r\n$6\r\nconfig\r\n", "GET"),
    ],
)
def test_a_command_has_a_kind(command: bytes, kind: str) -> None:
    """Functions by their own names, whatever the version of the library."""
    assert kind_of(command) == kind


@pytest.mark.parametrize(("moment", "is_there"), [("asked", False), ("done", True), ("told", True)])
async def test_a_step_has_three_moments(
    line: tuple[FaultProxy, Redis, EmbeddedServer], moment: Moment, is_there: bool
) -> None:
    """Before the server has it, after that and before the client knows, and after the client knows."""
    proxy, client, server = line
    hit: list[str] = []

    def on_step(kind: str, at: Moment) -> bool:
        if (kind, at) == ("SET", moment):
            hit.append(kind)
        return (kind, at) == ("SET", moment)

    proxy.on_step = on_step
    if moment == "told":
        assert await client.set("a", "1")
    else:
        with pytest.raises(RedisError):
            await client.set("a", "1")
    proxy.on_step = None
    direct = connect(server.socket)
    assert (await direct.get("a") is not None) is is_there
    await direct.aclose()
    assert hit == ["SET"]
    assert "SET" in proxy.seen


async def test_half_a_command_is_none(line: tuple[FaultProxy, Redis, EmbeddedServer]) -> None:
    """The server drops what was cut off."""
    proxy, client, _ = line
    proxy.arm(b"SET", "cut_request")
    with pytest.raises(RedisError):
        await client.set("a", "1")

    assert await client.get("a") is None


async def test_a_frozen_line_is_silent_and_goes_on(line: tuple[FaultProxy, Redis, EmbeddedServer]) -> None:
    """The client waits in vain; the command is executed late."""
    proxy, client, server = line
    await client.ping()  # connected, and nothing but the command is on its way
    proxy.freeze()
    with pytest.raises(RedisError):
        await client.set("a", "1")
    proxy.thaw()
    direct = connect(server.socket)
    tries = 0
    while await direct.get("a") is None and tries < 500:
        await asyncio.sleep(0.01)
        tries += 1
    found = await direct.get("a")
    await direct.aclose()
    assert found == b"1"


async def test_a_trickling_reply_is_whole(line: tuple[FaultProxy, Redis, EmbeddedServer]) -> None:
    """Some bytes at a time, and late."""
    proxy, client, _ = line
    proxy.trickle, proxy.delay_s = 7, 0.01
    await client.set("a", b"x" * 500)

    assert await client.get("a") == b"x" * 500


async def test_it_can_lead_to_another_server(line: tuple[FaultProxy, Redis, EmbeddedServer]) -> None:
    """Connections to the first close, and new ones are of the second."""
    proxy, client, _ = line
    await client.set("a", "1")
    with tempfile.TemporaryDirectory(prefix="fs-") as folder:
        async with EmbeddedServer(Path(folder)) as other:
            proxy.point_to(other.socket)
            again = connect(proxy.path)
            assert await again.get("a") is None
            await again.aclose()
