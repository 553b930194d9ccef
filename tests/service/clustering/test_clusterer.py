"""One suite for every clusterer there is: what the engine relies on, whoever forms the clusters."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.clustering import clusterer
from service.clustering.blob import SnapshotUnreadable
from service.clustering.clusterer import BackendChanged, Clusterer
from service.clustering.params import Backend, EngineParams
from service.records import NO_CLUSTER
from tests.service.clustering.stream_strategies import Stream, streams

BACKENDS: tuple[Backend, ...] = ("firstseen", "river")

OF_BOTH = (
    "fading_factor",
    "cleanup_interval",
    "intersection_factor",
    "minimum_weight",
    "max_micro_clusters",
)
"""Parameters that every backend knows, but for the radius."""

Points = NDArray[np.float64]


class Driven:
    """A clusterer and the little that its caller has to do."""

    def __init__(self, dim: int, params: EngineParams) -> None:
        self.params = params
        self.dim = dim
        self.db = clusterer.made(dim, params)
        self.next_id = 1
        self.homes: list[int] = []
        self.births: list[int] = []
        self.founded: list[bool] = []
        self.removed: list[tuple[int, int]] = []

    def learn(self, x: Points) -> "Driven":
        out = np.zeros((4, len(x)), dtype=np.int64)
        start = 0
        while start < len(x):
            self.settle()
            run = self.db.learn(x, None, start, out)
            start = run.next
            self.removed += run.removed
        self.settle()
        self.homes += out[0].tolist()
        self.births += out[1].tolist()
        self.founded += out[3].astype(bool).tolist()
        return self

    def settle(self) -> None:
        if self.db.is_stale:
            self.next_id = self.db.regroup(self.next_id).next_id
        assert not self.db.is_stale

    def retune(self, params: EngineParams) -> None:
        self.params = params
        self.removed += self.db.retune(params)

    def store_and_restore(self) -> None:
        self.db = clusterer.restored(self.db.state(), self.dim, self.params)

    def ids(self) -> list[int]:
        return [c for c in range(1, self.next_id) if len(self.db.rows_of(c))]

    def strong(self, cluster: int) -> NDArray[np.int64]:
        rows = self.db.rows_of(cluster)
        return rows[self.db.strong(rows)]


Make = Callable[..., Driven]


@pytest.fixture(params=BACKENDS)
def make(request: pytest.FixtureRequest) -> Make:
    """A driven clusterer of each backend; parameters by keyword."""

    def driven(dim: int = 2, **changes: Any) -> Driven:
        defaults = {"clustering_threshold": 1.0, "minimum_weight": 2.0, "backend": request.param}
        return Driven(dim, EngineParams(**{**defaults, **changes}))

    return driven


def params_of(stream: Stream, backend: Backend) -> EngineParams:
    return EngineParams(**stream[1], backend=backend)


def around(x: float, n: int, seed: int = 0) -> Points:
    return np.random.default_rng(seed).normal((x, 0.0), 0.1, (n, 2))


def bytes_of(db: Clusterer) -> dict[str, tuple[str, bytes]]:
    return {name: (str(array.dtype), array.tobytes()) for name, array in db.state().items()}


def test_one_that_has_learnt_nothing_has_nothing(make: Make) -> None:
    """No micro-clusters, no cluster, and nothing to do."""
    db = make().db

    assert (0, False, 0) == (len(db), db.is_stale, db.items_of(1))
    assert [] == db.rows_of(1).tolist()
    assert (0, 2) == db.centers(db.rows_of(1)).shape
    assert (0,) == db.weights(db.rows_of(1)).shape == db.strong(db.rows_of(1)).shape


def test_an_item_gets_the_cluster_from_before_it_was_learnt(make: Make) -> None:
    """The first items of a place belong to nothing; when there is a cluster, items get its id."""
    learnt = make(fading_factor=1e-4).learn(np.zeros((6, 2)))

    assert [NO_CLUSTER] * 2 == learnt.homes[:2]
    assert [1] * 3 == learnt.homes[3:]
    assert [True, *[False] * 5] == learnt.founded
    assert [1] * 6 == learnt.births
    assert (1, 6) == (learnt.db.cluster_of(int(learnt.db.rows_of(1)[0])), learnt.db.items_of(1))


def test_places_apart_are_clusters_apart(make: Make) -> None:
    """Each with its own micro-clusters, centres and items; what comes later gets the ids from before."""
    x = np.concatenate([around(0, 40), around(50, 40)])
    learnt = make().learn(x)

    assert [1, 2] == learnt.ids()
    assert 80 == learnt.db.items_of(1) + learnt.db.items_of(2)
    for cluster, place in ((1, 0.0), (2, 50.0)):
        centers = learnt.db.centers(learnt.strong(cluster))
        assert np.abs(centers - (place, 0.0)).max() < 0.5
    learnt.learn(np.ascontiguousarray(x[::-1]))
    assert [2] * 40 + [1] * 40 == learnt.homes[80:]


def test_weights_fade(make: Make) -> None:
    """By half every 1 / lambda items, whether or not it gets some of them."""
    learnt = make(fading_factor=0.125, cleanup_interval=1000).learn(np.zeros((4, 2)))
    before = learnt.db.weights(learnt.db.rows_of(1))
    learnt.learn(np.full((8, 2), 50.0))
    after = learnt.db.weights(learnt.db.rows_of(1))

    np.testing.assert_allclose(after, before / 2.0, rtol=1e-12)


def test_the_cap_holds_and_the_lightest_leaves(make: Make) -> None:
    """At the cap a newborn takes the place of the lightest, ties going to the oldest."""
    learnt = make(max_micro_clusters=3).learn(np.array([(0, 0), (0, 0), (10, 0), (20, 0), (30, 0.0)]))

    assert 3 == len(learnt.db)
    assert [(NO_CLUSTER, 1)] == learnt.removed
    assert [1, 1, 2, 3, 4] == learnt.births
    learnt.learn(np.array([(10, 0), (0.0, 0)]))
    assert [True, False] == learnt.founded[-2:]
    assert [5, 1] == learnt.births[-2:]


def test_a_newborn_of_the_same_place_is_another(make: Make) -> None:
    """What has faded away leaves, its items accounted for; what comes back later has another birth and cluster."""
    learnt = make(fading_factor=0.2, cleanup_interval=8).learn(np.zeros((3, 2)))
    assert [1] == learnt.ids()
    learnt.learn(np.full((40, 2), 50.0))
    assert [(1, 3)] == learnt.removed
    learnt.learn(np.zeros((3, 2)))

    assert [1] * 3 + [2] * 40 + [3] * 3 == learnt.births
    assert [2, 3] == learnt.ids()


def test_clusters_that_join_are_one_with_the_heavier_id(make: Make) -> None:
    """A bridge of items between two places makes one cluster of them."""
    learnt = make(intersection_factor=0.05, fading_factor=1e-4)
    learnt.learn(np.concatenate([around(0, 20), around(1.6, 60)]))
    assert [1, 2] == learnt.ids()
    way = np.linspace(0, 1.6, 9)
    learnt.learn(np.stack([np.tile(way, 5), np.zeros(45)], axis=1))

    assert [2] == learnt.ids()
    assert 125 == learnt.db.items_of(2)


def test_a_dropped_cluster_is_forgotten(make: Make) -> None:
    """Its micro-clusters leave, and nothing else does; its place may become another cluster."""
    x = np.concatenate([around(0, 40), around(50, 40)])
    learnt = make().learn(x)
    left = len(learnt.db.rows_of(2))
    learnt.db.drop(1)
    learnt.settle()

    assert (left, [2], 0) == (len(learnt.db), learnt.ids(), learnt.db.items_of(1))
    learnt.learn(x[:40])
    assert [2, 3] == learnt.ids()


def test_other_parameters_keep_what_is_learnt(make: Make) -> None:
    """Centres, weights and items stay; weights fade from there as the other factor says."""
    learnt = make(fading_factor=0.01, cleanup_interval=1000)
    learnt.learn(np.concatenate([around(0, 30), around(50, 20)]))
    rows = learnt.db.rows_of(1)
    centers, weights = learnt.db.centers(rows), learnt.db.weights(rows)
    learnt.retune(learnt.params.with_changes(fading_factor=0.125))
    learnt.settle()

    assert rows.tolist() == learnt.db.rows_of(1).tolist()
    assert (30, 20) == (learnt.db.items_of(1), learnt.db.items_of(2))
    np.testing.assert_array_equal(centers, learnt.db.centers(rows))
    np.testing.assert_allclose(weights, learnt.db.weights(rows), rtol=1e-12)
    learnt.learn(np.full((8, 2), 90.0))
    np.testing.assert_allclose(weights / 2.0, learnt.db.weights(rows), rtol=1e-12)


def test_a_lower_cap_lets_the_lightest_go(make: Make) -> None:
    """At once, and they are told of."""
    learnt = make().learn(np.concatenate([np.zeros((9, 2)), np.arange(1, 6)[:, None] * [10.0, 0.0]]))
    learnt.retune(learnt.params.with_changes(max_micro_clusters=2))

    assert 2 == len(learnt.db)
    assert [(NO_CLUSTER, 1)] * 4 == learnt.removed
    assert 9 == learnt.db.items_of(1)


def test_a_stricter_weight_puts_clusters_to_sleep(make: Make) -> None:
    """They keep their micro-clusters, and wake up under their own id."""
    learnt = make(fading_factor=1e-4).learn(around(0, 10))
    learnt.retune(learnt.params.with_changes(minimum_weight=100.0))
    learnt.learn(np.full((1, 2), 50.0))
    assert ([], 10) == (learnt.strong(1).tolist(), learnt.db.items_of(1))
    learnt.retune(learnt.params.with_changes(minimum_weight=2.0))
    learnt.learn(around(0, 1))

    assert len(learnt.strong(1))
    assert [1] == learnt.ids()


def test_an_empty_batch_changes_nothing(make: Make) -> None:
    """Not a bit."""
    learnt = make().learn(around(0, 20))
    before = bytes_of(learnt.db)
    learnt.learn(np.empty((0, 2)))

    assert before == bytes_of(learnt.db)


def test_reading_changes_nothing(make: Make) -> None:
    """Whatever is asked, the state stays what it was to the bit."""
    learnt = make().learn(around(0, 20))
    before = bytes_of(learnt.db)
    rows = learnt.db.rows_of(1)
    learnt.db.centers(rows)[:] = 9.0
    learnt.db.weights(rows)[:] = 9.0
    learnt.db.strong(rows)
    learnt.db.items_of(1)
    for array in learnt.db.state().values():
        array[:] = 0

    assert before == bytes_of(learnt.db)


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=60, deadline=None)
@given(stream=streams(max_items=100, max_dim=8), cuts=st.lists(st.integers(0, 99), max_size=4))
def test_a_batch_gives_what_its_items_give(backend: Backend, stream: Stream, cuts: list[int]) -> None:
    """Bit for bit, ids included, wherever the stream is cut into batches."""
    x, params = stream[0], params_of(stream, backend)
    single, batched = Driven(x.shape[1], params), Driven(x.shape[1], params)
    for n in range(len(x)):
        single.learn(x[n : n + 1])
    for a, b in zip([0, *sorted(cuts)], [*sorted(cuts), len(x)], strict=True):
        batched.learn(x[a:b])

    assert bytes_of(single.db) == bytes_of(batched.db)
    assert (single.homes, single.births, single.removed) == (batched.homes, batched.births, batched.removed)


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=60, deadline=None)
@given(stream=streams(max_items=100, max_dim=8), cut=st.integers(0, 99), other=streams(max_items=1))
def test_restore_and_continue_is_bit_identical(
    backend: Backend, stream: Stream, cut: int, other: Stream
) -> None:
    """Stored and restored in mid-stream, and between a change of parameters and its effects, it ends the same."""
    x, params = stream[0], params_of(stream, backend)
    later = params.with_changes(**{name: other[1][name] for name in OF_BOTH})
    whole, part = Driven(x.shape[1], params), Driven(x.shape[1], params)
    for driven in (whole, part):
        driven.learn(x[:cut])
        if driven is part:
            before = bytes_of(part.db)
            part.store_and_restore()
            assert before == bytes_of(part.db)
        driven.retune(later)
        if driven is part:
            part.store_and_restore()
        driven.learn(x[cut:])

    assert bytes_of(whole.db) == bytes_of(part.db)
    assert (whole.homes, whole.births, whole.removed) == (part.homes, part.births, part.removed)


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=60, deadline=None)
@given(stream=streams(max_items=100, max_dim=8))
def test_every_item_is_accounted_for(backend: Backend, stream: Stream) -> None:
    """It is with a micro-cluster of a cluster, or with one of none, or left with one; and the cap holds."""
    x, params = stream[0], params_of(stream, backend)
    learnt = Driven(x.shape[1], params)
    for n, row in enumerate(x):
        learnt.learn(row[None])
        micro = sum(len(learnt.db.rows_of(c)) for c in range(learnt.next_id))
        items = sum(learnt.db.items_of(c) for c in range(learnt.next_id))

        assert n + 1 == items + sum(items for _, items in learnt.removed)
        assert micro == len(learnt.db) <= params.max_micro_clusters
        assert {
            c: {learnt.db.cluster_of(r) for r in learnt.db.rows_of(c).tolist()} for c in learnt.ids()
        } == {c: {c} for c in learnt.ids()}
        assert all((learnt.db.weights(learnt.db.rows_of(c)) > 0).all() for c in learnt.ids())
        assert not learnt.strong(NO_CLUSTER).size


# The choice


def test_river_is_loaded_only_where_it_is_chosen() -> None:
    """An engine with our own clusterer runs without."""
    code = (
        "import sys; from service.clustering import clusterer, engine, snapshot; "
        "from service.clustering.params import EngineParams; "
        "clusterer.made(2, EngineParams()); print('river' in sys.modules); "
        "clusterer.made(2, EngineParams(backend='river')); print('river' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ["False", "True"] == ran.stdout.split()


def test_the_message_says_what_to_do() -> None:
    """Another backend on a stream that has state: the old setting, or another stream."""
    message = str(BackendChanged(own="river", wanted="firstseen"))

    assert "Set FIRSTSEEN_BACKEND=river as before, or give FIRSTSEEN_STREAM another name" in message


def test_items_of_ours_lie_in_a_ball_and_rivers_anywhere() -> None:
    """River leaves nothing out, so its clusters reach everywhere."""
    ours = EngineParams(clustering_threshold=1.5)

    assert 1.5 == clusterer.reach(ours)
    assert float("inf") == clusterer.reach(ours.with_changes(backend="river"))


def test_what_is_no_state_of_its_own_is_not_restored(make: Make) -> None:
    """Arrays of a stream of other dimensions, of the other clusterer, or of none."""
    driven = make().learn(around(0.0, 20))
    other: Backend = "firstseen" if driven.params.backend == "river" else "river"
    with pytest.raises(SnapshotUnreadable, match=r"centers of shape \(\d+, 2\), not \(\d+, 3\)"):
        clusterer.restored(driven.db.state(), 3, driven.params)
    for arrays, params in (
        (driven.db.state(), driven.params.with_changes(backend=other)),
        ({}, driven.params),
    ):
        with pytest.raises(SnapshotUnreadable, match="the names of the arrays"):
            clusterer.restored(arrays, 2, params)
