"""River's DBSTREAM behind the port: river itself, with ids that last, a cap, and a state."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray
from river import cluster

from service.clustering.params import EngineParams
from service.clustering.river_clusterer import RiverClusterer
from service.records import NO_CLUSTER
from tests.service.clustering.stream_strategies import Stream, streams

HARDLY_FADES = 1e-18


class Both:
    """River, and river behind the port, learning the same."""

    def __init__(self, dim: int, **parameters: Any) -> None:
        self.theirs = cluster.DBSTREAM(**parameters)
        self.params = EngineParams(backend="river", **{"max_micro_clusters": 1000, **parameters})
        self.ours = RiverClusterer(dim, self.params)
        self.next_id = 1
        self.out = np.zeros((4, 1), dtype=np.int64)

    def learn(self, x: NDArray[np.float64]) -> tuple[int, int]:
        """Learn an item; the cluster each gave it before."""
        self.settle()
        item = dict(enumerate(x.tolist()))
        before = self.theirs.predict_one(item) if self.theirs.n_clusters else NO_CLUSTER
        names = self.names()
        self.theirs.learn_one(item)
        self.ours.learn(x[None], None, 0, self.out)
        return names.get(before, NO_CLUSTER), int(self.out[0, 0])

    def settle(self) -> None:
        if self.ours.is_stale:
            self.next_id = self.ours.regroup(self.next_id).next_id

    def labels(self) -> dict[int, int]:
        """River's macro-cluster of each of its strong micro-clusters, by its own functions."""
        labels = self.theirs._generate_labels(self.theirs._generate_weighted_adjacency_matrix())
        return {i: label for i, label in labels.items() if label is not None}

    def names(self) -> dict[int, int]:
        """River's macro-clusters -> ours; AssertionError unless they are the same but for their names."""
        pairs = {(label, self.ours.cluster_of(i)) for i, label in self.labels().items()}
        names = dict(pairs)

        assert len(pairs) == len(names) == len(set(names.values()))
        assert NO_CLUSTER not in names.values()
        return names

    def assert_same(self) -> None:
        """Micro-clusters and shared density, to the bit and in the same order."""
        state = self.ours.state()
        theirs = self.theirs.micro_clusters

        assert list(theirs) == state["ids"].tolist()
        assert [list(mc.center.values()) for mc in theirs.values()] == state["centers"].tolist()
        assert [mc.weight for mc in theirs.values()] == state["weights"].tolist()
        assert [mc.last_update for mc in theirs.values()] == state["updated"].tolist()
        assert [(i, len(row)) for i, row in self.theirs.s.items()] == list(
            zip(state["row_ids"].tolist(), state["row_sizes"].tolist(), strict=True)
        )
        pairs = [(j, s, self.theirs.s_t[i][j]) for i, row in self.theirs.s.items() for j, s in row.items()]
        assert pairs == list(
            zip(*(state[name].tolist() for name in ("pair_ids", "pair_shared", "pair_since")), strict=True)
        )
        rows = np.array(list(theirs), dtype=np.int64)
        assert set(self.labels()) == set(rows[self.ours.strong(rows)].tolist())


def rivers(p: dict[str, Any]) -> dict[str, Any]:
    """The parameters that river has."""
    return {k: v for k, v in p.items() if k not in {"max_micro_clusters", "max_degree", "unlink_fraction"}}


def on_a_line(**changes: float) -> Both:
    return Both(
        1,
        **{
            "clustering_threshold": 1.0,
            "fading_factor": HARDLY_FADES,
            "cleanup_interval": 10**6,
            "intersection_factor": 0.3,
            "minimum_weight": 0.5,
            **changes,
        },
    )


@settings(max_examples=80, deadline=None)
@given(streams(max_items=100, max_dim=8))
def test_it_is_river(stream: Stream) -> None:
    """The same micro-clusters, the same partition, and for every item the same cluster, but for the names."""
    x, p = stream
    both = Both(x.shape[1], **rivers(p))
    for row in x:
        theirs, ours = both.learn(row)

        assert theirs == ours
        both.assert_same()
    both.settle()
    both.names()


