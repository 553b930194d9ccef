"""The pipeline and the stream gate's fits: beside the stream, in the log, and never in anybody's way."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from model.bundle import Bundle
from service.clustering.engine import Engine
from service.clustering.stream_gate import FitJob, StreamFit, StreamGate, constants
from service.errors import Unavailable
from service.events import ClusterEvent, EventKind
from service.records import Float32s, Item
from service.state.errors import SequenceConflict, StoreError
from service.state.packing import pack_refit, unpack_entry
from service.state.store import Append
from tests.service import digits
from tests.service.clustering.overlapping import APART, FAR, HIDDEN, LABELS, PARAMS, K, overlapping
from tests.service.fake_store import FakeStore, Shared, away
from tests.service.pipeline_rig import Rig
from tests.service.waiting import soon

BATCH = 50


def _table() -> Float32s:
    """Known items first, then some of a hidden class, and some of two that are apart."""
    rng = np.random.default_rng(3)
    known, _ = overlapping().stream(rng, 500)
    mixed, _ = overlapping().stream(rng, 500, new=HIDDEN, at=0.2)
    which = np.where(rng.random(500) < 0.3, rng.choice([APART, FAR], 500), rng.integers(0, K, 500))
    return np.concatenate([known, mixed, overlapping().items(rng, which)])


TABLE = _table()


class RowNet:
    """A net that is a table: an item is the number of its row."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def embed(self, x: Sequence[Float32s]) -> Float32s:
        self.batches.append(len(x))
        return TABLE[[int(item.ravel()[0]) for item in x]]


def bundle() -> Bundle:
    """One with enough held-out items for a stream gate."""
    small = digits.bundle()
    return replace(
        small, known=overlapping().known, manifest=small.manifest.model_copy(update={"labels": LABELS})
    )


def rig(store: FakeStore, **changes: Any) -> Rig:
    params = {"clustering_threshold": PARAMS.clustering_threshold}
    return Rig(store, max_batch=BATCH, bundle=bundle(), net=RowNet(), **{**params, **changes})


def rows(start: int, stop: int) -> list[Item]:
    return [Item(id=f"i{n}", x=np.full(1, n % len(TABLE), dtype=np.float32)) for n in range(start, stop)]


async def feed(rig: Rig, start: int, stop: int) -> None:
    """Batch after batch, as a client that waits for its answers."""
    for at in range(start, stop, BATCH):
        await rig.ask(*rows(at, min(at + BATCH, stop)))


async def feed_until(rig: Rig, start: int, look: Callable[[], object]) -> int:
    """Batch after batch until something is true, over moments without service; the first item not sent."""
    async with asyncio.timeout(30):
        while not look():
            await rig.is_ready()
            with contextlib.suppress(Unavailable):
                await rig.ask(*rows(start, start + BATCH))
                start += BATCH
            await asyncio.sleep(0.002)  # a fit's thread is to have its turn
        await rig.is_ready()
    return start


def entries(shared: Shared) -> list[tuple[int, object]]:
    return [(b.first_seq, unpack_entry(b.payload, first_seq=b.first_seq)) for b in shared.log]


def fits_of(shared: Shared) -> list[int]:
    return [seq for seq, entry in entries(shared) if isinstance(entry, StreamFit)]


def counted(rig: Rig, name: str) -> float | None:
    return rig.counted(name)


@pytest.fixture
def shared() -> Shared:
    return Shared()


@pytest.fixture
def store(shared: Shared) -> FakeStore:
    return FakeStore(shared)


