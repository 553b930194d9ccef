"""A weighted sample that other values are compared with: how much of it is as large?

    p(v) = (1/n + sum of m_i over v_i >= v) / (1/n + 1),      m_i at least 0, 1 in all

As in conformal prediction the item at hand counts as one more, of average weight, so p is never 0. With equal weights
it is (1 + #{v_i >= v}) / (n + 1).
"""

import math

import numpy as np

from service.records import Float64s


class Tail:
    """The sample.

    Args:
        values: float64 (n,), n at least 1.
        mass: float64 (n,), m_i.
    """

    def __init__(self, values: Float64s, mass: Float64s) -> None:
        order = np.argsort(values, kind="stable")
        self._values = values[order]
        above = np.concatenate([np.cumsum(mass[order][::-1])[::-1], [0.0]])
        self._share = (1.0 / len(values) + above) / (1.0 / len(values) + 1.0)

    def limit(self, rate: float, *, digits: int | None = None) -> float:
        """The largest value with a p-value above `rate`: p(v) > rate where v <= limit, and nowhere else.

        Args:
            rate: Below 1.
            digits: To how many decimals both are rounded before they are compared; None: not.

        Returns:
            inf where every value is such, -inf where none is.
        """
        share = np.minimum(self._share, 1.0)
        if digits is not None:
            share, rate = np.round(share, digits), round(rate, digits)
        rarer = int(np.searchsorted(-share, -rate, side="left"))  # the first whose share is not above
        if rarer in (0, len(share)):
            return math.inf if rarer else -math.inf
        return float(self._values[rarer - 1])

    def p_values(self, values: Float64s) -> Float64s:
        """float64 (B,) in (0, 1]: the share of the sample that is as large."""
        place = np.searchsorted(self._values, values, side="left")
        return np.asarray(np.minimum(self._share[place], 1.0), dtype=np.float64)