@settings(max_examples=40, deadline=None)
@given(streams(max_items=100, max_dim=8))
def test_restored_after_every_item_it_is_still_river(stream: Stream) -> None:
    """Whatever river's results depend on is in the state, the order of its dictionaries included."""
    x, p = stream
    both = Both(x.shape[1], **rivers(p))
    for row in x:
        theirs, ours = both.learn(row)
        both.ours = RiverClusterer.from_state(both.ours.state(), both.params)

        assert theirs == ours
        both.assert_same()


def test_rivers_faults_survive_restoring() -> None:
    """A newborn that river gives the id of one that died inherits what it shared: restored in between, too."""
    both = on_a_line(fading_factor=0.1, cleanup_interval=4, intersection_factor=0.1, minimum_weight=0.9)
    for place in (0.0, 1.5, 20.0, 21.5, 20.75, 0.75, *[0.0] * 14):
        both.learn(np.array([place]))
    both.ours = RiverClusterer.from_state(both.ours.state(), both.params)
    assert {0: {1: 1}} == both.theirs.s
    for place in (50.0, 50.0):
        both.learn(np.array([place]))

    both.assert_same()
    both.settle()
    assert [0, 1] == both.ours.rows_of(both.names()[0]).tolist()


def test_there_is_no_noise() -> None:
    """However far away an item is, it is given to the cluster with the nearest centre."""
    both = on_a_line()
    for place in (0.0, 0.0, 10.0, 10.0):
        both.learn(np.array([place]))

    assert [(1, 1), (2, 2)] == [both.learn(np.array([place])) for place in (-1e6, 1e6)]


def test_an_empty_model_gives_no_cluster() -> None:
    """River answers 0, which is no cluster of it: when nothing was learnt, and when all that was left."""
    both = on_a_line(minimum_weight=1.5)

    assert 0 == both.theirs.predict_one({0: 0.0})
    assert [(0, 0), (0, 0), (1, 1)] == [both.learn(np.zeros(1)) for _ in range(3)]
    both.ours.drop(1)
    both.ours.learn(np.zeros((1, 1)), None, 0, both.out)
    assert NO_CLUSTER == both.out[0, 0]


def test_room_is_made_out_of_rivers_own_dictionaries() -> None:
    """The lightest leaves with its pairs, so that a newborn which gets its id inherits nothing."""
    both = on_a_line(fading_factor=0.01, cleanup_interval=10**4)
    both.ours = RiverClusterer(1, both.params.with_changes(max_micro_clusters=2))
    for place in (0.0, 1.5, 0.75, 0.0):
        both.learn(np.array([place]))
    assert [1] == both.ours.state()["pair_ids"].tolist()
    both.ours.learn(np.array([[50.0]]), None, 0, both.out)

    state = both.ours.state()
    assert [0, 1] == state["ids"].tolist()
    assert [1, 3] == state["births"].tolist()
    assert [] == state["pair_ids"].tolist()
    assert [[50.0]] == both.ours.centers(np.array([1])).tolist()


def test_a_weight_that_has_faded_to_nothing_is_still_positive() -> None:
    """Means by weight can be taken of clusters that river has not cleaned up."""
    both = on_a_line(fading_factor=100.0, cleanup_interval=10)
    for place in (0.0, *[50.0] * 11):  # it is just heavy enough at the first clean-up
        both.learn(np.array([place]))

    assert 0.0 == both.ours._river.weight(0)
    assert 0.0 < both.ours.weights(np.array([0]))[0] < 1e-300


def test_it_knows_no_times() -> None:
    """Event times are refused rather than ignored."""
    both = on_a_line()

    with pytest.raises(AssertionError, match="no times"):
        both.ours.learn(np.zeros((1, 1)), np.zeros(1), 0, both.out)
    assert 0 == len(both.ours)


@settings(max_examples=40, deadline=None)
@given(streams(max_items=60, max_dim=4))
def test_it_predicts_what_learning_says(stream: Stream) -> None:
    """Of the next item, and changes nothing by it."""
    x, p = stream
    both = Both(x.shape[1], **rivers(p))
    for row in x:
        both.settle()
        before = {name: array.tobytes() for name, array in both.ours.state().items()}
        predicted = both.ours.predict(row[None])

        assert before == {name: array.tobytes() for name, array in both.ours.state().items()}
        both.learn(row)
        assert predicted.tolist() == both.out[0].tolist()
