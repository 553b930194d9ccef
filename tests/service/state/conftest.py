"""Real servers for the tests of the store: the embedded Valkey, `redis-server` where it is installed, and the programs
that TEST_REDIS_SERVERS names (paths, with `:` between them), so that one run covers every server there is.
"""

import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from service.state.embedded import EmbeddedServer
from service.state.store import StreamStore, connect
from tests.service.state.fault_proxy import FaultProxy

MakeStore = Callable[..., StreamStore]


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose path leaves room for a unix socket, which pytest's own does not always."""
    with tempfile.TemporaryDirectory(prefix="fs-") as folder:
        yield Path(folder)


@pytest.fixture
async def private(short_path: Path) -> AsyncIterator["Redis"]:
    """A client of a server of its own, whose settings may be changed."""
    async with EmbeddedServer(short_path) as own:
        client = connect(own.socket)
        yield client
        await client.aclose()


_OTHERS = [path for path in os.environ.get("TEST_REDIS_SERVERS", "").split(":") if path]


@pytest.fixture(scope="session", params=["valkey", "redis", *_OTHERS])
def server(request: pytest.FixtureRequest) -> Iterator[EmbeddedServer]:
    """A running server, shared by all tests of the session: each takes a stream of its own."""
    binary = None
    if request.param != "valkey":
        found = shutil.which("redis-server" if request.param == "redis" else request.param)
        if found is None:
            pytest.skip("redis-server is not installed (apt-get install redis-server)")
        binary = Path(found)
    with tempfile.TemporaryDirectory(prefix="fs-") as folder:
        running = EmbeddedServer(Path(folder), binary=binary)
        asyncio.run(running.start())
        yield running
        asyncio.run(running.stop())


@pytest.fixture
async def client(server: EmbeddedServer) -> AsyncIterator["Redis"]:
    client = connect(server.socket)
    yield client
    await client.aclose()


_streams = itertools.count()


@pytest.fixture
def stream() -> str:
    return f"test-{next(_streams)}"


@pytest.fixture
def make_store(client: "Redis", stream: str) -> MakeStore:
    """A store on this test's stream; keyword arguments override."""

    def make(**overrides: object) -> StreamStore:
        arguments: dict[str, object] = {
            "client": client,
            "stream": stream,
            "bundle_id": "bundle-a",
            "owner": "owner-a",
            "horizon": 100,
        }
        arguments |= overrides
        return StreamStore(arguments.pop("client"), **arguments)  # type: ignore[arg-type]  # values by name

    return make


@pytest.fixture
async def store(make_store: MakeStore) -> StreamStore:
    """A store that is open and owns its stream."""
    store = make_store()
    await store.open()
    await store.acquire()
    return store


@pytest.fixture
async def proxy(server: EmbeddedServer, short_path: Path) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(short_path / "proxy", server.socket) as proxy:
        yield proxy


@pytest.fixture
async def hurt_store(proxy: FaultProxy, make_store: MakeStore) -> AsyncIterator[StreamStore]:
    """A store that owns its stream and talks through the fault proxy."""
    client = connect(proxy.path)
    try:
        store = make_store(client=client)
        await store.open()
        await store.acquire()
        yield store
    finally:
        await client.aclose()
