"""Mahalanobis distances against their formulas, and by hand in one dimension."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.scores.mahalanobis import SHRINKAGE, Mahalanobis, RelativeMahalanobis, whitener

LINE = np.array([[-1], [1], [9], [11]], dtype=np.float32), np.array([0, 0, 1, 1])
"""Two classes of variance 1, at 0 and at 10; all items together have mean 5 and variance 26."""


def drawn(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three long and thin classes of 30 items in five dimensions."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(3), 30)
    shape = rng.normal(size=(5, 5))
    return (4 * rng.normal(size=(3, 5))[y] + rng.normal(size=(90, 5)) @ shape).astype(np.float32), y


def shrunk(deviations: np.ndarray) -> np.ndarray:
    """0.9 S + 0.1 (tr S / d) I, entry by entry."""
    N, d = deviations.shape
    S = np.array([[sum(r[i] * r[j] for r in deviations) / N for j in range(d)] for i in range(d)])
    scale = sum(S[i, i] for i in range(d)) / d
    return np.array(
        [[(1 - SHRINKAGE) * S[i, j] + SHRINKAGE * scale * (i == j) for j in range(d)] for i in range(d)]
    )


def literal(z: np.ndarray, y: np.ndarray, fresh: np.ndarray, *, is_relative: bool) -> np.ndarray:
    """(z - m)^T S'^-1 (z - m) of every class, and less that of all items, with loops."""
    z = z.astype(np.float64)
    means = [z[y == k].mean(0) for k in range(int(y.max()) + 1)]
    within = np.linalg.inv(shrunk(np.array([row - means[k] for row, k in zip(z, y, strict=True)])))
    around = np.linalg.inv(shrunk(z - z.mean(0)))
    scores = [[float((x - m) @ within @ (x - m)) for m in means] for x in fresh]
    if is_relative:
        far = [float((x - z.mean(0)) @ around @ (x - z.mean(0))) for x in fresh]
        scores = [[s - f for s in row] for row, f in zip(scores, far, strict=True)]
    return np.array(scores)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.booleans())
def test_it_is_the_formula(seed: int, is_relative: bool) -> None:
    """Both scores equal their formulas, but for what float32 leaves of the arrays."""
    z, y = drawn(seed)
    fresh = np.random.default_rng(seed + 1).normal(size=(4, 5)) * 5
    kind = RelativeMahalanobis if is_relative else Mahalanobis
    expected = literal(z, y, fresh, is_relative=is_relative)

    np.testing.assert_allclose(kind.fit(z, y)(fresh), expected, rtol=1e-4, atol=1e-3)


def test_distances_by_hand() -> None:
    """At 3 the class at 0 is 3 standard deviations away and that at 10 seven; all items are 4/26 away."""
    z, y = LINE
    at = np.array([[3.0]])

    np.testing.assert_allclose(Mahalanobis.fit(z, y)(at), [[9, 49]], rtol=1e-6)
    np.testing.assert_allclose(RelativeMahalanobis.fit(z, y)(at), [[9 - 4 / 26, 49 - 4 / 26]], rtol=1e-6)


def test_the_background_does_not_change_which_class_is_nearest() -> None:
    """It is the same for all classes of an item."""
    z, y = drawn()
    fresh = np.random.default_rng(1).normal(size=(50, 5)) * 5
    near, relative = Mahalanobis.fit(z, y)(fresh), RelativeMahalanobis.fit(z, y)(fresh)

    np.testing.assert_allclose(np.diff(near, axis=1), np.diff(relative, axis=1), atol=1e-9)


def test_the_background_forgives_what_tells_no_class() -> None:
    """Far out where the classes do not differ an item is less strange than as far out where they do."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 200)
    z = (np.array([[-10, 0], [10, 0]])[y] + rng.normal(size=(400, 2))).astype(np.float32)
    along, across = np.array([[20.0, 0], [10, 10]])
    near, relative = Mahalanobis.fit(z, y), RelativeMahalanobis.fit(z, y)

    np.testing.assert_allclose(near(along[None]).min(), near(across[None]).min(), rtol=0.3)
    assert relative(across[None]).min() < relative(along[None]).min() - 10


def test_with_a_single_class_the_relative_score_says_nothing() -> None:
    """What is far from the class is as far from all items, which are the same."""
    z, _ = drawn()
    score = RelativeMahalanobis.fit(z, np.zeros(len(z), dtype=np.int64))

    assert not score(np.random.default_rng(0).normal(size=(5, 5)) * 100).any()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 8), st.floats(0.01, 1))
def test_a_whitener_is_the_symmetric_inverse_root(seed: int, d: int, shrinkage: float) -> None:
    """W S' W = I, and W is its own transpose."""
    deviations = np.random.default_rng(seed).normal(size=(20, d)) * np.logspace(0, 1, d)
    S = deviations.T @ deviations / 20
    W = whitener(deviations, shrinkage)
    target = (1 - shrinkage) * S + shrinkage * np.trace(S) / d * np.eye(d)

    np.testing.assert_allclose(W @ target @ W, np.eye(d), atol=1e-9)
    np.testing.assert_allclose(W, W.T, atol=1e-9)


def test_what_never_varies_is_whitened_by_any_scale() -> None:
    """A layer that is the same for all items gives a multiple of the identity, and no division by zero."""
    W = whitener(np.zeros((5, 3)))

    np.testing.assert_allclose(W, np.eye(3) / np.sqrt(SHRINKAGE))


def test_scores_are_in_units_of_the_classes() -> None:
    """Items twice as large, in every dimension alike, have the same scores."""
    z, y = drawn()
    fresh = np.random.default_rng(1).normal(size=(5, 5)) * 5
    for kind in (Mahalanobis, RelativeMahalanobis):
        expected = kind.fit(z, y)(fresh)
        assert kind.fit(2 * z, y)(2 * fresh) == pytest.approx(expected, rel=1e-4)
