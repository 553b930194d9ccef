"""Snapshots in the store: two generations, the flip, the trimmed log, and what survives damage."""

import asyncio

import pytest
from redis.asyncio import Redis

from service.state.errors import SequenceConflict, SnapshotCorrupt, StoreUnavailable
from service.state.snapshots import CHUNK_BYTES
from service.state.store import Append, LogRecord, StreamStore
from tests.service.state.conftest import MakeStore
from tests.service.state.fault_proxy import Fault, FaultProxy

BLOB = bytes(range(256)) * 2048  # two chunks
LONG = b"x" * 5000  # an entry that fills a node of the stream by itself, so that the trim is exact


async def fill(store: StreamStore, first: int, last: int) -> None:
    """One batch of one item for each seq from first to last - 1."""
    for seq in range(first, last):
        await store.append(Append(first_seq=seq, count=1, payload=LONG, verdicts=[(f"id-{seq}", b"v")]))


async def first_seqs(store: StreamStore) -> list[int]:
    return [record.first_seq async for record in store.replay(await store.load())]


async def chunk_keys(client: "Redis", stream: str) -> set[str]:
    """`<generation>:<n>` of every chunk in Redis."""
    keys = await client.keys(f"fs:{{{stream}}}:bundle-a:snap:*")
    return {key.decode().partition(":snap:")[2] for key in keys}


@pytest.mark.parametrize("blob", [b"", b"x", BLOB, BLOB + b"\xff"])
async def test_a_snapshot_comes_back(store: StreamStore, blob: bytes) -> None:
    """A snapshot is loaded byte for byte, and the replay goes on behind it."""
    await fill(store, 0, 3)
    await store.save_snapshot(blob, seq=2)
    loaded = await store.load()

    assert (blob, 2, 3) == (loaded.snapshot, loaded.snapshot_seq, loaded.next_seq)
    assert await first_seqs(store) == [2]


async def test_the_log_reaches_back_to_the_older_snapshot(
    store: StreamStore, client: "Redis", stream: str
) -> None:
    """With each snapshot the log loses what lies before the *previous* one, and nothing else."""
    kept = []
    for end in (4, 8, 12):
        await fill(store, end - 4, end)
        await store.save_snapshot(b"state at %d" % end, seq=end)
        entries = await client.xrange(f"fs:{{{stream}}}:bundle-a:log")
        kept.append([int(entry.split(b"-")[0]) for entry, _ in entries])

    assert kept == [list(range(4)), list(range(4, 8)), list(range(8, 12))]


async def test_appends_go_on_while_a_snapshot_is_saved(store: StreamStore) -> None:
    """Whatever comes between its steps, a snapshot is that of its seq, and the log behind it is whole."""
    await fill(store, 0, 3)
    for start in (3, 20, 40):
        async with asyncio.TaskGroup() as both:
            both.create_task(store.save_snapshot(BLOB * 4, seq=start))
            both.create_task(fill(store, start, start + 10))
        await fill(store, start + 10, start + 20 if start > 3 else 20)
        loaded = await store.load()

        assert (BLOB * 4, start) == (loaded.snapshot, loaded.snapshot_seq)
        assert await first_seqs(store) == list(range(start, loaded.next_seq))


async def test_a_long_log_is_trimmed_in_steps(make_store: MakeStore, client: "Redis", stream: str) -> None:
    """More entries than one call drops are dropped all the same."""
    store = make_store(horizon=10_000)
    await store.acquire()
    await fill(store, 0, 1)
    log = f"fs:{{{stream}}}:bundle-a:log"
    async with client.pipeline() as pipeline:
        for seq in range(1, 2500):
            pipeline.xadd(log, {"n": 1, "p": LONG, "s": b""}, id=f"{seq}-1")
        pipeline.hset(f"fs:{{{stream}}}:bundle-a:head", "seq", "2500")
        await pipeline.execute()
    await store.save_snapshot(b"one", seq=2500)
    await store.save_snapshot(b"two", seq=2500)

    assert await client.xlen(log) == 0


