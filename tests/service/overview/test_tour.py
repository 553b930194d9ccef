"""Like stands beside like: the way round is short."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.overview.tour import tour
from service.records import Float64s


def apart(points: Float64s) -> Float64s:
    distances: Float64s = np.sqrt(np.square(points[:, None] - points[None]).sum(axis=-1))
    return distances


def length(order: list[int], distances: Float64s) -> float:
    return float(sum(distances[a, b] for a, b in zip(order, [*order[1:], *order[:1]], strict=True)))


@given(K=st.integers(0, 30), seed=st.integers(0, 50))
def test_everything_is_visited_once(K: int, seed: int) -> None:
    """Whatever lies where, two on one spot too."""
    points = np.random.default_rng(seed).integers(0, 4, size=(K, 2)).astype(np.float64)

    assert list(range(K)) == sorted(tour(apart(points)))


def test_a_circle_is_gone_round() -> None:
    """What stands on a circle, in any order, comes in the order of the circle."""
    angles = np.random.default_rng(1).permutation(12) * np.pi / 6
    order = tour(apart(np.stack([np.cos(angles), np.sin(angles)], axis=1)))

    steps = np.diff(np.round(angles[[*order, order[0]]] / (np.pi / 6)).astype(int)) % 12
    assert set(steps.tolist()) in ({1}, {11})


@given(seed=st.integers(0, 20))
def test_it_is_nearly_the_shortest(seed: int) -> None:
    """Of seven, all ways are tried: none is much shorter."""
    distances = apart(np.random.default_rng(seed).normal(size=(7, 3)))
    best = min(length([0, *rest], distances) for rest in itertools.permutations(range(1, 7)))

    assert length(tour(distances), distances) <= 1.15 * best


def test_two_hundred_are_no_trouble() -> None:
    """And better than as they came."""
    distances = apart(np.random.default_rng(0).normal(size=(200, 8)))

    assert length(tour(distances), distances) < 0.8 * length(list(range(200)), distances)
