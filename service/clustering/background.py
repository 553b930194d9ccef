"""Held-out items of known classes, as the clusterer would see them: what the known leaks there.

Two answers come from it, and both are rates of *known* items:

    p0        how often would they fall into a candidate's balls? The sequential test stands on it (emergence.py).
    squeezed  how much of the operator's rate do announced clusters take up? (below)

**Shares.** The held-out items have the shares of the training data, and a stream has its own: where one class leaks
more than others, and is most of the stream, the leak is larger than on average. So p0 is the largest of upper bounds
under several *mixes* of the classes: the held-out one, the stream's since the candidate's birth, and the stream's of
late (`Cores`). Under a mix pi the items weigh m_i = pi_k / n_k, and count for n = 1 / sum_i m_i^2 items (Kish 1965);
the bound is Clopper and Pearson's with n sum_inside m_i hits in n, which are no whole numbers. A few items tell little
of shares, and p0 never falls, so a mix begins at the held-out shares, as if PRIOR items had told of these.

**Claims.** Where there is no stream gate, items go to the clusterer up to a p-value f well above the operator's rate
a: a new class of which most items look like a known one, each by itself, comes together there, and the test above sees
to it that what comes together is new. An item of p <= f in an announced cluster is then that cluster's. Known items are
there, too, and are called new beyond the rate. So all p-values are put on one scale,

    M = p a / f   in an announced cluster,       M = p   elsewhere,

and an item is called new where M <= s a, with the largest s <= 1 at which no more than a of the held-out items are.
"""

import numpy as np
from scipy.special import betaincinv

from service.records import Bools, Float64s, Int64s

P0_CONFIDENCE = 0.95
"""Confidence of the upper bound p0."""

PRIOR = 200.0
"""Core items that a mix of classes begins with."""

_MOST_KEPT = 4096


def clopper_pearson_upper(k: float, n: float, confidence: float = P0_CONFIDENCE) -> float:
    """One-sided upper bound of a binomial rate after k of n (Clopper & Pearson 1934); 1 for n = 0 or k = n."""
    return 1.0 if k >= n else float(betaincinv(k + 1, n - k, confidence))


class Background:
    """The held-out items that would go to the clusterer now. Read-only, but for what it remembers to save time.

    Args:
        fed: float64 (R, C) their cluster-space coordinates.
        p: float64 (R,) what the gates say of them.
        labels: int64 (R,) their classes.
        counts: int64 (K,) how many held-out items there are in all, of each class.
    """

    def __init__(self, fed: Float64s, p: Float64s, labels: Int64s, counts: Int64s) -> None:
        self._fed = fed
        self._p = p
        self._labels = labels
        self._counts = counts.astype(np.float64)
        self._total = int(counts.sum())
        self._kept: dict[int, tuple[Float64s, Bools]] = {}

    def inside(self, cluster: int, centers: Float64s, radius: float) -> Bools:
        """Which of the items lie in a cluster's balls.

        Args:
            cluster: Its id, under which the answer is remembered for as long as it has these centres.
            centers: float64 (m, C).
            radius: Of each ball.

        Returns:
            Bool (R,).
        """
        kept = self._kept.get(cluster)
        if kept is not None and kept[0].shape == centers.shape and np.array_equal(kept[0], centers):
            return kept[1]
        found = np.zeros(len(self._fed), dtype=np.bool_)
        for center in centers:  # one at a time: all at once would take R x m x C numbers
            found |= np.square(self._fed - center).sum(axis=1) < radius**2
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[cluster] = (centers.copy(), found)
        return found

    def p0(self, inside: Bools, *seen: Float64s) -> float:
        """Upper bound on the rate at which items of known classes fall into a region.

        Args:
            inside: bool (R,) which of the items lie there.
            seen: float64 (K,) core items of each class in some stretch of the stream; none is needed.
        """
        highest = clopper_pearson_upper(int(inside.sum()), self._total)
        if not inside.any():
            return highest  # no mix makes more than nothing of nothing
        leaks = np.bincount(self._labels[inside], minlength=len(self._counts)) / np.maximum(self._counts, 1)
        prior = PRIOR * self._counts / self._total
        for cores in seen:
            mix = np.where(self._counts > 0, cores + prior, 0.0)
            mix /= mix.sum()
            n = 1.0 / float((np.square(mix) / np.maximum(self._counts, 1)).sum())
            highest = max(highest, clopper_pearson_upper(n * float(mix @ leaks), n))
        return highest

    def squeezed(self, claimed: Bools, *, rate: float, feeding: float) -> float:
        """s: what is left of the operator's rate, 1 where all of it is.

        Args:
            claimed: bool (R,) which of the items lie in an announced cluster.
            rate: a, the operator's.
            feeding: f, at least a.
        """
        m = np.sort(
            np.round(np.where(claimed, self._p * (rate / feeding), self._p), 12)
        )  # equal ones are equal
        allowed = int(rate * (self._total + 1) + 1e-9)  # as many as a conformal p-value lets below the rate
        if len(m) <= allowed or m[allowed] > rate:
            return 1.0
        below = m[m < m[allowed]]
        between = ((below[-1] if len(below) else 0.0) + m[allowed]) / 2.0
        return max(float(between / rate), 1e-9)
