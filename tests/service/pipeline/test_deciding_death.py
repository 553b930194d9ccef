"""Sudden deaths of the process: what an owner leaves behind, and what his heir makes of it."""

import asyncio
from collections.abc import Sequence

import pytest

from service.errors import NotReady
from service.pipeline.wary import FINE, REASON, name_of
from service.records import Float32s
from service.state.dead_letters import unpack_letter
from service.state.errors import Fenced
from service.state.hand import Deaths, Note
from tests.service import digits
from tests.service.fake_store import FakeStore, Shared
from tests.service.pipeline_rig import Rig, TableNet, is_quarantined, known
from tests.service.waiting import soon


@pytest.fixture
def shared() -> Shared:
    return Shared()


@pytest.fixture
def store(shared: Shared) -> FakeStore:
    return FakeStore(shared)


async def die(rig: Rig) -> None:
    """Run a pipeline until it serves, and end it without a word to the store."""
    task = asyncio.create_task(rig.pipeline.run())
    await rig.is_ready()
    await rig.ask(known("before"))
    rig.store.shared.lease = None  # it ran out
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_in_order(store: FakeStore) -> None:
    """Whoever leaves in order leaves no note; until then there is one, which names nothing."""
    async with Rig(store).open() as rig:
        await rig.ask(known("a"))
        assert store.shared.hand is not None
        assert () == store.shared.hand.items
        assert 1 == store.calls.count("set_hand"), "nothing is paid a batch"

    assert store.shared.hand is None


async def test_heir(shared: Shared) -> None:
    """After a death what is in hand is written down before it is stepped, for so many batches, and no longer; once it
    is stepped nothing speaks against it.
    """
    noted: list[tuple[str, ...]] = []

    class Watching(TableNet):
        def embed(self, x: Sequence[Float32s]) -> Float32s:
            assert shared.hand is not None
            noted.append(shared.hand.items)
            return super().embed(x)

    await die(Rig(FakeStore(shared, "one")))
    store = FakeStore(shared, "two")
    async with Rig(store, max_batch=64, net=Watching(digits.bundle())).open() as rig:
        go = store.holds("append")
        job = rig.offer(*(known(f"a{n}", n) for n in range(20)))
        await soon(lambda: "append" in store.calls, "about to be committed")
        assert shared.hand is not None
        assert [tuple(f"a{n}" for n in range(20))] == noted
        assert () == shared.hand.items
        go.set()
        await job.done
        for n in range(FINE):
            await rig.ask(known(f"b{n}", n))
        assert shared.hand.items == ()
        before = store.calls.count("set_hand")
        await rig.ask(known("c"))
        assert before == store.calls.count("set_hand")


async def test_convicted_without_being_run(shared: Shared) -> None:
    """An item that was alone in hand at two deaths goes into quarantine as it is; others get their verdicts."""
    shared.hand = Note(owner="dead", t=0.0, seq=1, items=("bad",), deaths={"bad": Deaths(1, 1)})
    net = TableNet(digits.bundle())
    async with Rig(FakeStore(shared), net=net).open() as rig:
        a, bad, b = await rig.ask(known("a"), known("bad", 1), known("b", 2))

        assert [1, 2] == [a.seq, b.seq]
        assert is_quarantined(bad)
        assert REASON == unpack_letter("bad", shared.letters["bad"]).reason
        assert [1, 1] == net.batches
        assert {} == rig.pipeline._decider._doubt.note.deaths  # type: ignore[union-attr]  # there is one


async def test_without_id(shared: Shared) -> None:
    """Also items without an id are recognised, by what they hold."""
    item = known(None, 3)
    shared.hand = Note(
        owner="dead", t=0.0, seq=1, items=(name_of(item),), deaths={name_of(item): Deaths(1, 1)}
    )
    async with Rig(FakeStore(shared)).open() as rig:
        bad, good = await rig.ask(item, known(None, 4))

        assert is_quarantined(bad)
        assert 1 == good.seq


async def test_what_was_durable_killed_nobody(shared: Shared) -> None:
    """The step of the note was committed: its items are not in doubt."""
    async with Rig(FakeStore(shared)).open() as rig:
        await rig.ask(known("a"))
    shared.hand = Note(owner="dead", t=0.0, seq=1, items=("a",), deaths={})
    async with Rig(FakeStore(shared)).open():
        assert {} == shared.hand.deaths


async def test_an_interruption_is_no_death(store: FakeStore) -> None:
    """The same process that takes the stream again is not wary of itself."""
    async with Rig(store).open() as rig:
        store.fails("append", Fenced("no longer", ours=1, current=2))
        with pytest.raises(NotReady):
            await rig.ask(known("a"))
        await rig.is_ready()
        await rig.ask(known("a"))

        assert store.shared.hand is not None
        assert 0 == store.shared.hand.unclean