class Held:
    """Fits wait until they may go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.may_go = threading.Event()
        self.begun: list[FitJob] = []
        original = StreamGate.solve

        def solve(gate: StreamGate, job: FitJob) -> StreamFit:
            self.begun.append(job)
            assert self.may_go.wait(20)
            return original(gate, job)

        monkeypatch.setattr(StreamGate, "solve", solve)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    made = Held(monkeypatch)
    yield made
    made.may_go.set()


async def reads_the_same(shared: Shared, state: str) -> None:
    """From the latest snapshot, and from the log alone."""
    for _ in range(2):
        async with rig(FakeStore(shared, "me")).open() as again:
            assert state == await again.hash()
        shared.snapshots.clear()


async def test_fits_are_entries_of_the_log(shared: Shared, store: FakeStore) -> None:
    """Made as the stream goes on, from FEWEST_ITEMS on; log and snapshots lead to the live state."""
    async with rig(store, snapshot_every=170).open() as one:
        fed = await feed_until(one, 0, lambda: len(fits_of(shared)) >= 5)
        state = await one.hash()

        assert 0 == counted(one, "firstseen_fits_failed_total")
        assert shared.seq == counted(one, "firstseen_seq") == fed + 1 + len(fits_of(shared))
    assert fits_of(shared)[0] > constants.FEWEST_ITEMS
    assert min(np.diff(fits_of(shared))) > constants.EVERY
    assert len(shared.snapshots) > 3
    await reads_the_same(shared, state)


async def test_batches_go_on_while_a_fit_is_made(shared: Shared, store: FakeStore, held: Held) -> None:
    """It is of the window of then, and used from the batch on that follows; snapshots in between are sound."""
    async with rig(store, snapshot_every=100).open() as one:
        await feed(one, 0, 700)
        assert 1 == len(held.begun)
        assert [] == fits_of(shared)
        assert len(held.begun[0].cores) < 700 - BATCH
        held.may_go.set()
        await soon(lambda: counted(one, "firstseen_fit_seconds_count"), "the fit is made")
        await feed_until(one, 700, lambda: fits_of(shared))
        state = await one.hash()
    await reads_the_same(shared, state)


async def test_a_fit_that_fails_leaves_the_one_before(
    shared: Shared, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is counted, the stream goes on, and another is tried EVERY items later."""
    tried: list[int] = []

    def solve(_: StreamGate, job: FitJob) -> StreamFit:
        tried.append(len(job.cores))
        raise np.linalg.LinAlgError("singular")

    monkeypatch.setattr(StreamGate, "solve", solve)
    async with rig(store).open() as one:
        fed = await feed_until(one, 0, lambda: len(tried) >= 3)

        assert fed >= constants.FEWEST_ITEMS + 2 * constants.EVERY
        assert 2 <= (counted(one, "firstseen_fits_failed_total") or 0) <= 3
        assert [] == fits_of(shared)
        assert one.pipeline.reason is None


