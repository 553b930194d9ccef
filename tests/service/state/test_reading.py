"""What is read without owning: names and types, pages of log and ids, all at one instant where it must be."""

import pytest
from redis.asyncio import Redis

from service.state.batches import Append
from service.state.keys import Keys
from service.state.reading import StreamReader, streams, text
from service.state.snapshots import Description
from service.state.store import StreamStore
from service.state.wire import Wire
from tests.service.state.conftest import MakeStore


@pytest.fixture
def keys(stream: str) -> Keys:
    return Keys(stream, "bundle-a")


@pytest.fixture
def reader(client: "Redis", keys: Keys) -> StreamReader:
    return StreamReader(Wire(client), keys)


async def fill(store: StreamStore, first: int, last: int) -> None:
    for seq in range(first, last):
        await store.append(Append(first_seq=seq, count=1, payload=b"p", verdicts=[(f"i{seq}", b"v")]))


async def test_nothing_there(reader: StreamReader) -> None:
    """An empty stream has no names, no cut and no pages."""
    cut = await reader.cut()

    assert (None, None, None, {}) == (cut.bundle, cut.epoch, cut.lease, cut.head)
    assert {} == await reader.names()
    assert [] == [page async for page in reader.log(0, 10)]
    assert [] == [page async for page in reader.all_verdicts(0)]
    assert await reader.last_entry() is None
    assert [0, 0] == await reader.count([0, 1])


async def test_the_cut_and_the_names(reader: StreamReader, store: StreamStore, keys: Keys) -> None:
    """Owner and head together; every key with its type."""
    await fill(store, 0, 3)
    await store.save_snapshot(b"state", seq=3)
    cut = await reader.cut()

    assert (b"bundle-a", b"1 owner-a", b"owner-a") == (cut.bundle, cut.epoch, cut.lease)
    assert b"3" == cut.head[b"seq"]
    expected = {keys.bundle: "string", keys.epoch: "string", keys.lease: "string", keys.head: "hash"}
    expected |= {keys.log: "stream", keys.ids(0): "hash", keys.chunk(1, 0): "string"}
    assert expected == await reader.names()
    assert [] == await reader.of_wrong_type()


async def test_the_log_in_pages(reader: StreamReader, make_store: MakeStore) -> None:
    """From one seq up to another, nothing twice and nothing left out at the seams."""
    store = make_store(horizon=1000)
    await store.open()
    await store.acquire()
    await fill(store, 0, 150)
    pages = [page async for page in reader.log(5, 140)]

    assert list(range(5, 140)) == [int(name.partition(b"-")[0]) for page in pages for name, _ in page]
    assert len(pages) > 1
    last = await reader.last_entry()
    assert last is not None
    assert b"149-1" == last[0]


async def test_verdicts(reader: StreamReader, store: StreamStore) -> None:
    """By id, and all of a generation."""
    await fill(store, 0, 3)

    asked = [(0, [b"i0", b"no"]), (7, [b"i0"]), (0, [])]
    assert [[b"v", None], [None], []] == await reader.verdicts(asked)
    pages = [page async for page in reader.all_verdicts(0)]
    assert [(b"i0", b"v"), (b"i1", b"v"), (b"i2", b"v")] == sorted(pair for page in pages for pair in page)


async def test_chunks(reader: StreamReader, store: StreamStore, client: "Redis", keys: Keys) -> None:
    """In order, None where one is missing."""
    await fill(store, 0, 1)
    blob = bytes(3 * 262144 + 1)
    await store.save_snapshot(blob, seq=1)
    await client.delete(keys.chunk(1, 2))
    found = [
        (n, chunk and len(chunk))
        async for n, chunk in reader.chunks(Description.of(blob, generation=1, seq=1))
    ]

    assert [(0, 262160), (1, 262160), (2, None), (3, 17)] == found


async def test_keys_of_another_type(reader: StreamReader, client: "Redis", keys: Keys) -> None:
    """They are named before a read of them fails."""
    await client.set(keys.head, "?")
    await client.hset(keys.lease, "a", "b")

    assert [(keys.lease, "hash"), (keys.head, "string")] == await reader.of_wrong_type()


@pytest.mark.usefixtures("store")
async def test_all_streams(client: "Redis", stream: str) -> None:
    """With the bundle of each."""
    assert "bundle-a" == (await streams(Wire(client)))[stream]


def test_names_that_are_no_text() -> None:
    """Are shown as they are."""
    assert "a\\xff" == text(b"a\xff")
