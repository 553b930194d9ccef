"""What an operator sees of a cluster is what there is."""

import numpy as np

from service.clustering.cluster_view import items_of, view_of
from service.clustering.kinship import Life
from service.clustering.micro_clusters import MicroClusters
from service.clustering.params import ClustererParams
from tests.service.told import EVIDENCE

PROTOTYPES = np.array([[0.0, 0.0], [10.0, 0.0]])


def life() -> Life:
    return Life(id=1, ordinal=1, born_seq=3, first_t=3.0, last_seq=9, last_t=9.0, residual=5, exemplars=["a"])


def learnt() -> MicroClusters:
    """Two micro-clusters that overlap, around (8, 0)."""
    db = MicroClusters(2, ClustererParams(minimum_weight=1.5, fading_factor=1e-9))
    x = np.array([[7.4, 0.0], [8.6, 0.0]] + [[8.0, 0.0]] * 4)
    out = np.empty((4, len(x)), dtype=np.int64)
    at, next_id = 0, 1
    while at < len(x):
        at = db.learn(x, None, at, out).next
        if db.is_stale:
            next_id = db.regroup(next_id).next_id
    return db


def test_a_cluster_with_micro_clusters() -> None:
    """Items of those that left count; its centre is near the second class."""
    db = learnt()
    seen = view_of(life(), db, prototypes=PROTOTYPES, labels=("ant", "bee"), evidence=EVIDENCE)

    assert 5 + db.items_of(1) == items_of(life(), db) == seen.items
    assert 2 == seen.micro_clusters
    assert "bee" == seen.nearest
    assert seen.nearest_distance is not None
    assert abs(seen.nearest_distance - 2.0) < 0.2
    assert EVIDENCE is seen.evidence
    assert ("a",) == seen.exemplars


def test_a_cluster_without() -> None:
    """It is nowhere, so no class is nearest."""
    seen = view_of(
        life(),
        MicroClusters(2, ClustererParams()),
        prototypes=PROTOTYPES,
        labels=("ant", "bee"),
        evidence=EVIDENCE,
    )

    assert (5, 0, 0.0, None, None) == (
        seen.items,
        seen.micro_clusters,
        seen.weight,
        seen.nearest,
        seen.nearest_distance,
    )
