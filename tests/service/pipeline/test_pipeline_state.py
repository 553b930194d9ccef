"""The pipeline and its state: who owns it, what the log and the snapshots lead to, whatever happens between."""

import asyncio
import contextlib
from dataclasses import replace

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.clustering.params import EngineParams
from service.errors import InternalError, NotReady, StoreAway, Unavailable
from service.pipeline.recovery import ReplayMismatch
from service.records import Item, Verdict
from service.state.durability import Durability, Tier
from service.state.errors import Fenced, SequenceConflict, StoreError, StoreMisconfigured
from service.state.packing import pack_configure, unpack_entry
from service.state.store import Append
from tests.service.fake_store import FakeStore, Shared, away
from tests.service.pipeline_rig import Rig, known, novel
from tests.service.waiting import soon


@pytest.fixture
def shared() -> Shared:
    return Shared()


@pytest.fixture
def store(shared: Shared) -> FakeStore:
    return FakeStore(shared)


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

    async def test_a_step_that_was_not_kept_is_not_shown(self, shared: Shared) -> None:
        """A reader who waits for the batch in hand does not get what it would have led to, when it is fenced."""
        store = FakeStore(shared)
        async with Rig(store, lease_ms=60_000).open() as rig:
            await rig.ask(known("a"))
            seq = (await rig.pipeline.view()).seq
            go = store.holds("append")
            job = rig.offer(known("b", 1), novel("c", 2))
            await soon(lambda: store.calls[-1] == "append", "a batch is in hand")
            reading = asyncio.create_task(rig.pipeline.view())
            await asyncio.sleep(0)
            other = FakeStore(shared, "other")
            await other.acquire(steal=True)
            go.set()
            with pytest.raises(NotReady):
                await job.done
            assert seq == (await reading).seq
            await other.release()
            await rig.is_ready()

    async def test_watchers_who_came_meanwhile(self, shared: Shared) -> None:
        """Who begins to watch while another owns the stream is sent away when it is ours again: its hello is old."""
        store = FakeStore(shared)
        async with Rig(store, lease_ms=30).open() as rig:
            await rig.ask(known("a"))
            other = FakeStore(shared, "other")
            await other.acquire(steal=True)
            await soon(lambda: rig.pipeline.epoch == 0, "it steps down")
            with rig.fanout.subscribe() as watching:
                await other.release()
                await rig.is_ready()

                assert await asyncio.wait_for(watching.next(), 60) is None

    async def test_a_lease_is_kept_while_the_log_is_read(self, shared: Shared) -> None:
        """However long that takes: or two processes would take the stream from each other for ever."""
        async with Rig(FakeStore(shared)).open() as rig:
            await rig.ask(*(known(f"k{n}", n) for n in range(8)))
        shared.snapshots.clear()
        store = FakeStore(shared)
        go = store.holds("replay")
        rig = Rig(store, lease_ms=30)
        running = asyncio.create_task(rig.pipeline.run())
        await soon(lambda: store.calls.count("renew") > 3, "it renews")
        assert rig.pipeline.reason == "replaying the log"
        go.set()
        await rig.is_ready()
        assert await rig.pipeline.stop(grace_s=5)
        await running

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


