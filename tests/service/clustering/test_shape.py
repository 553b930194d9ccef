"""Cohesion and separation: in the units of known classes, from sums."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.clustering.shape import TOO_WIDE, Shape, Usual, is_too_wide, usual_of

USUAL = Usual(cohesion=(0.8, 1.2), separation=(2.0, 5.0))


def shape(x: np.ndarray) -> Shape:
    found = Shape()
    for row in x:
        found.add(row)
    return found


@given(seed=st.integers(0, 2**32), n=st.integers(2, 50), cut=st.integers(0, 50))
def test_sums_give_what_the_items_would(seed: int, n: int, cut: int) -> None:
    """Mean and RMS radius; and two parts that are joined give what all give."""
    x = np.random.default_rng(seed).normal(3.0, 1.0, (n, 4))
    parts = shape(x[:cut])
    parts.take_in(shape(x[cut:]))

    for found in (shape(x), parts):
        assert n == found.items
        assert found.mean() == pytest.approx(x.mean(axis=0))
        assert found.cohesion() == pytest.approx(float(np.sqrt(x.var(axis=0, ddof=1).sum())))


def test_too_few_to_tell() -> None:
    assert Shape().cohesion() is None
    assert shape(np.ones((1, 3))).cohesion() is None
    assert shape(np.ones((2, 3))).cohesion() == 0.0


def test_a_merge_leaves_the_other_alone() -> None:
    """No list is shared: what one adds later is not the other's."""
    one, two = Shape(), shape(np.ones((3, 2)))
    one.take_in(two)
    one.add(np.ones(2))

    assert (4, 3) == (one.items, two.items)
    assert [3.0, 3.0] == two.total


def test_what_is_usual() -> None:
    """A class with one item or none has no radius; distances are those to the nearest other prototype."""
    prototypes = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 9.0]])
    x = np.array([[-1.0, 0.0], [1.0, 0.0], [4.0, -2.0], [4.0, 2.0], [0.0, 9.0]])
    usual = usual_of(x, np.array([0, 0, 1, 1, 2]), prototypes)

    assert usual.cohesion == pytest.approx((np.sqrt(2.0), np.sqrt(8.0)))
    assert usual.separation == pytest.approx((4.0, 9.0))


def test_nothing_is_usual_of_one_class_without_items() -> None:
    assert Usual(cohesion=None, separation=None) == usual_of(
        np.empty((0, 2)), np.empty(0, dtype=np.int64), np.zeros((1, 2))
    )


def test_too_wide() -> None:
    """More than TOO_WIDE times the widest known class; what cannot be told is not too wide."""
    assert is_too_wide(TOO_WIDE * 1.2 + 0.01, USUAL)
    assert not is_too_wide(TOO_WIDE * 1.2, USUAL)
    assert not is_too_wide(None, USUAL)
    assert not is_too_wide(99.0, Usual(cohesion=None, separation=None))
