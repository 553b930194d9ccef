"""The single writer: answers, an absent store, faults of our own, and stopping."""

import asyncio
from dataclasses import replace

import pytest

from service.errors import InternalError, NotReady, StoreAway
from service.events import EventKind
from service.pipeline.batching import Job
from service.records import VerdictKind
from service.state.errors import StoreError
from tests.service.fake_store import FakeStore, Shared, away
from tests.service.pipeline_rig import Rig, known, novel
from tests.service.waiting import soon


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
            assert [5] == rig.net.batches, "embedded before it is known which are the same"

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
        with pytest.raises(NotReady, match="Send the same again"):  # it may be durable
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


class TestOurFaults:
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
            store.fails("append", RuntimeError("a surprise"))
            with pytest.raises(InternalError, match="bug in firstseen"):
                await rig.ask(known("a"), known("z"), known("b"), known("c"))
            await rig.is_ready()
            await rig.ask(known("d"))

            assert {"d"} == store.shared.ids.keys()


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

    async def test_nobody_waits_for_a_stream_that_ended(self, store: FakeStore) -> None:
        """It ended while the store was away: a socket, which waits for a store, is told that it is over."""
        rig = Rig(store)
        running = asyncio.create_task(rig.pipeline.run())
        await rig.is_ready()
        store.fails("append", away(), times=1_000_000)
        first = rig.offer(known("a"))
        await soon(lambda: rig.pipeline.reason, "the store is away")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        job = Job(items=[known("b")], done=asyncio.get_running_loop().create_future())
        async with asyncio.timeout(60):
            with pytest.raises(NotReady):
                await rig.queue.put(job)

        assert isinstance(first.done.exception(), NotReady)
        assert rig.pipeline.is_settled

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


class TestTrust:
    async def test_an_emptied_store_is_not_a_fresh_start(self, store: FakeStore) -> None:
        """When Redis comes back with less than it confirmed, nothing is served on top of that: a person must act."""
        rig = Rig(store)
        running = asyncio.create_task(rig.pipeline.run())
        await rig.is_ready()
        await rig.ask(known("a"), known("b", 1))
        store.shared.log.clear()
        store.shared.ids.clear()
        store.shared.epoch += 1  # what was emptied knows no owner either

        with pytest.raises(NotReady):
            await rig.ask(known("c", 2))
        with pytest.raises(StoreError, match="came back with 0 items where 3 had been confirmed"):
            await asyncio.wait_for(running, 60)

    async def test_watchers_of_a_lost_stream_are_sent_away(self, shared: Shared, store: FakeStore) -> None:
        """While another owns the stream events pass by; watchers are told to come back for a fresh start."""
        async with Rig(store, lease_ms=300).open() as rig:
            with rig.fanout.subscribe() as watching:
                shared.epoch += 1
                assert await asyncio.wait_for(watching.next(), 60) is None
            await rig.is_ready()

    async def test_a_store_that_was_away_is_looked_at_again(self, store: FakeStore) -> None:
        """It may have come back set up otherwise: it is checked before the batch in hand is sent again."""
        async with Rig(store).open() as rig:
            await rig.ask(known("first"))
            store.calls.clear()
            store.fails("append", away(), times=2)
            await rig.ask(known("a"))

            assert ["lookup", "append", "open", "append", "open", "append"] == store.calls

    async def test_a_lease_given_back_is_not_renewed(self, store: FakeStore) -> None:
        """On a normal stop the last word to the store is the release."""
        async with Rig(store, lease_ms=30).open() as rig:
            await rig.ask(known("a"))
            await soon(lambda: "renew" in store.calls, "the lease is renewed")

        assert "release" == store.calls[-1]
