"""Explanations agree with the verdict, tell true distances, and leave no trace."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.clustering import snapshot
from service.clustering.engine import Engine
from service.clustering.explaining import MOST_NEAR, Explainer
from service.clustering.explanation import Explanation
from service.clustering.params import EngineParams
from service.clustering.trial import one_of, would_say
from service.decisions import Action, Decision
from service.records import ClusterState, Float32s, VerdictKind
from tests.service.clustering.conftest import World
from tests.service.clustering.overlapping import overlapping
from tests.service.clustering.tried import asked_of_large, cases, large, small


def explained(engine: Engine, z: Float32s) -> list[Explanation]:
    ids = tuple(f"i{n}" for n in range(len(z)))
    return Explainer(engine._known, engine).explain(engine, z, ids, np.zeros(len(z)))


@pytest.mark.parametrize("case", range(5))
def test_the_parts_agree_with_the_verdict(world: World, case: int) -> None:
    """The margin's sign is the verdict; an item is new just when one of the reasons alone says so."""
    engine, asked = cases(world)[case]
    z = asked(11, 150)
    dry = would_say(engine, z, tuple(f"i{n}" for n in range(150)), np.zeros(150))
    for verdict, why in zip(dry, explained(engine, z), strict=True):
        is_known = verdict.verdict is VerdictKind.KNOWN

        assert (verdict.verdict, verdict.label, verdict.cluster_id) == (
            why.verdict,
            why.label,
            why.cluster_id,
        )
        assert (verdict.novelty, verdict.seq) == (why.novelty, why.as_of)
        assert is_known == (why.margin > 0.0) == (why.p > why.threshold)
        assert is_known == all(reason.margin >= 0.0 for reason in why.reasons)
        assert (verdict.nearest, verdict.distance) == (why.classes[0].label, why.classes[0].distance)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(0, 200), feeding=st.sampled_from([0.02, 0.1, 0.5]))
def test_they_agree_wherever_the_stream_stands(world: World, seed: int, n: int, feeding: float) -> None:
    """Claims of clusters move the threshold, and the reasons move with it."""
    engine = small(world, seed, n, feeding_rate=feeding)
    for why in explained(engine, world.items(np.random.default_rng(seed), n=30, share_new=0.4)):
        is_known = why.verdict is VerdictKind.KNOWN

        assert is_known == (why.margin > 0.0)
        assert is_known == all(reason.margin >= 0.0 for reason in why.reasons)


@pytest.mark.parametrize("case", range(5))
def test_explaining_changes_nothing_and_each_item_stands_alone(world: World, case: int) -> None:
    """Same state to the bit, same explanation in any batch and at any time."""
    engine, asked = cases(world)[case]
    z, before = asked(13, 40), snapshot.digest(engine)
    explainer = Explainer(engine._known, engine)
    together = explainer.explain(engine, z, tuple(f"i{n}" for n in range(40)), np.zeros(40))

    assert together == [explainer.explain(engine, z[n : n + 1], ("x",), np.zeros(1))[0] for n in range(40)]
    assert before == snapshot.digest(engine)


@pytest.mark.parametrize("case", range(5))
def test_one_after_the_other_while_they_are_learnt(world: World, case: int) -> None:
    """Looked at together, and each explained just before it is learnt: as if it had come alone."""
    original, asked = cases(world)[case]
    engine, alone = snapshot.copy_of(original), snapshot.copy_of(original)
    z = asked(17, 40)
    explainer = Explainer(engine._known, engine)
    ids = tuple(f"j{n}" for n in range(40))
    seen = explainer.look(engine, z, ids, np.zeros(40))
    for n in range(40):
        why = explainer.explain_one(engine, seen, n)
        (verdict,) = engine.apply(one_of(seen.batch, n)).verdicts

        assert (verdict.verdict, verdict.cluster_id) == (why.verdict, why.cluster_id)
        assert (verdict.novelty, verdict.seq) == (why.novelty, why.as_of)
        assert [why] == explainer.explain(alone, z[n : n + 1], ids[n : n + 1], np.zeros(1))
        alone.step(z[n : n + 1], ids[n : n + 1], np.zeros(1))
    assert snapshot.digest(engine) == snapshot.digest(alone)


def test_the_scores_average_to_that_of_the_nearest_class(world: World) -> None:
    """The parts are what the item's own reason is made of, and their thresholds are where their p-values are."""
    for engine, asked in cases(world):
        for why in explained(engine, asked(19, 40)):
            assert math.isclose(
                sum(part.value for part in why.scores) / len(why.scores), why.classes[0].score, abs_tol=1e-9
            )
            for part in why.scores:
                assert part.threshold is not None
                assert (part.value > part.threshold) == (part.p < why.reasons[0].threshold)
                assert part.margin == part.threshold - part.value


