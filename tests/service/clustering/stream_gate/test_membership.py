"""Memberships: a cluster claims its own, nothing out of its reach, and hands its claim on when it ends."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.clustering.stream_gate import StreamFit, constants
from service.clustering.stream_gate.membership import Memberships, fit_membership, membership_odds
from service.clustering.stream_gate.records import FitJob
from service.records import NO_CLUSTER, Float32s

F = 3
WIDTH = 2 * (F + 1)


def cloud(seed: int, n: int, *center: float) -> Float32s:
    place = np.zeros(F)
    place[: len(center)] = center
    return (place + np.random.default_rng(seed).normal(0, 1, (n, F))).astype(np.float32)


def job_of(parts: Mapping[int, Float32s], earlier: Mapping[int, Float32s] | None = None) -> FitJob:
    """A window with these items of each cluster; those of NO_CLUSTER are known."""
    window = np.concatenate(list(parts.values()))
    clusters = np.repeat(np.array(list(parts), dtype=np.int64), [len(part) for part in parts.values()])
    return FitJob(
        features=window.astype(np.float16),
        cores=np.zeros(len(window), dtype=np.int32),
        births=clusters,
        clusters=clusters,
        refused=clusters != NO_CLUSTER,
        refreshed=tuple(c for c in parts if c != NO_CLUSTER),
        weights=None,
        earlier=earlier or {},
    )


def membership(job: FitJob, cluster: int, *, usual: float = -1.0) -> Float32s:
    """Of a cluster against known items around 0; log r is the first feature, and `usual`."""
    held_out = cloud(9, 500)
    weights = np.array([1.0, 0.0, 0.0, usual], dtype=np.float32)
    return fit_membership(
        job, job.features.astype(np.float32), held_out, np.full(500, 1 / 500), cluster, weights
    )


def fit_of(rows: Mapping[int, float]) -> StreamFit:
    """A fit whose memberships are rows of one number."""
    return StreamFit(
        weights=np.zeros(F + 1, np.float32),
        shares=np.ones(1, np.float32),
        members=np.array([[value] * WIDTH for value in rows.values()], np.float32).reshape(-1, WIDTH),
        clusters=np.array(list(rows), dtype=np.int64),
        joins=np.empty((0, 2), dtype=np.int64),
        partings=np.empty((0, 2), dtype=np.int64),
    )


def shown(members: Memberships) -> list[tuple[int, float]]:
    return list(zip(members.clusters.tolist(), members.rows[:, 0].tolist(), strict=True))


def itself(cluster: int) -> int:
    return cluster


def test_a_cluster_claims_its_own_and_no_other() -> None:
    """Not known items, not another cluster's, and nothing that lies farther off in its direction."""
    job = job_of({NO_CLUSTER: cloud(0, 300), 5: cloud(1, 60, 4), 6: cloud(2, 60, 4, 5)})
    row = membership(job, 5)

    def claimed(items: Float32s) -> float:
        return float((membership_odds(items.astype(np.float16), row) > 0).mean())

    assert row.shape == (WIDTH,)
    assert claimed(cloud(3, 500, 4)) > 0.7
    assert claimed(cloud(4, 500)) < 0.02
    assert claimed(cloud(5, 500, 4, 5)) < 0.02
    assert claimed(cloud(6, 500, 40)) == 0.0


def test_what_known_classes_leak_into_it_is_left_out() -> None:
    """Items of the cluster that the stream finds usual do not count, unless too few are left."""
    leaks = cloud(7, 30, -1)
    mixed = job_of({NO_CLUSTER: cloud(0, 300), 5: np.concatenate([cloud(1, 60, 4), leaks])})
    with_leaks = membership(mixed, 5, usual=5.0)
    without = membership(mixed, 5)
    few = membership(mixed, 5, usual=-99.0)

    assert without[F + 1] > 3.5 > with_leaks[F + 1]
    np.testing.assert_array_equal(with_leaks, few)


def test_items_in_one_place_have_a_reach() -> None:
    """A cluster of one item over and over claims that item, and divides by nothing."""
    job = job_of({NO_CLUSTER: cloud(0, 300), 5: np.repeat(np.float32([[4, 4, 4]]), 40, axis=0)})
    row = membership(job, 5)
    odds = membership_odds(np.array([[4, 4, 4], [4, 4, 5], [0, 0, 0]], dtype=np.float16), row)

    assert row[-1] == np.float32(constants.LEAST_REACH)
    assert np.isfinite(odds).all()
    assert [True, False, False] == (odds > 0).tolist()


def test_where_it_began_is_no_matter() -> None:
    """From the membership of a cluster that it took in it comes to the same."""
    parts = {NO_CLUSTER: cloud(0, 300), 5: cloud(1, 60, 4)}
    afresh = membership(job_of(parts), 5)
    far = np.random.default_rng(0).normal(0, 3, WIDTH).astype(np.float32)

    np.testing.assert_allclose(afresh, membership(job_of(parts, {5: far}), 5), atol=1e-2)


def test_beyond_its_reach_odds_only_fall() -> None:
    """At the centre the linear odds; beyond, never above -(distance over reach) squared."""
    row = np.array([0, 0, 0, 3, 1, 0, 0, 4], dtype=np.float32)
    at = np.array([[1, 0, 0], [2.9, 0, 0], [3.5, 0, 0], [100, 0, 0]], dtype=np.float16)

    np.testing.assert_allclose(membership_odds(at, row), [3, 3, -(2.5**2) / 4, -(99.0**2) / 4], rtol=1e-3)


def test_what_is_refreshed_goes_to_the_end() -> None:
    """So the first are the longest unfitted."""
    members = (
        Memberships.none(F).after(fit_of({1: 1, 2: 2, 3: 3}), itself).after(fit_of({2: 9, 4: 4}), itself)
    )

    assert [(1, 1), (3, 3), (2, 9), (4, 4)] == shown(members)
    assert members.of(2) is not None
    assert members.of(7) is None


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_a_merged_clusters_membership_is_its_heirs(order: tuple[int, ...]) -> None:
    """Where the heir has none of its own; what is gone hands nothing on."""
    fit = fit_of({cluster: cluster for cluster in (*order, 3)})
    both = Memberships.none(F).after(fit, {1: 2, 2: 2, 3: NO_CLUSTER}.__getitem__)
    only = Memberships.none(F).after(fit_of({1: 1}), {1: 2}.__getitem__)

    assert [(2, 2)] == shown(both)
    assert [(2, 1)] == shown(only)


@given(st.lists(st.sets(st.integers(1, 300), max_size=2), max_size=90), st.sets(st.integers(1, 300)))
def test_there_are_few_and_each_is_of_a_cluster_that_is(fits: list[set[int]], gone: set[int]) -> None:
    """However many clusters come and go: no more than the bound, of no cluster twice, and of none that has ended."""
    members = Memberships.none(F)
    for fit in fits:
        members = members.after(fit_of(dict.fromkeys(fit, 1.0)), lambda c: NO_CLUSTER if c in gone else c)
        assert len(members) <= constants.MOST_MEMBERSHIPS
        assert len(set(members.clusters.tolist())) == len(members)
        assert not gone & set(members.clusters.tolist())
        assert (len(members), WIDTH) == members.rows.shape
