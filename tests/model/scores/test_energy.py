"""The energy of a cosine classifier, shared out to its classes."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.scores.energy import SCALE, Energy


def literal(z: np.ndarray, y: np.ndarray, fresh: np.ndarray) -> np.ndarray:
    """With loops, plain exponentials and logarithms."""
    means = [z[y == k].astype(np.float64).mean(0) for k in range(int(y.max()) + 1)]
    scores = []
    for x in fresh:
        cosines = [
            sum(a * b for a, b in zip(x, m, strict=True)) / (math.hypot(*x) * math.hypot(*m)) for m in means
        ]
        energy = -math.log(sum(math.exp(32 * c) for c in cosines))
        scores.append([(energy - 32 * c) / 2 for c in cosines])
    return np.array(scores)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 5), st.integers(1, 6), st.integers(0, 1000))
def test_it_is_the_formula(K: int, d: int, seed: int) -> None:
    """The mean of the energy and of the class's own share of it."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(K), 4))
    z = rng.normal(size=(len(y), d)).astype(np.float32)
    fresh = rng.normal(size=(5, d))

    np.testing.assert_allclose(Energy.fit(z, y)(fresh), literal(z, y, fresh), rtol=1e-4, atol=1e-3)


def test_scores_by_hand() -> None:
    """Along the first of two axes the logits are 32 and 0; half-way between both they are 32 / sqrt 2."""
    score = Energy.fit(np.eye(2, dtype=np.float32), np.array([0, 1]))
    half = 32 / math.sqrt(2)
    between = (-(half + math.log(2)) - half) / 2

    assert SCALE == 32
    np.testing.assert_allclose(score(np.array([[3.0, 0]])), [[-32, -16]], atol=1e-9)
    np.testing.assert_allclose(score(np.array([[2.0, 2]])), [[between, between]])


def test_only_directions_matter() -> None:
    """Neither the length of an item nor that of a class mean changes a score, nor does it overflow."""
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(8, 3)).astype(np.float32), np.repeat([0, 1], 4)
    fresh = rng.normal(size=(5, 3))
    expected = Energy.fit(z, y)(fresh)

    for longer in (Energy.fit(z, y)(1e6 * fresh), Energy.fit(1000 * z, y)(fresh)):
        np.testing.assert_allclose(expected, longer, rtol=1e-4)


def test_what_no_class_claims_is_stranger_than_what_two_do() -> None:
    """Away from all directions, then across them, then between two, then along one: ever less strange."""
    score = Energy.fit(np.eye(3, dtype=np.float32)[:2], np.array([0, 1]))
    away, across, between, along = score(np.array([[-1.0, -1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 0]])).min(1)

    assert away > across > between > along


def test_an_item_without_direction_is_as_strange_for_all() -> None:
    """Zero has no cosine: every logit is 0, and the energy is that of a blind guess."""
    score = Energy.fit(np.eye(4, dtype=np.float32), np.arange(4))

    assert score(np.zeros((1, 4)))[0].tolist() == pytest.approx([-math.log(4) / 2] * 4)
