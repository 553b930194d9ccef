"""The rate asked for, and the interval that fresh items leave it."""

import pytest
from scipy.stats import binom

from model.achieved import Achieved, achieved, interval, warnings


@pytest.mark.parametrize(("called", "items"), [(1, 50), (21, 1234), (7, 356), (49, 50)])
def test_the_ends_are_rates_at_which_so_many_would_be_a_rare_accident(called: int, items: int) -> None:
    """Of 2.5 % on each side: the definition, computed from the binomial."""
    low, high = interval(called, items)

    assert low < called / items < high
    assert binom.sf(called - 1, items, low) == pytest.approx(0.025)
    assert binom.cdf(called, items, high) == pytest.approx(0.025)


def test_none_and_all_reach_to_the_ends() -> None:
    """With nothing called new the rate may be 0, with everything 1; high is then 1 - .025^(1/n), on paper."""
    assert interval(0, 100) == (0.0, pytest.approx(1 - 0.025**0.01))
    assert interval(100, 100) == (pytest.approx(0.025**0.01), 1.0)
    assert interval(0, 1) == (0.0, pytest.approx(0.975))


def test_it_covers_the_true_rate_as_often_as_it_says() -> None:
    """Summed over all that can come of 200 items, at rates small and large."""
    for rate in (0.005, 0.02, 0.3):
        covered = 0.0
        for called in range(201):
            low, high = interval(called, 200)
            covered += float(binom.pmf(called, 200, rate)) * (low <= rate <= high)

        assert covered >= 0.95


@pytest.mark.parametrize(
    ("asked", "holds"), [(0.01, False), (0.011, True), (0.02, True), (0.026, True), (0.03, False)]
)
def test_a_rate_outside_does_not_hold(asked: float, holds: bool) -> None:
    """Whether above or below."""
    found = Achieved(asked=asked, found=0.017, low=0.011, high=0.026, items=1234)

    assert found.holds is holds


def test_it_is_said_in_a_line() -> None:
    """With the numbers that a reader needs to judge it."""
    found = Achieved(asked=0.02, found=0.0170178, low=0.010566, high=0.0259, items=1234)

    assert str(found) == "asked .02, found .017, 95 % interval .011 to .026, on 1,234 fresh items"


def test_bundles_without_the_interval_are_not_judged() -> None:
    """The figures of bundles made before have none."""
    assert achieved({"known_error_rate": 0.02}, 0.02) is None


def test_a_rate_that_does_not_hold_and_a_missing_rehearsal_are_warned_of() -> None:
    """And nothing where all is well, or where no rehearsal was asked for."""
    fresh = {
        "known_error_rate": 0.04,
        "known_error_rate_low": 0.03,
        "known_error_rate_high": 0.05,
        "fresh_items": 900.0,
    }
    off, unknown = warnings(fresh, 0.02, is_rehearsed=True)

    assert "asked .02, found .04, 95 % interval .03 to .05, on 900 fresh items" in off
    assert "card.md says why" in unknown
    assert [] == warnings(fresh, 0.04, is_rehearsed=False)
    assert [] == warnings({**fresh, "expected/items": 3000.0}, 0.04, is_rehearsed=True)
