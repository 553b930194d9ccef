"""DBSTREAM straight from the paper, one micro-cluster at a time: slow, obvious, the oracle of every fast version.

Hahsler & Bolaños 2016, "Clustering Data Streams Based on Shared Density between Micro-Clusters", IEEE TKDE 28(6).
A micro-cluster is a ball of radius r. An item moves the centres of all balls that hold it (Algorithm 1, lines
6-9), and each pair of these shares one item more (lines 10-13). Everything fades by half in 1/lambda; what has
faded below the worth of one item after a clean-up interval is forgotten (Algorithm 2). Strong micro-clusters
that share enough are one cluster (Algorithm 3).

The state is three dicts by birth id; births are 1, 2, ... and never given twice. Nothing fades in place: a weight
is what it was worth at the time of its last change, as (value, time), and is faded when read.

    centers[i]    where micro-cluster i is
    weights[i]    w_i as (value, time)
    shared[i][j]  s_ij as (value, time); the same entry as shared[j][i], so that "undirected" needs no code

Written to be compared with: each sum runs left to right in plain floats, each loop in order of birth. Where the
paper is silent, or a service needs more, the step says "beyond the paper". With `max_micro_clusters` and
`max_degree` left out, `unlink_fraction` left out, and no times given, nothing here is.
"""

import math
import sys
from collections.abc import Iterator, Sequence

Faded = tuple[float, float]
"""(value, time): what something was worth at that time."""


def distance(a: Sequence[float], b: Sequence[float]) -> float:
    """Euclidean, summed from the first feature to the last: `math.dist` scales, and differs in the last bit."""
    total = 0.0
    for u, v in zip(a, b, strict=True):
        total += (u - v) * (u - v)
    return math.sqrt(total)


