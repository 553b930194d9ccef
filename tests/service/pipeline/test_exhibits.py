"""What is shown of clusters: of a durable state, while the stream goes on, and nothing where there is none."""

import asyncio

import pytest

from service.errors import NotReady, StoreAway, UnknownCluster
from service.pipeline import exhibits
from tests.service.fake_store import FakeStore, Shared, away
from tests.service.pipeline_rig import Rig, known, novel


async def fill(rig: Rig, n: int = 40) -> int:
    """A cluster; its id."""
    for at in range(n):
        await rig.ask(novel(f"n{at}", at), known(f"k{at}", at))
    return max(rig.pipeline._present().lives.values(), key=lambda life: len(life.members)).id


async def test_it_is_of_a_durable_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a batch is being committed one waits; if that takes too long, one is told to come back."""
    store = FakeStore(Shared())
    async with Rig(store).open() as rig:
        cluster = await fill(rig)
        held = store.holds("append")
        job = rig.offer(novel("n-held", 99))
        while rig.net.batches[-1:] != [1] or not rig.pipeline._at_rest.locked():  # noqa: ASYNC110 - until it is stepped
            await asyncio.sleep(0)
        monkeypatch.setattr(exhibits, "_PATIENCE_S", 0.01)
        with pytest.raises(NotReady, match="ask again"):
            await rig.pipeline.exhibits.show(cluster)
        monkeypatch.undo()
        asked = asyncio.create_task(rig.pipeline.exhibits.show(cluster))
        held.set()
        await job.done

        assert "n-held" in {one.id for one in (await asked).exemplars}


async def test_a_split_is_shown_before() -> None:
    """Every member in one part, and of each part some to look at, with their payloads."""
    async with Rig(FakeStore(Shared())).open() as rig:
        cluster = await fill(rig)
        shown = await rig.pipeline.exhibits.split(cluster)
        seqs = sorted(seq for part in shown.parts for seq in part.members)

        assert seqs == [member.seq for member in rig.pipeline._present().lives[cluster].members]
        for part in shown.parts:
            assert {one.seq for one in part.exemplars} <= set(part.members)
            assert all(one.kept for one in part.exemplars)


async def test_it_changes_nothing() -> None:
    """However often it is asked for, at once."""
    async with Rig(FakeStore(Shared())).open() as rig:
        cluster = await fill(rig)
        before = await rig.hash()
        await rig.pipeline.exhibits.split(cluster)
        found = await asyncio.gather(*(rig.pipeline.exhibits.show(cluster) for _ in range(5)))

        assert all(one == found[0] for one in found)
        assert before == await rig.hash()


async def test_a_store_that_is_away_is_said_to_be() -> None:
    """Payloads cannot be shown, nor forgotten."""
    store = FakeStore(Shared())
    async with Rig(store).open() as rig:
        cluster = await fill(rig)
        for method, asked in (
            ("payloads", rig.pipeline.exhibits.show),
            ("forget_payloads", rig.pipeline.exhibits.forget),
        ):
            store.fails(method, away())
            with pytest.raises(StoreAway):
                await asked(cluster)
        assert 0 < await rig.pipeline.exhibits.forget(cluster)


async def test_no_cluster_no_evidence() -> None:
    """An id that nobody has, and a stream that is not served."""
    rig = Rig(FakeStore(Shared()))
    with pytest.raises(NotReady):
        await rig.pipeline.exhibits.show(1)
    async with rig.open():
        for asked in (rig.pipeline.exhibits.show, rig.pipeline.exhibits.split, rig.pipeline.exhibits.forget):
            with pytest.raises(UnknownCluster):
                await asked(77)
