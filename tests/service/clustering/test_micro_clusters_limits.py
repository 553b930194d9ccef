"""Micro-clusters at their limits: nothing learnt, caps, full lists, gaps, far items, other parameters."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.clustering.kernels import state as at
from service.clustering.micro_clusters import MicroClusters
from service.clustering.params import ClustererParams
from service.records import NO_CLUSTER
from tests.service.clustering.driven import Driven, Floats, assert_equal, assert_same_state, driven, points
from tests.service.clustering.literal_dbstream import LiteralDBSTREAM
from tests.service.clustering.stream_strategies import Stream, streams

# Reading


def test_an_empty_clusterer_knows_nothing() -> None:
    """Without micro-clusters there is no cluster and no nearest one."""
    db = driven()

    assert [NO_CLUSTER] == db.micro.predict(np.zeros((1, 2))).tolist()
    assert 0 == len(db.micro)


def test_a_far_point_is_an_outlier() -> None:
    """A point outside every ball belongs to nothing, however strong the nearest is."""
    db = driven().learn(np.zeros((20, 2)))

    assert [1, NO_CLUSTER] == db.micro.predict(points((0.2, 0.0), (100.0, 100.0))).tolist()


def test_a_weak_micro_cluster_gives_no_verdict() -> None:
    """One item makes a micro-cluster, not yet a strong one."""
    db = driven().learn(np.zeros((1, 2)))

    assert [NO_CLUSTER] == db.micro.predict(np.zeros((1, 2))).tolist()


def test_weights_are_faded_when_they_are_read() -> None:
    """A cluster that gets nothing any more gives no verdict from the very item on at which it is too light."""
    db = driven(fading_factor=0.1, cleanup_interval=1000, minimum_weight=2.0).learn(np.zeros((4, 2)))
    heaviest = float(db.micro.weights(db.micro.rows())[0])
    far = np.arange(1, 100)[:, None] * [10.0, 0.0]
    lives = 0
    while heaviest * 2.0 ** (-0.1 * lives) >= 2.0:
        lives += 1

    assert lives > 2
    db.learn(far[: lives - 1])
    assert [1] == db.micro.predict(np.zeros((1, 2))).tolist()
    db.learn(far[lives - 1 : lives])
    assert [NO_CLUSTER] == db.micro.predict(np.zeros((1, 2))).tolist()


def test_a_cluster_that_wakes_up_is_the_one_that_fell_asleep() -> None:
    """Its micro-cluster became weak and strong again: the id is the old one."""
    db = driven(fading_factor=0.2, cleanup_interval=1000).learn(np.zeros((4, 2)))
    before = db.partition()
    db.learn(np.arange(1, 20)[:, None] * [10.0, 0.0])

    assert 1 not in db.partition()
    db.learn(np.zeros((3, 2)))
    assert before[1] == db.partition()[1]


# Caps


def test_the_cap_holds_and_the_lightest_leaves() -> None:
    """At the cap a newborn takes the place of the lightest, ties going to the oldest."""
    db = driven(max_micro_clusters=3).learn(points((0, 0), (0, 0), (10, 0), (20, 0)))
    db.learn(points((30, 0)))

    assert 3 == len(db.micro)
    assert [(NO_CLUSTER, 1)] == [db.removed[-1]]
    assert [1, 3, 4] == db.micro.births(db.micro.rows()).tolist()


def test_memory_is_bounded_by_the_caps() -> None:
    """A flood of noise leaves no more rows than the cap, and no more bytes than the docstring says."""
    rng = np.random.default_rng(0)
    cap, dim, degree = 300, 16, 8
    db = driven(dim, max_micro_clusters=cap, max_degree=degree, clustering_threshold=0.5)
    sizes = []
    for _ in range(4):
        db.learn(rng.uniform(-9, 9, (2_000, dim)))
        sizes.append(db.micro.nbytes)
    rows = -(-cap // at.LANES) * at.LANES

    assert cap == len(db.micro)
    assert sizes[0] == sizes[-1]
    assert sizes[-1] <= rows * (4 * dim + 8 * dim + 13 * degree + 170) + 10_000


def test_what_is_not_fed_fades_away() -> None:
    """A micro-cluster that gets nothing is removed at a clean-up, and births are never given twice."""
    db = driven(fading_factor=0.1, cleanup_interval=10).learn(points((0, 0), *[(50, 0)] * 40))

    assert [2] == db.micro.births(db.micro.rows()).tolist()
    db.learn(np.zeros((1, 2)))
    assert [2, 3] == db.micro.births(db.micro.rows()).tolist()


def test_dropping_a_cluster_forgets_its_micro_clusters() -> None:
    """And nothing else; what shared density with them shares it no longer."""
    db = driven().learn(points(*[(0, 0)] * 3, *[(50, 0)] * 3))
    gone, kept = (int(db.micro.predict(points(p))[0]) for p in ((0, 0), (50, 0)))
    db.micro.drop(gone)

    assert [NO_CLUSTER, kept] == db.micro.predict(points((0, 0), (50, 0))).tolist()
    assert 0 == db.micro.items_of(gone)
    assert 1 == len(db.micro)


# Full lists, gaps, far items


def chain(length: int, spacing: float = 1.2) -> Floats:
    """A row of overlapping balls, three items each and one between neighbours: one cluster of them all."""
    places = np.arange(length) * spacing
    between = np.repeat((places[1:] + places[:-1]) / 2, 3)
    x = np.concatenate([np.repeat(places, 3), between])
    return np.stack([x, np.zeros_like(x)], axis=1)


def test_more_flips_than_the_lists_hold_are_settled_all_the_same() -> None:
    """A pause that weakens half of a long chain at once: the partition is the literal one's."""
    p: dict[str, Any] = {
        "clustering_threshold": 1.0,
        "fading_factor": 0.011,
        "cleanup_interval": 10_000,
        "intersection_factor": 0.05,
        "minimum_weight": 2.5,
        "max_micro_clusters": 1000,
        "max_degree": 64,
        "unlink_fraction": 0.7,
    }
    x = chain(300)
    x = np.concatenate([x, x[::2], [[1e3, 1e3]]])
    times = [0.0] * (len(x) - 1) + [60.0]
    fast, slow = Driven(2, ClustererParams(**p)), LiteralDBSTREAM(**p)
    fast.learn(x, times)
    for row, t in zip(x, times, strict=True):
        slow.learn(row.tolist(), t)

    assert len(fast.micro) > 2 * at.LANES
    assert_equal(fast, slow, x[::7].copy())


