"""float32 proposes, float64 decides: nothing that lies in a ball is ever missed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.clustering.kernels import state as at
from service.clustering.micro_clusters import MicroClusters
from service.clustering.params import ClustererParams

Floats = NDArray[np.float64]


def holding(centers: Floats, radius: float) -> MicroClusters:
    """Micro-clusters at these places, each strong and a cluster of its own: 1, 2, ..."""
    M = len(centers)
    params = ClustererParams(clustering_threshold=radius, minimum_weight=0.5, max_micro_clusters=max(M, 1))
    arrays = MicroClusters(centers.shape[1], params).state()
    return MicroClusters.from_state(
        {
            **arrays,
            "counters": np.array([M + 1, 0, 0, 0]),
            "centers": centers,
            "weights": np.ones(M),
            "updated": np.zeros(M),
            "births": np.arange(1, M + 1),
            "counts": np.ones(M, dtype=np.int64),
            "clusters": np.arange(1, M + 1),
            "strong": np.ones(M, dtype=np.uint8),
        },
        params,
    )


def by_the_plain_loop(centers: Floats, radius: float, probes: Floats) -> list[int]:
    found = []
    for probe in probes.tolist():
        best, nearest = radius, 0
        for m, center in enumerate(centers.tolist()):
            total = 0.0
            for a, b in zip(probe, center, strict=True):
                total += (a - b) * (a - b)
            if total**0.5 < best:
                best, nearest = total**0.5, m + 1
        found.append(nearest)
    return found


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 60),
    st.integers(1, 300),
    st.integers(0, 2**32 - 1),
    st.sampled_from([1e-30, 1e-12, 1e-3, 1.0, 1e6, 1e30]),
    st.sampled_from([0.0, 1.0, 1e4, -1e8]),
    st.sampled_from([0.0, 1e-9, 1e-6, 1e-3]),
)
def test_the_nearest_is_that_of_the_plain_loop(
    dim: int, M: int, seed: int, scale: float, offset: float, beyond: float
) -> None:
    """At every scale and offset, also for probes that lie at the edge of a ball to within rounding of float32."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(M, dim)) * scale + offset * scale
    radius = scale * np.sqrt(dim) * 0.8
    towards = rng.normal(size=(M, dim))
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    edge = centers + radius * (1 + rng.choice([-1, 1], (M, 1)) * beyond) * towards
    probes = np.concatenate([edge, centers, rng.normal(size=(10, dim)) * scale + offset * scale])
    probes = rng.permutation(probes)[:60]  # the plain loop is slow

    assert by_the_plain_loop(centers, radius, probes) == holding(centers, radius).predict(probes).tolist()


@pytest.mark.parametrize("far", [1e19, 1e38, 1e300])
def test_one_that_is_too_far_for_float32_hides_no_other(far: float) -> None:
    """Overflow of the float32 distances makes the search slower, not wrong."""
    centers = np.array([[0.0, 0.0], [far, -far], [5.0, 5.0]])
    probes = np.array([[0.1, 0.0], [far, -far], [5.0, 4.9], [far, far], [-far, 0.0]])

    assert [1, 2, 3, 0, 0] == holding(centers, 1.0).predict(probes).tolist()


@pytest.mark.parametrize("dim", [1, 7, 8, 9, 15, 16, 17, 64, 200, 384])
def test_dimensions_the_sieve_does_not_look_at_count_as_well(dim: int) -> None:
    """What differs in the last dimension alone is told apart."""
    centers = np.zeros((2, dim))
    centers[1, -1] = 3.0
    probes = centers + 0.5 / np.sqrt(dim)

    assert [1, 2] == holding(centers, 1.0).predict(probes).tolist()


@pytest.mark.parametrize("M", [1, at.LANES - 1, at.LANES, at.LANES + 1, 3 * at.LANES])
def test_every_row_of_every_block_is_found(M: int) -> None:
    """The first, the last, and those at the edges of blocks."""
    centers = np.arange(M, dtype=np.float64)[:, None] * [10.0, 0.0]

    assert list(range(1, M + 1)) == holding(centers, 1.0).predict(centers).tolist()


def test_ties_go_to_the_oldest() -> None:
    """Of two at the very same distance."""
    assert [1] == holding(np.array([[1.0], [-1.0]]), 2.0).predict(np.zeros((1, 1))).tolist()


def test_just_at_the_radius_is_outside() -> None:
    """A ball is open: line 2 of Algorithm 1 says less than r."""
    assert [0, 1] == holding(np.zeros((1, 1)), 1.0).predict(
        np.array([[1.0], [np.nextafter(1.0, 0.0)]])
    ).tolist()
