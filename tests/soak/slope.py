"""Does it grow? The slope of a series by least squares, and how sure it is.

    y_i = a + b t_i + e_i       b = sum (t_i - mean t) y_i / sum (t_i - mean t)^2

Memory moves in steps and stays there a while, so the errors e_i of neighbours are alike, and the usual standard error
of b would be far too small. That of Newey and West allows for it, up to L neighbours apart, with falling weights:

    u_i = (t_i - mean t) e_i    S = sum u_i^2 + 2 sum_{l=1..L} (1 - l / (L + 1)) sum_i u_i u_{i-l}
    se = sqrt(S) / sum (t_i - mean t)^2

It grows when b - 3 se is over a bound. A slope that is smaller than the bound, however sure, is nobody's leak.

References:
    Newey and West 1987, A simple, positive semi-definite, heteroskedasticity and autocorrelation consistent
    covariance matrix, Econometrica 55(3).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SURE = 3.0
"""Standard errors."""


@dataclass(frozen=True, kw_only=True)
class Slope:
    """`per_unit` of y a unit of t, with its standard error; `n` points."""

    per_unit: float
    error: float
    n: int

    def exceeds(self, bound: float) -> bool:
        """Whether it is surely over the bound."""
        return self.per_unit - SURE * self.error > bound


def slope_of(t: Sequence[float], y: Sequence[float], *, lags: int | None = None) -> Slope:
    """The slope of y over t; `lags` is L, None: a quarter of the points, which is many."""
    times, values = np.asarray(t, dtype=np.float64), np.asarray(y, dtype=np.float64)
    n = len(times)
    if n < 3:
        return Slope(per_unit=0.0, error=float("inf"), n=n)
    centred = times - times.mean()
    spread = float(centred @ centred)
    slope = float(centred @ values) / spread
    u = centred * (values - values.mean() - slope * centred)
    lags = n // 4 if lags is None else lags
    total = float(u @ u)
    for lag in range(1, min(lags, n - 1) + 1):
        total += 2 * (1 - lag / (lags + 1)) * float(u[lag:] @ u[:-lag])
    return Slope(per_unit=slope, error=float(np.sqrt(max(total, 0.0))) / spread, n=n)
