"""Synthetic streams with a known answer, the same for every clusterer.

filaments          M micro-clusters on demand: straight chains of balls, ten a chain, far apart
moons_and_circles  two moons beside two rings: four classes that no centroid can tell apart
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import make_circles, make_moons

Float64s = NDArray[np.float64]
Int64s = NDArray[np.int64]

BALLS_A_CHAIN = 10
_SPACING = 1.2
"""Distance of neighbouring balls of a chain, in radii: they overlap, so they share density."""
_JITTER = 0.25
"""RMS distance of an item from its place on the chain, in radii, in any dimension."""


@dataclass(frozen=True, kw_only=True)
class Stream:
    """`x`: float64 (N, d); `y`: int64 (N,) the true class; a micro-cluster of radius 1 suits it."""

    x: Float64s
    y: Int64s


def filaments(*, d: int, micro_clusters: int, items: int, seed: int) -> Stream:
    """Items along straight chains of overlapping balls.

    The first items visit every ball in turn, so that about `micro_clusters` are there early; the others are
    drawn at random.

    Args:
        d: Dimensions, 2 or more.
        micro_clusters: How many balls to lay out.
        items: N.
        seed: Same seed, same stream.
    """
    random = np.random.default_rng(seed)
    chains = max(1, micro_clusters // BALLS_A_CHAIN)
    # One chain a row of a coarse grid: far enough apart that no item is between two.
    starts = np.zeros((chains, d))
    side = int(np.ceil(np.sqrt(chains)))
    starts[:, 0] = (np.arange(chains) % side) * (BALLS_A_CHAIN * _SPACING + 10.0)
    starts[:, 1] = (np.arange(chains) // side) * 10.0
    ball = np.concatenate(
        [
            np.arange(min(items, chains * BALLS_A_CHAIN)),
            random.integers(0, chains * BALLS_A_CHAIN, size=max(0, items - chains * BALLS_A_CHAIN)),
        ]
    )
    chain = ball // BALLS_A_CHAIN
    along = (ball % BALLS_A_CHAIN) * _SPACING + random.uniform(-0.5, 0.5, size=len(ball)) * _SPACING
    x = starts[chain] + random.normal(scale=_JITTER / np.sqrt(d), size=(len(ball), d))
    x[:, 0] += along
    return Stream(x=x, y=chain.astype(np.int64))


def moons_and_circles(*, items: int, seed: int) -> Stream:
    """Two interleaved half moons and, beside them, a ring in a ring, shuffled; in 2-D."""
    half = items // 2
    moons, moon = make_moons(half, noise=0.05, random_state=seed)
    rings, ring = make_circles(items - half, noise=0.03, factor=0.4, random_state=seed)
    x = np.concatenate([moons, rings + np.array([4.0, 0.25])]) / 0.2  # a radius of 1 is then .2 of a moon
    y = np.concatenate([moon, ring + 2])
    order = np.random.default_rng(seed).permutation(items)
    return Stream(x=x[order], y=y[order].astype(np.int64))
