"""Streams that are hard on a stream clusterer, drawn by hypothesis.

A stream is good when its balls overlap: only then do pairs share density, does the guard against collapse act,
and does a full degree matter. Round noise in many dimensions does not do that: all points are equally far from
their mean, so either one ball at the mean holds them all or none holds two. So half of the streams have noise whose
standard deviation falls as 1, 1/2, 1/3, ... along the axes, in any order: in 64 dimensions, too, they look like
two or three. What is named noise is the root mean square distance from the mean, whatever D. The grid varies in three
coordinates at most.

What is exact stays exact. Radii, steps of grids and scales are powers of two or sums of few, so that a distance
of just r is just r, at any offset. Times are whole multiples of 1/1024, so that differences are the same numbers at
an epoch of 1.7e9 as at 0. alpha, w_min and lambda, though, are numbers that no ratio of small counts equals: on which
side of alpha a pair falls that is just at alpha would be a matter of rounding, and not of the algorithm. One such tie
is left, since it is the algorithm's: a lone item that is looked at one clean-up interval later is worth just w_weak,
and stays.
"""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

Stream = tuple[NDArray[np.float64], dict[str, Any]]
"""(x, parameters): x float64 (N, D), finite; parameters are keywords of `LiteralDBSTREAM`."""

KINDS = ("blobs", "uniform", "grid", "drift", "few points", "turnover")
OFFSETS = (0.0, 1e4, -1e4)
SCALES = (1.0, 2.0**-10)
TICKS_PER_UNIT = 1024


def parameters() -> st.SearchStrategy[dict[str, Any]]:
    """All parameters but the radius, each from a few values, the caps from none at all to hardly any room."""
    return st.fixed_dictionaries(
        {
            "fading_factor": st.sampled_from([0.0103, 1.3e-4, 0.21]),
            "cleanup_interval": st.sampled_from([50, 10, 1000, 3, 1]),
            "intersection_factor": st.sampled_from([0.0503, 0.1007, 0.3011]),
            "minimum_weight": st.sampled_from([1.45, 0.55, 2.95]),
            "max_micro_clusters": st.sampled_from([1000, 500, 20, 4]),
            "max_degree": st.sampled_from([64, 2, 1]),
            "unlink_fraction": st.sampled_from([0.7, 1.0]),
        }
    )


@st.composite
def streams(draw: st.DrawFn, *, max_items: int = 150, max_dim: int = 64) -> Stream:
    """(x, parameters): a stream of 1 to `max_items` items in 1 to `max_dim` dimensions, of any kind."""
    dim = draw(st.integers(1, max_dim), label="D")
    n = draw(st.integers(1, max_items), label="N")
    kind = draw(st.sampled_from(KINDS), label="kind")
    radius = draw(st.sampled_from([1.0, 0.25, 2.5]), label="r at scale 1")
    noise = draw(st.sampled_from([0.7, 0.9, 1.2, 0.3, 0.1]), label="noise, in r")
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1), label="seed"))
    x = radius * _KINDS[kind](rng, n, dim, noise)
    scale = draw(st.sampled_from(SCALES), label="scale")
    x = x * scale + draw(st.sampled_from(OFFSETS), label="offset")
    return x, {"clustering_threshold": radius * scale, **draw(parameters(), label="parameters")}


