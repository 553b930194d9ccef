"""DBSTREAM straight from the paper, one micro-cluster at a time: slow, obvious, the oracle of the array version.

Hahsler & Bolaños 2016, Algorithm 1 (update), Algorithm 2 (clean-up). Time counts items; weights and densities
are stored faded to every moment, as the paper's formulas say, by multiplying all of them at each step.
"""

import math


class LiteralDBSTREAM:
    """The paper's algorithm on Python lists."""

    def __init__(self, r: float, fading: float, gap: int, alpha: float, cap: int) -> None:
        self.r, self.fading, self.gap, self.alpha, self.cap = r, fading, gap, alpha, cap
        self.t = 0
        self.born = 0
        self.centers: dict[int, list[float]] = {}
        self.w: dict[int, tuple[float, int]] = {}
        self.s: dict[tuple[int, int], tuple[float, int]] = {}

    def weight(self, i: int) -> float:
        w, t = self.w[i]
        return w * 2.0 ** (-self.fading * (self.t - t))

    def density(self, i: int, j: int) -> float:
        s, t = self.s.get((min(i, j), max(i, j)), (0.0, 0))
        return s * 2.0 ** (-self.fading * (self.t - t))

    def learn(self, x: list[float]) -> None:
        near = [i for i, c in self.centers.items() if math.dist(x, c) < self.r]
        if not near:
            if len(self.centers) >= self.cap:
                self.remove(min(self.centers, key=lambda i: (self.weight(i), i)))
            self.born += 1
            self.centers[self.born] = list(x)
            self.w[self.born] = (1.0, self.t)
        before = {i: self.centers[i] for i in near}
        for i in near:
            self.w[i] = (self.weight(i) + 1.0, self.t)
            h = math.exp(-(math.dist(x, before[i]) ** 2) / (2.0 * (self.r / 3.0) ** 2))
            self.centers[i] = [c + h * (v - c) for v, c in zip(x, before[i], strict=True)]
        for i in near:
            for j in near:
                if i < j:
                    self.s[i, j] = (self.density(i, j) + 1.0, self.t)
        moved = {i: self.centers[i] for i in near}
        for i in near:
            if any(math.dist(moved[i], moved[j]) < self.r for j in near if j != i):
                self.centers[i] = before[i]
        self.t += 1
        if self.t % self.gap == 0:
            self.cleanup()

    def cleanup(self) -> None:
        weak = 2.0 ** (-self.fading * self.gap)
        for i in [i for i in self.centers if self.weight(i) < weak]:
            self.remove(i)
        self.s = {(i, j): v for (i, j), v in self.s.items() if self.density(i, j) >= self.alpha * weak}

    def remove(self, i: int) -> None:
        del self.centers[i], self.w[i]
        self.s = {pair: v for pair, v in self.s.items() if i not in pair}
