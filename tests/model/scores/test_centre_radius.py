"""Squared distance over squared radius, by its formula and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.scores.centre_radius import CentreRadius


def literal(z: np.ndarray, y: np.ndarray, fresh: np.ndarray) -> np.ndarray:
    """With loops over items and classes."""
    z = z.astype(np.float64)
    scores = []
    for x in fresh:
        row = []
        for k in range(int(y.max()) + 1):
            own = [r for r, c in zip(z, y, strict=True) if c == k]
            centre = sum(own) / len(own)
            radius = sum(float(((r - centre) ** 2).sum()) for r in own) / len(own)
            row.append(float(((x - centre) ** 2).sum()) / radius)
        scores.append(row)
    return np.array(scores)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(2, 9), min_size=1, max_size=4), st.integers(1, 6), st.integers(0, 1000))
def test_it_is_the_formula(counts: list[int], d: int, seed: int) -> None:
    """For classes of any sizes and radii."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    z = (rng.normal(size=(len(y), d)) * (1 + y[:, None])).astype(np.float32)
    fresh = rng.normal(size=(5, d))

    np.testing.assert_allclose(CentreRadius.fit(z, y)(fresh), literal(z, y, fresh), rtol=1e-4, atol=1e-5)


def test_distances_by_hand() -> None:
    """Around (1, 0) with radius 1 an item three above it scores 9; around (10, 0) with radius 2 it scores 90/4."""
    z = np.array([[0, 0], [2, 0], [10, 2], [10, -2]], dtype=np.float32)
    score = CentreRadius.fit(z, np.array([0, 0, 1, 1]))

    assert score(np.array([[1.0, 3.0]])).tolist() == [[9, 90 / 4]]


def test_items_of_a_class_score_one_on_average() -> None:
    """Whatever the class's size: that is what the radius is for."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 50)
    z = (rng.normal(size=(150, 4)) * np.array([0.01, 1, 100])[y][:, None]).astype(np.float32)
    own = CentreRadius.fit(z, y)(z.astype(np.float64))[np.arange(150), y]

    np.testing.assert_allclose([own[y == k].mean() for k in range(3)], 1, rtol=1e-4)


@pytest.mark.parametrize("radius", [0, -1, np.nan])
def test_a_radius_of_nothing_is_refused(radius: float) -> None:
    """It divides."""
    arrays = {
        "centres": np.ones((2, 3), dtype=np.float32),
        "squared_radii": np.array([1, radius], dtype=np.float32),
    }

    with pytest.raises(ValueError, match="has squared_radii that are not above 0"):
        CentreRadius.from_arrays(arrays)