async def test_a_fit_that_cannot_be_used_is_undone(
    shared: Shared, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The memory is dropped, the log does not have it, and the stream goes on; not at once to fail again."""
    original, failed = Engine.refit, []

    def refit(engine: Engine, fit: StreamFit) -> Any:
        if not failed:
            failed.append(original(engine, fit))  # halfway
            raise RuntimeError("a surprise")
        return original(engine, fit)

    monkeypatch.setattr(Engine, "refit", refit)
    async with rig(store).open() as one:
        at = await feed_until(one, 0, lambda: failed)
        assert 1 == counted(one, "firstseen_fits_failed_total")
        assert [] == fits_of(shared)
        await feed_until(one, at, lambda: fits_of(shared))
        state = await one.hash()
    await reads_the_same(shared, state)


@pytest.mark.parametrize("after", [False, True])
async def test_a_lost_reply_makes_it_no_second_fit(
    shared: Shared, store: FakeStore, held: Held, *, after: bool
) -> None:
    """The store is asked again until it answers; the entry is there once."""
    async with rig(store).open() as one:
        await feed(one, 0, 450)
        original, failed = store.append, []

        async def append(batch: Append) -> bool:
            if not failed and isinstance(unpack_entry(batch.payload, first_seq=batch.first_seq), StreamFit):
                failed.append(1)
                store.fails("append", away(), after=after)
            return await original(batch)

        store.append = append  # type: ignore[method-assign]
        held.may_go.set()
        await feed_until(one, 450, lambda: fits_of(shared))
        state = await one.hash()
        assert failed
        assert 1 == len(fits_of(shared))
    await reads_the_same(shared, state)


@pytest.mark.parametrize("how", ["fenced", "conflict", "surprise"])
async def test_a_fit_of_a_stream_that_is_lost_is_dropped(
    shared: Shared, store: FakeStore, held: Held, how: str
) -> None:
    """Another owner, or a memory that was dropped: what was under way is never used; the next one is soon due."""
    async with rig(store, lease_ms=60_000).open() as one:
        await feed(one, 0, 450)
        assert 1 == len(held.begun)
        if how == "fenced":
            other = FakeStore(shared, "other")
            await other.acquire(steal=True)
            await other.release()
        elif how == "conflict":
            store.fails("append", SequenceConflict("not next", expected=9, got=1))
        else:
            store.fails("append", RuntimeError("a surprise"))
        with pytest.raises(Exception, match=r"Send the same|could not be classified"):
            await one.ask(*rows(450, 460))
        await one.is_ready()
        dropped = shared.seq
        held.may_go.set()
        await soon(lambda: counted(one, "firstseen_fit_seconds_count"), "the dropped one has ended")
        await feed_until(one, 450, lambda: fits_of(shared))
        state = await one.hash()
        assert fits_of(shared)[0] > dropped
    await reads_the_same(shared, state)


async def test_fenced_as_it_commits_a_fit(shared: Shared, store: FakeStore, held: Held) -> None:
    """It steps down with its memory, and comes back to what the log has."""
    async with rig(store).open() as one:
        await feed(one, 0, 450)
        held.may_go.set()
        await soon(lambda: counted(one, "firstseen_fit_seconds_count"), "the fit is made")
        other = FakeStore(shared, "other")
        original = store.append

        async def append(batch: Append) -> bool:
            if (
                isinstance(unpack_entry(batch.payload, first_seq=batch.first_seq), StreamFit)
                and not other.epoch
            ):
                await other.acquire(steal=True)
                other.shared.lease = None
            return await original(batch)

        store.append = append  # type: ignore[method-assign]
        await one.ask(*rows(450, 500))
        await soon(lambda: one.pipeline.epoch == 3, "it owns the stream again")
        await one.is_ready()
        assert [] == fits_of(shared)
        await feed_until(one, 500, lambda: fits_of(shared))
        state = await one.hash()
    await reads_the_same(shared, state)


async def test_stopping_waits_for_no_fit(shared: Shared, store: FakeStore, held: Held) -> None:
    """What is under way is dropped; the last snapshot is of what the log has."""
    one = rig(store)
    async with one.open():
        await feed(one, 0, 450)
        assert 1 == len(held.begun)
        state = await one.hash()
    assert [] == fits_of(shared)
    held.may_go.set()
    await reads_the_same(shared, state)


async def test_joins_are_told_to_who_watches(
    shared: Shared, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fit can bring events; they are durable before they are told."""
    original = StreamGate.solve

    def solve(gate: StreamGate, job: FitJob) -> StreamFit:
        there = np.unique(job.clusters[job.clusters > 0])
        joins = there[::-1][:2].reshape(-1, 2) if len(there) == 2 else np.empty((0, 2), np.int64)
        return replace(original(gate, job), joins=joins)

    monkeypatch.setattr(StreamGate, "solve", solve)
    async with rig(store).open() as one:
        with one.fanout.subscribe() as watching:
            seen: list[ClusterEvent] = []

            async def watch() -> None:
                while not seen or seen[-1].kind is not EventKind.MERGED:
                    event = await watching.next()
                    assert event is not None
                    seen.append(event)

            watches = asyncio.create_task(watch())
            await feed_until(one, 0, watches.done)
            await watches
        assert seen[-1].seq in fits_of(shared)


async def test_a_fit_of_another_bundle_in_the_log(shared: Shared, store: FakeStore) -> None:
    """It ends the pipeline with a message for a person, by its place."""
    async with rig(store).open() as one:
        await one.ask(*rows(0, 10))
    other = StreamFit(
        weights=np.zeros(3, np.float32),
        shares=np.ones(2, np.float32),
        members=np.empty((0, 6), np.float32),
        clusters=np.empty(0, np.int64),
        joins=np.empty((0, 2), np.int64),
        partings=np.empty((0, 2), np.int64),
    )
    shared.log.append(Append(first_seq=shared.seq, count=1, payload=pack_refit(other), verdicts=()))

    with pytest.raises(StoreError, match=r"seq 11 cannot be replayed: .*weights of shape .*another bundle"):
        await rig(FakeStore(shared)).pipeline.run()


async def test_a_switched_off_stream_gate(shared: Shared) -> None:
    """Started again without it, and again with it: no fits meanwhile, and replay is exact over all three."""
    at, state = 0, ""
    for is_on, more in ((True, 0), (False, 600), (True, 300)):
        async with rig(FakeStore(shared), gates="both" if is_on else "items").open() as one:
            if not more:
                at = await feed_until(one, 0, lambda: fits_of(shared))
                seqs = fits_of(shared)
            await feed(one, at, at + more)
            at += more
            state = await one.hash()

    assert seqs == fits_of(shared)
    await reads_the_same(shared, state)
