"""One batch, and what is done when the engine crashes on it: quarantine, retries, a sick engine."""

import asyncio
from collections.abc import Callable

import pytest

from model.inputs import decode_item
from service.clustering.engine import Engine, StepResult
from service.errors import EngineFails, NotReady, TooManyQuarantined
from service.pipeline import pausing, quarantine
from service.pipeline.quarantine import PER_MINUTE
from service.records import Observed
from service.state.dead_letters import unpack_letter
from service.state.errors import Fenced
from tests.service import digits
from tests.service.fake_store import FakeStore, Shared, away
from tests.service.pipeline_rig import POISON, Rig, TableNet, at_poison, is_quarantined, known, novel, poison
from tests.service.waiting import soon


@pytest.fixture
def shared() -> Shared:
    return Shared()


@pytest.fixture
def store(shared: Shared) -> FakeStore:
    return FakeStore(shared)


@pytest.fixture
def net() -> TableNet:
    return TableNet(digits.bundle())


def well(_: list[float]) -> Exception | None:
    """A net that never fails."""
    return None


@pytest.fixture
def step_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The step itself fails at an item called `poison`, once it has changed the engine. Nothing that can be sent does
    that, so the engine is made to.
    """
    apply = Engine.apply

    def fails(engine: Engine, batch: Observed) -> StepResult:
        result = apply(engine, batch)
        if "poison" in batch.ids:
            raise IndexError("a step that fails halfway")
        return result

    monkeypatch.setattr(Engine, "apply", fails)


class TestQuarantine:
    @pytest.mark.parametrize("at", range(8))
    async def test_the_guilty_alone(self, store: FakeStore, at: int) -> None:
        """Wherever it stands: all others of its batch have verdicts, in order of arrival; it is refused."""
        async with Rig(store, max_batch=8).open() as rig:
            items = [known(f"a{n}", n) for n in range(7)]
            items.insert(at, poison())
            answers = await rig.ask(*items)
            refused = answers.pop(at)

            assert is_quarantined(refused)
            assert "poison" == refused.id
            assert [f"a{n}" for n in range(7)] == [answer.id for answer in answers]
            assert list(range(1, 8)) == [answer.seq for answer in answers]
            assert 8 == (await rig.ask(novel("b")))[0].seq
            assert rig.pipeline.reason is None

    async def test_what_is_kept(self, store: FakeStore) -> None:
        """The letter has the item, and what a person wants to know of it."""
        async with Rig(store).open() as rig:
            await rig.ask(known("a"), poison(), known("b"))
        letter = unpack_letter("poison", store.shared.letters["poison"])

        assert ["poison"] == list(store.shared.letters)
        assert "RuntimeError: a net that fails" == letter.reason
        assert (1_000_000.0, 2, 3) == (letter.t, letter.seq, letter.attempts)
        assert (letter.x == poison().x).all()
        assert 256 == letter.size

    @pytest.mark.usefixtures("step_breaks")
    @pytest.mark.parametrize("at", [0, 3, 7])
    async def test_halfway(self, shared: Shared, at: int) -> None:
        """A step that fails halfway leaves no trace: the state is the one that a replay of the log gives."""
        async with Rig(FakeStore(shared), max_batch=8).open() as rig:
            await rig.ask(*(novel(f"n{n}", n) for n in range(7)))
            items = [novel(f"m{n}", n) for n in range(7)]
            items.insert(at, known("poison"))
            answers = await rig.ask(*items)

            assert [n == at for n in range(8)] == [is_quarantined(answer) for answer in answers]
            live = await rig.hash()
        shared.snapshots.clear()
        async with Rig(FakeStore(shared)).open() as rig:
            assert live == await rig.hash()

    async def test_two(self, store: FakeStore) -> None:
        """Several guilty ones in a batch are all found."""
        async with Rig(store).open() as rig:
            answers = await rig.ask(poison("p"), known("a"), poison("q"), known("b"), poison("r"))

            assert [True, False, True, False, True] == list(map(is_quarantined, answers))
            assert {"p", "q", "r"} == store.shared.letters.keys()

    async def test_other_requests(self, store: FakeStore) -> None:
        """Requests that happened to be in the batch notice nothing."""
        async with Rig(store).open() as rig:
            go = store.holds("lookup")
            first = rig.offer(known("first"))
            await soon(lambda: "lookup" in store.calls, "the first is in hand")
            jobs = [rig.offer(known("a")), rig.offer(poison(), known("b", 1)), rig.offer(known("c", 2))]
            go.set()
            (a,), (p, b), (c,) = await asyncio.gather(*(job.done for job in jobs))
            await first.done

            assert [2, 3, 4] == [a.seq, b.seq, c.seq]  # type: ignore[union-attr]  # verdicts
            assert is_quarantined(p)

    @pytest.mark.usefixtures("step_breaks")
    async def test_nobody_is_refused_meanwhile(self, store: FakeStore) -> None:
        """What is sent while the state is read again waits, and is answered."""
        async with Rig(store).open() as rig:
            go = store.holds("load")
            job = rig.offer(known("poison"))
            await soon(lambda: store.calls.count("load") == 2, "the state is read again")
            assert rig.pipeline.reason is not None
            other = rig.offer(known("a"))
            go.set()

            assert is_quarantined((await job.done)[0])
            assert "a" == (await other.done)[0].id

    async def test_sent_again(self, store: FakeStore, net: TableNet) -> None:
        """The same id gets the same answer, without being run."""
        async with Rig(store, net=net).open() as rig:
            first = await rig.ask(poison())
            tries = len(net.batches)

            assert str(first[0].error) == str((await rig.ask(poison()))[0].error)
            assert is_quarantined((await rig.ask(known("poison"), known("a")))[0])
            assert [1] == net.batches[tries:]

    async def test_after_a_restart(self, shared: Shared) -> None:
        """Another owner knows who is in quarantine."""
        async with Rig(FakeStore(shared)).open() as rig:
            await rig.ask(poison())
        net = TableNet(digits.bundle())
        async with Rig(FakeStore(shared, "two"), net=net).open() as rig:
            assert is_quarantined((await rig.ask(poison()))[0])
            assert [] == net.batches

    async def test_without_id(self, store: FakeStore) -> None:
        """It gets one, and is named by it."""
        async with Rig(store).open() as rig:
            answers = await rig.ask(poison(None), known(None), poison(None))

            assert ["~1-0", "~1", "~1-1"] == [answer.id for answer in answers]
            assert ["~1-0", "~1-1"] == sorted(store.shared.letters)

    @pytest.mark.parametrize("after", [False, True])
    async def test_store_away(self, store: FakeStore, after: bool) -> None:
        """A quarantine whose reply is lost is written again, and is one; only then it is answered."""
        async with Rig(store).open() as rig:
            store.fails("quarantine", away(), times=2, after=after)

            assert is_quarantined((await rig.ask(poison(None)))[0])
            assert ["~1-0"] == list(store.shared.letters)

    async def test_durable_first(self, store: FakeStore) -> None:
        """The client hears of it when it is durable."""
        async with Rig(store).open() as rig:
            go = store.holds("quarantine")
            job = rig.offer(known("a"), poison())
            await soon(lambda: "quarantine" in store.calls, "it is about to be written")
            await asyncio.sleep(0)
            assert not job.done.done()
            go.set()
            await job.done

    async def test_full(self, store: FakeStore) -> None:
        """Without room it is refused all the same, nothing is written, and an operator is told what to do."""
        store.shared.most_letters = 1
        async with Rig(store).open() as rig:
            await rig.ask(poison("first"))
            assert () == rig.pipeline.warnings
            answers = await rig.ask(poison("second"), known("a"))

            assert is_quarantined(answers[0])
            assert "not kept" in str(answers[0].error)
            assert 1 == answers[1].seq
            assert ["first"] == list(store.shared.letters)
            assert "firstseen dlq drop" in rig.pipeline.warnings[0]
            assert 1 == await rig.pipeline.dead_letters.drop("first")
            assert () == rig.pipeline.warnings

    async def test_fenced(self, store: FakeStore) -> None:
        """Who has lost the stream puts nobody into quarantine; everybody is told to send again."""
        async with Rig(store).open() as rig:
            store.fails("quarantine", Fenced("no longer", ours=1, current=2))
            with pytest.raises(NotReady, match="Send the same again"):
                await rig.ask(known("a"), poison())
            assert {} == store.shared.letters
            await rig.is_ready()

            answers = await rig.ask(known("a"), poison())
            assert 1 == answers[0].seq
            assert is_quarantined(answers[1])

    async def test_counted(self, store: FakeStore) -> None:
        """Metrics know how many there were, and are."""
        async with Rig(store).open() as rig:
            await rig.ask(poison("p"), poison("q"), known("a"))
            await rig.pipeline.dead_letters.drop("p")
            value = rig.counted

            assert 2 == value("firstseen_quarantined_total")
            assert 1 == value("firstseen_dead_letters")
            assert 1 == sum(
                value("firstseen_verdicts_total", verdict=kind) or 0
                for kind in ("known", "cluster", "outlier")
            )


class TestRetry:
    async def test_mended(self, store: FakeStore, net: TableNet) -> None:
        """With a verdict it leaves quarantine, and the verdict is the one that its id has from now on."""
        async with Rig(store, net=net).open() as rig:
            await rig.ask(poison())
            net.breaks = well
            item = await rig.pipeline.dead_letters.item("poison")
            (verdict,) = await rig.ask(item, is_retry=True)

            assert 1 == verdict.seq
            assert {} == store.shared.letters
            assert [verdict] == await rig.ask(poison())

    async def test_still_broken(self, store: FakeStore, net: TableNet) -> None:
        """One more crash is enough, and it stays."""
        async with Rig(store, net=net).open() as rig:
            await rig.ask(poison())
            tries = len(net.batches)
            item = await rig.pipeline.dead_letters.item("poison")

            assert is_quarantined((await rig.ask(item, is_retry=True))[0])
            assert ["poison"] == list(store.shared.letters)
            assert 2 == len(net.batches) - tries, "the item once, the golden items once"

    async def test_without_id(self, store: FakeStore, net: TableNet) -> None:
        """It is counted once, under the id that quarantine gave it, however often it is tried."""
        async with Rig(store, net=net).open() as rig:
            await rig.ask(poison(None))
            net.breaks = well
            item = await rig.pipeline.dead_letters.item("~1-0")
            store.fails("drop_letters", Fenced("killed in between", ours=1, current=2))
            with pytest.raises(NotReady):
                await rig.ask(item, is_retry=True)
            await rig.is_ready()
            assert ["~1-0"] == list(store.shared.letters)
            (verdict,) = await rig.ask(item, is_retry=True)

            assert ("~1-0", 1) == (verdict.id, verdict.seq)
            assert {} == store.shared.letters
            assert 2 == store.shared.seq

    async def test_dropped(self, store: FakeStore, net: TableNet) -> None:
        """A dropped item may be sent anew."""
        async with Rig(store, net=net).open() as rig:
            await rig.ask(poison())
            await rig.pipeline.dead_letters.drop("poison")
            net.breaks = well

            assert 1 == (await rig.ask(poison()))[0].seq


class TestTheEngineFails:
    async def test_at_everything(self, store: FakeStore, net: TableNet) -> None:
        """No item is blamed: requests fail as retryable, /readyz says why, and when it is well again it goes on."""
        async with Rig(store, net=net).open() as rig:
            net.breaks = lambda _: RuntimeError("the graphics card is gone")
            with pytest.raises(EngineFails, match="golden items"):
                await rig.ask(*(known(f"a{n}", n) for n in range(8)))

            assert {} == store.shared.letters
            assert "the graphics card is gone" in str(rig.pipeline.reason)
            with pytest.raises(NotReady):
                rig.offer(known("b"))
            net.breaks = at_poison
            await rig.is_ready()
            assert 8 == len(await rig.ask(*(known(f"a{n}", n) for n in range(8))))

    async def test_for_good(self, store: FakeStore, net: TableNet, monkeypatch: pytest.MonkeyPatch) -> None:
        """When patience ends, so does the process: one that starts anew may be well. What was in hand is on record."""
        monkeypatch.setattr(pausing, "_PATIENCE_S", (0.01, 0.01))
        rig = Rig(store, net=net)
        task = asyncio.create_task(rig.pipeline.run())
        await rig.is_ready()
        net.breaks = lambda _: RuntimeError("the graphics card is gone")
        with pytest.raises(EngineFails):
            await rig.ask(known("a"))
        with pytest.raises(EngineFails):
            await asyncio.wait_for(task, 60)

        assert store.shared.hand is not None, "not an orderly end"
        assert "release" not in store.calls

    async def test_fenced_meanwhile(self, store: FakeStore, net: TableNet) -> None:
        """Who loses the stream while it pauses, and takes it again, pauses no longer than the engine is ill."""
        async with Rig(store, net=net, lease_ms=30).open() as rig:
            net.breaks = lambda _: RuntimeError("the graphics card is gone")
            with pytest.raises(EngineFails):
                await rig.ask(known("a"))
            store.fails("renew", Fenced("no longer", ours=1, current=2))
            await soon(lambda: store.calls.count("acquire") == 2, "it takes the stream again")
            await rig.is_ready()
            with pytest.raises(EngineFails):
                await rig.ask(known("a"))
            net.breaks = at_poison
            await rig.is_ready()

            assert 1 == (await rig.ask(known("a")))[0].seq
            assert not rig.pipeline._pausing.is_paused

    async def test_in_the_step(self, store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
        """Also where the net is well and every step fails."""
        async with Rig(store).open() as rig:
            await rig.ask(known("a"))
            live = await rig.hash()
            apply = Engine.apply
            monkeypatch.setattr(Engine, "apply", lambda own, batch: _raises_but_for(apply, own, batch))
            with pytest.raises(EngineFails, match="a step that fails"):
                await rig.ask(known("b"), known("c", 1))
            monkeypatch.setattr(Engine, "apply", apply)
            await rig.is_ready()

            assert {} == store.shared.letters
            assert live == await rig.hash()
            assert 2 == (await rig.ask(known("b")))[0].seq

    async def test_memory_comes_back(self, store: FakeStore, net: TableNet) -> None:
        """An item for which memory was short twice, and then was not, is innocent."""
        async with Rig(store, net=net).open() as rig:
            net.breaks = _first(2, MemoryError())

            assert 1 == (await rig.ask(poison()))[0].seq
            assert {} == store.shared.letters

    async def test_a_batch_too_large(self, store: FakeStore, net: TableNet) -> None:
        """A batch that does not fit into memory is done in halves."""
        async with Rig(store, net=net).open() as rig:
            net.breaks = lambda values: MemoryError() if len(values) > 4 else None
            answers = await rig.ask(*(known(f"a{n}", n) for n in range(8)))

            assert list(range(1, 9)) == [answer.seq for answer in answers]

    async def test_once(self, store: FakeStore, net: TableNet) -> None:
        """What fails once and never again convicts nobody."""
        async with Rig(store, net=net).open() as rig:
            net.breaks = _first(1, RuntimeError("a hiccup"))

            assert [1, 2] == [answer.seq for answer in await rig.ask(known("a"), known("b"))]

    async def test_too_many(self, store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
        """After so many in a minute the stream pauses and says so; then it goes on."""
        monkeypatch.setattr(quarantine, "_MINUTE_S", 1000.0)
        async with Rig(store).open() as rig:
            answers = await rig.ask(*(poison(f"p{n}") for n in range(5)))
            answers += await rig.ask(*(poison(f"p{n}") for n in range(5, PER_MINUTE)))
            assert all(map(is_quarantined, answers))
            with pytest.raises(TooManyQuarantined, match="a person should look"):
                await rig.ask(known("a"), poison("one too many"), known("b"))

            assert PER_MINUTE == len(store.shared.letters)
            assert "within a minute" in str(rig.pipeline.reason)
            monkeypatch.setattr(quarantine, "_MINUTE_S", 0.0)
            await rig.is_ready()
            a, p, b = await rig.ask(known("a"), poison("one too many"), known("b"))
            assert [1, 2] == [a.seq, b.seq]
            assert is_quarantined(p)


def _raises_but_for(
    apply: Callable[[Engine, Observed], StepResult], engine: Engine, batch: Observed
) -> StepResult:
    """At anything but a replay of what there was before."""
    if "a" in batch.ids:
        return apply(engine, batch)
    raise IndexError("a step that fails")


def _first(times: int, error: Exception) -> Callable[[list[float]], Exception | None]:
    """Fails so often, at all but the golden items."""
    left = [times]

    def breaks(values: list[float]) -> Exception | None:
        if len(values) > 2 or not left[0]:
            return None
        left[0] -= 1
        return error

    return breaks


def test_poison_is_no_golden_item() -> None:
    """The net of these tests stands its bundle's golden items."""
    bundle = digits.bundle()
    golden = [decode_item(item, bundle.manifest.input) for item in bundle.golden.items]

    assert len(golden) > 2
    assert POISON not in [float(x.ravel()[0]) for x in golden]  # type: ignore[union-attr]  # images
