"""Everything at once to an engine with a stream gate, with clusters that turn out to be variants: nothing is lost."""

from dataclasses import replace

import numpy as np
import pytest

from service.clustering import snapshot
from service.clustering.engine import Engine
from service.clustering.params import EngineParams
from service.clustering.stream_gate import StreamFit, constants
from service.events import EventKind
from service.records import ANNOUNCED, NO_CLUSTER, SHOWN, ClusterState
from tests.service.clustering.overlapping import APART, FAR, HIDDEN, LABELS, D, Driven, K, engine, overlapping


def joined(young: int, old: int) -> StreamFit:
    """A fit that finds nothing but that two clusters are one."""
    return StreamFit(
        weights=np.zeros(D + 1, np.float32),
        shares=np.full(K, 1 / K, np.float32),
        members=np.empty((0, 2 * (D + 1)), np.float32),
        clusters=np.empty(0, np.int64),
        joins=np.array([[young, old]]),
        partings=np.empty((0, 2), np.int64),
    )


def parted(cluster: int, one: Engine, rng: np.random.Generator) -> StreamFit:
    """Any of its micro-clusters leave, and some that are long gone."""
    births = one.clusterer.births(one.clusterer.rows_of(cluster))
    leave = np.append(births[rng.random(len(births)) < 0.5], [1, 10**9])
    return replace(
        joined(cluster, cluster),
        joins=np.empty((0, 2), np.int64),
        partings=np.stack([np.full(len(leave), cluster), leave], axis=1).astype(np.int64),
    )


@pytest.mark.parametrize("seed", [0, 1, 19, 50])
def test_whatever_happens_nothing_is_lost(seed: int) -> None:
    """Parameters, fits on the way, joins of any two, the gate off and on, restored at any time: every micro-cluster's
    cluster lives, every item counts once, and no verdict names a cluster that has ended.
    """
    rng = np.random.default_rng(seed)
    told_of: set[int] = set()
    driven = Driven(engine(), lag=int(rng.integers(0, 3)))
    for _ in range(60):
        if rng.random() < 0.15:
            driven.engine.configure(other_parameters(rng))
            driven.forget_fit()
        n, new = int(rng.integers(1, 120)), int(rng.choice([APART, FAR, HIDDEN]))
        z, which = overlapping().stream(rng, n, new=new, at=float(rng.choice([0.0, 0.3, 0.9])))
        z[which == FAR] += rng.normal(0, 1, D).astype(np.float32)
        results = driven.feed(z, batch=int(rng.integers(1, 50)))
        one = driven.engine
        learnt = sum(one.verdict_counts.values())
        told = [life.id for life in one.lives.values() if life.state in ANNOUNCED]
        if len(told) > 1 and one.params.gates != "items" and rng.random() < 0.3:
            results.append(driven.use(joined(*(int(c) for c in rng.choice(told, 2, replace=False)))))
        if told and one.params.gates != "items" and rng.random() < 0.3:
            results.append(driven.use(parted(int(rng.choice(told)), one, rng)))
        if rng.random() < 0.3:
            blob = snapshot.dump(one)
            driven.engine = one = snapshot.load(blob, overlapping().known, LABELS)
            assert blob == snapshot.dump(one)
        db = one.clusterer

        assert sum(len(db.rows_of(cluster)) for cluster in [NO_CLUSTER, *one.lives]) == len(db)
        assert sum(cluster.items for cluster in one.clusters()) <= learnt
        assert all(life.last_seq <= one.seq for life in one.lives.values())
        assert len(one.stream.memberships) <= constants.MOST_MEMBERSHIPS
        ended = {
            e.cluster.id: e.seq
            for r in results
            for e in r.events
            if e.kind in (EventKind.GONE, EventKind.MERGED)
        }
        assert all(v.seq <= ended.get(v.cluster_id or 0, v.seq) for r in results for v in r.verdicts)
        for event in (event for r in results for event in r.events):
            if event.kind in (EventKind.EMERGED, EventKind.SPLIT, EventKind.DRIFTED):
                told_of.add(event.cluster.id)
            assert event.cluster.id in told_of
            assert event.other_id is None or event.other_id in told_of
        for life in one.lives.values():
            assert life.state not in SHOWN or life.id in told_of
            assert life.variant_of is not None or life.state is not ClusterState.VARIANT


def other_parameters(rng: np.random.Generator) -> EngineParams:
    fade_after = int(rng.integers(20, 200))
    return EngineParams(
        clustering_threshold=float(rng.choice([1.2, 1.6, 2.0])),
        fading_factor=float(rng.choice([0.001, 0.02])),
        cleanup_interval=float(rng.choice([8, 100])),
        minimum_weight=float(rng.choice([2, 4])),
        max_micro_clusters=int(rng.choice([5, 1000])),
        known_error_rate=float(rng.choice([0.01, 0.05])),
        false_alarm_rate=float(rng.choice([0.01, 0.5])),
        fade_after_items=fade_after,
        gone_after_items=fade_after + int(rng.integers(1, 300)),
        gates="items" if rng.random() < 0.2 else "both",
    )
