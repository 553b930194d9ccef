"""How much of a weighted sample is as large: a p-value that keeps its promise."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.clustering.stream_gate.tail import Tail
from service.records import Float64s

Sample = tuple[Float64s, Float64s]


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    """Values, many of them equal, and mass, some of it nothing."""
    values = draw(st.lists(st.integers(-3, 3) | st.floats(-1e6, 1e6), min_size=1, max_size=40))
    mass = np.array([draw(st.sampled_from([0.0, 0.5, 1.0, 7.0])) for _ in values]) + 1e-9
    return np.array(values, dtype=np.float64), mass / mass.sum()


@given(samples(), st.lists(st.integers(-4, 4) | st.floats(allow_nan=False), max_size=20))
def test_it_is_the_share_that_is_as_large(sample: Sample, asked: list[float]) -> None:
    """The formula, above 0 and at most 1, and never larger for a larger value."""
    values, mass = sample
    n = len(values)
    p = Tail(values, mass).p_values(np.array(asked, dtype=np.float64))

    expected = [(1 / n + mass[values >= v].sum()) / (1 / n + 1) for v in asked]
    np.testing.assert_allclose(p, np.minimum(expected, 1.0), rtol=1e-9)
    assert ((p > 0.0) & (p <= 1.0)).all()
    assert (np.diff(p[np.argsort(asked, kind="stable")]) <= 0.0).all()


def test_with_equal_weights_it_is_the_conformal_p_value() -> None:
    """(1 + how many are as large) / (n + 1), on paper."""
    p = Tail(np.array([3.0, 1.0, 2.0]), np.full(3, 1 / 3)).p_values(np.array([0.0, 2.0, 9.0]))

    np.testing.assert_allclose(p, [1.0, 3 / 4, 1 / 4])


@given(samples(), st.floats(0.001, 1.0))
def test_of_the_sample_no_more_than_the_rate_is_below_it(sample: Sample, rate: float) -> None:
    """By weight; ties included."""
    values, mass = sample

    assert mass[Tail(values, mass).p_values(values) <= rate].sum() <= rate + 1e-12


def test_values_without_bound() -> None:
    """Infinite ones are the largest, and the smallest."""
    p = Tail(np.array([-np.inf, 0.0, np.inf]), np.full(3, 1 / 3)).p_values(np.array([-np.inf, 1.0, np.inf]))

    np.testing.assert_allclose(p, [1.0, 0.5, 0.5])


@given(
    samples(), st.floats(0.001, 0.99), st.lists(st.integers(-4, 4) | st.floats(allow_nan=False), max_size=20)
)
def test_the_limit_parts_the_rare_from_the_rest(sample: Sample, rate: float, asked: list[float]) -> None:
    """A p-value is above the rate just where the value is not above the limit, ties and infinities included."""
    tail = Tail(*sample)
    limit = tail.limit(rate)
    values = np.array([*sample[0].tolist(), *asked])

    np.testing.assert_array_equal(tail.p_values(values) > rate, values <= limit)


def test_a_limit_on_paper() -> None:
    """Of 1, 2, 3 the p-values are 1, 3/4, 1/2, and beyond 1/4; none is below 1/5, and all are below 1."""
    tail = Tail(np.array([3.0, 1.0, 2.0]), np.full(3, 1 / 3))

    assert [np.inf, 3.0, 2.0, 1.0] == [tail.limit(rate) for rate in (0.2, 0.3, 0.6, 0.8)]
    assert 2.0 == tail.limit(0.5 + 1e-13, digits=12)
