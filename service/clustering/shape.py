"""The shape of a candidate: is it as tight, and as far from everything known, as a class is?

Both are lengths in cluster space, where the median known class has an RMS radius of 1:

    cohesion    sqrt(mean |x - m|^2) of the items that fell into it since its birth, m their mean
    separation  distance from m to the nearest known prototype

Beside them stands what is usual: the least and the largest of the known classes, taken in the same way from held-out
items. They are evidence for whoever looks at a cluster; the one thing that is decided by them is that a heap more than
TOO_WIDE times as wide as the widest known class is no class (it will part, or stay noise).

Sums are kept, not items: a candidate costs C numbers.
"""

from dataclasses import dataclass

import msgspec
import numpy as np

from service.records import Float64s, Int64s

TOO_WIDE = 2.0


class Shape(msgspec.Struct):
    """Sums over items: how many, of their coordinates, and of their squared lengths. Owned by the candidate."""

    items: int = 0
    total: list[float] = []
    squares: float = 0.0

    def add(self, x: Float64s) -> None:
        """One item, float64 (C,)."""
        self.total = (np.asarray(self.total) + x).tolist() if self.total else x.tolist()
        self.squares += float(x @ x)
        self.items += 1

    def take_in(self, other: "Shape") -> None:
        """Whatever another candidate had."""
        if other.items:
            total = np.asarray(other.total)
            self.total = (np.asarray(self.total) + total).tolist() if self.total else total.tolist()
            self.squares += other.squares
            self.items += other.items

    def mean(self) -> Float64s:
        """float64 (C,); of one item or more."""
        return np.asarray(self.total) / self.items

    def cohesion(self) -> float | None:
        """RMS distance from the mean; None for fewer than two items."""
        if self.items < 2:
            return None
        m = self.mean()
        # Of a sample: n - 1, as a few items lie nearer their own mean than the class's.
        return float(np.sqrt(max(0.0, self.squares - self.items * float(m @ m)) / (self.items - 1)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Usual:
    """The least and the largest of the known classes; None where these are too few to tell."""

    cohesion: tuple[float, float] | None
    separation: tuple[float, float] | None


def usual_of(x: Float64s, labels: Int64s, prototypes: Float64s) -> Usual:
    """What is usual among known classes.

    Args:
        x: float64 (N, C) held-out items.
        labels: int64 (N,) their classes.
        prototypes: float64 (K, C).
    """
    radii = []
    for k in range(len(prototypes)):
        own = x[labels == k]
        if len(own) > 1:
            radii.append(float(np.sqrt(own.var(axis=0, ddof=1).sum())))
    apart = np.sqrt(np.square(prototypes[:, None] - prototypes[None]).sum(axis=2))
    np.fill_diagonal(apart, np.inf)
    nearest = apart.min(axis=1)[np.isfinite(apart.min(axis=1))]
    return Usual(cohesion=_ends(radii), separation=_ends(nearest.tolist()))


def is_too_wide(cohesion: float | None, usual: Usual) -> bool:
    """Whether it is wider than a class can be, as far as anybody can tell."""
    return cohesion is not None and usual.cohesion is not None and cohesion > TOO_WIDE * usual.cohesion[1]


def _ends(found: list[float]) -> tuple[float, float] | None:
    return (min(found), max(found)) if found else None
