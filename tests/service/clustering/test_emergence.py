"""The sequential test: right on paper, honest under the null, quick under novelty."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import binom

from service.clustering.emergence import (
    MOST_STARTS,
    START_EVERY,
    Start,
    begin_anew,
    count_hit,
    log_e_detector,
    log_e_value,
    log_threshold,
)


@pytest.mark.parametrize(("hits", "trials", "p0"), [(0, 5, 0.1), (3, 10, 0.01), (7, 7, 0.3), (12, 400, 0.02)])
def test_the_e_value_is_the_mixture_integral(hits: int, trials: int, p0: float) -> None:
    """The closed form equals the integral it stands for."""

    def ratio(p: float) -> float:
        return (p / p0) ** hits * ((1 - p) / (1 - p0)) ** (trials - hits)

    integral = quad(ratio, p0, 1, limit=500, points=[max(p0, hits / trials)])[0] / (1 - p0)

    assert log_e_value(hits, trials, p0) == pytest.approx(math.log(integral), rel=1e-6)


@pytest.mark.parametrize("p0", [0.001, 0.05, 0.5])
@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_its_mean_is_at_most_one_under_every_rate_up_to_p0(p0: float, p: float) -> None:
    """E[E_n] <= 1 at rate p * p0: what Ville's inequality needs."""
    n = 60
    mean = sum(
        binom.pmf(k, n, p * p0) * math.exp(log_e_value(k, n, p0))
        for k in range(n + 1)
        if binom.pmf(k, n, p * p0) > 0
    )

    assert mean <= 1 + 1e-9


def test_looking_after_every_item_keeps_the_budget() -> None:
    """Of 400 null streams looked at 2000 times each, no more reach 1/a than a allows."""
    rng = np.random.default_rng(0)
    p0, a, crossed = 0.01, 0.05, 0
    for _ in range(400):
        hits = np.cumsum(rng.random(2000) < p0)
        at_hits = np.flatnonzero(np.diff(hits, prepend=0))
        crossed += any(log_e_value(int(hits[n]), int(n) + 1, p0) >= math.log(1 / a) for n in at_hits)

    assert binom.sf(crossed - 1, 400, a) > 0.01


def test_a_new_class_is_proven_within_a_few_items() -> None:
    """At a share of 5 % against p0 = .001 the first candidate is proven by its fifth hit or sooner."""
    needed = next(k for k in range(1, 50) if log_e_value(k, 20 * k, 0.001) >= log_threshold(1, 0.01))

    assert needed <= 5


@given(st.integers(0, 200), st.integers(0, 2000), st.floats(1e-4, 0.9))
def test_a_trial_without_a_hit_lowers_the_evidence(hits: int, misses: int, p0: float) -> None:
    """So whatever takes a place in the stream and is no item does no harm."""
    before, after = (log_e_value(hits, hits + misses + more, p0) for more in (0, 1))

    assert after <= before + 1e-6 * abs(before) + 1e-9 or math.isinf(after)


def test_no_trial_is_no_evidence() -> None:
    """E is 1 before the first trial, and always where known classes explain everything."""
    assert 0.0 == log_e_value(0, 0, 0.01)
    assert 0.0 == log_e_value(9, 9, 1.0)


def test_a_rate_far_below_p0_underflows_to_no_evidence() -> None:
    """A million misses are -inf or very low, never an error."""
    assert log_e_value(0, 1_000_000, 0.5) < -100


def test_the_budgets_of_all_candidates_sum_to_the_operators() -> None:
    """Sum of a_j over all j is a."""
    total = sum(math.exp(-log_threshold(j, 0.01)) for j in range(1, 200_000))

    assert total == pytest.approx(0.01, rel=1e-4)


# Starts


def test_an_item_counts_for_the_starts_before_it() -> None:
    """Not for the one that begins with it: the trials of a start are the items after."""
    starts: list[Start] = []
    for seq in range(10):
        count_hit(starts, seq)
        if seq in (2, 6):
            starts.append(Start(number=len(starts) + 1, seq=seq, hits=0))

    assert [7, 3] == [start.hits for start in starts]
    found = log_e_detector(starts, 9, 0.1)
    assert (7, 7) == (found.hits, found.trials)


def test_starts_are_few_and_their_numbers_go_on() -> None:
    """One at birth, then every so many items; the oldest are forgotten, and none is counted twice."""
    starts: list[Start] = []
    seqs = [*range(0, 20 * START_EVERY, START_EVERY // 2)]
    for seq in seqs:
        begin_anew(starts, seq)

    assert MOST_STARTS == len(starts)
    assert [*range(13, 21)] == [start.number for start in starts]
    assert [START_EVERY] * (MOST_STARTS - 1) == np.diff([start.seq for start in starts]).tolist()


def test_the_evidence_is_the_weighted_sum() -> None:
    """On paper, from the e-values of the starts; one alone at birth has the weight 6 / pi^2."""
    starts = [Start(number=1, seq=0, hits=9), Start(number=3, seq=500, hits=8)]
    weights = [6 / math.pi**2, 6 / (9 * math.pi**2)]
    parts = [math.exp(log_e_value(9, 600, 0.01)), math.exp(log_e_value(8, 100, 0.01))]
    found = log_e_detector(starts, 600, 0.01)

    assert found.log_e == pytest.approx(math.log(sum(w * e for w, e in zip(weights, parts, strict=True))))
    assert (8, 100) == (found.hits, found.trials)
    assert -math.inf == log_e_detector([], 600, 0.01).log_e


def test_a_long_quiet_time_does_not_drown_a_class() -> None:
    """5,000 items at the rate of what leaks, then a class: the starts see it in half the items that the birth takes."""
    p0, quiet = 0.01, 5000
    starts: list[Start] = []
    for seq in range(quiet):
        if seq % 150 == 0:
            count_hit(starts, seq)
        begin_anew(starts, seq)
    needed = 0
    while log_e_detector(starts, quiet + 10 * needed, p0).log_e < log_threshold(1, 0.01):
        needed += 1
        count_hit(starts, quiet + 10 * needed)
    from_birth = next(
        k
        for k in range(1, 500)
        if log_e_value(quiet // 150 + k, quiet + 10 * k, p0) >= log_threshold(1, 0.01)
    )

    assert 2 * needed < from_birth


def test_looking_at_all_starts_after_every_item_keeps_the_budget() -> None:
    """Of 300 null streams of 2,500 items, with starts as the engine makes them, no more reach 1/a than a allows."""
    rng = np.random.default_rng(1)
    p0, a, crossed = 0.02, 0.05, 0
    for _ in range(300):
        starts: list[Start] = []
        hit_at = np.flatnonzero(rng.random(2500) < p0).tolist()
        reached = False
        for seq in hit_at:
            count_hit(starts, seq)
            begin_anew(starts, seq)
            reached |= log_e_detector(starts, seq, p0).log_e >= math.log(1 / a)
        crossed += reached

    assert binom.sf(crossed - 1, 300, a) > 0.01