@pytest.mark.parametrize("k", [31, 32, 33, 70])
def test_an_item_may_lie_in_any_number_of_balls(k: int) -> None:
    """More than the scratch rows there are at first; centres on different axes are too far apart to meet."""
    centers = np.eye(k) * 0.95
    p: dict[str, Any] = {
        "clustering_threshold": 1.0,
        "fading_factor": 0.0103,
        "cleanup_interval": 1000,
        "intersection_factor": 0.1007,
        "minimum_weight": 1.45,
        "max_micro_clusters": 1000,
        "max_degree": 64,
        "unlink_fraction": 0.7,
    }
    x = np.concatenate([centers, np.zeros((3, k)), centers[:5]])
    fast, slow = Driven(k, ClustererParams(**p)).learn(x), LiteralDBSTREAM(**p)
    for row in x:
        slow.learn(row.tolist())

    assert_equal(fast, slow, x)


def test_all_may_leave_at_once() -> None:
    """The lightest for a newborn at the cap, and then the newborn and all others in the clean-up after it."""
    db = driven(max_micro_clusters=at.LANES, cleanup_interval=1000)
    db.learn(np.arange(at.LANES)[:, None] * [10.0, 0.0])
    db.micro.retune(db.micro.params.with_changes(cleanup_interval=0.5))
    db.settle()
    db.learn(points((-50, 0)))

    assert at.LANES + 1 == len(db.removed)
    assert 0 == len(db.micro)


