"""The tier `replicated`, with a real primary and a real replica: an answer means that the replica has it on disk."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from redis.asyncio import Redis

from service.state import wire
from service.state.durability import Durability, Tier
from service.state.embedded import EmbeddedServer
from service.state.errors import StoreMisconfigured, StoreUnavailable
from service.state.store import Append, StreamStore, connect

REPLICATED = Durability(tier=Tier.REPLICATED, replicas=1)
BATCH = Append(first_seq=0, count=2, payload=b"p", verdicts=[("a", b"1"), ("b", b"2")])


@dataclass
class Pair:
    """Two servers, the second a replica of the first."""

    primary: "Redis"
    replica: "Redis"
    second: EmbeddedServer

    @contextmanager
    def without_replica(self, confirm_ms: tuple[int, ...] = (50, 100)) -> Iterator[None]:
        """It hears nothing and confirms nothing, and is not waited for as long as in earnest."""
        second = psutil.Process(self.second.pid)
        second.suspend()
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(wire, "_CONFIRM_MS", confirm_ms)
                yield
        finally:
            second.resume()

    def store(self, on: "Redis", owner: str = "owner") -> StreamStore:
        return StreamStore(on, stream="s", bundle_id="b", owner=owner, durability=REPLICATED)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
async def pair(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pair]:
    monkeypatch.setattr(wire, "_CONFIRM_MS", (1, 10, 200, 500, 20_000))  # however slow the machine
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(EmbeddedServer(short_path / "1"))
        second = await stack.enter_async_context(EmbeddedServer(short_path / "2"))
        primary, replica = connect(first.socket, timeout_s=30), connect(second.socket)
        stack.push_async_callback(primary.aclose)
        stack.push_async_callback(replica.aclose)
        port = _free_port()
        await primary.config_set("port", port)
        await primary.config_set("repl-diskless-sync-delay", 0)
        await replica.execute_command("REPLICAOF", "127.0.0.1", port)

        async def is_linked() -> bool:
            return (await replica.info("replication"))["master_link_status"] == "up"

        async with asyncio.timeout(60):
            while not await is_linked():  # noqa: ASYNC110 - another process's state
                await asyncio.sleep(0.02)
        yield Pair(primary, replica, second)


async def test_an_answer_means_that_the_replica_has_it(pair: Pair) -> None:
    """When an append returns, the replica has entry, verdicts and seq: made the primary, it goes on from there."""
    store = pair.store(pair.primary)
    await store.open()
    await store.acquire()
    assert await store.append(BATCH)
    await pair.replica.execute_command("REPLICAOF", "NO", "ONE")
    heir = StreamStore(pair.replica, stream="s", bundle_id="b", owner="heir")

    assert 2 == await heir.acquire(steal=True)
    assert [b"1", b"2"] == await heir.lookup(["a", "b"])
    assert 2 == (await heir.load()).next_seq


async def test_a_replica_that_lags_keeps_the_answer_back(pair: Pair) -> None:
    """While the replica does not confirm, an append is unavailable with an unknown outcome; its resend waits again,
    though the primary knows the batch, and is answered once the replica has it.
    """
    store = pair.store(pair.primary)
    await store.open()
    await store.acquire()
    with pair.without_replica():
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="0 of 1 replicas") as caught:
                await store.append(BATCH)
            assert caught.value.outcome_unknown

    assert not await store.append(BATCH)
    assert 2 == (await store.load()).next_seq
    assert b"2" == await pair.replica.hget("fs:{s}:b:head", "seq")


async def test_a_new_owner_waits_for_what_it_finds(pair: Pair) -> None:
    """What a predecessor wrote and never saw confirmed is confirmed before the heir owns the stream."""
    store = pair.store(pair.primary)
    await store.open()
    await store.acquire()
    with pair.without_replica():
        with pytest.raises(StoreUnavailable):
            await store.append(BATCH)
        with pytest.raises(StoreUnavailable, match="0 of 1 replicas"):
            await pair.store(pair.primary, "heir").acquire(steal=True)
    heir = pair.store(pair.primary, "heir")
    await heir.acquire(steal=True)

    assert b"2" == await pair.replica.hget("fs:{s}:b:head", "seq")


async def test_a_library_that_is_lost(pair: Pair) -> None:
    """Loaded again in the midst of it, as in the other tiers."""
    store = pair.store(pair.primary)
    await store.open()
    await store.acquire()
    await pair.primary.execute_command("FUNCTION", "FLUSH")

    assert await store.append(BATCH)


async def test_no_file_to_confirm_from(pair: Pair) -> None:
    """A primary whose append-only file is off cannot confirm anything: the outcome is unknown, as it says, and the
    resend is confirmed when the file is on again.
    """
    store = pair.store(pair.primary)
    await store.open()
    await store.acquire()
    await pair.primary.config_set("appendonly", "no")

    with pytest.raises(StoreUnavailable, match="cannot confirm") as caught:
        await store.append(BATCH)
    assert caught.value.outcome_unknown
    await pair.primary.config_set("appendonly", "yes")
    async with asyncio.timeout(60):
        while (await pair.primary.info("persistence"))["aof_rewrite_in_progress"]:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)

    assert not await store.append(BATCH)


async def test_demoted_while_it_waits(pair: Pair) -> None:
    """A primary that becomes a replica while replicas are waited for has confirmed nothing: the outcome is unknown."""
    store = pair.store(pair.primary)
    await store.open()
    await store.acquire()
    with pair.without_replica(confirm_ms=(20_000,)):
        waiting = asyncio.create_task(store.append(BATCH))
        await asyncio.sleep(0.1)
        await pair.primary.execute_command("REPLICAOF", "127.0.0.1", 1)
        with pytest.raises(StoreUnavailable) as caught:
            await waiting
        assert caught.value.outcome_unknown


async def test_a_server_without_waitaof(server: EmbeddedServer, client: "Redis") -> None:
    """Redis 7.0 is refused in this tier, by what it lacks; newer servers open."""
    del server
    version = tuple(map(int, (await client.info("server"))["redis_version"].split(".")))
    store = StreamStore(client, stream="waitaof", bundle_id="b", owner="o", durability=REPLICATED)
    if version < (7, 2):
        with pytest.raises(StoreMisconfigured, match="needs WAITAOF"):
            await store.open()
    else:
        await store.open()
