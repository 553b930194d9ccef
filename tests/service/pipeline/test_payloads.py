"""Payloads of members: kept while they are members, within bounds, with the batch that made them so."""

from typing import Any

import numpy as np
import pytest

from service.clustering.members import NEWEST
from service.pipeline.payload_limits import PayloadLimits
from service.state.payloads import unpack_payload
from tests.service.fake_store import FakeStore, Shared, away
from tests.service.pipeline_rig import Rig, known, novel


def members(rig: Rig) -> set[str]:
    engine = rig.pipeline._present()
    return {member.id for life in engine.lives.values() for member in life.members}


async def fill(rig: Rig, n: int = 60, start: int = 0) -> None:
    for at in range(start, start + n):
        await rig.ask(novel(f"n{at}", at), known(f"k{at}", at))


async def test_members_have_their_payloads_and_nobody_else_has() -> None:
    """As they came in; known items cost nothing, and what is no member any more is forgotten."""
    shared = Shared()
    async with Rig(FakeStore(shared)).open() as rig:
        await fill(rig)

        assert len(members(rig)) > NEWEST
        assert members(rig) == shared.payloads.keys()
        for id, data in shared.payloads.items():
            x = unpack_payload(data)
            assert isinstance(x, np.ndarray)
            assert np.array_equal(novel(id, int(id[1:])).x, x)
        assert sum(map(len, shared.payloads.values())) == rig.counted("firstseen_payload_bytes")


async def test_it_is_written_with_the_batch() -> None:
    """Every batch of the log says what it keeps and forgets; one after the other they give what is there."""
    shared = Shared()
    async with Rig(FakeStore(shared)).open() as rig:
        await fill(rig)
    there: set[str] = set()
    for batch in shared.log:
        kept = {id for id, _ in batch.keep}
        assert kept <= {id for id, _ in batch.verdicts}
        assert set(batch.forget) <= there
        there = there - set(batch.forget) | kept

    assert there == shared.payloads.keys()


@pytest.mark.parametrize("after", [True, False])
async def test_another_owner_goes_on_with_what_is_there(after: bool) -> None:
    """A crash before or after the commit leaves none that is never forgotten."""
    shared = Shared()
    store = FakeStore(shared)
    async with Rig(store).open() as rig:
        await fill(rig, 40)
        store.fails("append", away(), after=after)
        await rig.ask(novel("n-hurt", 41))
    shared.payloads["stray"] = b"\x00"
    async with Rig(FakeStore(shared, "heir")).open() as rig:
        await fill(rig, 40, start=50)

        assert members(rig) == shared.payloads.keys()


async def test_a_memory_that_is_dropped_is_followed_anew() -> None:
    """A step that fails halfway leaves payloads as the store has them."""
    shared = Shared()
    async with Rig(FakeStore(shared)).open() as rig:
        await fill(rig, 30)
        engine = rig.pipeline._present()
        engine.apply = _broken  # type: ignore[assignment, method-assign]  # it raises
        await rig.ask(novel("n-broken", 31))
        await fill(rig, 20, start=40)

        assert rig.pipeline._present() is not engine
        assert members(rig) == shared.payloads.keys()


def _broken(*_: Any) -> Any:
    raise ZeroDivisionError


@pytest.mark.parametrize("most", [{"most_bytes": 100}, {"most_bytes_in_all": 100}, {"keep": False}])
async def test_what_may_not_be_kept_is_not(most: dict[str, Any]) -> None:
    """Too large, no room, or not wanted: members without payloads."""
    shared = Shared()
    async with Rig(FakeStore(shared), payload_limits=PayloadLimits(**most)).open() as rig:
        await fill(rig, 30)

        assert members(rig)
        assert {} == shared.payloads


async def test_there_is_a_bound_for_all() -> None:
    """What comes first is kept until it leaves; then there is room again."""
    shared = Shared()
    async with Rig(FakeStore(shared), payload_limits=PayloadLimits(most_bytes_in_all=3000)).open() as rig:
        await fill(rig, 60)

        assert 0 < sum(map(len, shared.payloads.values())) <= 3000
        assert shared.payloads.keys() < members(rig)


async def test_switched_off_means_forgotten() -> None:
    """Those of before are gone with the first batch."""
    shared = Shared()
    async with Rig(FakeStore(shared)).open() as rig:
        await fill(rig, 30)
    assert shared.payloads
    async with Rig(FakeStore(shared), payload_limits=PayloadLimits(keep=False)).open() as rig:
        await rig.ask(known("after"))

        assert {} == shared.payloads


async def test_redaction_forgets_a_clusters_payloads() -> None:
    """Those of its members, at once; what comes later is kept again."""
    shared = Shared()
    async with Rig(FakeStore(shared)).open() as rig:
        await fill(rig, 60)
        cluster = max(rig.pipeline._present().lives.values(), key=lambda life: len(life.members))
        before = len(shared.payloads)
        forgotten = await rig.pipeline.exhibits.forget(cluster.id)

        assert before - len(shared.payloads) == forgotten == len(cluster.members)
        await fill(rig, 8, start=70)
        assert 0 < len(shared.payloads)
        assert shared.payloads.keys() < members(rig)
