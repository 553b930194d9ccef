"""Spherical k-means where some items have a class and most have none, and where bad endings are mended.

With items z on the unit sphere and centres c likewise, what is to be large is

    F = sum_i <z_i, c_a(i)>,   a(i) the nearest centre, but the own class of an item that has one

**Seeds** (Basu, Banerjee & Mooney 2002, "Semi-supervised Clustering by Seeding", the constrained kind): the first K
centres are those of the K classes, begin at the mean of their items, and keep these. The others begin as in k-means++
(Arthur & Vassilvitskii 2007, the greedy kind): an item is drawn with a chance in proportion to its squared distance
from the nearest centre, of eight such the one that leaves the least.

**Breathing** (Fritzke 2020, "Breathing K-Means"): k-means ends with two groups in one centre and one group in two.
So the m centres with the largest sum of distances are split in two, k-means goes on, then the m centres of no class
whose items would lose the least by going to their next one are taken away, one after the other, and k-means goes on
again. What has a larger F is kept; else m becomes smaller, and it ends at 0.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from benchmarks.streams import Int64s
from service.records import Float32s

CANDIDATES = 8
SPLIT = 6
"""m at first."""
_MOST_ROUNDS = 60
_SETTLED = 1e-3
"""Share of items that may still move when a round is the last one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Partition:
    """A result: float32 (k, D) centres, int64 (N,) the centre of each item, and F."""

    centres: Float32s
    own: Int64s
    total: float


@dataclass(frozen=True, kw_only=True, eq=False)
class _Problem:
    """float32 (N, D) items on the sphere; int64 (n,) rows of those with a class, and int64 (n,) that class."""

    z: Float32s
    rows: Int64s
    y: Int64s

    @property
    def classes(self) -> int:
        return int(self.y.max()) + 1 if len(self.y) else 0

    def cosines(self, centres: Float32s) -> Float32s:
        """float32 (N, k), where an item with a class is as near as can be to its own centre and to no other."""
        found: Float32s = self.z @ centres.T
        found[self.rows] = -2.0
        found[self.rows, self.y] = 1.0
        return found


def seeded_kmeans(
    z: Float32s, rows: Int64s, y: Int64s, *, k: int, seed: int, split: int = SPLIT
) -> Partition:
    """Part all items, those without a class too.

    Args:
        z: float32 (N, D) of length one.
        rows: int64 (n,) items with a class; may be none.
        y: int64 (n,) these classes, 0 .. K-1, each occurring: centre j is class j's.
        k: Centres in all, K or more.
        seed: Of the start.
        split: m at first; 0 is plain k-means.
    """
    problem = _Problem(z=z, rows=rows, y=y)
    rng = np.random.default_rng([seed, 0])
    return _breathe(problem, _settle(problem, _begin(problem, k, rng)), split, rng)


def _begin(problem: _Problem, k: int, rng: np.random.Generator) -> Float32s:
    z = problem.z
    K = problem.classes
    centres = np.empty((k, z.shape[1]), dtype=np.float32)
    centres[:K] = _unit(_sums(z[problem.rows], problem.y, K))
    if K == 0:
        centres[0] = z[rng.integers(len(z))]
        K = 1
    away = _away((z @ centres[:K].T).max(axis=1))
    away[problem.rows] = 0.0
    for at in range(K, k):
        total = away.sum()
        chance = away / total if total > 0.0 else np.full(len(z), 1.0 / len(z))
        drawn = rng.choice(len(z), size=CANDIDATES, p=chance)
        left = np.minimum(away, _away(z[drawn] @ z.T))  # (CANDIDATES, N)
        best = int(left.sum(axis=1).argmin())
        centres[at], away = z[drawn[best]], left[best]
    return centres


def _settle(problem: _Problem, centres: Float32s, rounds: int = _MOST_ROUNDS) -> Partition:
    """k-means from these centres; one without an item stays where it is."""
    z, k = problem.z, len(centres)
    own = np.full(len(z), -1, dtype=np.int64)
    for _ in range(rounds):
        nearest = problem.cosines(centres).argmax(axis=1)
        moved = float((nearest != own).mean())
        own = nearest
        sums = _sums(z, own, k)
        is_empty = np.square(sums).sum(axis=1) < 1e-18
        centres = np.where(is_empty[:, None], centres, _unit(sums))
        if moved <= _SETTLED:
            break
    return Partition(centres=centres, own=own, total=float((z * centres[own]).sum()))


def _breathe(problem: _Problem, best: Partition, split: int, rng: np.random.Generator) -> Partition:
    m = min(split, len(best.centres))
    while m > 0:
        wider = _settle(problem, np.concatenate([best.centres, _halves(problem.z, best, m, rng)]), rounds=15)
        tried = _settle(problem, _without(problem, wider.centres, m))
        if tried.total > best.total * (1.0 + 1e-6):
            best = tried
        else:
            m -= 1 if m <= 2 else 2
    return best


def _halves(z: Float32s, partition: Partition, m: int, rng: np.random.Generator) -> Float32s:
    """A second centre for each of the m worst clusters: that half's of a bisection that is farther from the first."""
    k = len(partition.centres)
    error = np.bincount(
        partition.own, weights=1.0 - (z * partition.centres[partition.own]).sum(axis=1), minlength=k
    )
    found = []
    for cluster in np.argsort(-error)[:m].tolist():
        items = z[partition.own == cluster]
        if not len(items):
            items = z
        one = items[rng.integers(len(items))]
        other = items[(items @ one).argmin()]
        for _ in range(8):
            is_other = items @ other > items @ one
            if is_other.all() or not is_other.any():
                break
            one, other = (_unit(items[part].sum(axis=0)) for part in (~is_other, is_other))
        center = partition.centres[cluster]
        found.append(other if other @ center < one @ center else one)
    return np.stack(found)


def _without(problem: _Problem, centres: Float32s, m: int) -> Float32s:
    """Take the m least useful centres of no class away, one after the other."""
    cosines = problem.cosines(centres)
    items = np.arange(len(cosines))
    alive = np.ones(len(centres), dtype=np.bool_)
    for _ in range(m):
        first = cosines.argmax(axis=1)
        top = cosines[items, first].copy()
        cosines[items, first] = -3.0
        loss = top - cosines.max(axis=1)
        cosines[items, first] = top
        use = np.bincount(first, weights=loss, minlength=len(centres))
        use[: problem.classes] = np.inf
        use[~alive] = np.inf
        gone = int(use.argmin())
        if not np.isfinite(use[gone]):
            break
        alive[gone] = False
        cosines[:, gone] = -3.0
    return centres[alive]


def _sums(z: Float32s, own: Int64s, k: int) -> Float32s:
    """float32 (k, D): the sum of the items of each centre."""
    n = len(own)
    member = csr_array((np.ones(n, dtype=np.float32), (own, np.arange(n))), shape=(k, n))
    return np.asarray(member @ z, dtype=np.float32)


def _unit(z: Float32s) -> Float32s:
    return np.asarray(z / np.maximum(np.linalg.norm(z, axis=-1, keepdims=True), 1e-12), dtype=np.float32)


def _away(cosines: Float32s) -> Float32s:
    """Squared distances on the sphere."""
    return np.maximum(0.0, 2.0 - 2.0 * cosines)
