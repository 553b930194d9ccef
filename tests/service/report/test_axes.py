"""Scales and ticks of the figures."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.report.axes import Scale, count, drawing, ticks, words
from tests.service.report.drawn import parsed


def test_scale() -> None:
    """A straight line; of a single value its start."""
    line = Scale(low=10, high=20, start=100, stop=200)

    assert [100, 150, 200] == [line(10), line(15), line(20)]
    assert 5 == Scale(low=3, high=3, start=5, stop=9)(3)


@given(st.floats(1e-3, 1e7))
def test_ticks(high: float) -> None:
    """Some, even, from 0, none beyond."""
    found = ticks(high)

    assert 0.0 == found[0]
    assert 2 <= len(found) <= 12
    assert found[-1] <= high * 1.001
    assert all(b - a == pytest.approx(found[1]) for a, b in itertools.pairwise(found))


def test_round_ticks() -> None:
    """At 1, 2 or 5 times a power of ten."""
    assert [0, 2000, 4000, 6000, 8000, 10000] == ticks(10000)
    assert [0.0] == ticks(0)


def test_drawing() -> None:
    """A drawing has a title and a description, and says so to who cannot see it."""
    svg = parsed(drawing("n", "A <title>", "What", 10, 20, words(1, 2, "<word>")))
    ids = svg.attrib["aria-labelledby"].split()

    assert ("img", "0 0 10 20") == (svg.attrib["role"], svg.attrib["viewBox"])
    assert ["A <title>", "What"] == [next(e for e in svg if e.get("id") == id).text for id in ids]


def test_count() -> None:
    """Numbers of items as people read them."""
    assert ("12,000", "2.5") == (count(12000.0), count(2.5))
