"""Powers of two that are the same to the last bit on every processor.

The C library chooses other code for `exp` on other processors, and the last bits differ. The stored state must
not: a log replayed on another machine has to give the same state. Additions, multiplications and `ldexp` are
exact or correctly rounded everywhere (IEEE 754), so the functions here are made of nothing else:

    2^x = 2^n 2^f,  n the integer nearest to x,  f in [-1/2, 1/2],  2^f by its Taylor polynomial of degree 14

The truncation error at |f| = 1/2 is below (ln 2 / 2)^15 / 15! = 1e-19, far less than a unit in the last place;
with rounding the result is within a few units of the true value.
"""

import math

import numpy as np

from service.compiling.compiled import compiled

_LN_2 = 0.6931471805599453
_LOG2_E = 1.4426950408889634


def _taylor(degree: int) -> tuple[float, ...]:
    """(ln 2)^k / k! for k = 0, 1, ...; by multiplication and division, not by the C library's `pow`."""
    coefficients = [1.0]
    for k in range(1, degree + 1):
        coefficients.append(coefficients[-1] * _LN_2 / k)
    return tuple(coefficients)


_COEFFICIENTS = _taylor(14)


@compiled
def exp2(x: float) -> float:
    """2^x for x up to 1000. Underflows to 0."""
    if x < -1080.0:
        return 0.0
    n = np.rint(x)
    f = x - n
    power = _COEFFICIENTS[14]
    for k in range(13, -1, -1):
        power = power * f + _COEFFICIENTS[k]
    return math.ldexp(power, int(n))


@compiled
def exp(x: float) -> float:
    """e^x, by `exp2`."""
    return exp2(x * _LOG2_E)
