"""Every peer answers to two verbs, and what an adapter adds to its package is what it says."""

from types import SimpleNamespace

import numpy as np
import pytest
from river import cluster

from benchmarks.clusterer_peers import (
    BirchPeer,
    CapyMOAPeer,
    DenStreamPeer,
    IncrementalDBSCANPeer,
    MiniBatchKMeansPeer,
    RiverDenStream,
    RiverPeer,
    nearest,
)
from benchmarks.streams import Float64s, Int64s, drifting

X = drifting(items=400, seed=0, d=3, classes=4, travel=1.0).x


def test_rivers_are_asked_item_by_item() -> None:
    """The answers are those of `predict_one`, and learning is `learn_one`."""
    peer, itself = RiverPeer(cluster.DBSTREAM()), cluster.DBSTREAM()
    peer.learn_many(X[:100])
    for row in X[:100].tolist():
        itself.learn_one(dict(enumerate(row)))

    expected = [itself.predict_one(dict(enumerate(row))) for row in X[100:150].tolist()]
    assert expected == peer.predict_many(X[100:150]).tolist()


def test_rivers_are_not_asked_before_they_know_anything() -> None:
    """Some of them would raise."""
    peer = RiverPeer(cluster.STREAMKMeans())

    assert [-1, -1] == peer.predict_many(X[:2]).tolist()


def test_asking_rivers_denstream_once_for_a_block_gives_what_asking_for_each_item_gives() -> None:
    """It reclusters at each prediction; between two items of a block nothing has changed."""

    def make() -> cluster.DenStream:
        return cluster.DenStream(
            epsilon=0.6, decaying_factor=0.02, beta=0.5, mu=3.0, n_samples_init=50, stream_speed=20
        )

    quick, plain = RiverDenStream(make()), RiverPeer(make())
    for start in range(0, len(X), 25):
        block = X[start : start + 25]
        assert plain.predict_many(block).tolist() == quick.predict_many(block).tolist()
        plain.learn_many(block)
        quick.learn_many(block)
    assert len(set(plain.predict_many(X).tolist())) > 1


def test_k_means_waits_for_enough_items_to_begin_with() -> None:
    """Until then it has no answer."""
    peer = MiniBatchKMeansPeer(k=4, reassignment_ratio=0.01, first=100, seed=0)
    peer.learn_many(X[:75])
    before = peer.predict_many(X[:5])
    peer.learn_many(X[75:100])

    assert [-1] * 5 == before.tolist()
    assert set(peer.predict_many(X).tolist()) == {0, 1, 2, 3}


def test_birch_joins_its_leaves_to_k_clusters() -> None:
    """While there are no more leaves than that, each is a cluster."""
    few, many = (BirchPeer(k=4, threshold=t, branching_factor=50) for t in (100.0, 0.3))
    assert [-1] == few.predict_many(X[:1]).tolist()
    for peer in (few, many):
        peer.learn_many(X[:200])
        peer.learn_many(X[200:])

    assert {0} == set(few.predict_many(X).tolist())
    assert {0, 1, 2, 3} == set(many.predict_many(X).tolist())


def test_denstreams_label_is_that_of_the_nearest_potential_micro_cluster() -> None:
    """Time goes by one with every item."""
    times: list[int] = []
    fake = SimpleNamespace(
        partial_fit=lambda row, t: times.append(t) if row.shape == (1, 3) else None,
        p_micro_clusters=[],
        model=SimpleNamespace(fit_predict=lambda centers: 10 + np.arange(len(centers))),
    )
    peer = DenStreamPeer(fake)
    peer.learn_many(X[:3])
    none = peer.predict_many(X[:2])
    fake.p_micro_clusters = [SimpleNamespace(center=X[n : n + 1]) for n in (5, 6)]

    assert [0, 1, 2] == times
    assert [-1, -1] == none.tolist()
    assert [11, 10] == peer.predict_many(X[[6, 5]]).tolist()


class FakeIncrementalDBSCAN:
    """Labels an item by how many items it holds."""

    def __init__(self) -> None:
        self.held: list[tuple[float, ...]] = []

    def insert(self, x: Float64s) -> None:
        self.held += [tuple(row) for row in x.tolist()]

    def delete(self, x: Float64s) -> None:
        for row in x.tolist():
            self.held.remove(tuple(row))

    def get_cluster_labels(self, x: Float64s) -> Int64s:
        return np.full(len(x), len(self.held))


def test_asking_a_window_leaves_it_as_it_was() -> None:
    """An item is there for its own label only, not for the next one's; old blocks leave."""
    db = FakeIncrementalDBSCAN()
    peer = IncrementalDBSCANPeer(db, window=50)
    for start in (0, 25, 50):
        peer.learn_many(X[start : start + 25])

    assert [51, 51, 51] == peer.predict_many(X[:3]).tolist()
    assert [tuple(row) for row in X[25:75].tolist()] == db.held


def test_moas_label_is_the_nearest_cluster_at_the_scale_of_the_data() -> None:
    """It is trained with rows divided by the scale, and its centres are multiplied by it."""
    trained: list[list[float]] = []
    result = SimpleNamespace(get_centers=list)
    fake = SimpleNamespace(train=trained.append, get_clustering_result=lambda: result)
    peer = CapyMOAPeer(fake, np.ndarray.tolist, 10.0)
    peer.learn_many(X[:2])
    none = peer.predict_many(X[:1])
    result.get_centers = (X[[7, 8]] / 10.0).tolist
    peer.learn_many(X[2:3])

    np.testing.assert_allclose(X[:3] / 10.0, trained)
    assert [-1] == none.tolist()
    assert [1, 0] == peer.predict_many(X[[8, 7]]).tolist()


@pytest.mark.parametrize("d", [1, 5])
def test_nearest_is_nearest(d: int) -> None:
    """By the plain sum of squares."""
    random = np.random.default_rng(d)
    centers, x = random.normal(size=(20, d)), random.normal(size=(50, d))

    expected = np.square(x[:, None, :] - centers).sum(axis=-1).argmin(axis=1)
    assert expected.tolist() == nearest(centers, x).tolist()
