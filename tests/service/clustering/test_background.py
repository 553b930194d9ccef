"""What known classes leak into a region, under any mix of them, and what announced clusters claim of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from service.clustering.background import Background, clopper_pearson_upper
from service.records import Float64s

POINTS = np.array([[0.0, 0.0], [0.5, 0.0], [9.0, 0.0]])


def background(
    points: Float64s = POINTS, labels: tuple[int, ...] = (0, 0, 1), counts: tuple[int, ...] = (50, 50)
) -> Background:
    return Background(points, np.full(len(points), 0.05), np.array(labels), np.array(counts))


def test_the_upper_bound_covers() -> None:
    """Clopper-Pearson: at the bound, k or fewer hits have 5 % chance; on paper, 1 - .05^(1/n) for k = 0."""
    assert clopper_pearson_upper(0, 100) == pytest.approx(1 - 0.05 ** (1 / 100))
    assert binom.cdf(3, 200, clopper_pearson_upper(3, 200)) == pytest.approx(0.05)
    assert 1.0 == clopper_pearson_upper(0, 0)
    assert 1.0 == clopper_pearson_upper(5, 5)


def test_leaks_of_known_classes_raise_p0() -> None:
    """Held-out known items inside the balls count, those outside do not."""
    one = background()

    def p0(center: tuple[float, float]) -> float:
        return one.p0(one.inside(1, np.array([center]), 1.0))

    assert clopper_pearson_upper(2, 100) == p0((0.1, 0.0))
    assert clopper_pearson_upper(0, 100) == p0((5.0, 5.0))
    assert clopper_pearson_upper(0, 100) == one.p0(one.inside(1, np.empty((0, 2)), 1.0))
    empty = background(np.empty((0, 2)), ())
    assert clopper_pearson_upper(0, 100) == empty.p0(empty.inside(1, np.zeros((1, 2)), 1.0))


def test_what_is_remembered_is_what_is_asked() -> None:
    """The same cluster with other balls gets another answer; one with the same balls the same."""
    one = background()
    here, there = np.array([[0.0, 0.0]]), np.array([[9.0, 0.0]])

    for _ in range(2):
        assert [True, True, False] == one.inside(1, here, 1.0).tolist()
        assert [False, False, True] == one.inside(1, there, 1.0).tolist()
        assert [True, True, True] == one.inside(1, np.concatenate([here, there]), 1.0).tolist()


def test_where_the_class_that_leaks_prevails() -> None:
    """A stream of that class alone leaks as much as it does; one without it no more than the held-out mix says."""
    one = background()
    inside = one.inside(1, np.zeros((1, 2)), 1.0)
    even = one.p0(inside)

    assert one.p0(inside, np.array([1e9, 0.0])) == pytest.approx(clopper_pearson_upper(2, 50), rel=1e-4)
    assert even == one.p0(inside, np.array([0.0, 1e9]))
    assert even < one.p0(inside, np.array([300.0, 100.0])) < one.p0(inside, np.array([1e9, 0.0]))
    assert one.p0(inside, np.array([0.0, 0.0])) == pytest.approx(even), "nothing seen is no news of shares"


@given(
    leaking=st.lists(st.integers(0, 20), min_size=2, max_size=5),
    cores=st.lists(st.integers(0, 5000), min_size=5, max_size=5),
)
def test_p0_is_a_bound_under_the_mix(leaking: list[int], cores: list[int]) -> None:
    """It is above the weighted share of held-out items, whatever the mix is."""
    K = len(leaking)
    labels = tuple(k for k, n in enumerate(leaking) for _ in range(n))
    one = background(np.zeros((len(labels), 2)), labels, (50,) * K)
    inside = one.inside(1, np.zeros((1, 2)), 1.0)
    seen = np.array(cores[:K], dtype=np.float64)
    mix = (seen + 200.0 / K) / (seen.sum() + 200.0)

    assert float(mix @ (np.array(leaking) / 50)) <= one.p0(inside, seen) <= 1.0


def test_a_class_that_was_never_held_out() -> None:
    """It has no leak that anybody knows, and takes no part."""
    one = background(counts=(50, 50, 0), labels=(0, 0, 1))
    inside = one.inside(1, np.zeros((1, 2)), 1.0)

    assert one.p0(inside) == one.p0(inside, np.array([0.0, 0.0, 1e6]))


# Claims


def fed(p: Float64s, total: int) -> Background:
    return Background(np.zeros((len(p), 2)), p, np.zeros(len(p), dtype=np.int64), np.array([total]))


@given(seed=st.integers(0, 2**32), total=st.integers(20, 2000), share=st.floats(0, 1))
def test_the_operators_rate_holds_with_what_clusters_claim(seed: int, total: int, share: float) -> None:
    """No more held-out items than that are called new; and one more of them would be too many, or all is left."""
    rng = np.random.default_rng(seed)
    rate, feeding = 0.02, 0.1
    p = np.arange(1, total + 1) / (total + 1)
    p = p[p <= feeding]
    claimed = rng.random(len(p)) < share
    s = fed(p, total).squeezed(claimed, rate=rate, feeding=feeding)
    m = np.where(claimed, p * rate / feeding, p)

    assert 0.0 < s <= 1.0
    assert (m <= s * rate).sum() <= rate * (total + 1) + 1e-9
    if s < 1.0:
        next_one = m[m > s * rate].min()
        assert (m <= next_one + 1e-12).sum() > int(rate * (total + 1) + 1e-9)


def test_where_nothing_is_claimed_nothing_is_squeezed() -> None:
    p = np.arange(1, 101) / 1000
    one = fed(p, 999)

    assert 1.0 == one.squeezed(np.zeros(100, dtype=np.bool_), rate=0.02, feeding=0.1)
    assert one.squeezed(np.ones(100, dtype=np.bool_), rate=0.02, feeding=0.1) == pytest.approx(0.2, abs=0.02)


def test_many_equal_p_values() -> None:
    """More items with the smallest p-value than the rate allows: none of them is called new."""
    p = np.full(50, 0.01)
    s = fed(p, 1000).squeezed(np.zeros(50, dtype=np.bool_), rate=0.02, feeding=0.1)

    assert s * 0.02 < 0.01
