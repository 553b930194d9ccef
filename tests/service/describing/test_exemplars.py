"""Exemplars: few, nobody twice, each for its reason."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from service.describing.exemplars import BOUNDARY, DIVERSE, NEWEST, Exemplar, Role, exemplars
from service.records import Float64s

KNOWN = np.array([[10.0, 0.0], [-10.0, 0.0]])

POINTS = st.integers(0, 40).flatmap(lambda n: arrays(np.float64, (n, 2), elements=st.floats(-100, 100)))


def rows(found: tuple[Exemplar, ...], role: Role) -> list[int]:
    return [one.row for one in found if one.role is role]


@given(POINTS)
def test_few_are_shown_and_nobody_twice(x: Float64s) -> None:
    """In the order of the roles; the medoid first, whoever there is."""
    found = exemplars(x, KNOWN)

    assert len(found) <= min(len(x), 1 + NEWEST + DIVERSE + BOUNDARY)
    assert len({one.row for one in found}) == len(found)
    assert [one.role for one in found] == sorted((one.role for one in found), key=list(Role).index)
    assert (len(x) > 0) == (len(rows(found, Role.MEDOID)) == 1)
    assert found == exemplars(x, KNOWN)


@given(POINTS.filter(len))
def test_the_medoid_has_the_least_distance_to_all(x: Float64s) -> None:
    """By definition, computed anew; distances are to it."""
    found = exemplars(x, KNOWN)
    sums = [sum(float(np.linalg.norm(a - b)) for b in x) for a in x]

    assert sums[found[0].row] == pytest.approx(min(sums))
    for one in found:
        assert float(np.linalg.norm(x[one.row] - x[found[0].row])) == pytest.approx(one.distance)


def test_each_role_shows_what_it_says() -> None:
    """A heap, one far off, one near a known class: those are found, and the latest are the latest."""
    heap = np.random.default_rng(0).normal(0, 0.1, (30, 2))
    x = np.concatenate([heap[:10], [[0.0, 5.0]], [[6.0, 0.0]], heap[10:]])
    found = exemplars(x, KNOWN)

    assert [31, 30, 29, 28] == rows(found, Role.NEWEST)[:4] or found[0].row in range(28, 32)
    assert {10, 11} <= set(rows(found, Role.DIVERSE))
    assert not {10, 11} & set(rows(found, Role.NEWEST))
    assert found[0].distance == 0.0


def test_the_boundary_is_what_lies_nearest_to_a_known_class() -> None:
    """Compared with how near it is to the medoid."""
    x = np.array([[0.1 * n, 0.0] for n in range(40)])
    found = exemplars(x, np.array([[30.0, 0.0]]))
    left = [n for n in range(40) if n not in {one.row for one in found if one.role is not Role.BOUNDARY}]

    assert sorted(left)[-BOUNDARY:][::-1] == rows(found, Role.BOUNDARY)


def test_twins_are_not_shown_as_different() -> None:
    """All at one place: one is what it is, some are new, none is diverse."""
    found = exemplars(np.zeros((20, 2)), KNOWN)

    assert [0] == rows(found, Role.MEDOID)
    assert [] == rows(found, Role.DIVERSE)
