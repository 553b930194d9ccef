"""AUROC, FPR95 and the ROC curve, against pairs that are counted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model import evaluate
from service.scoring.gate import auroc, fpr95, roc

SCORES = st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.9, 0.99]), min_size=1, max_size=20)


def test_two_and_two() -> None:
    """Of four pairs two are in order, one is equal, one is not: 2.5 of 4."""
    assert 2.5 / 4 == auroc(np.array([0.1, 0.8]), np.array([0.8, 0.2]))


@given(SCORES, SCORES)
def test_pairs(known: list[float], unseen: list[float]) -> None:
    """It is what all pairs say, however many are equal."""
    pairs = [(u > k) + 0.5 * (u == k) for u in unseen for k in known]

    assert auroc(np.array(known), np.array(unseen)) == pytest.approx(sum(pairs) / len(pairs))


@given(SCORES, SCORES)
def test_area(known: list[float], unseen: list[float]) -> None:
    """The area under the curve is the AUROC, and the curve rises from (0, 0) to (1, 1)."""
    curve = np.array(roc(np.array(known), np.array(unseen)))

    assert np.trapezoid(curve[:, 1], curve[:, 0]) == pytest.approx(
        auroc(np.array(known), np.array(unseen)), abs=1e-4
    )
    assert (np.diff(curve, axis=0) >= 0).all()
    assert [[0.0, 0.0], [1.0, 1.0]] == [curve[0].tolist(), curve[-1].tolist()]


@given(SCORES, SCORES)
def test_any_rising_scale(known: list[float], unseen: list[float]) -> None:
    """Only the order of scores counts."""
    k, u = np.array(known), np.array(unseen)

    assert auroc(k, u) == auroc(np.exp(3 * k), np.exp(3 * u))
    assert fpr95(k, u) == fpr95(np.exp(3 * k), np.exp(3 * u))


def test_constant_is_luck() -> None:
    """A score that says the same of all items says nothing: calling all of them new is worth .5."""
    assert 0.5 == auroc(np.ones(7), np.ones(3))
    assert 1.0 == fpr95(np.ones(7), np.ones(3))


def test_fpr95() -> None:
    """Of twenty known items nineteen are taken at the nineteenth score; so is one of four unseen ones."""
    assert 0.25 == fpr95(np.arange(20) / 20, np.array([0.5, 0.95, 0.96, 2.0]))


def test_nothing() -> None:
    """Without one of the two kinds there is nothing to compare."""
    assert auroc(np.ones(3), np.ones(0)) is None
    assert fpr95(np.ones(0), np.ones(3)) is None
    assert () == roc(np.ones(0), np.ones(3))


def test_few_corners() -> None:
    """A long stream's curve is short, and still ends in both corners."""
    rng = np.random.default_rng(0)
    curve = roc(rng.random(5000), rng.random(5000), points=50)

    assert len(curve) <= 51
    assert ((0.0, 0.0), (1.0, 1.0)) == (curve[0], curve[-1])


@settings(deadline=None)  # the first call of scikit-learn's takes long
@given(SCORES, SCORES)
def test_the_card_and_the_replay_measure_the_same(known: list[float], unseen: list[float]) -> None:
    """The trainer has both measures by itself, since neither side may import the other."""
    k, u = np.array(known), np.array(unseen)

    assert auroc(k, u) == pytest.approx(evaluate.auroc(k, u), abs=1e-12)
    assert fpr95(k, u) == evaluate.fpr95(k, u)
