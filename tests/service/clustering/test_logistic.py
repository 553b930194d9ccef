"""Ridge logistic regression: the minimum, wherever it starts; and odds whose bits depend on no batch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import expit

from service.clustering.logistic import fit_logistic, log_odds
from service.records import Bools, Float64s

Problem = tuple[NDArray[np.float32], Bools, Float64s, float]


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Two overlapping clouds, some items of no mass, and any ridge."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, F = draw(st.integers(2, 60)), draw(st.integers(1, 6))
    positive = rng.random(n) < 0.4
    x = rng.normal(0, draw(st.sampled_from([0.01, 1.0, 30.0])), (n, F)) + positive[:, None]
    return (
        x.astype(np.float32),
        positive,
        rng.choice([0.0, 0.1, 1.0, 5.0], n),
        draw(st.sampled_from([0.1, 10.0])),
    )


def loss(w: Float64s, problem: Problem) -> float:
    x, positive, mass, penalty = problem
    odds = x.astype(np.float64) @ w[:-1] + w[-1]
    return float(mass @ (np.logaddexp(0, odds) - positive * odds) + penalty / 2 * np.square(w[:-1]).sum())


@settings(max_examples=60, deadline=None)
@given(problems())
def test_it_is_the_minimum(problem: Problem) -> None:
    """There the slope is 0, but for the intercept's, which is held by next to nothing."""
    x, positive, mass, penalty = problem
    w = fit_logistic(x, positive, mass, penalty=penalty)
    wrong = mass * (expit(x.astype(np.float64) @ w[:-1] + w[-1]) - positive)
    scale = 1.0 + float(np.abs(x).max()) * mass.sum()

    assert np.abs(x.T.astype(np.float64) @ wrong + penalty * w[:-1]).max() < 1e-3 * scale
    assert loss(w, problem) <= loss(np.zeros_like(w), problem)


@settings(max_examples=60, deadline=None)
@given(problems(), st.integers(0, 2**32), st.sampled_from([0.1, 1.0, 10.0]))
def test_where_it_starts_does_no_harm(problem: Problem, seed: int, far: float) -> None:
    """From the weights of another fit, far off, the loss only falls: whole Newton steps would diverge."""
    x, positive, mass, penalty = problem
    start = np.random.default_rng(seed).normal(0, far, x.shape[1] + 1)
    w = fit_logistic(x, positive, mass, penalty=penalty, start=start)

    assert np.isfinite(w).all()
    assert loss(w, problem) <= loss(start, problem) * (1 + 1e-6) + 1e-9


def test_a_whole_step_would_diverge_here() -> None:
    """Sure of itself on the wrong side: the next whole step goes where the loss is a hundred times as high."""
    problem: Problem = (np.full((2, 1), 1.0, np.float32), np.array([True, False]), np.array([1.0, 1.0]), 1e-3)
    start = np.array([8.0, 0.0])
    w = fit_logistic(*problem[:3], penalty=problem[3], start=start)

    assert loss(w, problem) == pytest.approx(2 * np.log(2), rel=1e-3)


def test_mass_counts_items() -> None:
    """Twice the mass is the item twice."""
    rng = np.random.default_rng(0)
    x, positive = rng.normal(size=(30, 3)).astype(np.float32), rng.random(30) < 0.5
    twice = rng.random(30) < 0.3
    heavy = fit_logistic(x, positive, 1.0 + twice, penalty=1.0)
    again = fit_logistic(
        np.concatenate([x, x[twice]]),
        np.concatenate([positive, positive[twice]]),
        np.ones(30 + twice.sum()),
        penalty=1.0,
    )

    np.testing.assert_allclose(heavy, again, atol=1e-3)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_one_sort_of_items_alone(share: float) -> None:
    """All of one sort, or features that are one number: weights are finite, and say what there is."""
    w = fit_logistic(np.ones((20, 2), np.float32), np.arange(20) < 20 * share, np.ones(20), penalty=1.0)

    assert np.isfinite(w).all()
    assert (log_odds(np.ones((1, 2)), w[None])[0, 0] > 0) == (share == 1.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_is_an_error(bad: float) -> None:
    """It is never a fit of NaN, that would be decided by."""
    x = np.array([[0.0], [1.0], [bad]], dtype=np.float32)
    with np.errstate(all="ignore"), pytest.raises(np.linalg.LinAlgError):
        fit_logistic(x, np.array([True, False, True]), np.ones(3), penalty=1.0)


@given(st.integers(0, 1000), st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_odds_are_of_each_item_by_itself(seed: int, sizes: list[int]) -> None:
    """X w + b, to the same bits in any batch."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(sum(sizes), 5)).astype(np.float16)
    w = rng.normal(size=(3, 6)).astype(np.float32)
    whole = log_odds(x, w)
    ends = np.cumsum(sizes)
    parts = [log_odds(x[end - size : end], w) for size, end in zip(sizes, ends, strict=True)]

    np.testing.assert_array_equal(whole, np.concatenate(parts))
    np.testing.assert_allclose(
        whole, x.astype(np.float64) @ w[:, :-1].T.astype(np.float64) + w[:, -1], rtol=1e-9
    )