async def test_resend_after_the_log_was_trimmed(store: StreamStore) -> None:
    """What was trimmed cannot be recognised any more: a resend of it is refused, never written again."""
    await fill(store, 0, 2)
    for _ in range(2):
        await store.save_snapshot(b"state", seq=2)

    with pytest.raises(SequenceConflict):
        await fill(store, 1, 2)


async def test_appending_after_the_whole_log_was_trimmed(store: StreamStore) -> None:
    """An emptied log goes on at its seq."""
    await fill(store, 0, 2)
    for _ in range(2):
        await store.save_snapshot(b"state", seq=2)
    await fill(store, 2, 4)

    assert await first_seqs(store) == [2, 3]


async def test_two_generations_are_kept(store: StreamStore, client: "Redis", stream: str) -> None:
    """The generation before the previous one is deleted, however many there were."""
    for seq in range(4):
        await fill(store, seq, seq + 1)
        await store.save_snapshot(BLOB, seq=seq + 1)

    assert await chunk_keys(client, stream) == {"3:0", "3:1", "4:0", "4:1"}


@pytest.mark.parametrize("damage", ["flip", "delete", "truncate", "empty"])
@pytest.mark.parametrize("n", [0, 1])
async def test_a_bad_chunk_falls_back(
    store: StreamStore, client: "Redis", stream: str, damage: str, n: int
) -> None:
    """With a bad chunk the previous generation is loaded, loudly, and the log has all that it needs."""
    await fill(store, 0, 2)
    await store.save_snapshot(b"older", seq=2)
    await fill(store, 2, 4)
    await store.save_snapshot(BLOB, seq=4)
    await hurt(client, f"fs:{{{stream}}}:bundle-a:snap:2:{n}", damage)
    loaded = await store.load()

    assert (loaded.snapshot, loaded.snapshot_seq, loaded.next_seq) == (b"older", 2, 4)
    assert f"generation 2: chunk {n} of 2" in loaded.warnings[0]
    assert [record.first_seq async for record in store.replay(loaded)] == [2, 3]


async def test_a_good_generation_outlives_a_bad_one(store: StreamStore, client: "Redis", stream: str) -> None:
    """After a fall-back the next save replaces the bad generation: the good one and its log stay."""
    await fill(store, 0, 2)
    await store.save_snapshot(b"good", seq=2)
    await fill(store, 2, 4)
    await store.save_snapshot(b"bad", seq=4)
    await hurt(client, f"fs:{{{stream}}}:bundle-a:snap:2:0", "flip")
    await store.load()
    await store.save_snapshot(b"newest", seq=4)
    kept = await chunk_keys(client, stream)
    await hurt(client, f"fs:{{{stream}}}:bundle-a:snap:3:0", "flip")

    assert kept == {"1:0", "3:0"}
    assert (await store.load()).snapshot == b"good"
    assert await first_seqs(store) == [2, 3]


async def test_the_only_snapshot_is_bad(store: StreamStore, client: "Redis", stream: str) -> None:
    """Before there is a second snapshot the log is whole: a bad one costs time, not items."""
    await fill(store, 0, 3)
    await store.save_snapshot(b"only", seq=3)
    await hurt(client, f"fs:{{{stream}}}:bundle-a:snap:1:0", "delete")
    loaded = await store.load()

    assert (loaded.snapshot, loaded.snapshot_seq, len(loaded.warnings)) == (None, 0, 1)
    assert [record.first_seq async for record in store.replay(loaded)] == [0, 1, 2]


async def test_both_are_bad(store: StreamStore, client: "Redis", stream: str) -> None:
    """With no snapshot left that the log continues, loading is refused: never silently empty."""
    await fill(store, 0, 2)
    for generation in (1, 2):
        await store.save_snapshot(b"state", seq=2)
        await hurt(client, f"fs:{{{stream}}}:bundle-a:snap:{generation}:0", "flip")

    with pytest.raises(SnapshotCorrupt, match=r"chunk 0 of 1 has a wrong checksum.*restore Redis"):
        await store.load()