@st.composite
def event_times(draw: st.DrawFn, n: int, *, gap: float = 10.0) -> list[float]:
    """Times of n items, about one unit apart: bursts, pauses of many clean-up intervals (`gap`), late items.

    A late item is up to three intervals before the latest one so far; no two late items are of one time.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1), label="seed of times"))
    moves = ["steady", "burst", "uneven"]
    moves += draw(st.sampled_from([[], ["late"], ["pause"], ["late", "pause"], ["late"] * 3]), label="moves")
    ticks, latest, move, seen_late = [], 0, "steady", set()
    for _ in range(n):
        if rng.random() < 0.3:
            move = moves[rng.integers(len(moves))]
        step = {
            "steady": TICKS_PER_UNIT,
            "burst": 0,
            "uneven": int(rng.exponential(TICKS_PER_UNIT)),
            "late": -int(rng.integers(1, 2 + 3 * gap * TICKS_PER_UNIT)),
            "pause": int(rng.uniform(0.5, 30.0) * gap * TICKS_PER_UNIT)
            if rng.random() < 0.2
            else TICKS_PER_UNIT,
        }[move]
        tick = latest + step
        while tick < latest and tick in seen_late:
            tick -= 1
        if tick < latest:
            seen_late.add(tick)
        ticks.append(tick)
        latest = max(latest, tick)
    epoch = draw(st.sampled_from([0, 1_700_000_000, -5]), label="epoch")
    return [epoch + tick / TICKS_PER_UNIT for tick in ticks]


# Each kind in units of r: (rng, n, dim, noise) -> float64 (n, dim)


def _spread(rng: np.random.Generator, dim: int) -> NDArray[np.float64]:
    """float64 (dim,), of norm 1: how noise is shared out among the axes, all alike or falling."""
    std = np.ones(dim) if rng.random() < 0.5 else rng.permutation(1.0 / np.arange(1, dim + 1))
    return std / np.linalg.norm(std)


def _normal(rng: np.random.Generator, n: int, dim: int, noise: float) -> NDArray[np.float64]:
    return rng.normal(0.0, 1.0, (n, dim)) * noise * _spread(rng, dim)


def _places(rng: np.random.Generator, k: int, dim: int) -> NDArray[np.float64]:
    """Places of k blobs, some of them near enough to each other for their balls to overlap."""
    return rng.normal(0.0, 1.0, (k, dim)) * rng.choice([0.5, 1.0, 3.0], (k, 1)) / np.sqrt(dim)


def _blobs(rng: np.random.Generator, n: int, dim: int, noise: float) -> NDArray[np.float64]:
    k = int(rng.integers(1, 6))
    return _places(rng, k, dim)[rng.integers(0, k, n)] + _normal(rng, n, dim, noise)


def _uniform(rng: np.random.Generator, n: int, dim: int, noise: float) -> NDArray[np.float64]:
    # A uniform number of [-1, 1] has standard deviation 1 / sqrt(3).
    return rng.uniform(-1.0, 1.0, (n, dim)) * np.sqrt(3.0) * noise * _spread(rng, dim)


def _grid(rng: np.random.Generator, n: int, dim: int, noise: float) -> NDArray[np.float64]:
    x = np.zeros((n, dim))
    step = 0.25 if noise < 0.2 else 0.5
    which = rng.choice(dim, min(dim, 3), replace=False)
    x[:, which] = step * rng.integers(-2, 3, (n, len(which)))
    return x


def _drift(rng: np.random.Generator, n: int, dim: int, noise: float) -> NDArray[np.float64]:
    # Two blobs that set out together and part.
    towards = _places(rng, 2, dim) * 4.0
    return towards[rng.integers(0, 2, n)] * np.linspace(0, 1, n)[:, None] + _normal(rng, n, dim, noise)


def _few_points(rng: np.random.Generator, n: int, dim: int, noise: float) -> NDArray[np.float64]:
    points = _uniform(rng, int(rng.integers(1, 13)), dim, max(noise, 0.7))
    return points[rng.integers(0, len(points), n)]


def _turnover(rng: np.random.Generator, n: int, dim: int, noise: float) -> NDArray[np.float64]:
    # Topics come, stay a while beside the one before, and do not return.
    life = int(rng.integers(8, 41))
    places = _places(rng, n // life + 2, dim) * 2.0
    return places[np.arange(n) // life + rng.integers(0, 2, n)] + _normal(rng, n, dim, noise)


_KINDS = {
    "blobs": _blobs,
    "uniform": _uniform,
    "grid": _grid,
    "drift": _drift,
    "few points": _few_points,
    "turnover": _turnover,
}
