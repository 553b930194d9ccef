"""Clusters that stay apart although they are linked: a restored clusterer goes on as the one that was stored."""

import numpy as np
import pytest

from service.clustering.micro_clusters import MicroClusters
from service.clustering.params import ClustererParams

PARAMS = ClustererParams(
    clustering_threshold=1.0,
    fading_factor=0.01,
    cleanup_interval=150,
    intersection_factor=0.1,
    minimum_weight=2.0,
    max_micro_clusters=200,
    max_degree=16,
)


def clusters_of(db: MicroClusters) -> list[int]:
    return [cluster for cluster in np.unique(db.clusters(db.rows())).tolist() if cluster]


def settle(db: MicroClusters, next_id: int) -> int:
    """Regroup with every cluster announced, none of them to be merged by a chain."""
    while db.is_stale:
        told = clusters_of(db)
        next_id = db.regroup(next_id, told, (), told if len(told) > 1 else ()).next_id
    return next_id


def learn(db: MicroClusters, x: np.ndarray, next_id: int) -> int:
    next_id = settle(db, next_id)
    db.learn(x, None, 0, np.zeros((4, 1), dtype=np.int64))
    return settle(db, next_id)


def part(db: MicroClusters, rng: np.random.Generator, next_id: int) -> int:
    """Part some cluster along some line."""
    cluster = int(rng.choice(clusters_of(db)))
    rows = db.rows_of(cluster)
    along = db.centers(rows) @ rng.normal(size=2)
    leave = db.births(rows)[along > np.median(along)]
    if 0 < len(leave) < len(rows):
        db.part(leave, cluster, next_id)
        next_id += 1
    return next_id


@pytest.mark.parametrize("how", ["apart", "parted", "dropped"])
def test_a_restored_one_goes_on_to_the_bit(how: str) -> None:
    """Whatever order its rows and pairs have; stored at any moment, also while it is stale."""
    for seed in range(14):
        rng = np.random.default_rng(seed)
        db, twin, next_id = MicroClusters(2, PARAMS), MicroClusters(2, PARAMS), 1
        for n in range(850):
            x = rng.normal(size=(1, 2)) * 1.8
            here, there = learn(db, x, next_id), learn(twin, x, next_id)
            assert here == there, (seed, n)
            next_id = here
            if n % 5 == 4:
                mine, theirs = db.state(), twin.state()
                assert all(np.array_equal(mine[name], theirs[name]) for name in mine), (seed, n)
            is_stored = rng.random() < 0.03
            if how == "parted" and n % 40 == 7 and clusters_of(db):
                next_id, is_stored = part(db, rng, next_id), True
            if how == "dropped" and n % 97 == 50 and clusters_of(db):
                db.drop(int(rng.choice(clusters_of(db))))
                is_stored = True
            if is_stored:
                twin = MicroClusters.from_state(db.state(), PARAMS)