def test_distances_are_those_that_one_would_compute(world: World) -> None:
    """To classes and reference items in standard deviations, to clusters in cluster space; nearest first, few."""
    engine = small(world, 2, 260)
    known = engine._known
    z = world.items(np.random.default_rng(23), n=20, share_new=0.5)
    for item, why in zip(z.astype(np.float64), explained(engine, z), strict=True):
        W = known.class_whitener.astype(np.float64)
        for near in why.classes:
            prototype = known.prototypes[engine.labels.index(near.label)]
            assert math.isclose(near.distance, np.linalg.norm((item - prototype) @ W), rel_tol=1e-6)
        away = np.linalg.norm((item - known.reference_embeddings) @ W, axis=1)
        assert [near.place for near in why.references] == np.argsort(away, kind="stable")[:MOST_NEAR].tolist()
        for near in why.references:
            assert math.isclose(near.distance, away[near.place], rel_tol=1e-6)
            assert engine.labels[known.reference_labels[near.place]] == near.label
        assert [c.distance for c in why.clusters] == sorted(c.distance for c in why.clusters)
        assert len(why.clusters) <= MOST_NEAR
        for cluster in why.clusters:
            assert ClusterState.GONE is not cluster.state
            assert cluster.exemplars == tuple(engine.lives[cluster.id].exemplars)


def test_an_item_in_a_cluster_is_within_its_radius(world: World) -> None:
    """Where no cluster claims from afar, the cluster of the verdict is among the nearest, and holds the item."""
    engine = small(world, 2, 260)
    of_cluster = [
        why
        for why in explained(engine, world.items(np.random.default_rng(29), n=60, share_new=1.0))
        if why.verdict is VerdictKind.CLUSTER
    ]

    assert of_cluster
    for why in of_cluster:
        (own,) = [c for c in why.clusters if c.id == why.cluster_id]
        assert own.radius is not None
        assert own.distance < own.radius


def test_all_three_reasons_are_told_where_there_are_three(world: World) -> None:
    """With a fit and a membership; a claim names its cluster; a gate that is off is no reason."""
    *_, (engine, asked) = cases(world)
    whys = explained(engine, asked(31, 60))

    assert {("item", "stream", "claim")} == {tuple(r.by for r in why.reasons) for why in whys}
    assert any(why.reasons[2].cluster_id for why in whys)
    alone = snapshot.copy_of(engine)
    alone.configure(alone.params.with_changes(gates="stream"))
    assert {("stream", "claim")} == {
        tuple(r.by for r in why.reasons) for why in explained(alone, asked(31, 5))
    }


def test_too_few_held_out_items_give_no_threshold_to_a_score() -> None:
    """Twenty held-out items of a class cannot show what two per cent of them do."""
    world = overlapping(held_out=80)
    engine = Engine(world.known, ("ant", "bee", "cow", "dog"), EngineParams())
    (why,) = explained(engine, world.items(np.random.default_rng(0), np.array([0])))

    assert {(None, None)} == {(part.threshold, part.margin) for part in why.scores}


def test_nothing_asked_nothing_explained(world: World) -> None:
    """Of no items."""
    for engine, asked in cases(world):
        assert [] == explained(engine, asked(0, 0))


def test_classes_that_people_made_are_explained() -> None:
    """The class that took an item is the first of those near, with its distance; others are told where they are near;
    the sentence names the cluster, and who is known because of where it lies is told so.
    """
    engine, asked = snapshot.copy_of(large()), asked_of_large(21, 200)
    cluster = next(c.id for c in engine.clusters() if c.state is ClusterState.ESTABLISHED)
    made = Decision(key="k", action=Action.PROMOTE, cluster=cluster, t=0.0, who="me", label="new")
    engine.carry_out(engine.prepared(made))
    dry = would_say(engine, asked, tuple(f"i{n}" for n in range(200)), np.zeros(200))
    found = explained(engine, asked)
    its = [why for why in found if why.by_cluster is not None]
    for verdict, why in zip(dry, found, strict=True):
        assert (verdict.label, verdict.novelty) == (why.label, why.novelty)
        assert (verdict.nearest, verdict.distance) == (why.classes[0].label, why.classes[0].distance)
        assert len({one.label for one in why.classes}) == len(why.classes) <= MOST_NEAR
        assert (why.label == "new") == (why.by_cluster == cluster)
        assert (why.margin > 0.0) or why.label in (None, "new")

    assert len(its) > 20
    assert any("new" in [one.label for one in why.classes] for why in found if why.label != "new")
    for why in its:
        assert f"cluster {cluster}" in why.sentence
        assert "It is taken for 'new'" in why.sentence
