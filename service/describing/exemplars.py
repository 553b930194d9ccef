"""Which members to show of a cluster: few, and each for a reason.

    medoid     the one with the least distance to all others: what it is
    newest     the latest: what it is now
    diverse    farthest from all that are shown already, one after the other: how different its items are. This is the
               greedy k-centre rule (T. Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985): no
               choice of as many covers the members with balls of less than half the radius
    boundary   those nearest to a known class, compared with how near the medoid is: what is mistaken first

Nobody is shown twice; whoever could be shown for two reasons is for the first. Ties go to the one that came first.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from service.records import Float64s

NEWEST: Final = 4
DIVERSE: Final = 4
BOUNDARY: Final = 3


class Role(StrEnum):
    """Why a member is shown."""

    MEDOID = "medoid"
    NEWEST = "newest"
    DIVERSE = "diverse"
    BOUNDARY = "boundary"


@dataclass(frozen=True, kw_only=True, slots=True)
class Exemplar:
    """A member that is shown. row: its place among the members; distance: to the medoid, in cluster space."""

    role: Role
    row: int
    distance: float


def exemplars(x: Float64s, known: Float64s) -> tuple[Exemplar, ...]:
    """Choose from n members, in the order of the roles.

    Args:
        x: float64 (n, C) where they lie in cluster space, in order of the stream.
        known: float64 (K, C) the known classes' prototypes.
    """
    n = len(x)
    if not n:
        return ()
    apart = np.sqrt(np.maximum(_squares(x, x), 0.0))
    medoid = int(apart.sum(axis=1).argmin())
    shown: list[tuple[Role, int]] = [(Role.MEDOID, medoid)]
    left = [row for row in range(n) if row != medoid]
    for row in left[: -NEWEST - 1 : -1]:
        shown.append((Role.NEWEST, row))
        left.remove(row)
    nearest = apart[:, [row for _, row in shown]].min(axis=1)
    for _ in range(min(DIVERSE, len(left))):
        row = max(left, key=lambda at: (float(nearest[at]), -at))
        if nearest[row] <= 0.0:
            break
        shown.append((Role.DIVERSE, row))
        left.remove(row)
        nearest = np.minimum(nearest, apart[:, row])
    to_known = np.sqrt(np.maximum(_squares(x, known), 0.0)).min(axis=1)
    margin = to_known - apart[medoid]
    closest = sorted(left, key=lambda at: (float(margin[at]), at))[:BOUNDARY]
    shown += [(Role.BOUNDARY, row) for row in closest]
    return tuple(Exemplar(role=role, row=row, distance=float(apart[medoid, row])) for role, row in shown)


def _squares(a: Float64s, b: Float64s) -> Float64s:
    """float64 (n, m): squared distances, each by itself, so that what is equal is at distance 0."""
    out = np.empty((len(a), len(b)), dtype=np.float64)
    for row, one in enumerate(a):
        out[row] = np.square(b - one).sum(axis=1)
    return out
