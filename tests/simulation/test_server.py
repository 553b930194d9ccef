"""The simulated server keeps the contract that the store has with a real one: the store's own tests, run on it.

Those that need a socket or a proxy are left to the real servers; what they ask of a network is asked in
test_simulation.py, by the thousand.
"""

import inspect
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from types import ModuleType
from typing import Any

import pytest
from redis import exceptions as rx

from service.state.errors import StoreUnavailable
from tests.service.state import test_store, test_store_ownership, test_store_snapshots, test_wire
from tests.service.state.conftest import MakeStore, make_store, store, stream
from tests.simulation.client import Direct, SimulatedRedis, answered
from tests.simulation.server import Log, SimulatedServer

__all__ = ["make_store", "store", "stream"]

_NEED_A_SOCKET = {"server", "proxy", "hurt_store", "short_path"}
_NEED_MORE_COMMANDS = {
    "test_a_paused_server",  # CLIENT PAUSE
    "test_a_server_that_takes_no_writes",  # REPLICAOF
    "test_a_server_without_config",  # ACL
    *("test_a_file_that_is_on_again", "test_a_file_that_is_rewritten"),  # a rewrite that takes its time
}


@pytest.fixture
def simulated() -> SimulatedServer:
    """An empty server, whose clock stands still."""
    return SimulatedServer(lambda: 1e12)


@pytest.fixture
async def client(simulated: SimulatedServer) -> AsyncIterator[SimulatedRedis]:
    client = SimulatedRedis.on(Direct(simulated))
    yield client
    await client.aclose()


@pytest.fixture
def private(client: SimulatedRedis) -> SimulatedRedis:
    """Nobody else uses it anyway."""
    return client


def contract(module: ModuleType) -> Iterator[tuple[str, Callable[..., object]]]:
    """The tests of a module that need no more than a client."""
    for name, test in vars(module).items():
        if not name.startswith("test_") or name in _NEED_MORE_COMMANDS:
            continue
        needed = set(inspect.signature(test).parameters)
        needed |= {
            fixture
            for mark in getattr(test, "pytestmark", ())
            if mark.name == "usefixtures"
            for fixture in mark.args
        }
        if needed & {"client", "private", "make_store", "store"} and not needed & _NEED_A_SOCKET:
            yield name, test


for _module in (test_store, test_store_ownership, test_store_snapshots, test_wire):
    globals().update(contract(_module))


def test_the_contract_is_not_empty() -> None:
    """Most of the store's tests are run here, too."""
    found = [
        name
        for module in (test_store, test_store_ownership, test_store_snapshots)
        for name, _ in contract(module)
    ]

    assert len(found) > 40


async def test_an_expired_key_is_gone() -> None:
    """A key with a time limit goes when the clock says so, and the journal says that it went."""
    now = [0.0]
    server = SimulatedServer(lambda: now[0])
    client = SimulatedRedis.on(Direct(server))
    await client.set("lease", "me", px=100)
    before = await client.pttl("lease")
    now[0] = 100

    assert before == 100
    assert await client.get("lease") is None
    assert server.journal[-1] == (b"DEL", b"lease")


async def test_a_fork_is_another(simulated: SimulatedServer, client: SimulatedRedis) -> None:
    """What is written after a fork is not in it, whatever the type."""
    await client.hset("hash", "a", "1")
    await client.xadd("log", {"a": "1"}, id="1-1")
    replica = simulated.fork()
    await client.hset("hash", "b", "1")
    await client.xadd("log", {"a": "1"}, id="2-1")
    await client.set("string", "1")
    behind = SimulatedRedis.on(Direct(replica))

    assert await behind.hgetall("hash") == {b"a": b"1"}
    assert await behind.xlen("log") == 1
    assert await behind.exists("string") == 0


async def test_what_is_not_simulated_is_refused(client: SimulatedRedis) -> None:
    """A command that the store never sends fails, rather than doing something else."""
    with pytest.raises(rx.ResponseError, match="unknown command 'ZADD'"):
        await client.zadd("key", {"a": 1})


async def test_types_are_kept_apart(client: SimulatedRedis) -> None:
    """A key of one type is refused to the commands of another."""
    await client.set("key", "1")
    with pytest.raises(rx.ResponseError, match="WRONGTYPE"):
        await client.hget("key", "a")


def test_trimming_drops_whole_nodes() -> None:
    """An approximate trim leaves what shares a node with a kept entry: a hundred entries, or 4 KB, to a node."""
    small, large = Log(), Log()
    for n in range(1, 251):
        small.add((n, 1), [b"a", b"1"])
        large.add((n, 1), [b"a", b"x" * 5000])

    assert (small.trim((150, 0), 0), small.ids[0]) == (100, (101, 1))
    assert (large.trim((150, 0), 0), large.ids[0]) == (149, (150, 1))


class ArrivesLate(Direct):
    """A link on which the beginning of a save, given up before, arrives just before that of the next one."""

    late: Sequence[bytes] | None = None
    has_arrived = False

    async def exchange(self, commands: Sequence[Sequence[bytes]]) -> list[Any]:
        if b"fs1_begin_snapshot" in commands[0]:
            if self.late is None:
                self.late = commands[0]
                raise rx.TimeoutError("it is late")
            if not self.has_arrived:
                self.has_arrived = True
                answered(self.server, self.late)
        return await super().exchange(commands)


async def test_a_save_that_begins_late(
    make_store: MakeStore, simulated: SimulatedServer, stream: str
) -> None:
    """A save whose beginning arrives late, between the next one's look and its beginning, does not stop that one."""
    saver = make_store(client=SimulatedRedis.on(ArrivesLate(simulated)))
    await saver.open()
    await saver.acquire()
    with pytest.raises(StoreUnavailable):
        await saver.save_snapshot(b"given up", seq=0)
    await saver.save_snapshot(b"state", seq=0)

    assert (await saver.load()).snapshot == b"state"
    assert b"saving" not in simulated.data[f"fs:{{{stream}}}:bundle-a:head".encode()]
