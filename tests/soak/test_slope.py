"""The slope that a leak is told by."""

import numpy as np
import pytest

from tests.soak.slope import slope_of

T = np.arange(400.0)


def test_a_line() -> None:
    """Its slope, and no doubt."""
    found = slope_of(T, 3 + 0.5 * T)

    assert found.per_unit == pytest.approx(0.5)
    assert found.error < 1e-9
    assert found.exceeds(0.4)
    assert not found.exceeds(0.6)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few(n: int) -> None:
    """Say nothing."""
    assert not slope_of(T[:n], T[:n]).exceeds(0)


def test_without_neighbours_it_is_the_textbooks() -> None:
    """White's standard error, for errors that have nothing to do with each other about the usual one."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=len(T))
    usual = 1.0 / np.sqrt(((T - T.mean()) ** 2).sum())

    assert slope_of(T, noise, lags=0).error == pytest.approx(usual, rel=0.15)


def test_steps_that_go_nowhere_are_not_called_growth() -> None:
    """Of 300 series that wander and come back, few are; by the usual error many times as many would be."""
    rng = np.random.default_rng(1)
    called, called_naively = 0, 0
    for _ in range(300):
        y = np.zeros(len(T))
        for i in range(1, len(T)):
            y[i] = 0.9 * y[i - 1] + rng.normal()
        called += slope_of(T, y).exceeds(0)
        called_naively += slope_of(T, y, lags=0).exceeds(0)

    assert called <= 15
    assert called_naively >= 4 * called


def test_a_leak_in_steps_is() -> None:
    """Memory grows by pages, not by bytes."""
    rng = np.random.default_rng(2)
    y = np.repeat(np.arange(40.0), 10) + rng.normal(size=len(T)) * 2

    assert slope_of(T, y).exceeds(0.05)
