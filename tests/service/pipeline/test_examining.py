"""Dry runs and explanations through the pipeline: same queue, same engine, and no trace of a dry run."""

import asyncio
from typing import Any

import pytest

from service.clustering.engine import Engine
from service.clustering.explaining import Explainer
from service.errors import EngineFails, InvalidItem
from service.ingest.intake import Refused
from service.pipeline.examined import Examined
from service.records import VerdictKind
from tests.service.fake_store import FakeStore, Shared
from tests.service.pipeline_rig import STREAM, Rig, is_quarantined, known, novel, poison
from tests.service.waiting import soon


@pytest.fixture
def shared() -> Shared:
    return Shared()


@pytest.fixture
def store(shared: Shared) -> FakeStore:
    return FakeStore(shared)


def said(verdict: Any) -> tuple[Any, ...]:
    """What a verdict says, its place apart."""
    return verdict.id, verdict.verdict, verdict.label, verdict.cluster_id, verdict.novelty, verdict.distance


def sampled(rig: Rig, name: str, **labels: str) -> float:
    value = rig.metrics.registry.get_sample_value(f"firstseen_{name}", {"stream": STREAM, **labels})
    assert value is not None
    return value


class TestDryRun:
    async def test_it_says_what_learning_would(self, store: FakeStore) -> None:
        """Whatever came before: the verdict that the item gets when it is learnt next."""
        async with Rig(store, known_error_rate=0.05).open() as rig:
            kinds = set()
            for n in range(60):
                item = novel(f"n{n}", n) if n % 2 else known(f"k{n}", n)
                (dry,) = await rig.ask(item, learn=False)
                (learnt,) = await rig.ask(item)
                kinds.add(learnt.verdict)

                assert said(learnt) == said(dry.verdict)
                assert (None, False, None) == (dry.seq, dry.is_learned, dry.explanation)
            assert {VerdictKind.KNOWN, VerdictKind.OUTLIER} <= kinds

    async def test_no_trace(self, store: FakeStore) -> None:
        """Not looked up, not written, not counted as an item; state, log and place in the stream are as before."""
        async with Rig(store).open() as rig:
            (verdict,) = await rig.ask(known("a"))
            before, calls = await rig.hash(), list(store.calls)
            answers = await rig.ask(known("a"), novel("b", 1), known(None, 2), learn=False, explain=True)

            assert ["a", "b", None] == [answer.id for answer in answers]
            assert calls == store.calls
            assert before == await rig.hash()
            assert 2 == rig.pipeline.last_durable_seq + 1
            assert 3 == sampled(rig, "dry_runs_total")
            assert 1 == sum(sampled(rig, "verdicts_total", verdict=kind.value) for kind in VerdictKind)
            assert [verdict] == await rig.ask(known("a"))

    async def test_each_item_by_itself(self, store: FakeStore) -> None:
        """The same item many times over is told the same many times: none of them is learnt."""
        async with Rig(store, max_batch=8).open() as rig:
            answers = await rig.ask(*[novel(None, 3)] * 20, learn=False)

            assert 1 == len({said(answer.verdict) for answer in answers})

    async def test_in_its_turn(self, store: FakeStore) -> None:
        """What was sent before it has been learnt, what comes after has not."""
        async with Rig(store, max_batch=100).open() as rig:
            go = store.holds("lookup")
            first = rig.offer(known("first"))
            await soon(lambda: "lookup" in store.calls, "the first is in hand")
            jobs = [
                rig.offer(known("a"), known("b", 1)),
                rig.offer(known("x"), learn=False, explain=True),
                rig.offer(known("c", 2), explain=True),
                rig.offer(known("y"), learn=False, explain=True),
            ]
            go.set()
            await asyncio.gather(first.done, *(job.done for job in jobs))

            assert [4, 5] == [answer.explanation.as_of for job in jobs[1::2] for answer in job.results]

    async def test_one_that_crashes(self, store: FakeStore, shared: Shared) -> None:
        """It alone is refused, and it is not put into quarantine: nobody asked for it to be learnt."""
        async with Rig(store).open() as rig:
            answers = await rig.ask(known("a"), poison(), known("b", 1), learn=False)

            assert ["Examined", "Refused", "Examined"] == [type(answer).__name__ for answer in answers]
            assert isinstance(answers[1].error, InvalidItem)
            assert {} == shared.letters
            assert rig.pipeline.reason is None
            assert is_quarantined((await rig.ask(poison()))[0])

    async def test_an_engine_that_fails_at_anything(self, store: FakeStore) -> None:
        """Is not the item's fault: try again later, and the stream pauses until it is well."""
        async with Rig(store).open() as rig:
            breaks, rig.net.breaks = rig.net.breaks, lambda _: RuntimeError("sick")  # type: ignore[attr-defined]
            with pytest.raises(EngineFails):
                await rig.ask(known("a"), learn=False)
            rig.net.breaks = breaks  # type: ignore[attr-defined]
            await rig.is_ready()
            assert 1 == len(await rig.ask(known("a"), learn=False))


