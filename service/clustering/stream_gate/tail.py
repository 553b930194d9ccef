"""A weighted sample that other values are compared with: how much of it is as large?

    p(v) = (1/n + sum of m_i over v_i >= v) / (1/n + 1),      m_i at least 0, 1 in all

As in conformal prediction the item at hand counts as one more, of average weight, so p is never 0. With equal weights
it is (1 + #{v_i >= v}) / (n + 1).
"""

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

    def p_values(self, values: Float64s) -> Float64s:
        """float64 (B,) in (0, 1]: the share of the sample that is as large."""
        place = np.searchsorted(self._values, values, side="left")
        return np.asarray(np.minimum(self._share[place], 1.0), dtype=np.float64)
