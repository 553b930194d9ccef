"""Joins: pieces of one class are one, two classes are two, and an accident is no reason."""

import math

import numpy as np
import pytest
from scipy.linalg import cho_solve

from service.clustering.stream_gate import constants
from service.clustering.stream_gate.joins import are_one, find_joins, within_classes
from service.clustering.stream_gate.records import FitJob
from service.records import NO_CLUSTER, Float32s, Int64s

F = 6
NONE = NO_CLUSTER


def job_of(window: Float32s, clusters: Int64s, refreshed: tuple[int, ...] = (2,)) -> FitJob:
    return FitJob(
        features=window.astype(np.float16),
        cores=np.full(len(window), -1, dtype=np.int32),
        births=clusters.astype(np.int64),
        clusters=clusters.astype(np.int64),
        refused=np.ones(len(window), dtype=np.bool_),
        refreshed=refreshed,
        weights=None,
        earlier={},
    )


def pieces(seed: int, n: int = 400) -> tuple[Float32s, Int64s]:
    """One class; its items left and right of the middle are two clusters, those in the middle of none."""
    window = np.random.default_rng(seed).normal(0, 1, (n, F)).astype(np.float32)
    return window, np.select([window[:, 0] < -0.5, window[:, 0] > 0.5], [1, 2], NONE)


def classes(seed: int, apart: float, n: int = 400) -> tuple[Float32s, Int64s]:
    """Two classes, a cluster each."""
    window = np.random.default_rng(seed).normal(0, 1, (n, F)).astype(np.float32)
    window[n // 2 :, 0] += apart
    return window, np.where(np.arange(n) < n // 2, 1, 2)


def within(spread: float = 1.0) -> tuple[np.ndarray, bool]:
    rng = np.random.default_rng(99)
    return within_classes(rng.normal(0, spread, (500, F)).astype(np.float32), rng.integers(0, 3, 500))


@pytest.mark.parametrize("seed", range(5))
def test_pieces_of_one_class_are_one(seed: int) -> None:
    """The younger ends, the older takes it in."""
    window, clusters = pieces(seed)

    assert [[2, 1]] == find_joins(job_of(window, clusters), window, within(), math.inf).tolist()


@pytest.mark.parametrize("seed", range(5))
def test_two_classes_are_two(seed: int) -> None:
    """There is a valley between them."""
    window, clusters = classes(seed, apart=6.0)
    joins = find_joins(job_of(window, clusters), window, within(), math.inf)

    assert (0, 2) == joins.shape
    assert np.int64 == joins.dtype


def bridged(between: int, ends: int = 40) -> tuple[Float32s, Int64s]:
    """Two clusters of so many items, 4 apart and 4 wide in another direction, with items of none half-way."""
    clusters = np.repeat([1, 2, NONE], [ends, ends, between])
    window = np.random.default_rng(0).normal(0, 0.01, (len(clusters), F)).astype(np.float32)
    window[:, 0] += np.select([clusters == 1, clusters == 2], [0.0, 4.0], 2.0)
    window[: 2 * ends, 1] += np.where(np.arange(2 * ends) % 2 == 0, 2.0, -2.0)
    return window, clusters


def test_it_is_for_certain_or_not_at_all() -> None:
    """Half as many items between as at the centres, and two standard errors of their number more."""
    enough = next(n for n in range(20, 100) if n - constants.SURE * math.sqrt(n) >= constants.NO_VALLEY * 40)
    one = []
    for between in (20, enough - 1, enough):
        window, clusters = bridged(between)
        one.append(are_one(window, job_of(window, clusters), 2, 1, within(), math.inf))

    assert [False, False, True] == one


def test_a_few_items_between_are_an_accident() -> None:
    """Ten are more than half of six, surely; so are nine, but nine are few."""
    one = []
    for between in (constants.FEWEST_BETWEEN - 1, constants.FEWEST_BETWEEN):
        window, clusters = bridged(between, ends=6)
        assert between - constants.SURE * math.sqrt(between) >= constants.NO_VALLEY * 6
        one.append(are_one(window, job_of(window, clusters), 2, 1, within(), math.inf))

    assert [False, True] == one


def test_what_is_farther_apart_than_known_classes_is_two() -> None:
    """However many items there are between."""
    window, clusters = pieces(0)
    a, b = (window[clusters == k].mean(axis=0).astype(np.float64) for k in (1, 2))
    apart = float((b - a) @ cho_solve(within(), b - a))
    job = job_of(window, clusters)

    assert are_one(window, job, 2, 1, within(), 1.01 * apart)
    assert not are_one(window, job, 2, 1, within(), 0.99 * apart)


def test_only_a_refreshed_one_is_looked_at_and_only_with_an_older_one() -> None:
    """And only with one that has enough items in the window; at most one pair a fit."""
    window, clusters = pieces(0)
    few = clusters.copy()
    few[np.flatnonzero(clusters == 1)[constants.FEWEST_MEMBERS - 1 :]] = NONE
    thrice = np.where(clusters == NONE, 3, clusters)

    assert 0 == len(find_joins(job_of(window, clusters, refreshed=(1,)), window, within(), math.inf))
    assert 0 == len(find_joins(job_of(window, clusters, refreshed=()), window, within(), math.inf))
    assert 0 == len(find_joins(job_of(window, few), window, within(), math.inf))
    assert 1 == len(find_joins(job_of(window, thrice, refreshed=(2, 3)), window, within(), math.inf))


def test_items_in_one_place_are_one() -> None:
    """Nothing tells the two centres apart, and nothing is divided by that."""
    window = np.ones((60, F), dtype=np.float32)

    assert are_one(window, job_of(window, np.arange(60) % 2 + 1), 2, 1, within(), math.inf)


@pytest.mark.parametrize("spread", [0.0, 1e-6, 1e3])
def test_the_unit_is_that_of_known_classes(spread: float) -> None:
    """Known classes that vary hardly at all, or in nothing, or much: there is a direction, and it is numbers."""
    factor, _ = within(spread)
    window, clusters = classes(0, apart=6.0)

    assert np.isfinite(factor).all()
    assert not are_one(window, job_of(window, clusters), 2, 1, within(spread), math.inf)


def test_the_covariance_is_that_within_classes() -> None:
    """How far the classes are from each other does not enter."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 600)
    x = rng.normal(0, 1, (600, F)).astype(np.float32)
    apart = x + 100 * y[:, None].astype(np.float32)

    np.testing.assert_allclose(
        np.triu(within_classes(x, y)[0]), np.triu(within_classes(apart, y)[0]), atol=1e-3
    )