class TestDurability:
    async def test_relaxed_may_come_back_with_less(self, shared: Shared) -> None:
        """Where an operator chose that Redis may forget a second, the stream goes on from what is there, counts what
        is gone, and what is sent again is decided anew.
        """
        store = FakeStore(shared)
        store.durability = Durability(tier=Tier.RELAXED)
        async with Rig(store).open() as rig:
            await rig.ask(known("a"))
            await rig.ask(novel("b"))
            shared.log.pop()
            del shared.ids["b"]
            store.fails("append", SequenceConflict("not next", expected=2, got=3))
            with pytest.raises(NotReady):
                await rig.ask(known("c"))
            await rig.is_ready()

            assert 1 == rig.pipeline.last_durable_seq
            assert 1 == rig.counted("firstseen_forgotten_total")
            assert [1, 2] == [v.seq for v in await rig.ask(known("a"), novel("b"))]

    async def test_set_up_to_forget_while_it_runs(self, store: FakeStore) -> None:
        """A Redis whose append-only file is switched off under us is not written to until that is mended."""
        async with Rig(store, lease_ms=30).open() as rig:
            store.fails("check", StoreMisconfigured("the append-only file is off"), times=3)
            await soon(lambda: rig.pipeline.reason == "the append-only file is off", "it is seen")
            with pytest.raises(StoreAway, match="may forget"):
                rig.offer(known("a"))
            await rig.is_ready()

            assert 1 == (await rig.ask(known("a")))[0].seq

    async def test_a_warning_comes_and_goes(self, store: FakeStore) -> None:
        """What an operator should know is looked at again and again, not only at the start."""
        async with Rig(store, lease_ms=30).open() as rig:
            assert () == rig.pipeline.warnings
            store.warnings = ("appendfsync could not be checked",)
            await soon(lambda: rig.pipeline.warnings, "it is told")
            store.warnings = ()
            await soon(lambda: not rig.pipeline.warnings, "it is over")


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

    @pytest.mark.parametrize("has_snapshot", [True, False])
    async def test_another_backend(self, shared: Shared, has_snapshot: bool) -> None:
        """A stream's backend is for life: another one is refused with what to do, and the log stays as it was."""
        items = [*(novel(f"n{n}", n) for n in range(30)), *(known(f"k{n}", n) for n in range(6))]
        async with Rig(FakeStore(shared), backend="river").open() as rig:
            verdicts = await rig.ask(*items)
            live = await rig.hash()
        if not has_snapshot:
            shared.snapshots.clear()
        entries = len(shared.log)

        with pytest.raises(StoreError, match="Set FIRSTSEEN_BACKEND=river as before"):
            await Rig(FakeStore(shared)).pipeline.run()
        assert entries == len(shared.log)
        async with Rig(FakeStore(shared), backend="river").open() as rig:
            assert live == await rig.hash()
            assert verdicts == await rig.ask(*items)

    async def test_another_backend_in_the_log(self, shared: Shared) -> None:
        """A log that changes its backend on the way is not served, whoever wrote it."""
        async with Rig(FakeStore(shared), backend="river").open() as rig:
            await rig.ask(novel("n"))
        other = pack_configure(EngineParams(backend="firstseen"))
        shared.log.append(Append(first_seq=2, count=1, payload=other, verdicts=()))

        for backend in ("river", "firstseen"):
            with pytest.raises(StoreError, match="Set FIRSTSEEN_BACKEND=river as before"):
                await Rig(FakeStore(shared), backend=backend).pipeline.run()

    async def test_snapshots(self, store: FakeStore) -> None:
        """A snapshot is saved every so many items, and one at the end."""
        async with Rig(store, max_batch=4, snapshot_every=10).open() as rig:
            for n in range(8):
                await rig.ask(*(known(f"{n}-{k}", n + k) for k in range(4)))

        assert [13, 25, 33] == [seq for seq, _ in store.shared.snapshots]

    async def test_the_stream_goes_on_while_a_snapshot_is_written(self, shared: Shared) -> None:
        """It stays one of the state as it was begun, there is one at a time, and the log behind it leads on."""
        store = FakeStore(shared)
        async with Rig(store, max_batch=4, snapshot_every=8).open() as rig:
            go = store.holds("save_snapshot")
            for n in range(40):
                await rig.ask(known(f"k{n}") if n % 3 else novel(f"n{n}", n))
            before = list(shared.snapshots)
            live = await rig.hash()
            go.set()
            await soon(lambda: bool(shared.snapshots), "it is saved")
            begun = shared.snapshots[0][0]
        del shared.snapshots[1:]
        async with Rig(FakeStore(shared)).open() as again:
            assert live == await again.hash()

        assert [] == before
        assert 8 == begun
        assert 2 == store.calls.count("save_snapshot")  # and one at the end

    async def test_fenced_while_a_snapshot_is_written(self, store: FakeStore) -> None:
        """It steps down, and owns the stream again with nothing lost."""
        async with Rig(store, max_batch=4, snapshot_every=8).open() as rig:
            store.fails("save_snapshot", Fenced("no longer", ours=1, current=2))
            for n in range(8):
                await rig.ask(known(f"k{n}"))
            with contextlib.suppress(Unavailable):  # it may be told of before it is noticed
                await rig.ask(known("k8"))
            await soon(lambda: rig.pipeline.epoch == 2, "it owns the stream again")
            await rig.is_ready()

            assert (await rig.ask(known("k7")))[0].seq == 8

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
        fields[-2] = [7, 0, 0, 0]  # the clusters
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
