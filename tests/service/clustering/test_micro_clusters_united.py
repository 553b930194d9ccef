"""Clusters made one by others than density: they stay one, and nothing is lost or forgotten of them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from service.clustering.micro_clusters import MicroClusters
from service.clustering.params import ClustererParams
from service.records import NO_CLUSTER
from tests.service.clustering.driven import assert_same_state

PARAMS = ClustererParams(
    clustering_threshold=1.0,
    minimum_weight=1.5,
    fading_factor=0.02,
    cleanup_interval=20,
    intersection_factor=0.2,
)


def clusters_of(db: MicroClusters) -> set[int]:
    return set(db.clusters(db.rows()).tolist()) - {NO_CLUSTER}


def test_adopted_micro_clusters_are_the_heirs() -> None:
    """All of them, with their items; the other has none."""
    db = MicroClusters(2, PARAMS)
    out = np.empty((4, 8), dtype=np.int64)
    x = np.array([[0.0, 0.0]] * 4 + [[5.0, 5.0]] * 4)
    at, next_id = 0, 1
    while at < len(x):
        at = db.learn(x, None, at, out).next
        if db.is_stale:
            next_id = db.regroup(next_id).next_id
    db.adopt(2, 1)

    assert (8, 0) == (db.items_of(1), db.items_of(2))
    assert 2 == len(db.rows_of(1))
    assert [1, 1] == db.predict(np.array([[0.0, 0.0], [5.0, 5.0]])).tolist()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), restores=st.booleans())
def test_what_is_united_stays_one(seed: int, *, restores: bool) -> None:
    """Whatever comes, goes and is adopted, in the middle of a regrouping too: no united cluster splits, every strong
    micro-cluster has a cluster, and a state restored just then goes on alike, to the bit.
    """
    rng = np.random.default_rng(seed)
    live = MicroClusters(2, PARAMS)
    united: set[int] = set()
    next_id = 1
    places = rng.normal(0, 2, (5, 2))
    out = np.empty((4, 1), dtype=np.int64)
    for _ in range(150):
        x = places[rng.integers(5)][None] + rng.normal(0, 0.5, (1, 2))
        live.learn(x, None, 0, out)
        there = sorted(clusters_of(live))
        if len(there) > 1 and rng.random() < 0.1:
            young, old = (int(c) for c in rng.choice(there, 2, replace=False))
            live.adopt(young, old)
            united = (united - {young}) | {old}
        other = MicroClusters.from_state(live.state(), PARAMS) if restores else None
        if live.is_stale:
            announced = set(there) - {next_id - 1}
            found = live.regroup(next_id, announced, united)
            if other is not None:
                again = other.regroup(next_id, announced, united)
                assert (found.split, found.merged, found.next_id) == (
                    again.split,
                    again.merged,
                    again.next_id,
                )
            for ended, into in found.merged:
                if ended in united:
                    united = (united - {ended}) | {into}
            assert not united & {parent for _, parent in found.split}
            next_id = found.next_id
        if other is not None:
            assert_same_state(live, other)
        rows = live.rows()
        assert (live.clusters(rows)[live.strong(rows)] != NO_CLUSTER).all()
