"""Emergence: when do outliers become a class? A sequential test that may be looked at after every item.

For a candidate cluster, let p0 bound the rate at which items of *known* classes would fall into it. Held-out
known items tell: of N of them, k were refused by the known gate and lie inside the cluster's balls, so p0 is
the Clopper-Pearson upper bound of k in N. If the stream holds nothing new, each item that arrives after the
candidate's birth falls into it with probability at most p0, whatever came before. Against that stands a
mixture over all larger rates:

    E_n = 1/(1-p0) * int_{p0}^{1} p^h (1-p)^(n-h) dp  /  ( p0^h (1-p0)^(n-h) )

for h hits in n trials: a supermartingale under every rate up to p0 (Robbins 1970; Ramdas et al. 2023, "Game-
theoretic statistics and safe anytime-valid inference"). By Ville's inequality the chance that it *ever* reaches
1/a is at most a, so one may look after every item. The j-th candidate of a stream gets a_j = 6 a / (pi^2 j^2),
which sums to the operator's budget a over all candidates for ever.

Three things keep the test honest: items from before the candidate's birth do not count; an item counts by the
region as it was *before* that item was learnt; and p0 never falls while a candidate lives. Two conditions are
left, and are the operator's to know: the bound p0 is itself an estimate, right with confidence P0_CONFIDENCE,
and the held-out items must look like the stream's known items: drift of a known class is novelty to this test.
"""

import math

import numpy as np
from scipy.special import betaincc, betaincinv, betaln

from service.records import Float64s

P0_CONFIDENCE = 0.95
"""Confidence of the upper bound p0."""


def clopper_pearson_upper(k: int, n: int, confidence: float = P0_CONFIDENCE) -> float:
    """One-sided upper bound of a binomial rate after k of n (Clopper & Pearson 1934); 1 for n = 0 or k = n."""
    return 1.0 if k >= n else float(betaincinv(k + 1, n - k, confidence))


def log_e_value(hits: int, trials: int, p0: float) -> float:
    """Ln E_n of the mixture test above; 0 (E = 1) before the first trial and for p0 = 1."""
    if trials == 0 or p0 >= 1.0:
        return 0.0
    misses = trials - hits
    tail = float(betaincc(hits + 1, misses + 1, p0))
    if tail == 0.0:  # so far below p0 that the integral underflows: no evidence at all
        return -math.inf
    alternative = float(betaln(hits + 1, misses + 1)) + math.log(tail) - math.log1p(-p0)
    null = hits * math.log(p0) + misses * math.log1p(-p0)
    return alternative - null


def log_threshold(candidate: int, budget: float) -> float:
    """ln(1/a_j) for the j-th candidate of the stream (from 1), a_j = 6 budget / (pi^2 j^2)."""
    return math.log(math.pi**2 * candidate**2 / (6.0 * budget))


class Background:
    """Held-out known items, as the clusterer would see them: what leaks there without anything new."""

    def __init__(self, refused: Float64s, total: int) -> None:
        """Keep the held-out items that the gate refused.

        Args:
            refused: float64 (R, C) their cluster-space coordinates.
            total: N, how many held-out items there are in all.
        """
        self._refused = refused
        self._total = total

    def p0(self, centers: Float64s, radius: float) -> float:
        """Upper bound on the rate of known items inside the union of balls around `centers`, float64 (m, C)."""
        if not len(centers):
            return clopper_pearson_upper(0, self._total)
        d2 = np.square(self._refused[:, None, :] - centers[None, :, :]).sum(axis=-1)
        inside = int((d2.min(axis=1) < radius**2).sum()) if len(self._refused) else 0
        return clopper_pearson_upper(inside, self._total)
