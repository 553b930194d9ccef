"""Which streams are open: opened by use, closed for another, each failing alone."""

import asyncio
from collections.abc import Callable

import pytest

from service.errors import (
    InvalidParameter,
    NotReady,
    StoreAway,
    StreamFails,
    TooManyStreams,
    UnknownStream,
)
from service.pipeline.batching import Job
from service.state.errors import SnapshotCorrupt, StoreError
from service.streams.failed_streams import PAUSE_S
from tests.service.fake_store import FakeStore, away
from tests.service.pipeline_rig import known, novel
from tests.service.streams_rig import DEFAULT, Redis, StreamsRig
from tests.service.waiting import soon


class TestOpening:
    async def test_first_use_opens_and_the_next_finds_it_open(self) -> None:
        """With a state of its own: the same id has a verdict in each stream."""
        async with StreamsRig().open() as rig:
            one = await rig.ask("a", known("x"))
            other = await rig.ask("b", novel("x"))
            again = await rig.ask("a", known("x"))

            assert one == again != other
            assert {DEFAULT, "a", "b"} == rig.open_now()
            assert [DEFAULT, "a", "b"] == rig.made
            assert rig.redis.streams["a"].seq == rig.redis.streams["b"].seq == 2

    async def test_two_first_uses_at_once_open_one(self) -> None:
        """Both get it, ready."""
        async with StreamsRig().open() as rig:
            found = await asyncio.gather(*(rig.streams.open("a") for _ in range(5)))

            assert 1 == len(set(found))
            assert found[0].pipeline.reason is None
            assert [DEFAULT, "a"] == rig.made

    @pytest.mark.parametrize("name", ["", "a b", "a{b}", "x" * 65, "é", "a/b"])
    async def test_a_name_that_no_stream_can_have(self, name: str) -> None:
        """Is refused by what to send, whether it may be made or not."""
        async with StreamsRig().open() as rig:
            for may_create in (True, False):
                with pytest.raises(InvalidParameter, match="send 1 to 64"):
                    await rig.streams.open(name, may_create=may_create)
            with pytest.raises(InvalidParameter):
                await rig.streams.exists(name)

    async def test_who_may_not_make_one_makes_none(self) -> None:
        """Looking for a stream that is nowhere leaves no trace; one that is in the store is opened."""
        redis = Redis()
        async with StreamsRig(redis).open() as rig:
            with pytest.raises(UnknownStream, match="There is no stream 'a'"):
                await rig.streams.open("a", may_create=False)
            nothing = (list(rig.made), redis.made, await rig.streams.exists("a"))
            await rig.ask("a", known("x"))
        async with StreamsRig(redis).open() as rig:
            assert await rig.streams.exists("a")
            assert rig.streams.peek("a") is None
            stream = await rig.streams.open("a", may_create=False)

            assert 1 == stream.pipeline.last_durable_seq
        assert ([DEFAULT], [DEFAULT], False) == nothing

    async def test_before_the_service_is_prepared(self) -> None:
        """No other stream is opened, and who asks is told what the default one waits for."""
        go = asyncio.Event()

        async def slowly(say: Callable[[str], None]) -> None:
            say("compiling for a test")
            await go.wait()

        rig = StreamsRig(prepare=slowly)
        rig.streams.begin()
        await soon(lambda: rig.streams.default.pipeline.reason == "compiling for a test", "it waits")
        with pytest.raises(NotReady, match="compiling for a test"):
            await rig.streams.open("a")
        default = await rig.streams.open(DEFAULT)
        go.set()
        await soon(lambda: default.pipeline.reason is None, "it is ready")
        await rig.ask("a", known())
        await rig.streams.drain(grace_s=5)
        await rig.streams.close(within_s=60, grace_s=30)

        assert [] == rig.fatal

    async def test_a_stream_that_another_process_owns(self) -> None:
        """Each process owns its streams; who asks the other for one waits for nobody, and is told whose it is."""
        redis = Redis()
        async with (
            StreamsRig(redis, owner="one", default="a").open() as one,
            StreamsRig(redis, owner="two", default="b").open() as two,
        ):
            stream = await two.streams.open("a")
            reason = stream.pipeline.reason
            with pytest.raises(NotReady, match="another process"):
                await two.ask("a", known("y"))
            rows, _ = await one.streams.page(limit=9)

            assert "another process (one) owns the stream" == reason
            assert 1 == len(await one.ask("a", known("y")))
            assert 1 == len(await two.ask("b", known("y")))
            assert [(True, None), (False, "another process (two) owns the stream")] == [
                (row.ready, row.reason) for row in rows
            ]

    async def test_an_heir_takes_it_when_it_is_free(self) -> None:
        """The stream that waited for its lease goes on where the other left it."""
        redis = Redis()
        shared = redis.streams["a"]
        shared.lease, shared.epoch = "another", 1
        async with StreamsRig(redis).open() as rig:
            stream = await rig.streams.open("a")
            before = stream.pipeline.reason
            shared.lease = None
            await soon(lambda: stream.pipeline.reason is None, "it is taken")

            assert "another process (another) owns the stream" == before

    async def test_the_store_away(self) -> None:
        """Whether a stream exists cannot be told: that is not the same as there being none."""
        async with StreamsRig().open() as rig:
            rig.redis.away = away()
            with pytest.raises(StoreAway):
                await rig.streams.open("a", may_create=False)
            with pytest.raises(StoreAway):
                await rig.streams.page(limit=5)


