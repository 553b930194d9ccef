"""Which micro-clusters hold an item: float32 proposes, float64 decides."""

import math

import numpy as np

from service.clustering.kernels.state import ALIVE, HIGH, LANES, NEAR, RADIUS, REACH, State
from service.compiling.compiled import compiled, compiled_loosely
from service.records import Float32s, Float64s, Int64s

FEW = 4
"""So many rows of a block are measured one by one rather than with all the others of it."""

FAR = 3e5
"""Times the radius: a centre further from the origin is no longer told apart in float32, to a few per cent of r."""


@compiled_loosely
def propose(sieve: Float32s, single: Float32s, blocks: int, limit: np.float32, proposed: Int64s) -> int:
    """Rows that may lie within the limit; the number of them. The order of these sums is free: see `_limit`.

    Eight dimensions at a time, 128 rows abreast, until none of the block is left. This loop is where the time goes:
    it is written out so that it compiles to full-width vector code.
    """
    dims = sieve.shape[1]
    x = single[:dims]
    sums = single[dims:]
    n = 0
    for b in range(blocks):
        near = np.int32(0)
        for d in range(0, dims, 8):
            c = sieve[b, d : d + 8]
            x0, x1, x2, x3, x4, x5, x6, x7 = (
                x[d],
                x[d + 1],
                x[d + 2],
                x[d + 3],
                x[d + 4],
                x[d + 5],
                x[d + 6],
                x[d + 7],
            )
            near = np.int32(0)
            if d == 0:
                for j in range(LANES):
                    a0, a1, a2, a3 = c[0, j] - x0, c[1, j] - x1, c[2, j] - x2, c[3, j] - x3
                    a4, a5, a6, a7 = c[4, j] - x4, c[5, j] - x5, c[6, j] - x6, c[7, j] - x7
                    total = ((a0 * a0 + a1 * a1) + (a2 * a2 + a3 * a3)) + (
                        (a4 * a4 + a5 * a5) + (a6 * a6 + a7 * a7)
                    )
                    sums[j] = total
                    near += np.int32(0) if total > limit else np.int32(1)
            else:
                for j in range(LANES):
                    a0, a1, a2, a3 = c[0, j] - x0, c[1, j] - x1, c[2, j] - x2, c[3, j] - x3
                    a4, a5, a6, a7 = c[4, j] - x4, c[5, j] - x5, c[6, j] - x6, c[7, j] - x7
                    more = ((a0 * a0 + a1 * a1) + (a2 * a2 + a3 * a3)) + (
                        (a4 * a4 + a5 * a5) + (a6 * a6 + a7 * a7)
                    )
                    total = sums[j] + more
                    sums[j] = total
                    near += np.int32(0) if total > limit else np.int32(1)
            if near <= FEW:  # none is left, or so few that they are measured one by one
                break
        if near == 0:
            continue
        for first in range(0, LANES, 16):
            near = np.int32(0)
            for j in range(first, first + 16):
                near |= np.int32(0) if sums[j] > limit else np.int32(1)
            if near != 0:
                for j in range(first, first + 16):
                    if not (sums[j] > limit):
                        proposed[n] = b * LANES + j
                        n += 1
    return n


@compiled
def _limit(s: State, x: Float64s) -> np.float32:
    """Prepare x for `propose`; no row of a ball that holds x has a float32 sum above this limit.

    With coordinates of at most `reach` from the origin (see `place_in_sieve`), rounding to float32 moves each of
    the two points by at most 2^-24 sqrt(D) reach; the difference, the squares and their sum in any order err by at
    most (D + 4) 2^-24 of the sum; dimensions that are left out only make it smaller. Both are taken a little larger
    here, and the least normal float32 is added against underflow.
    """
    dims = len(x)
    reach = s.real[REACH]
    for d in range(dims):
        moved = x[d] - s.work[0, d]
        if d < s.sieve.shape[1]:
            s.single[d] = np.float32(moved)
        reach = max(reach, abs(moved))
    r = s.real[RADIUS] + 1.25e-7 * math.sqrt(dims) * reach
    return np.float32(r * r * (1.0 + (dims + 8) * 1.2e-7) + 1.2e-38)


@compiled
def distance_within(a: Float64s, b: Float64s, radius: float) -> float:
    """`distance` if it is less than the radius, else -1, found out as soon as it is sure."""
    total = 0.0
    too_much = radius * radius * (1.0 + 1e-12)
    for first in range(0, len(a), 8):
        for d in range(first, min(first + 8, len(a))):
            apart = a[d] - b[d]
            total += apart * apart
        if total > too_much:
            return -1.0
    apart = math.sqrt(total)
    return apart if apart < radius else -1.0


@compiled
def find_near(s: State, x: Float64s) -> int:
    """Line 2 of Algorithm 1: the rows whose ball holds x, in order of birth, in NEAR and `apart`; how many."""
    if s.whole[ALIVE] == 0:
        return 0
    near = s.lists[NEAR]
    blocks = (s.whole[HIGH] + LANES - 1) // LANES
    n = propose(s.sieve, s.single, blocks, _limit(s, x), near)
    k = 0
    for m in range(n):
        row = near[m]
        if row >= s.whole[HIGH] or s.births[row] == 0:
            continue
        apart = distance_within(x, s.centers[row], s.real[RADIUS])
        if apart < 0.0:
            continue
        at = k
        while at > 0 and s.births[near[at - 1]] > s.births[row]:
            near[at] = near[at - 1]
            s.apart[at] = s.apart[at - 1]
            at -= 1
        near[at] = row
        s.apart[at] = apart
        k += 1
    return k


@compiled
def nearest(s: State, k: int) -> int:
    """The nearest of NEAR (ties: the oldest), or -1."""
    best = -1
    for a in range(k):
        if best < 0 or s.apart[a] < s.apart[best]:
            best = a
    return -1 if best < 0 else s.lists[NEAR, best]


@compiled
def nearest_strong(s: State, k: int) -> int:
    """The nearest strong one of NEAR (ties: the oldest), or -1."""
    best = -1
    for a in range(k):
        if s.strong[s.lists[NEAR, a]] and (best < 0 or s.apart[a] < s.apart[best]):
            best = a
    return -1 if best < 0 else s.lists[NEAR, best]


@compiled
def place_in_sieve(s: State, i: int) -> bool:
    """Copy a centre to where `propose` looks; whether it is near enough to the origin for float32.

    One that is not would make the error bound of all others useless. It is put there as NaN, which is never left out.
    """
    dims = s.centers.shape[1]
    reach = 0.0
    for d in range(dims):
        reach = max(reach, abs(s.centers[i, d] - s.work[0, d]))
    is_near = bool(reach * math.sqrt(dims) <= FAR * s.real[RADIUS])
    if is_near:
        s.real[REACH] = max(s.real[REACH], reach)
    for d in range(min(dims, s.sieve.shape[1])):
        s.sieve[i // LANES, d, i % LANES] = np.float32(s.centers[i, d] - s.work[0, d]) if is_near else np.nan
    return is_near


@compiled
def leave_sieve(s: State, i: int) -> None:
    """A free row is infinitely far."""
    for d in range(min(s.centers.shape[1], s.sieve.shape[1])):
        s.sieve[i // LANES, d, i % LANES] = np.inf
