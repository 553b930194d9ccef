"""A snapshot without the service: what a start would make of the log, saved; and nothing where there is an owner."""

import pytest
from redis.asyncio import Redis

from service.state.checkpoint import checkpoint
from service.state.errors import LeaseHeld, SequenceConflict, StoreError
from service.state.keys import Keys
from service.state.reading import StreamReader
from service.state.store import StreamStore
from service.state.wire import Wire
from tests.service import digits
from tests.service.state.conftest import MakeStore
from tests.service.state.lived import BUNDLE_ID, Life, a_life, faults, quiet, verified


@pytest.fixture
async def heir(make_store: MakeStore) -> StreamStore:
    store = make_store(owner="heir")
    await store.open()
    return store


async def save(store: StreamStore, *, is_alone: bool = False) -> tuple[int, int, int, int]:
    bundle = digits.bundle()
    done = await checkpoint(
        store, bundle.known, bundle.manifest.labels, lease_s=5, is_alone=is_alone, progress=quiet
    )
    return done.seq, done.size, done.replayed, done.trimmed


async def test_saved_at_the_head(store: StreamStore, heir: StreamStore, client: "Redis", stream: str) -> None:
    """The state is that of the live engine, the log shorter, the lease given back, the stream sound."""
    life = await a_life(store)
    await store.release()
    seq, size, replayed, _ = await save(heir)
    loaded = await store.load()
    found = await verified(StreamReader(Wire(client), Keys(stream, BUNDLE_ID)))

    assert (142, 142, 3) == (seq, loaded.snapshot_seq, replayed)
    assert size == len(loaded.snapshot or b"")
    assert (life.hash, {}) == (found.state_hash, faults(found))
    assert None is await client.get(Keys(stream, BUNDLE_ID).lease)


async def test_entries_that_leave(store: StreamStore, heir: StreamStore) -> None:
    """Those behind the snapshot that is the older one now."""
    life = Life(store)
    await life.configure()
    await life.items(300, batch=1)
    await store.release()
    first = await save(heir)
    second = await save(heir)

    assert (301, 301, 0) == (first[0], first[2], first[3])
    assert (301, 0) == (second[0], second[2])
    assert second[3] > 200


async def test_a_save_that_was_interrupted(
    store: StreamStore, heir: StreamStore, client: "Redis", stream: str
) -> None:
    """Its chunks go."""
    await a_life(store)
    await store.release()
    keys = Keys(stream, BUNDLE_ID)
    await client.hset(keys.head, mapping={"saving": "3 2", "gen": 3})
    await client.set(keys.chunk(3, 0), "half")
    await save(heir)

    assert not await client.exists(keys.chunk(3, 0))
    assert {"ok"} == {c.outcome.value for c in (await verified(StreamReader(Wire(client), keys))).checks}


async def test_somebody_serves_it(store: StreamStore, heir: StreamStore) -> None:
    """He is named; nothing is changed."""
    await a_life(store)
    before = await store.info()
    with pytest.raises(LeaseHeld, match=r"held by owner-a for .*saves by itself"):
        await save(heir)

    assert before == await store.info()
    await store.renew()


async def test_where_a_lock_proves_the_owner_dead(store: StreamStore, heir: StreamStore) -> None:
    """The lease that he left is taken."""
    await a_life(store)

    assert 142 == (await save(heir, is_alone=True))[0]


async def test_an_empty_stream(store: StreamStore, heir: StreamStore) -> None:
    """Nothing to save."""
    await store.release()

    with pytest.raises(StoreError, match="nothing to save"):
        await save(heir)


async def test_a_damaged_stream(store: StreamStore, heir: StreamStore, client: "Redis", stream: str) -> None:
    """A hole is not saved over; the lease is given back all the same."""
    await a_life(store)
    await store.release()
    await client.xdel(Keys(stream, BUNDLE_ID).log, "129-1")
    with pytest.raises(SequenceConflict, match="129"):
        await save(heir)

    assert None is await client.get(Keys(stream, BUNDLE_ID).lease)
