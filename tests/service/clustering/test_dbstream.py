"""The array DBSTREAM against the paper, and what it promises beyond it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import make_circles, make_moons
from sklearn.metrics import adjusted_rand_score

from service.clustering.dbstream import DBSTREAM, UNLINK_AT
from service.clustering.params import EngineParams
from tests.service.clustering.literal_dbstream import LiteralDBSTREAM


def made(dim: int = 2, **changes: float) -> DBSTREAM:
    defaults: dict[str, float] = {"clustering_threshold": 1.0, "minimum_weight": 2.0}
    return DBSTREAM(dim, EngineParams(**{**defaults, **changes}))  # type: ignore[arg-type]


def learnt(db: DBSTREAM, *points: tuple[float, ...]) -> DBSTREAM:
    for point in points:
        db.learn(np.array(point, dtype=np.float64))
    return db


@st.composite
def streams(draw: st.DrawFn) -> tuple[np.ndarray, EngineParams]:
    """Streams with drift, duplicates and ties, at any offset, under any parameters."""
    dim = draw(st.integers(1, 6))
    n = draw(st.integers(1, 120))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["blobs", "uniform", "grid", "drift"]))
    if kind == "grid":
        x = rng.integers(-2, 3, (n, dim)) * 0.5
    elif kind == "uniform":
        x = rng.uniform(-2, 2, (n, dim))
    else:
        x = rng.normal(0, 0.4, (n, dim)) + rng.integers(0, 3, (n, 1)) * 2.0
        if kind == "drift":
            x += np.linspace(0, 3, n)[:, None]
    x = x + draw(st.sampled_from([0.0, 1e4]))
    params = EngineParams(
        clustering_threshold=draw(st.sampled_from([0.3, 1.0, 2.5])),
        fading_factor=draw(st.sampled_from([1e-4, 0.01, 0.2])),
        cleanup_interval=draw(st.sampled_from([3, 10, 1000])),
        intersection_factor=draw(st.sampled_from([0.05, 0.3])),
        minimum_weight=draw(st.sampled_from([1.5, 3.0])),
        max_micro_clusters=draw(st.sampled_from([4, 1000])),
    )
    return np.asarray(x, dtype=np.float64), params


@settings(max_examples=150, deadline=None)
@given(streams())
def test_it_is_the_papers_algorithm(stream: tuple[np.ndarray, EngineParams]) -> None:
    """Centres, weights and shared densities equal those of the literal implementation at every item."""
    x, p = stream
    fast = DBSTREAM(x.shape[1], p)
    slow = LiteralDBSTREAM(
        p.clustering_threshold,
        p.fading_factor,
        p.cleanup_interval,
        p.intersection_factor,
        p.max_micro_clusters,
    )
    for row in x:
        fast.learn(row)
        slow.learn(row.tolist())

        assert list(slow.centers) == fast.births.tolist()
    ids = fast.births.tolist()
    np.testing.assert_allclose(fast.centers, [slow.centers[i] for i in ids], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(fast.faded_weights(), [slow.weight(i) for i in ids], rtol=1e-9)
    faded = fast.shared * np.exp2(-p.fading_factor * (fast.t - fast.shared_at))
    np.testing.assert_allclose(
        faded, [[slow.density(i, j) if i != j else 0.0 for j in ids] for i in ids], rtol=1e-9, atol=1e-12
    )


@settings(max_examples=60, deadline=None)
@given(streams())
def test_strength_and_links_are_true_after_a_cleanup(stream: tuple[np.ndarray, EngineParams]) -> None:
    """Right after a clean-up, strong means w >= w_min, and links lie between alpha and its hysteresis."""
    x, p = stream
    db = DBSTREAM(x.shape[1], p)
    for row in x:
        db.learn(row)
        if db.t % p.cleanup_interval:
            continue
        w = db.faded_weights()
        ratio = db.shared * np.exp2(-p.fading_factor * (db.t - db.shared_at)) / ((w[:, None] + w) / 2)

        assert (db.strong == (w >= p.minimum_weight)).all()
        assert db.linked[ratio >= p.intersection_factor].all()
        assert not db.linked[ratio < UNLINK_AT * p.intersection_factor * 0.999999].any()
        assert (db.linked == db.linked.T).all()


@settings(max_examples=40, deadline=None)
@given(streams(), st.integers(0, 119))
def test_restore_and_continue_is_bit_identical(stream: tuple[np.ndarray, EngineParams], cut: int) -> None:
    """A clusterer that was stored and restored in mid-stream ends in the same state, to the bit."""
    x, p = stream
    whole = DBSTREAM(x.shape[1], p)
    for row in x:
        whole.learn(row)
    part = DBSTREAM(x.shape[1], p)
    for row in x[:cut]:
        part.learn(row)
    part = DBSTREAM.from_state(part.state(), p)
    for row in x[cut:]:
        part.learn(row)

    for name, array in whole.state().items():
        np.testing.assert_array_equal(array, part.state()[name], err_msg=name)


def test_an_empty_clusterer_knows_nothing() -> None:
    """Without micro-clusters there is no cluster and no nearest one."""
    db = made()

    assert db.nearest_strong(np.zeros(2)) is None
    assert [] == db.components().tolist()


def test_a_far_point_is_an_outlier() -> None:
    """A point outside every ball belongs to nothing, however strong the nearest is."""
    db = learnt(made(), *[(0.0, 0.0)] * 20)

    assert 0 == db.nearest_strong(np.array([0.2, 0.0]))
    assert db.nearest_strong(np.array([100.0, 100.0])) is None


def test_a_weak_micro_cluster_gives_no_verdict() -> None:
    """One item makes a micro-cluster, not yet a strong one."""
    db = learnt(made(), (0.0, 0.0))

    assert db.nearest_strong(np.zeros(2)) is None
    assert [-1] == db.components().tolist()


def test_a_chain_is_one_component() -> None:
    """Links are undirected: a path a-b-c is one component, whichever of the three is oldest."""
    db = made(3)
    learnt(db, (0.0, 0, 0), (3.0, 0, 0), (6.0, 0, 0))
    db.strong[:] = True
    for i, j in [(0, 2), (1, 2)]:
        db.linked[i, j] = db.linked[j, i] = True

    assert [0, 0, 0] == db.components().tolist()


def test_the_cap_holds_and_the_lightest_leaves() -> None:
    """At the cap a newborn takes the place of the lightest, ties going to the oldest."""
    db = made(max_micro_clusters=3)
    learnt(db, (0.0, 0.0), (0.0, 0.0), (10.0, 0.0), (20.0, 0.0))

    removed = db.learn(np.array([30.0, 0.0])).removed

    assert 3 == len(db)
    assert ((0, 1),) == removed
    assert [1, 3, 4] == db.births.tolist()


def test_what_is_not_fed_fades_away() -> None:
    """A micro-cluster that gets nothing is removed at a clean-up, and births are never given twice."""
    db = made(fading_factor=0.1, cleanup_interval=10)
    learnt(db, (0.0, 0.0), *[(50.0, 0.0)] * 40)

    assert [2] == db.births.tolist()
    assert 3 == db.learn(np.array([0.0, 0.0])).birth


@pytest.mark.parametrize(
    ("make", "r"),
    [
        (lambda: make_moons(4000, noise=0.05, random_state=0), 0.15),
        (lambda: make_circles(4000, noise=0.03, factor=0.5, random_state=0), 0.12),
    ],
    ids=["moons", "circles"],
)
def test_shared_density_finds_shapes_that_centroids_cannot(make: object, r: float) -> None:
    """Two moons, and two circles, come out as two clusters each: ARI above .99 over the points assigned."""
    x, y = make()  # type: ignore[operator]
    db = made(clustering_threshold=r, fading_factor=1e-5, intersection_factor=0.1, minimum_weight=3.0)
    for row in x:
        db.learn(row)
    part = db.components()
    rows = [db.nearest_strong(row) for row in x]
    assigned = [k for k, row in enumerate(rows) if row is not None]
    found = [part[rows[k]] for k in assigned]

    assert len(assigned) > 0.95 * len(x)
    assert adjusted_rand_score(y[assigned], found) > 0.99