class LiteralDBSTREAM:
    """The paper's algorithm on Python dicts.

    Args:
        clustering_threshold: r, the radius of a micro-cluster.
        fading_factor: lambda; a weight halves in 1/lambda.
        cleanup_interval: t_gap, in items or in the unit of the times given.
        intersection_factor: alpha; from this connectivity on, two micro-clusters are connected.
        minimum_weight: w_min; from this faded weight on, a micro-cluster is strong.
        max_micro_clusters: Beyond the paper: at so many, the lightest makes room for the newborn.
        max_degree: Beyond the paper: a micro-cluster shares density with at most so many others.
        unlink_fraction: Beyond the paper: a connection made at alpha is cut below this fraction of alpha.

    Attributes:
        now: The present: items learnt or, with times, the latest of them.
        linked: The pairs (i, j), i < j, that are connected, strong or not.
    """

    def __init__(
        self,
        *,
        clustering_threshold: float,
        fading_factor: float,
        cleanup_interval: float,
        intersection_factor: float,
        minimum_weight: float,
        max_micro_clusters: int = sys.maxsize,
        max_degree: int = sys.maxsize,
        unlink_fraction: float = 1.0,
    ) -> None:
        self.r = clustering_threshold
        self.fading = fading_factor
        self.gap = cleanup_interval
        self.alpha = intersection_factor
        self.w_min = minimum_weight
        self.cap = max_micro_clusters
        self.max_degree = max_degree
        self.unlink_at = unlink_fraction * intersection_factor
        self.start: float = 0
        self.now: float = 0
        self.born = 0
        self.centers: dict[int, list[float]] = {}
        self.weights: dict[int, Faded] = {}
        self.shared: dict[int, dict[int, Faded]] = {}
        self.linked: set[tuple[int, int]] = set()

    # Reading. Nothing here changes anything.

    def weight(self, i: int) -> float:
        """w_i, faded to now."""
        return self._at_present(self.weights[i])

    def density(self, i: int, j: int) -> float:
        """s_ij, faded to now; 0.0 for a pair that shares nothing. The order of i and j does not matter."""
        entry = self.shared[i].get(j)
        return 0.0 if entry is None else self._at_present(entry)

    def pairs(self) -> Iterator[tuple[int, int]]:
        """The pairs that share density, as (i, j) with i < j, in order."""
        return ((i, j) for i in self.centers for j in sorted(self.shared[i]) if i < j)

    def connectivity(self, i: int, j: int) -> float:
        """c_ij = s_ij / mean(w_i, w_j), all faded to now. Algorithm 3."""
        return self.density(i, j) / ((self.weight(i) + self.weight(j)) / 2.0)

    def strong(self) -> list[int]:
        """The micro-clusters with w >= w_min, in order of birth. Algorithm 3: only these are part of clusters."""
        return [i for i in self.centers if self.weight(i) >= self.w_min]

    def partition(self) -> dict[int, int]:
        """Birth -> cluster, for strong micro-clusters: the connected components of the undirected graph.

        Algorithm 3. Clusters are numbered 0, 1, ... in order of their oldest micro-clusters.
        """
        strong = self.strong()
        cluster: dict[int, int] = {}
        found = 0
        for oldest in strong:
            if oldest in cluster:
                continue
            cluster[oldest] = found
            waiting = [oldest]
            while waiting:
                i = waiting.pop()
                for j in strong:
                    if j not in cluster and (min(i, j), max(i, j)) in self.linked:
                        cluster[j] = found
                        waiting.append(j)
            found += 1
        return {i: cluster[i] for i in strong}

    def assign(self, x: Sequence[float]) -> int | None:
        """The nearest strong micro-cluster (ties: the oldest) whose ball holds x; None: x is an outlier."""
        near = [(distance(x, self.centers[i]), i) for i in self.strong()]
        return min(((d, i) for d, i in near if d < self.r), default=(0.0, None))[1]

    # Learning

    def learn(self, x: Sequence[float], t: float | None = None) -> None:
        """Learn one item: without `t` the next one counted, with `t` one of that time, which may be late.

        Raises:
            ValueError: x has a number that is not finite, or another width than the items before. Nothing
                changed. Beyond the paper, whose items are points of R^d.
        """
        width = len(next(iter(self.centers.values()), x))
        if len(x) != width or not all(math.isfinite(v) for v in x):
            raise ValueError(f"an item has {width} finite numbers")
        if t is None:
            self._update(x, self.now)
            self.advance(self.now + 1)  # line 21
        else:
            if not self.born:
                self.start = self.now = t
            self.advance(t)
            self._update(x, t)
        self._reread()

    def advance(self, t: float) -> None:
        """The present becomes t, if that is later; Algorithm 2, once, if a clean-up was due on the way."""
        before, self.now = self.now, max(self.now, t)
        if self._intervals(self.now) > self._intervals(before):
            self._clean_up()

    def _update(self, x: Sequence[float], t: float) -> None:
        """Algorithm 1, for an item of time t."""
        # Line 2
        near = [i for i, c in self.centers.items() if distance(x, c) < self.r]
        # Lines 3-4
        if not near:
            if len(self.centers) >= self.cap:
                self._remove(min(self.centers, key=lambda i: (self.weight(i), i)))
            self.born += 1
            self.centers[self.born] = list(x)
            self.weights[self.born] = (1.0, t)
            self.shared[self.born] = {}
            return
        before = {i: self.centers[i] for i in near}
        for i in near:
            # Line 7
            self.weights[i] = self._one_more(self.weights[i], t)
            # Line 8, with the Gaussian neighbourhood of section 4.1, sigma = r / 3
            d, sigma = distance(x, before[i]), self.r / 3
            h = math.exp(-(d * d) / (2 * (sigma * sigma)))
            self.centers[i] = [c + h * (v - c) for v, c in zip(x, before[i], strict=True)]
            # Line 9 is the time in `_one_more`. Lines 10-13
            for j in near:
                if j > i and (j in self.shared[i] or self._admits(i, j)):
                    entry = self._one_more(self.shared[i].get(j, (0.0, t)), t)
                    self.shared[i][j] = self.shared[j][i] = entry
        # Lines 15-19. One pair after the other: what one pair reverted, the next finds reverted.
        for i in near:
            for j in near:
                if j > i and distance(self.centers[i], self.centers[j]) < self.r:
                    self.centers[i], self.centers[j] = before[i], before[j]

    def _admits(self, i: int, j: int) -> bool:
        """Beyond the paper: is there room for the new pair (i, j)? Makes it, by removing the weakest, if so.

        An end that is full gives up its weakest pair (ties: the one with the oldest peer), but only if that is
        worth less than one item by now. Both ends are asked before anything is removed.
        """
        leaving = []
        for end in (i, j):
            if len(self.shared[end]) >= self.max_degree:
                weakest = min(self.shared[end], key=lambda peer, end=end: (self.density(end, peer), peer))
                if self.density(end, weakest) >= 1.0:
                    return False
                leaving.append((end, weakest))
        for end, peer in leaving:
            self._separate(end, peer)
        return True

    def _clean_up(self) -> None:
        """Algorithm 2: forget what is worth less than one item was a clean-up interval ago."""
        w_weak = self._fade(self.gap)
        for i in [i for i in self.centers if self.weight(i) < w_weak]:
            self._remove(i)
        for i, j in list(self.pairs()):
            if self.density(i, j) < self.alpha * w_weak:
                self._separate(i, j)

    def _reread(self) -> None:
        """Algorithm 3, which pairs are connected: c_ij >= alpha; beyond the paper, with hysteresis."""
        self.linked = {
            (i, j)
            for i, j in self.pairs()
            if self.connectivity(i, j) >= (self.unlink_at if (i, j) in self.linked else self.alpha)
        }

    # Small steps

    def _fade(self, age: float) -> float:
        factor: float = 2.0 ** (-self.fading * age)
        return factor

    def _at_present(self, entry: Faded) -> float:
        value, at = entry
        return value * self._fade(self.now - at)

    def _one_more(self, entry: Faded, t: float) -> Faded:
        """Lines 7 and 11. Beyond the paper: an item that is late adds what it would be worth by then."""
        value, at = entry
        if t >= at:
            return value * self._fade(t - at) + 1.0, t
        return value + self._fade(at - t), at

    def _intervals(self, t: float) -> int:
        """Clean-up intervals that have passed at t."""
        return math.floor((t - self.start) / self.gap)

    def _remove(self, i: int) -> None:
        for j in list(self.shared[i]):
            self._separate(i, j)
        del self.centers[i], self.weights[i], self.shared[i]

    def _separate(self, i: int, j: int) -> None:
        """A pair that is removed is not connected any more, and starts anew if it shares an item again."""
        del self.shared[i][j], self.shared[j][i]
        self.linked.discard((min(i, j), max(i, j)))
