"""Decisions through the pipeline: in their turn, durable before they are answered, made once, and refused in words."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from service.clustering.curation import Curation
from service.clustering.engine import Engine, StepResult
from service.decisions import Action, Decision
from service.errors import CannotDecide, InternalError, KeyReused, NotReady, UnknownCluster
from service.events import EventKind
from service.records import VerdictKind
from service.state.errors import Fenced
from service.state.packing import unpack_entry
from tests.service.fake_store import FakeStore, Shared, away
from tests.service.pipeline_rig import STREAM, Rig, known, novel
from tests.service.waiting import soon


@pytest.fixture
def shared() -> Shared:
    return Shared()


@pytest.fixture
def store(shared: Shared) -> FakeStore:
    return FakeStore(shared)


def decision(action: Action = Action.PROMOTE, cluster: int = 1, key: str = "k", **changes: Any) -> Decision:
    given = {"label": "three", **changes} if action in (Action.PROMOTE, Action.LINK, Action.NAME) else changes
    return Decision(key=key, action=action, cluster=cluster, t=1.0, who="me", **given)


async def with_cluster(rig: Rig) -> int:
    """A stream with a cluster; its id."""
    await rig.ask(*(known(f"k{n}", n) for n in range(20)))
    verdicts = await rig.ask(*(novel(f"n{n}", n) for n in range(40)))
    cluster = verdicts[-1].cluster_id
    assert cluster is not None
    return cluster


@pytest.fixture
async def rig(store: FakeStore) -> AsyncIterator[Rig]:
    async with Rig(store).open() as opened:
        yield opened


async def test_a_promotion_holds_from_the_next_item_on(rig: Rig, shared: Shared) -> None:
    """The next item is known, and so it is for the next owner; what was said before stays."""
    cluster = await with_cluster(rig)
    before = await rig.ask(novel("n39", 39))
    decided = await rig.pipeline.curate(decision(cluster=cluster))
    after = await rig.ask(novel("after", 50), novel("n39", 39))

    assert shared.log[-2].first_seq == decided.seq
    assert (VerdictKind.KNOWN, "three") == (after[0].verdict, after[0].label)
    assert before[0] == after[1]
    view = await rig.pipeline.view(with_hash=True)
    assert (decided,) == view.decisions
    assert 1 == view.known_counts["three"]
    async with Rig(FakeStore(shared, "other"), alone=True).open() as other:
        again = await other.pipeline.view(with_hash=True)
        assert (view.state_hash, view.decisions) == (again.state_hash, again.decisions)
        assert after == await other.ask(novel("after", 50), novel("n39", 39))


async def test_the_same_again_is_made_once(rig: Rig, shared: Shared) -> None:
    """Under its key, at another time, and after a restart: the same answer, and no other entry."""
    cluster = await with_cluster(rig)
    decided = await rig.pipeline.curate(decision(cluster=cluster))
    entries = len(shared.log)

    assert decided == await rig.pipeline.curate(replace(decision(cluster=cluster), t=99.0))
    with pytest.raises(KeyReused, match="another decision"):
        await rig.pipeline.curate(decision(cluster=cluster, label="four"))
    assert entries == len(shared.log)
    async with Rig(FakeStore(shared, "other"), alone=True).open() as other:
        assert decided == await other.pipeline.curate(decision(cluster=cluster))


async def test_what_is_refused_changes_nothing(rig: Rig, shared: Shared) -> None:
    """Neither the log nor the state; the stream goes on."""
    cluster = await with_cluster(rig)
    before, entries = await rig.pipeline.view(with_hash=True), len(shared.log)
    with pytest.raises(UnknownCluster, match="no cluster 77"):
        await rig.pipeline.curate(decision(cluster=77))
    with pytest.raises(CannotDecide, match="no class"):
        await rig.pipeline.curate(decision(Action.LINK, cluster=cluster, label="nowhere"))

    assert (before.state_hash, entries) == (
        (await rig.pipeline.view(with_hash=True)).state_hash,
        len(shared.log),
    )
    assert rig.pipeline.reason is None


async def test_it_waits_for_its_turn(rig: Rig, store: FakeStore) -> None:
    """Items that were sent before it are decided without it, those after it with it."""
    cluster = await with_cluster(rig)
    held, appends = store.holds("append"), store.calls.count("append")
    first = rig.offer(known("first"))
    await soon(lambda: store.calls.count("append") > appends, "the first item")
    before = rig.offer(novel("before", 60))
    curated = asyncio.ensure_future(rig.pipeline.curate(decision(cluster=cluster)))
    await soon(lambda: rig.queue.waiting == 2, "the decision")
    after = rig.offer(novel("after", 61))
    held.set()
    await asyncio.gather(first.done, before.done, curated, after.done)

    assert VerdictKind.CLUSTER is before.results[0].verdict  # type: ignore[union-attr]
    assert VerdictKind.KNOWN is after.results[0].verdict  # type: ignore[union-attr]


async def test_watchers_hear_of_it(rig: Rig, shared: Shared) -> None:
    """Promoted, and what older verdicts are to be read as; the same events are with the entry in the store."""
    cluster = await with_cluster(rig)
    with rig.fanout.subscribe() as watching:
        decided = await rig.pipeline.curate(decision(cluster=cluster))
        events = [await watching.next(), await watching.next()]

    assert [EventKind.PROMOTED, EventKind.RELABELLED] == [event.kind for event in events if event]
    assert all(event and (event.decision, event.label) == (decided.seq, "three") for event in events)
    assert 2 == len(shared.log[-1].events)


@pytest.mark.parametrize("after", [False, True], ids=["before it was written", "after"])
async def test_a_store_that_does_not_answer_is_asked_again(rig: Rig, store: FakeStore, after: bool) -> None:
    """It is made once, whether or not the first try had been written."""
    cluster = await with_cluster(rig)
    store.fails("append", away(), after=after)
    decided = await rig.pipeline.curate(decision(cluster=cluster))

    assert [decided.seq] == [
        batch.first_seq
        for batch in store.shared.log
        if isinstance(unpack_entry(batch.payload, first_seq=batch.first_seq), Curation)
    ]


async def test_an_owner_that_was_fenced_says_so(store: FakeStore) -> None:
    """It may be durable or not: the same is sent again, and made once."""
    async with Rig(store).open() as rig:
        cluster = await with_cluster(rig)
        store.fails("append", Fenced("fenced (test)", ours=1, current=2), after=True)
        with pytest.raises(NotReady, match="Send the same again"):
            await rig.pipeline.curate(decision(cluster=cluster))
        await soon(lambda: store.calls.count("acquire") == 2, "it takes the stream again")
        await rig.is_ready()
        decided = await rig.pipeline.curate(decision(cluster=cluster))

        assert (decided,) == (await rig.pipeline.view()).decisions


@pytest.mark.parametrize("where", ["prepared", "carry_out"])
async def test_an_engine_that_fails_takes_nothing_down(
    rig: Rig, shared: Shared, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Halfway or before: the decision is told to have failed, nothing of it is durable, and the stream goes on."""
    cluster = await with_cluster(rig)
    entries = len(shared.log)
    right = getattr(Engine, where)

    def fails(engine: Engine, given: Any) -> Any:
        if where == "carry_out":
            right(engine, given)
        raise RuntimeError("a decision that crashes")

    with monkeypatch.context() as patch:
        patch.setattr(Engine, where, fails)
        with pytest.raises(InternalError, match="decision could not be carried out"):
            await rig.pipeline.curate(decision(cluster=cluster))
    await soon(lambda: rig.pipeline.reason is None, "the stream")
    (verdict,) = await rig.ask(novel("next", 70))

    assert VerdictKind.CLUSTER is verdict.verdict
    assert (entries + 1, ()) == (len(shared.log), (await rig.pipeline.view()).decisions)
    await rig.pipeline.curate(decision(cluster=cluster))


async def test_a_step_of_another_kind_is_not_asked_for(rig: Rig) -> None:
    """A decision has no verdicts."""
    cluster = await with_cluster(rig)
    engine = rig.pipeline._engine
    assert engine is not None
    result: StepResult = engine.carry_out(engine.prepared(decision(Action.NAME, cluster=cluster)))

    assert () == result.verdicts


async def test_each_is_counted_and_logged_once(rig: Rig) -> None:
    """Also one that is sent again; a refused one is neither. What people wrote is not in the log."""
    cluster = await with_cluster(rig)
    with capture_logs() as logged:
        for _ in range(2):
            made = await rig.pipeline.curate(decision(Action.NAME, cluster, label="secret", why="secret"))
        with pytest.raises(UnknownCluster):
            await rig.pipeline.curate(decision(Action.NAME, 999, key="another"))

    (line,) = [line for line in logged if line["event"] == "decided"]
    assert ("name", cluster, made.seq, "me") == tuple(
        line[name] for name in ("action", "cluster", "decision", "key")
    )
    assert "secret" not in str(logged)
    found = rig.metrics.registry.get_sample_value(
        "firstseen_decisions_total", {"stream": STREAM, "action": "name"}
    )
    assert 1 == found