class TestRoom:
    async def test_the_one_used_least_recently_is_closed(self) -> None:
        """In order, with a snapshot and its lease given back; its next use finds everything as it was."""
        async with StreamsRig(most=3).open() as rig:
            verdict = await rig.ask("a", known("x"))
            await rig.ask("b", known("x"))
            await rig.ask("a", known("y"))
            await rig.ask("c", known("x"))
            after = rig.open_now()
            shared = rig.redis.streams["b"]

            assert {DEFAULT, "a", "c"} == after
            assert (None, 2) == (shared.lease, shared.snapshots[-1][0])
            assert verdict == await rig.ask("a", known("x"))
            await rig.ask("b", known("x"))
            assert {DEFAULT, "a", "b"} == rig.open_now()
            assert 2 == rig.redis.streams["b"].epoch
            assert 2 == rig.redis.streams["b"].seq

    async def test_what_is_in_use_stays(self) -> None:
        """A stream that somebody holds is not closed, and neither is the default one: the newcomer is refused."""
        async with StreamsRig(most=2).open() as rig:
            held = await rig.streams.open("a")
            with held.in_use():
                with pytest.raises(TooManyStreams, match="2 streams are open"):
                    await rig.streams.open("b")
                assert held is await rig.streams.open("a")
            await rig.ask("b", known())

            assert {DEFAULT, "b"} == rig.open_now()
            assert [DEFAULT, "a", "b"] == rig.made

    async def test_what_waits_is_answered_first(self) -> None:
        """Items that nobody waits for any more are decided all the same before the stream is closed for another."""
        async with StreamsRig(most=2).open() as rig:
            stream = await rig.streams.open("a")
            job = Job(items=[known("x")], done=asyncio.get_running_loop().create_future())
            stream.queue.offer(job)
            await soon(lambda: not stream.queue.waiting, "it is taken")
            await rig.ask("b", known())

            assert "x" == (await job.done)[0].id
            assert "x" in rig.redis.streams["a"].ids

    async def test_only_the_default_one(self) -> None:
        """Where one stream may be open there is never another."""
        async with StreamsRig(most=1).open() as rig:
            with pytest.raises(TooManyStreams):
                await rig.streams.open("a")
            assert 1 == len(await rig.ask(DEFAULT, known()))

    async def test_many_newcomers_at_once(self) -> None:
        """However many come: never more are open than may be, each is served or told why, and nothing is lost."""
        async with StreamsRig(most=3).open() as rig:
            most = []

            async def one(n: int) -> bool:
                try:
                    await rig.ask(f"s{n % 6}", known(f"i{n}", n))
                except TooManyStreams:
                    return False
                finally:
                    most.append(len(rig.streams))
                return True

            served = await asyncio.gather(*(one(n) for n in range(24)))

            assert max(most) <= 3
            assert any(served)
            for n, is_served in enumerate(served):
                assert is_served is (f"i{n}" in rig.redis.streams[f"s{n % 6}"].ids)

    async def test_a_closing_that_nobody_waits_for_any_more(self) -> None:
        """It goes on, and the stream can be used again afterwards."""
        async with StreamsRig(most=2).open() as rig:
            await rig.ask("a", known("x"))
            go = rig.stores["a"].holds("save_snapshot")
            waiting = asyncio.create_task(rig.streams.open("b"))
            await soon(lambda: "save_snapshot" in rig.stores["a"].calls, "it is being closed")
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            again = asyncio.create_task(rig.ask("a", known("x")))
            await asyncio.sleep(0)
            go.set()

            assert "x" == (await again)[0].id
            assert [DEFAULT, "a", "a"] == rig.made