class TestExplained:
    async def test_new_items_are_explained_as_of_just_before_they_are_learnt(self, store: FakeStore) -> None:
        """Item by item, in a batch: the same verdicts and state as without, and each place is the item's own."""
        items = [novel(f"n{n}", n) if n % 3 else known(f"k{n}", n) for n in range(40)]
        async with Rig(store, max_batch=16).open() as rig:
            explained = await rig.ask(*items, explain=True)
            with_reasons = await rig.hash()
        async with Rig(FakeStore(Shared()), max_batch=16).open() as rig:
            plain = await rig.ask(*items)

            assert plain == [answer.verdict for answer in explained]
            assert with_reasons == await rig.hash()
        for answer in explained:
            why = answer.explanation
            assert answer.seq == answer.verdict.seq == why.as_of
            assert (answer.verdict.verdict, answer.verdict.novelty) == (why.verdict, why.novelty)

    async def test_a_replay_gives_the_same_state(self, shared: Shared) -> None:
        """What is written of explained items is what is written of others."""
        async with Rig(FakeStore(shared), max_batch=16).open() as rig:
            await rig.ask(*[novel(f"n{n}", n) for n in range(30)], explain=True)
            live = await rig.hash()
        shared.snapshots.clear()
        async with Rig(FakeStore(shared)).open() as rig:
            assert live == await rig.hash()

    async def test_an_id_that_has_a_verdict_keeps_it(self, store: FakeStore) -> None:
        """It is explained as of now, what it holds now; nothing is written, and it is counted as a repeat."""
        async with Rig(store).open() as rig:
            (first,) = await rig.ask(known("a"))
            await rig.ask(known("b", 1), known("c", 2))
            again, new = await rig.ask(novel("a", 5), known("d", 3), explain=True)

            assert first == again.verdict
            assert again.is_learned
            assert (first.seq, 4) == (again.seq, again.explanation.as_of)
            assert VerdictKind.KNOWN is again.verdict.verdict
            assert VerdictKind.OUTLIER is again.explanation.verdict
            assert 4 == new.seq == new.explanation.as_of
            assert 1 == sampled(rig, "repeats_total")

    async def test_one_in_quarantine_is_refused_as_ever(self, store: FakeStore) -> None:
        """And an item that crashes goes there, explained or not."""
        async with Rig(store).open() as rig:
            for _ in range(2):
                crashed, fine = await rig.ask(poison(), known("a"), explain=True)

                assert is_quarantined(crashed)
                assert fine.explanation is not None

    async def test_a_repeat_that_would_crash_keeps_its_verdict(self, store: FakeStore) -> None:
        """Without an explanation."""
        async with Rig(store).open() as rig:
            (first,) = await rig.ask(known("a"))
            again, other = await rig.ask(poison("a"), known("b", 1), explain=True)

            assert Examined(id="a", verdict=first, is_learned=True, explanation=None) == again
            assert other.explanation is not None

    @pytest.mark.parametrize("broken", ["look", "explain_one"])
    async def test_an_explanation_that_fails_costs_itself_alone(
        self, store: FakeStore, monkeypatch: pytest.MonkeyPatch, broken: str
    ) -> None:
        """The item is learnt and answered, and its like in a dry run is answered, too."""

        def fails(*_: object) -> None:
            raise IndexError("a fault of ours")

        monkeypatch.setattr(Explainer, broken, fails)
        async with Rig(store).open() as rig:
            learnt = await rig.ask(known("a"), known("b", 1), explain=True)
            dry = await rig.ask(known("c", 2), learn=False, explain=True)

            assert [1, 2] == [answer.seq for answer in learnt]
            assert [None, None] == [answer.explanation for answer in learnt]
            assert not isinstance(dry[0], Refused)
            assert rig.pipeline.reason is None

    async def test_without_asking_nothing_is_explained(
        self, store: FakeStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who does not ask pays nothing: no explainer is made, and a batch is one step."""
        steps = []
        apply = Engine.apply
        monkeypatch.setattr(Engine, "apply", lambda *a: steps.append(1) or apply(*a))
        monkeypatch.setattr(Explainer, "__init__", lambda *_: pytest.fail("made"))
        async with Rig(store, max_batch=8).open() as rig:
            await rig.ask(*[known(f"a{n}", n) for n in range(8)])

            assert 1 == len(steps)
