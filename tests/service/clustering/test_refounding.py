"""Micro-clusters that make room for several: as heavy, as linked, and each with its share of the items."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from service.clustering.micro_clusters import MicroClusters
from service.clustering.params import ClustererParams
from service.clustering.state_check import check_state
from service.records import Float64s

PARAMS = ClustererParams(clustering_threshold=1.0, minimum_weight=2.0, max_degree=6)


def learnt(x: Float64s, cluster: int = 1) -> MicroClusters:
    db, at = MicroClusters(x.shape[1], PARAMS), 0
    out = np.zeros((4, len(x)), dtype=np.int64)
    while at < len(x):
        at = db.learn(x, None, at, out).next
        if db.is_stale:
            cluster = db.regroup(cluster).next_id
    return db


def test_a_ball_through_which_a_line_goes_makes_room_for_two() -> None:
    """An item goes by the nearer of the two from then on; both are of the cluster that it was of, and linked."""
    db = learnt(np.zeros((8, 2)))
    (row,) = db.rows()
    birth, weight = int(db.births(np.array([row]))[0]), float(db.weights(np.array([row]))[0])
    db.refound(np.array([birth, birth]), np.array([[-0.4, 0.0], [0.4, 0.0]]), np.array([5, 3]))
    rows = db.rows()

    assert [birth + 1, birth + 2] == db.births(rows).tolist()
    assert ([5, 3], [1, 1], [weight, weight]) == (
        db.counts(rows).tolist(),
        db.clusters(rows).tolist(),
        db.weights(rows).tolist(),
    )
    assert [[[0], [1]], [True]] == [db.pairs(rows)[0].tolist(), db.pairs(rows)[2].tolist()]
    db.regroup(2)
    db.part(np.array([birth + 2]), 1, 2)
    assert [1, 2] == db.predict(np.array([[-0.3, 0.2], [0.3, 0.2]])).tolist()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), several=st.integers(1, 3))
def test_what_comes_of_it_is_a_state_whatever_was_there(seed: int, several: int) -> None:
    """Items are conserved, the others are as they were, no one shares with more than it may, and learning goes on."""
    rng = np.random.default_rng(seed)
    db = learnt(rng.normal(0, 1.5, (200, 2)))
    births, counts = db.births(db.rows()), db.counts(db.rows())
    gone = np.sort(rng.choice(births, min(2, len(births)), replace=False))
    of = np.repeat(gone, several)
    shares = [np.diff(np.linspace(0, n, several + 1).round()) for n in counts[np.isin(births, gone)].tolist()]
    before, items = (
        {int(b): db.centers(db.rows())[n].tolist() for n, b in enumerate(births)},
        int(counts.sum()),
    )
    given_ = np.maximum(np.concatenate(shares), 1).astype(np.int64)
    db.refound(of, rng.normal(size=(len(of), 2)), given_)
    rows = db.rows()

    assert items + int(given_.sum()) - int(counts[np.isin(births, gone)].sum()) == int(db.counts(rows).sum())
    assert all(
        before[b] == c
        for b, c in zip(db.births(rows).tolist(), db.centers(rows).tolist(), strict=True)
        if b in before
    )
    check_state(db.state(), 2, PARAMS)
    assert db.is_stale
    db.regroup(1000)
    db.learn(rng.normal(size=(1, 2)), None, 0, np.zeros((4, 1), dtype=np.int64))
