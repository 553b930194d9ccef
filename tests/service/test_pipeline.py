"""The single writer, on a store in memory that fails to order and a net that is a table."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from model.bundle import Bundle
from service.batching import Job, Queue
from service.clustering.params import EngineParams
from service.errors import InternalError, NotReady, StoreAway, Unavailable
from service.events import EventKind
from service.fanout import Fanout
from service.metrics import Metrics
from service.pipeline import Pipeline, ReplayMismatch
from service.records import Float32s, Item, Verdict, VerdictKind
from service.state.errors import Fenced, SequenceConflict, StoreError
from service.state.packing import unpack_entry
from service.state.store import Append, StreamStore
from tests.service import digits
from tests.service.fake_store import FakeStore, Shared, away
from tests.service.waiting import soon

POISON = 0.75


class TableNet:
    """A net that is a table: values below .5 are calibration items, above it one far-off spot."""

    def __init__(self, bundle: Bundle) -> None:
        self._known = bundle.known.calibration_embeddings
        center = bundle.known.prototypes.mean(axis=0)
        self._far = (-center / np.linalg.norm(center)).astype(np.float32)
        self.batches: list[int] = []

    def embed(self, x: Sequence[Float32s]) -> Float32s:
        self.batches.append(len(x))
        values = [float(item.ravel()[0]) for item in x]
        if POISON in values:
            raise RuntimeError("a net that fails")
        return np.stack([self._one(value) for value in values])

    def _one(self, value: float) -> Float32s:
        if value < 0.5:
            return self._known[int(value * 2 * len(self._known))]
        jitter = np.random.default_rng(int(value * 1e6)).normal(size=len(self._far)) * 1e-3
        return (self._far + jitter).astype(np.float32)


def known(id: str | None = None, n: int = 0) -> Item:
    return Item(id=id, x=np.full((1, 8, 8), (n * 0.013) % 0.5, dtype=np.float32))


def novel(id: str | None = None, n: int = 0) -> Item:
    return Item(id=id, x=np.full((1, 8, 8), 0.8 + (n * 0.001) % 0.2, dtype=np.float32))


def poison(id: str = "poison") -> Item:
    return Item(id=id, x=np.full((1, 8, 8), POISON, dtype=np.float32))


class Rig:
    """A pipeline and what it is made of."""

    def __init__(
        self,
        store: FakeStore,
        *,
        max_batch: int = 8,
        snapshot_every: int = 1_000_000,
        lease_ms: int = 60_000,
        alone: bool = False,
        revive: Callable[[], Awaitable[None]] | None = None,
        **params: Any,
    ) -> None:
        self.store = store
        self.net = TableNet(digits.bundle())
        self.queue = Queue(max_items=1000, max_batch=max_batch)
        self.fanout = Fanout(1000)
        clock = itertools.count(1_000_000)
        self.pipeline = Pipeline(
            bundle=digits.bundle(),
            embedder=self.net,
            store=_as_store(store),
            queue=self.queue,
            fanout=self.fanout,
            metrics=Metrics(CollectorRegistry()),
            now=lambda: float(next(clock)) if params.get("ticks") else 1_000_000.0,
            params=EngineParams(**{k: v for k, v in params.items() if k != "ticks"}),
            lease_ms=lease_ms,
            snapshot_every_items=snapshot_every,
            holds_store_alone=alone,
            revive_store=revive,
        )

    def offer(self, *items: Item, on_progress: Callable[[list[Verdict]], None] | None = None) -> Job:
        job = Job(items=list(items), done=asyncio.get_running_loop().create_future(), on_progress=on_progress)
        self.queue.offer(job)
        return job

    async def ask(self, *items: Item) -> list[Verdict]:
        async with asyncio.timeout(10):
            return await self.offer(*items).done

    async def is_ready(self) -> None:
        await soon(lambda: self.pipeline.reason is None, "the pipeline is ready")

    async def hash(self) -> str:
        view = await self.pipeline.view(with_hash=True)
        assert not view.stale
        assert view.state_hash is not None
        return view.state_hash

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Rig"]:
        """Run it; stop it in order."""
        task = asyncio.create_task(self.pipeline.run())
        try:
            await self.is_ready()
            yield self
            assert await self.pipeline.stop(grace_s=5)
            async with asyncio.timeout(5):
                await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _as_store(store: FakeStore) -> StreamStore:
    """The fake has every method the pipeline calls."""
    return store  # type: ignore[return-value]


@pytest.fixture
def shared() -> Shared:
    return Shared()


@pytest.fixture
def store(shared: Shared) -> FakeStore:
    return FakeStore(shared)


class TestAnswers:
    async def test_durable_first(self, store: FakeStore) -> None:
        """When a verdict arrives, the store has it."""
        async with Rig(store).open() as rig:
            job = rig.offer(known("a"), known("b", 1))
            job.done.add_done_callback(lambda _: seen.append(set(store.shared.ids)))
            seen: list[set[str]] = []
            await job.done

            assert [{"a", "b"}] == seen

    async def test_kinds(self, store: FakeStore) -> None:
        """Items of known classes are known; one spot far off is an outlier first, then a cluster."""
        async with Rig(store).open() as rig:
            first = await rig.ask(*(known(f"k{n}", n) for n in range(30)))
            then = [v for n in range(40) for v in await rig.ask(novel(f"n{n}", n))]

            assert sum(v.verdict is VerdictKind.KNOWN for v in first) >= 25
            assert VerdictKind.OUTLIER is then[0].verdict
            assert VerdictKind.CLUSTER is then[-1].verdict

    async def test_events(self, store: FakeStore) -> None:
        """A watcher hears that the cluster emerged, at the item that made it so."""
        async with Rig(store).open() as rig:
            with rig.fanout.subscribe() as watching:
                verdicts = await rig.ask(*(novel(f"n{n}", n) for n in range(40)))
                event = await watching.next()

            assert event is not None
            assert EventKind.EMERGED is event.kind
            first = next(v for v in verdicts if v.cluster_id == event.cluster.id)
            assert event.seq < first.seq

    async def test_cut(self, store: FakeStore) -> None:
        """A job larger than a batch is cut over several, and answered in order."""
        async with Rig(store, max_batch=8).open() as rig:
            slices: list[int] = []
            job = rig.offer(
                *(known(f"a{n}", n) for n in range(21)), on_progress=lambda part: slices.append(len(part))
            )
            verdicts = await job.done

            assert [f"a{n}" for n in range(21)] == [v.id for v in verdicts]
            assert [8, 8, 5] == slices
            assert [1, 8, 8, 5] == [batch.count for batch in store.shared.log], "parameters first"

    async def test_together(self, store: FakeStore) -> None:
        """What waits while a batch is in hand makes the next batch together."""
        async with Rig(store).open() as rig:
            go = store.holds("lookup")
            first = rig.offer(known("first"))
            await soon(lambda: "lookup" in store.calls, "the first is in hand")
            rest = [rig.offer(known(f"r{n}", n)) for n in range(5)]
            go.set()
            await asyncio.gather(first.done, *(job.done for job in rest))

            assert [1, 5] == rig.net.batches

    async def test_duplicates(self, store: FakeStore) -> None:
        """An id twice in a batch, and again in another job of it, is one item."""
        async with Rig(store).open() as rig:
            go = store.holds("lookup")
            jobs = [rig.offer(known("a"), known("a", 5), known(None)), rig.offer(known("a", 9), known("b"))]
            go.set()
            (one, two, auto), (three, other) = await asyncio.gather(*(job.done for job in jobs))

            assert one == two == three
            assert [1, 2, 3] == [one.seq, auto.seq, other.seq]
            assert [3] == rig.net.batches

    async def test_repeats_only(self, store: FakeStore) -> None:
        """A batch of repeats moves nothing and appends nothing."""
        async with Rig(store).open() as rig:
            first = await rig.ask(known("a"), novel("b"))
            before = await rig.hash(), len(store.offered)

            assert first == await rig.ask(known("a", 3), known("b", 4))
            assert before == (await rig.hash(), len(store.offered))

    async def test_gone_waiter(self, store: FakeStore) -> None:
        """The items of a waiter that has gone are not decided."""
        async with Rig(store).open() as rig:
            go = store.holds("lookup")
            first = rig.offer(known("first"))
            await soon(lambda: "lookup" in store.calls, "the first is in hand")
            gone, last = rig.offer(known("gone")), rig.offer(known("last"))
            gone.done.cancel()
            go.set()
            await asyncio.gather(first.done, last.done)

            assert {"first", "last"} == store.shared.ids.keys()


class TestStoreAway:
    @pytest.mark.parametrize("method", ["lookup", "append"])
    @pytest.mark.parametrize("after", [False, True])
    async def test_same_again(self, store: FakeStore, method: str, after: bool) -> None:
        """The batch in hand is sent again, unchanged, until the store answers; it counts once."""
        async with Rig(store).open() as rig:
            sent = len(store.offered)
            store.fails(method, away(), times=2, after=after and method == "append")
            verdicts = await rig.ask(known("a"), novel("b"))

            assert [1, 2] == [v.seq for v in verdicts]
            assert 3 == store.shared.seq
            offered = store.offered[sent:]
            assert (3 if method == "append" else 1) == len(offered)
            assert all(offered[0] == again for again in offered)
            assert rig.pipeline.reason is None

    async def test_refuses(self, store: FakeStore) -> None:
        """While the store is away new work is refused as retryable, the reason is told, and it ends by itself."""
        async with Rig(store).open() as rig:
            store.fails("lookup", away(), times=3)
            job = rig.offer(known("a"))
            await soon(lambda: rig.pipeline.reason is not None, "the store is known to be away")

            assert "Redis does not answer" in str(rig.pipeline.reason)
            with pytest.raises(StoreAway, match="send the same again"):
                rig.offer(known("b"))
            await job.done
            await rig.is_ready()
            assert 2 == (await rig.ask(known("b")))[0].seq

    async def test_noticed_when_idle(self, store: FakeStore) -> None:
        """Nothing needs to be sent for the service to find out that its store is away, and back."""
        async with Rig(store, lease_ms=30).open() as rig:
            store.fails("renew", away(), times=2)
            await soon(lambda: rig.pipeline.reason is not None, "the store is known to be away")
            await rig.is_ready()

            assert 1 == (await rig.ask(known("a")))[0].seq

    async def test_revived(self, store: FakeStore) -> None:
        """A store that can be revived is."""
        revived: list[int] = []

        async def revive() -> None:
            revived.append(1)

        async with Rig(store, revive=revive).open() as rig:
            store.fails("append", away(), times=2)
            await rig.ask(known("a"))

            assert 2 == len(revived)

    async def test_cannot_be_revived(self, store: FakeStore) -> None:
        """A store that cannot be revived ends the pipeline with the reason."""

        async def revive() -> None:
            raise StoreError("the embedded server ended at once")

        rig = Rig(store, revive=revive)
        task = asyncio.create_task(rig.pipeline.run())
        await rig.is_ready()
        store.fails("append", away(), times=9)
        store.fails("load", away(), times=9)
        job = rig.offer(known("a"))

        with pytest.raises(StoreError, match="ended at once"):
            await task
        with pytest.raises(InternalError):
            await job.done

    async def test_stale_view(self, store: FakeStore) -> None:
        """Readers get the last state while the store keeps the writer waiting, and are told."""
        async with Rig(store).open() as rig:
            await rig.ask(known("a"))
            fresh = await rig.pipeline.view()
            go = store.holds("append")
            job = rig.offer(known("b"))
            await soon(lambda: len(store.offered) == 3, "the append waits")
            stale = await rig.pipeline.view()
            go.set()
            await job.done

            assert replace(fresh, stale=True) == stale

    async def test_no_view_yet(self, store: FakeStore) -> None:
        """Before the state is read there is nothing to show."""
        rig = Rig(store)

        with pytest.raises(NotReady, match="starting"):
            await rig.pipeline.view()


class TestOwnership:
    @pytest.mark.parametrize("method", ["append", "renew"])
    async def test_fenced(self, shared: Shared, method: str) -> None:
        """Fenced, it steps down: waiters get an error that can be retried; then it owns the stream again."""
        store = FakeStore(shared)
        async with Rig(store, lease_ms=30 if method == "renew" else 60_000).open() as rig:
            before = await rig.ask(known("a"), novel("b"))
            go = store.holds("lookup")
            waiting = [rig.offer(known("c")), rig.offer(*(known(f"w{n}") for n in range(9)))]
            await soon(lambda: "lookup" in store.calls[-1:] or method == "renew", "a batch is in hand")
            other = FakeStore(shared, "other")
            await other.acquire(steal=True)
            await other.release()
            go.set()

            for job in waiting:
                with pytest.raises(Unavailable, match="Send the same"):
                    await job.done
            await rig.is_ready()
            assert before == await rig.ask(known("a"), novel("b"))
            assert 3 == rig.pipeline.epoch
            assert 3 == (await rig.ask(known("c")))[0].seq

    async def test_fenced_by_error(self, store: FakeStore) -> None:
        """What the store says is believed, whoever is right."""
        async with Rig(store).open() as rig:
            store.fails("append", Fenced("no longer", ours=1, current=2))
            with pytest.raises(NotReady):
                await rig.ask(known("a"))
            await rig.is_ready()

            assert 1 == (await rig.ask(known("a")))[0].seq

    async def test_conflict(self, store: FakeStore) -> None:
        """A store that is ahead of the memory makes it read the state again."""
        async with Rig(store).open() as rig:
            store.fails("append", SequenceConflict("not next", expected=9, got=1))
            with pytest.raises(NotReady):
                await rig.ask(known("a"))
            await rig.is_ready()

            assert 1 == (await rig.ask(known("a")))[0].seq

    async def test_standby(self, shared: Shared) -> None:
        """While another owns the stream it waits, says for whom, and takes over with all that was learnt."""
        first, second = Rig(FakeStore(shared, "one")), Rig(FakeStore(shared, "two"))
        async with first.open():
            waiting = asyncio.create_task(second.pipeline.run())
            await soon(lambda: "one" in str(second.pipeline.reason), "the second waits")
            with pytest.raises(NotReady, match="one"):
                second.offer(known("b"))
            verdicts = await first.ask(*(novel(f"n{n}", n) for n in range(12)))
            state = await first.hash()
        await second.is_ready()

        assert state == await second.hash()
        assert verdicts == await second.ask(*(novel(f"n{n}", n) for n in range(12)))
        assert await second.pipeline.stop(grace_s=5)
        await waiting

    async def test_alone(self, shared: Shared) -> None:
        """Where a lock proves that no other lives, a lease that is left is taken at once."""
        shared.lease = "one that was killed"
        async with Rig(FakeStore(shared), alone=True).open() as rig:
            assert 1 == rig.pipeline.epoch

    async def test_warnings(self, shared: Shared) -> None:
        """What is unsafe about the store is told while it is served."""
        async with Rig(FakeStore(shared, warnings=("the append-only file is off",))).open() as rig:
            assert ("the append-only file is off",) == rig.pipeline.warnings


class TestOurFaults:
    async def test_net_fails(self, store: FakeStore) -> None:
        """An item that breaks the net fails its batch; the state is as before, and the stream goes on."""
        async with Rig(store).open() as rig:
            await rig.ask(known("a"), novel("b"))
            before = await rig.hash()
            with pytest.raises(InternalError, match="bug in firstseen"):
                await rig.ask(poison())

            await rig.is_ready()
            assert before == await rig.hash()
            assert 3 == (await rig.ask(known("c")))[0].seq

    async def test_fails_after_the_step(self, store: FakeStore) -> None:
        """A step that was made but could not be committed is unmade."""
        async with Rig(store).open() as rig:
            await rig.ask(*(novel(f"n{n}", n) for n in range(7)))
            before = await rig.hash()
            store.fails("append", RuntimeError("a surprise"))
            with pytest.raises(InternalError):
                await rig.ask(*(novel(f"m{n}", n) for n in range(7)))
            await rig.is_ready()

            assert before == await rig.hash()
            assert 8 == (await rig.ask(known("c")))[0].seq

    async def test_rest_of_the_job(self, store: FakeStore) -> None:
        """A job that failed in its first batch is not decided any further."""
        async with Rig(store, max_batch=2).open() as rig:
            with pytest.raises(InternalError):
                await rig.ask(known("a"), poison(), known("b"), known("c"))
            await rig.is_ready()
            await rig.ask(known("d"))

            assert {"d"} == store.shared.ids.keys()


class TestLog:
    async def test_parameters_first(self, store: FakeStore) -> None:
        """The first entry of every stream is its parameters."""
        async with Rig(store, known_error_rate=0.05).open():
            entry = unpack_entry(store.shared.log[0].payload, first_seq=0)

            assert EngineParams(known_error_rate=0.05) == entry

    async def test_other_parameters(self, shared: Shared) -> None:
        """Other parameters are an entry of the log; the same ones are none. Replay stays exact over both."""
        items = [*(novel(f"n{n}", n) for n in range(12)), *(known(f"k{n}", n) for n in range(12))]
        hashes, verdicts = [], []
        for run, rate in enumerate((0.02, 0.02, 0.2)):
            async with Rig(FakeStore(shared), known_error_rate=rate).open() as rig:
                verdicts += await rig.ask(*items[run * 8 : run * 8 + 8])
                hashes.append(await rig.hash())
        configured = [
            batch.first_seq
            for batch in shared.log
            if isinstance(unpack_entry(batch.payload, first_seq=batch.first_seq), EngineParams)
        ]
        shared.snapshots.clear()
        async with Rig(FakeStore(shared), known_error_rate=0.2).open() as rig:
            assert [0, 17] == configured
            assert hashes[-1] == await rig.hash()
            assert verdicts == await rig.ask(*items)

    async def test_snapshots(self, store: FakeStore) -> None:
        """A snapshot is saved every so many items, and one at the end."""
        async with Rig(store, max_batch=4, snapshot_every=10).open() as rig:
            for n in range(8):
                await rig.ask(*(known(f"{n}-{k}", n + k) for k in range(4)))

        assert [13, 25, 33] == [seq for seq, _ in store.shared.snapshots]

    async def test_no_news_no_snapshot(self, shared: Shared) -> None:
        """A run in which nothing came saves nothing."""
        async with Rig(FakeStore(shared)).open() as rig:
            await rig.ask(known("a"))
        async with Rig(FakeStore(shared)).open():
            pass

        assert 1 == len(shared.snapshots)

    async def test_snapshot_fails(self, store: FakeStore) -> None:
        """A snapshot that cannot be saved is tried again later; the stream goes on."""
        async with Rig(store, max_batch=4, snapshot_every=8).open() as rig:
            store.fails("save_snapshot", away())
            for n in range(8):
                await rig.ask(*(known(f"{n}-{k}", n + k) for k in range(4)))

        assert [13, 21, 29, 33] == [seq for seq, _ in store.shared.snapshots]

    @pytest.mark.parametrize("keep", [0, 1, 2, 3])
    async def test_from_any_snapshot(self, shared: Shared, keep: int) -> None:
        """From nothing, or from any snapshot, the log leads to the same state."""
        async with Rig(FakeStore(shared), max_batch=4, snapshot_every=10).open() as rig:
            for n in range(8):
                await rig.ask(*((novel if n % 2 else known)(f"{n}-{k}", 4 * n + k) for k in range(4)))
            live = await rig.hash()
        del shared.snapshots[keep:]
        async with Rig(FakeStore(shared)).open() as rig:
            assert live == await rig.hash()

    async def test_away_in_replay(self, shared: Shared) -> None:
        """A store that goes away while the log is read is waited for, and the reading starts over."""
        async with Rig(FakeStore(shared)).open() as rig:
            await rig.ask(known("a"), novel("b"))
            live = await rig.hash()
        shared.snapshots.clear()
        again = FakeStore(shared)
        again.fails("replay", away())
        async with Rig(again).open() as rig:
            assert live == await rig.hash()

    async def test_mismatch(self, shared: Shared) -> None:
        """A log that says something else than the engine does is not served."""
        async with Rig(FakeStore(shared)).open() as rig:
            await rig.ask(*(novel(f"n{n}", n) for n in range(4)))
        shared.snapshots.clear()
        fields = msgspec.msgpack.decode(shared.log[1].payload)
        fields["clusters"] = np.array([7, 0, 0, 0], dtype="<i8").tobytes()
        shared.log[1] = replace(shared.log[1], payload=msgspec.msgpack.encode(fields))

        with pytest.raises(ReplayMismatch, match="seq 1 "):
            await Rig(FakeStore(shared)).pipeline.run()

    async def test_unreadable_entry(self, shared: Shared) -> None:
        """An entry of another version ends the pipeline with a message for a person."""
        shared.log.append(Append(first_seq=0, count=1, payload=b"\x81\xa1x\x01", verdicts=()))

        with pytest.raises(StoreError, match="seq 0 cannot be read"):
            await Rig(FakeStore(shared)).pipeline.run()

    async def test_unreadable_snapshot(self, shared: Shared) -> None:
        """A snapshot of something else ends the pipeline with a message for a person."""
        async with Rig(FakeStore(shared)).open() as rig:
            await rig.ask(known("a"))
        shared.snapshots.append((2, b"GARB" + bytes(60)))

        with pytest.raises(StoreError, match="does not start with FSST"):
            await Rig(FakeStore(shared)).pipeline.run()


class TestStop:
    async def test_drains(self, store: FakeStore) -> None:
        """What waits when it is told to stop is answered; then it snapshots and gives the lease back."""
        rig = Rig(store)
        task = asyncio.create_task(rig.pipeline.run())
        await rig.is_ready()
        go = store.holds("lookup")
        jobs = [rig.offer(*(known(f"{n}-{k}", k) for k in range(8))) for n in range(5)]
        stopping = asyncio.create_task(rig.pipeline.stop(grace_s=5))
        await soon(lambda: rig.pipeline.reason == "stopping", "it is stopping")
        with pytest.raises(NotReady, match="stopping"):
            rig.offer(known("late"))
        go.set()

        assert await stopping
        assert [8] * 5 == [len(job.done.result()) for job in jobs]
        await task
        assert [41] == [seq for seq, _ in store.shared.snapshots]
        assert store.shared.lease is None

    async def test_twice(self, store: FakeStore) -> None:
        """Telling it again changes nothing."""
        rig = Rig(store)
        task = asyncio.create_task(rig.pipeline.run())
        await rig.is_ready()

        assert await rig.pipeline.stop(grace_s=5)
        await task
        assert await rig.pipeline.stop(grace_s=5)

    async def test_store_away(self, store: FakeStore) -> None:
        """With the store away it does not hang: cancelled, it fails all waiters as retryable, and saves nothing."""
        rig = Rig(store)
        task = asyncio.create_task(rig.pipeline.run())
        await rig.is_ready()
        store.fails("lookup", away(), times=999)
        jobs = [rig.offer(known(f"a{n}")) for n in range(20)]
        await soon(lambda: rig.pipeline.reason is not None, "the store is known to be away")

        assert not await rig.pipeline.stop(grace_s=0.01)
        task.cancel()
        for job in jobs:
            with pytest.raises(NotReady, match="Send the same"):
                await job.done
        assert [] == store.shared.snapshots

    async def test_while_waiting_for_the_lease(self, shared: Shared) -> None:
        """One that waits for a lease has nothing to drain and does not wait."""
        shared.lease = "other"
        rig = Rig(FakeStore(shared))
        task = asyncio.create_task(rig.pipeline.run())
        await soon(lambda: "other" in str(rig.pipeline.reason), "it waits")

        assert not await rig.pipeline.stop(grace_s=600)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def test_watchers_are_told(self, store: FakeStore) -> None:
        """Watchers hear that no more will come."""
        rig = Rig(store)
        with rig.fanout.subscribe() as watching:
            async with rig.open():
                pass

            assert await watching.next() is None


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(1, 12)),
        st.tuples(st.just("repeat"), st.integers(1, 12)),
        st.tuples(st.just("lost reply"), st.just(1)),
        st.tuples(st.just("refused"), st.integers(1, 2)),
        st.tuples(st.just("surprise"), st.just(1)),
        st.tuples(st.just("fenced"), st.just(1)),
        st.tuples(st.just("killed"), st.integers(0, 2)),
    ),
    max_size=8,
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_whatever_happens(steps: list[tuple[str, int]]) -> None:
    """Over lost replies, faults, other owners and kills the state is that of an undisturbed run of the items."""
    asyncio.run(_whatever_happens(steps))


async def _whatever_happens(steps: list[tuple[str, int]]) -> None:
    shared = Shared()
    got: dict[str, Verdict] = {}
    items = [(novel if n % 3 else known)(f"i{n}", n) for n in range(12 * 12)]
    sent = 0

    async def ask(rig: Rig, batch: list[Item]) -> None:
        """Until it is answered, as a client does."""
        while True:
            await rig.is_ready()
            try:
                verdicts = await rig.ask(*batch)
            except (Unavailable, InternalError):
                continue
            for verdict in verdicts:
                assert got.setdefault(verdict.id, verdict) == verdict
            return

    store = FakeStore(shared)
    rig = Rig(store, snapshot_every=20)
    task = asyncio.create_task(rig.pipeline.run())
    for step, n in steps:
        await rig.is_ready()  # a surprise before the stream is ours ends the process: that is another test
        match step:
            case "ask":
                await ask(rig, items[sent : sent + n])
                sent += n
            case "repeat" if sent:
                await ask(rig, items[max(0, sent - n) : sent + 1])
                sent += 1
            case "lost reply":
                store.fails("append", away(), after=True)
            case "refused":
                store.fails("lookup", away(outcome_unknown=False), times=n)
            case "surprise":
                store.fails("append", RuntimeError("a surprise"))
            case "fenced":
                other = FakeStore(shared, "other")
                await other.acquire(steal=True)
                await other.release()
            case "killed":
                await rig.is_ready()
                if sent < len(items):
                    rig.offer(items[sent])
                for _ in range(n * 3):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                store = FakeStore(shared)
                rig = Rig(store, snapshot_every=20, alone=True)
                task = asyncio.create_task(rig.pipeline.run())
    await ask(rig, items[: sent + 1])
    live = await rig.hash()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    async with Rig(FakeStore(Shared())).open() as reference:
        expected = await reference.ask(*items[: sent + 1])
        assert expected == [got[item.id] for item in items[: sent + 1] if item.id is not None]
        assert await reference.hash() == live