class TestFailures:
    @staticmethod
    def breaks(error: Exception) -> Callable[[FakeStore], None]:
        """Lets loading the state of streams fail that are opened from now on."""
        return lambda store: store.fails("load", error)

    async def test_one_fails_alone(self) -> None:
        """Its users get the reason, and so does who comes right after, without another try; the others go on."""
        async with StreamsRig().open() as rig:
            rig.before_start = self.breaks(SnapshotCorrupt("no snapshot is intact."))
            refused = []
            for _ in range(2):
                with pytest.raises(
                    StreamFails, match="'a' cannot be served: no snapshot is intact"
                ) as caught:
                    await rig.streams.open("a")
                refused.append(caught.value.retry_after_s)
            rig.before_start = lambda _: None

            assert all(1 <= s <= PAUSE_S for s in refused)
            assert [DEFAULT, "a"] == rig.made
            assert 1 == len(await rig.ask("b", known()))
            assert {DEFAULT, "b"} == rig.open_now()
            assert [] == rig.fatal

    async def test_one_that_fails_while_it_is_used(self) -> None:
        """Who waits is told to send it again; who comes then, the reason."""
        async with StreamsRig().open() as rig:
            stream = await rig.streams.open("a")
            rig.stores["a"].fails("append", SnapshotCorrupt("it is gone"))
            with stream.in_use(), pytest.raises(NotReady):
                await rig.ask("a", known("x"))
            await soon(lambda: "a" not in rig.open_now(), "it has ended")
            with pytest.raises(StreamFails, match="it is gone"):
                await rig.streams.open("a")
            assert 1 == len(await rig.ask(DEFAULT, known()))

    async def test_a_bug_gives_nothing_away(self) -> None:
        """What we did not foresee is no text for clients."""
        async with StreamsRig().open() as rig:
            rig.before_start = self.breaks(RuntimeError("the secret of line 7"))
            with pytest.raises(StreamFails, match="This is a bug in firstseen") as caught:
                await rig.streams.open("a")

            assert "secret" not in str(caught.value)

    async def test_the_default_stream_ends_the_process(self) -> None:
        """Whoever is told ends it; until then it answers that it is not ready."""
        rig = StreamsRig()
        rig.before_start = self.breaks(StoreError("state of another bundle"))
        rig.streams.begin()
        await soon(lambda: rig.fatal, "it is told")
        with pytest.raises(NotReady):
            await rig.ask(DEFAULT, known())
        await rig.streams.drain(grace_s=1)

        assert ["state of another bundle"] == [str(error) for error in rig.fatal]


class TestStopping:
    async def test_all_are_drained_and_saved_at_once(self) -> None:
        """Each is answered, saved and given back; afterwards none is opened."""
        rig = StreamsRig(most=5)
        async with rig.open():
            for name in ("a", "b", "c"):
                await rig.ask(name, known(f"{name}-1"))
            going = [rig.stores[name].holds("save_snapshot") for name in ("a", "b", "c")]
            stopping = asyncio.create_task(rig.streams.drain(grace_s=5))
            await soon(
                lambda: all("save_snapshot" in rig.stores[n].calls for n in "abc"), "all are being saved"
            )
            for go in going:
                go.set()
            await stopping
            with pytest.raises(NotReady, match="stopping"):
                await rig.streams.open("d")

        assert {None} == {shared.lease for shared in rig.redis.streams.values()}
        assert [2, 2, 2] == [rig.redis.streams[name].snapshots[-1][0] for name in ("a", "b", "c")]

    async def test_one_that_does_not_come_to_an_end(self) -> None:
        """It is cancelled when its time is over; the others are not kept from saving."""
        rig = StreamsRig(most=5)
        rig.streams.begin()
        await rig.ask("a", known())
        await rig.ask("b", known())
        rig.stores["a"].holds("save_snapshot")
        await rig.streams.drain(grace_s=1)
        await rig.streams.close(within_s=0.1, grace_s=0.1)

        assert 2 == rig.redis.streams["b"].snapshots[-1][0]
        assert [] == rig.redis.streams["a"].snapshots
        assert set() == {task for task in asyncio.all_tasks() if task.get_name().startswith("stream ")}


class TestLooking:
    async def test_all_there_are_page_by_page(self) -> None:
        """Open or not, in order of names, each once; looking opens none."""
        redis = Redis()
        async with StreamsRig(redis, most=9).open() as rig:
            for name in ("c", "a", "B"):
                await rig.ask(name, known("x"))
        async with StreamsRig(redis).open() as rig:
            await rig.ask("a", known("y"))
            first, after = await rig.streams.page(limit=2)
            rest, end = await rig.streams.page(after=after or "", limit=2)

            assert ["B", "a", "c", DEFAULT] == [row.name for row in first + rest]
            assert ("a", None) == (after, end)
            assert [False, True, False, True] == [row.ready for row in first + rest]
            assert "not open here; its first use opens it" == first[0].reason
            assert [(2, 1), (3, 2)] == [(row.seq, row.epoch) for row in first]
            assert {DEFAULT, "a"} == rig.open_now()

    async def test_only_those_that_may_be_seen(self) -> None:
        """A page is full of what may be seen, and names nothing else."""
        async with StreamsRig(most=9).open() as rig:
            for name in ("a", "b", "c"):
                await rig.ask(name, known())
            rows, more = await rig.streams.page(limit=1, may_see=lambda name: name != "a")

            assert (["b"], "b") == ([row.name for row in rows], more)

    async def test_metrics_are_those_of_open_streams(self) -> None:
        """A stream that was closed leaves no series."""
        async with StreamsRig(most=2).open() as rig:
            value = rig.metrics.registry.get_sample_value
            await rig.ask("a", known())
            there = value("firstseen_seq", {"stream": "a"}), value("firstseen_open_streams")
            await rig.ask("b", known())

            assert (2, 2) == there
            assert value("firstseen_seq", {"stream": "a"}) is None
            assert 2 == value("firstseen_seq", {"stream": "b"})