@pytest.mark.parametrize("seq", [1, 5, 2])
async def test_where_a_snapshot_may_stand(store: StreamStore, seq: int) -> None:
    """Inside a batch (1), beyond the log (5) or before the current one (2): refused, nothing changes."""
    await store.append(Append(first_seq=0, count=2, payload=b"", verdicts=[]))
    await store.append(Append(first_seq=2, count=2, payload=b"", verdicts=[]))
    await store.save_snapshot(b"state", seq=4)
    before = await store.info()
    with pytest.raises(SequenceConflict, match=f"snapshot at seq {seq}"):
        await store.save_snapshot(b"other", seq=seq)

    assert await store.info() == before
    assert (await store.load()).snapshot == b"state"


STEPS = [
    (b"HGETALL", 0),
    (b"fs1_begin_snapshot", 0),
    (b"fs1_put_chunk", 0),
    (b"fs1_put_chunk", 1),
    (b"fs1_flip_snapshot", 0),
    (b"fs1_trim", 0),
]


@pytest.mark.parametrize("fault", ["drop_reply", "cut_reply", "drop_request", "hold_request"])
@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step[0].decode()}-{step[1]}")
async def test_a_fault_at_any_step(
    *,
    hurt_store: StreamStore,
    proxy: FaultProxy,
    client: "Redis",
    stream: str,
    step: tuple[bytes, int],
    fault: Fault,
) -> None:
    """Interrupted anywhere, a save leaves the old or the new snapshot, whole; what arrives late changes
    nothing; and saved again, no garbage is left.
    """
    await fill(hurt_store, 0, 2)
    await hurt_store.save_snapshot(b"old" + BLOB, seq=2)
    await fill(hurt_store, 2, 4)
    needle, skip = step
    proxy.arm(needle, fault, skip=skip)
    with pytest.raises(StoreUnavailable):
        await hurt_store.save_snapshot(b"new" + BLOB, seq=4)
    between = await hurt_store.load()
    await hurt_store.save_snapshot(b"again" + BLOB, seq=4)
    await proxy.release_held()
    after = await hurt_store.load()
    await hurt_store.save_snapshot(b"last" + BLOB, seq=4)

    assert proxy.hits == 1
    assert between.snapshot in (b"old" + BLOB, b"new" + BLOB)
    assert (after.snapshot, after.snapshot_seq, after.next_seq) == (b"again" + BLOB, 4, 4)
    assert len(await chunk_keys(client, stream)) == 6
    assert not await client.hexists(f"fs:{{{stream}}}:bundle-a:head", "saving")


async def test_the_next_owner_clears_up(
    hurt_store: StreamStore, make_store: MakeStore, proxy: FaultProxy, client: "Redis", stream: str
) -> None:
    """What an owner left that died while saving is dropped by the next one."""
    await fill(hurt_store, 0, 1)
    proxy.arm(b"fs1_flip_snapshot", "drop_request")
    with pytest.raises(StoreUnavailable):
        await hurt_store.save_snapshot(BLOB, seq=1)
    left = await chunk_keys(client, stream)
    heir = make_store(owner="heir")
    await heir.acquire(steal=True)

    assert left == {"1:0", "1:1"}
    assert await chunk_keys(client, stream) == set()
    assert [record async for record in heir.replay(await heir.load())] == [
        LogRecord(first_seq=0, count=1, payload=LONG)
    ]


async def hurt(client: "Redis", key: str, damage: str) -> None:
    """Damage one chunk."""
    chunk = await client.get(key)
    assert chunk is not None
    assert len(chunk) <= CHUNK_BYTES + 16
    match damage:
        case "flip":
            await client.setrange(key, 16, bytes([chunk[16] ^ 1]))
        case "truncate":
            await client.set(key, chunk[:-1])
        case "empty":
            await client.set(key, b"")
        case _:
            await client.delete(key)
