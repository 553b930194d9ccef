"""Exponentials that do not depend on the processor."""

import math
from fractions import Fraction
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.clustering.kernels.exact import exp, exp2

_njit: Any = numba.njit


@_njit
def _both(x: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    for n in range(len(x)):
        out[0, n] = exp2(x[n])
        out[1, n] = exp(x[n])


def powers(*values: float) -> NDArray[np.float64]:
    """float64 (2, N): 2^x and e^x."""
    out = np.empty((2, len(values)))
    _both(np.array(values, dtype=np.float64), out)
    return out


@settings(deadline=None)
@given(st.lists(st.floats(-1000, 8), max_size=20))
def test_they_are_right_to_a_few_units_in_the_last_place(values: list[float]) -> None:
    """2^x and e^x, to a relative error of 1e-15 (e^x: times |x|)."""
    x = np.array(values, dtype=np.float64)

    np.testing.assert_allclose(powers(*x)[0], np.exp2(x), rtol=1e-15, atol=1e-300)
    np.testing.assert_allclose(powers(*(x / 2))[1], np.exp(x / 2), rtol=2e-13, atol=1e-300)


def test_whole_powers_are_exact() -> None:
    """2^-3 is .125, 2^0 is 1, and far below it underflows to 0."""
    assert [0.125, 1.0, 256.0, 0.0, 0.0] == powers(-3.0, 0.0, 8.0, -1081.0, -1e6)[0].tolist()


@pytest.mark.parametrize("x", [-0.5, -0.3333, 0.25, 0.4999, -17.7])
def test_the_bits_are_those_of_the_arithmetic_written_down(x: float) -> None:
    """Nothing is fused or reordered: the steps, made one by one with correct rounding, give the same bits."""
    ln_2 = 0.6931471805599453
    coefficients = [1.0]
    for k in range(1, 15):
        coefficients.append(float(Fraction(float(Fraction(coefficients[-1]) * Fraction(ln_2))) / k))
    n = round(x)
    f = x - n
    power = coefficients[14]
    for k in range(13, -1, -1):
        product = float(Fraction(power) * Fraction(f))
        power = float(Fraction(product) + Fraction(coefficients[k]))

    assert math.ldexp(power, n) == powers(x)[0, 0]