def test_gaps_that_a_flood_left_are_closed() -> None:
    """When few are left of many, the rows of the many are given back, and nothing else changes."""
    db = driven(fading_factor=0.1, cleanup_interval=50, max_micro_clusters=2_000)
    db.learn(np.arange(1_500)[:, None] * [10.0, 0.0], [0.0] * 1_500)
    high = db.micro.nbytes
    db.learn(np.zeros((5, 2)) - 7.0, [1e3] * 5)
    copy = MicroClusters.from_state(db.micro.state(), db.micro.params)
    db.learn(np.zeros((5, 2)) - 7.0, [1e3] * 5)
    other = Driven(2, db.micro.params)
    other.micro = copy
    other.learn(np.zeros((5, 2)) - 7.0, [1e3] * 5)

    assert db.micro.nbytes < high / 4
    assert_same_state(other.micro, db.micro)


@pytest.mark.parametrize("far", [1e9, 1e20])
def test_a_far_item_does_not_spoil_the_search(far: float) -> None:
    """Whether it comes first or later, results are the literal one's, and the search goes on to leave rows out."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 9, (300, 3)) * 3.0 + rng.normal(0, 0.2, (300, 3))
    x[[0, 150]] = far
    p: dict[str, Any] = {
        "clustering_threshold": 1.0,
        "fading_factor": 0.0103,
        "cleanup_interval": 50,
        "intersection_factor": 0.1007,
        "minimum_weight": 1.45,
        "max_micro_clusters": 1000,
        "max_degree": 64,
        "unlink_fraction": 0.7,
    }
    fast, slow = Driven(3, ClustererParams(**p)).learn(x), LiteralDBSTREAM(**p)
    for row in x:
        slow.learn(row.tolist())

    assert_equal(fast, slow, x)
    assert fast.micro._real[at.REACH] < 100


@pytest.mark.parametrize("n", [1, 3, 6, 7, 9, 11, 20])
@given(st.floats(0.0, 2e9))
@settings(deadline=None, max_examples=30)
def test_items_of_one_moment_that_are_just_enough_are_enough(n: int, t: float) -> None:
    """Whatever the time: n items weigh n, and w_min = n makes them strong."""
    db = driven(1, minimum_weight=float(n), fading_factor=1e-3).learn(np.zeros((n, 1)), [t] * n)

    assert [True] == db.micro.strong(db.micro.rows()).tolist()


# Other parameters


@settings(max_examples=60, deadline=None)
@given(streams(max_items=80, max_dim=8), streams(max_items=1))
def test_other_parameters_keep_what_is_learnt(stream: Stream, other: Stream) -> None:
    """Under any other parameters weights and centres are what they were, to rounding, for what the caps let stay."""
    x, p = stream
    db = Driven(x.shape[1], ClustererParams(**p)).learn(x)
    rows = db.micro.rows()
    before = dict(zip(db.micro.births(rows).tolist(), db.micro.weights(rows).tolist(), strict=True))
    items = int(db.micro.counts(rows).sum())
    params = ClustererParams(**{**p, **{k: v for k, v in other[1].items() if k != "clustering_threshold"}})
    removed = db.micro.retune(params)
    db.settle()
    rows = db.micro.rows()
    after = dict(zip(db.micro.births(rows).tolist(), db.micro.weights(rows).tolist(), strict=True))

    again = Driven(x.shape[1], params)
    again.micro, again.next_id = MicroClusters.from_state(db.micro.state(), params), db.next_id

    assert params == db.micro.params
    assert min(len(before), params.max_micro_clusters) == len(after)
    assert items == int(db.micro.counts(rows).sum()) + sum(n for _, n in removed)
    np.testing.assert_allclose(list(after.values()), [before[birth] for birth in after], rtol=1e-12)
    assert (db.micro.strong(rows) == (db.micro.weights(rows) >= params.minimum_weight)).all()
    assert db.micro.pairs(rows)[0].shape[1] <= len(rows) * params.max_degree / 2
    db.learn(x)
    again.learn(x)
    assert_same_state(db.micro, again.micro)


def test_the_same_parameters_change_nothing() -> None:
    """Not a bit of the state."""
    db = driven().learn(np.random.default_rng(0).normal(size=(50, 2)))
    before = db.micro.state()

    assert () == db.micro.retune(db.micro.params)
    after = db.micro.state()
    assert all(before[name].tobytes() == after[name].tobytes() for name in before)
