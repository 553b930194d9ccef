"""What the engine takes for evidence, and for news: claims, repeats, shapes and shares."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from service.clustering.engine import Engine
from service.clustering.params import EngineParams
from service.events import ClusterEvent, EventKind
from service.records import Float32s, VerdictKind
from tests.service.clustering.conftest import LABELS, MakeEngine, World
from tests.service.clustering.fed import feed
from tests.service.known_of import known_of


def test_the_operators_rate_holds_while_clusters_claim_items(make_engine: MakeEngine, world: World) -> None:
    """A new class beside a known one is announced, and gets items that look known; known ones pay no more for it."""
    engine = make_engine()
    rng = np.random.default_rng(5)
    beside = world.centers[0] + np.array([0.0, 0.0, 0.0, 1.3, 0.0, 0.0, 0.0, 0.0])

    def new(n: int) -> Float32s:
        return (beside + rng.normal(0, 0.3, (n, 8))).astype(np.float32)

    for _ in range(15):
        feed(engine, np.concatenate([world.items(rng, n=80), new(20)]))
    assert any(cluster.emerged_seq is not None for cluster in engine.clusters())
    (known,) = feed(engine, world.items(rng, n=3000))
    called_new = sum(v.verdict is not VerdictKind.KNOWN for v in known.verdicts)
    allowed = 0.02 + 4 * np.sqrt(0.02 * 0.98 / 600)

    assert binom.sf(called_new - 1, 3000, allowed) > 1e-3


def test_the_same_item_over_and_over_is_no_class_yet(make_engine: MakeEngine, world: World) -> None:
    """A client that sends one strange item again and again, under new ids, announces nothing; items like it do."""
    strange = np.full(8, -2.0)
    kinds = []
    for spread in (0.0, world.centers.max() / 10):
        engine, rng = make_engine(), np.random.default_rng(0)
        feed(engine, world.items(rng, n=300))
        (result,) = feed(engine, (strange + rng.normal(0, spread, (12, 8))).astype(np.float32))
        kinds.append({event.kind for event in result.events})
        latest = max(engine.clusters(), key=lambda cluster: cluster.last_seq)
        assert (latest.evidence.repeats > 0) == (spread == 0.0)

    assert [set(), {EventKind.EMERGED}] == kinds


def test_what_keeps_coming_all_day_is_told_of(make_engine: MakeEngine, world: World) -> None:
    """The same item, but among others for hours: news in the end, with its repeats beside the hits."""
    engine, rng = make_engine(), np.random.default_rng(0)
    events: list[ClusterEvent] = []
    for _ in range(40):
        z = world.items(rng, n=70)
        z[::35] = -2.0
        (result,) = feed(engine, z)
        events += result.events
    (emerged,) = [event for event in events if event.kind is EventKind.EMERGED]

    assert emerged.cluster.evidence.repeats > 5
    assert emerged.cluster.evidence.cohesion == pytest.approx(0.0, abs=1e-3)


def test_evidence_has_its_shape(make_engine: MakeEngine, world: World) -> None:
    """A class like the known ones is as tight and as far off as these are."""
    engine, rng = make_engine(), np.random.default_rng(0)
    (result,) = feed(engine, world.items(rng, n=900, share_new=0.2))
    evidence = next(e.cluster.evidence for e in result.events if e.kind is EventKind.EMERGED)

    assert evidence.cohesion is not None
    assert evidence.usual_cohesion is not None
    assert evidence.separation is not None
    assert evidence.usual_separation is not None
    assert 0.5 * evidence.usual_cohesion[0] < evidence.cohesion < 1.5 * evidence.usual_cohesion[1]
    assert evidence.separation == pytest.approx(evidence.usual_separation[1], rel=0.3)
    assert evidence.unexplained is None


def test_a_leak_of_one_class_is_no_news_when_that_class_prevails(world: World) -> None:
    """One class has a side blob; where the stream is of that class alone, so is a good part of the stream."""
    rng = np.random.default_rng(0)
    D, K = 8, 3

    def items(y: NDArray[np.int64]) -> Float32s:
        z = world.centers[y] + rng.normal(0, 0.3, (len(y), D))
        aside = (y == 2) & (rng.random(len(y)) < 0.04)
        z[aside] = world.centers[2] + np.eye(D)[5] * 2.0 + rng.normal(0, 0.1, (int(aside.sum()), D))
        return z.astype(np.float32)

    y_fit, y_cal = np.repeat(np.arange(K), 200), np.arange(900) % K
    z_fit, z_cal = items(y_fit), items(y_cal)
    known = known_of(z_fit, y_fit, z_cal, y_cal)
    engine = Engine(known, LABELS, EngineParams(clustering_threshold=1.6))
    (result,) = feed(engine, items(np.full(4000, 2)))

    assert () == tuple(event for event in result.events if event.kind is EventKind.EMERGED)
