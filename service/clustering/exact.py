"""Powers of two that are the same to the last bit on every processor.

numpy and the C library choose other code for `exp` on other processors, and the last bits differ. The stored
state must not: a log replayed on another machine has to give the same state. Additions, multiplications and
`ldexp` are exact or correctly rounded everywhere (IEEE 754), so the function here is made of nothing else:

    2^x = 2^n 2^f,  n the integer nearest to x,  f in [-1/2, 1/2],  2^f by its Taylor polynomial of degree 14

The truncation error at |f| = 1/2 is below (ln 2 / 2)^15 / 15! = 1e-19, far less than a unit in the last place;
with rounding the result is within a few units of the true value.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.records import Float64s

_LN_2 = 0.6931471805599453
LOG2_E = 1.4426950408889634


def _taylor(degree: int) -> tuple[float, ...]:
    """(ln 2)^k / k! for k = 0, 1, ...; by multiplication and division, not by the C library's `pow`."""
    coefficients = [1.0]
    for k in range(1, degree + 1):
        coefficients.append(coefficients[-1] * _LN_2 / k)
    return tuple(coefficients)


COEFFICIENTS = _taylor(14)


def exp2(x: NDArray[np.floating[Any]]) -> Float64s:
    """2^x, elementwise; float64 of any shape, x at most 0 or small. Underflows to 0."""
    x = np.maximum(x, -1100.0)
    n = np.rint(x)
    f = x - n
    power = np.full_like(f, COEFFICIENTS[-1])
    for coefficient in COEFFICIENTS[-2::-1]:
        power *= f
        power += coefficient
    result: Float64s = np.ldexp(power, n.astype(np.int64))
    return result


def exp(x: NDArray[np.floating[Any]]) -> Float64s:
    """e^x, elementwise, by `exp2`."""
    return exp2(x * LOG2_E)
