"""The inner loops of DBSTREAM, compiled: Algorithms 1 and 2 of Hahsler & Bolaños 2016, and what they touch.

`MicroClusters` (micro_clusters.py) owns the arrays; everything here is a function of them. One micro-cluster is
one row of each array; rows are given at birth, stay where they are, and are given again after a death, so no
result may depend on them: wherever order matters, it is the order of birth. R rows, D dimensions, E pairs a row:

    sieve     float32 (R/128, D', 128)  leading D' coordinates of centres - origin, 128 rows side by side
    centers   float64 (R, D)          where it is
    amounts   float64 (4, R)          forward-decayed weight; time of its last item; scratch; and, for block b of
                                      the sieve, at b: a lower bound of the weights of its strong rows
    ids       int64   (5, R)          birth (0: the row is free); items assigned; cluster; is it strong; degree
    peers     int32   (R, E)          rows it shares density with, in no order; the first `degree` count
    shared    float64 (R, E)          forward-decayed shared density, the same at both ends of a pair
    since     float64 (R, E)          time of its last item; in river's mode alone, else (0, 0)
    linked    uint8   (R, E)          shared density is (still) enough to make one cluster of both
    real      float64 (16,)           parameters and clock, by the names below
    whole     int64   (16,)           counters, by the names below
    lists     int64   (10, R + 1)     scratch lists, by the names below
    work      float64 (S, D)          row 0: the origin; the others: centres as they were before an item
    single    float32 (D' + 128,)     the item in float32, and 128 partial sums

Forward decay (Cormode, Shkapenyuk, Srivastava, Xu 2009, "Forward decay: a practical time decay model for
streaming systems"): an item of time t weighs 2^e(t), e(t) = lambda (t - t_0) - K, whenever it arrives; "now" it
weighs 2^(e(t) - e(now)), which is the paper's fading. So learning costs one power of two an item and none a
micro-cluster, a late item needs no special case, and nothing has to be touched for time to pass. Whenever e(now)
exceeds 256, K grows by a multiple of 256 and all amounts are multiplied by a power of two: exact.

**What bounds the speed.** Per item and core: (1) the search. It looks at D' dimensions (all of up to 64, the first 64
of more), eight at a time, 128 rows abreast, and leaves a block as soon as at most four of its rows can lie near enough:
8 M to D' M subtractions and multiply-adds in float32, from the second-level cache, 32 to 4 D' bytes a row. Eight
dimensions are enough where the space is ordered by variance, as a PCA is; where all dimensions count alike and
clusters lie close, it takes most of them. What is left is measured row by row, D float64 operations in an order that
must not change. (2) For the k micro-clusters that hold the item: k D float64 operations for the move, up to k^2 D / 2
for the collapse guard, k^2 look-ups in lists of E pairs, two powers of two. At d = 32, M = 1000 and k of 1 to 2 the
search is half of it. k is what the radius makes it: an item in the middle of 768 balls of 384 dimensions takes a
quarter of a second. A clean-up looks at all rows and pairs, M E steps, once an interval. A float32 matrix product of
the same distances, which would be one of a whole batch with centres that have moved since, bounds what (1) could be.

**Exactness.** float32 only proposes: its error is bounded (see `_limit`), what may lie in a ball is measured again
in float64, in the order of the dimensions, without fused or reordered operations. So the result is that of the plain
loop, to the bit, on every processor.
"""

import math
from typing import NamedTuple

from service.compiling.compiled import compiled, seldom
from service.records import Float32s, Float64s, Int32s, Int64s, UInt8s

LANES = 128
"""Rows of one block of the sieve."""

REBASE_AT = 256.0
"""Exponents above this are rebased."""

# Places in `real`: parameters ...
RADIUS, FADING, GAP, ALPHA, UNLINK, MIN_WEIGHT = 0, 1, 2, 3, 4, 5
# ... and clock: the latest time, the first, K, 2^e(now), lower bounds of what is there, the largest |x - origin|.
NOW, FIRST, REBASED, UNIT, LEAST_STRONG, LEAST_WEIGHT, LEAST_SHARED, REACH = 6, 7, 8, 9, 10, 11, 12, 13
# Places in `whole`: parameters ...
MAX_ROWS, MAX_DEGREE, LIKE_RIVER = 0, 1, 2
# ... and counters. SWEPT: clean-up intervals passed. STATUS: why `learn_items` came back, the bits below.
ALIVE, HIGH, FREE, NEXT_BIRTH, SWEPT, HAS_TIME, HAS_ORIGIN, STATUS = 3, 4, 5, 6, 7, 8, 9, 10
N_STRONG, N_FLIPS, N_TOUCHED, N_REMOVED, STAMP = 11, 12, 13, 14, 15
# Rows of `lists`. STRONG_NOW: rows that became strong. FLIP_A, FLIP_B: pairs that may join or part two clusters.
# TOUCHED: clusters whose partition must be taken anew. GONE_FROM, GONE_ITEMS: cluster and count of what left.
NEAR, SPARE, STRONG_NOW, FLIP_A, FLIP_B, TOUCHED, QUEUE, MARK, GONE_FROM, GONE_ITEMS = range(10)

JUST_STRONG, ADOPTED = 2, 3
"""A row is strong from this very item on (and took its neighbours' cluster); 1 once `examine` is done."""

# STATUS: the partition changed; all of it must be taken anew; micro-clusters left; a free row is needed; more
# scratch rows are needed. The last two come before anything of the item is done.
STALE, STALE_ALL, LEFT, NEEDS_ROW, NEEDS_WORK = 1, 2, 4, 8, 16


class State(NamedTuple):
    """The arrays by name, inside a kernel."""

    sieve: Float32s
    centers: Float64s
    weights: Float64s
    updated: Float64s
    apart: Float64s
    least_strong: Float64s
    births: Int64s
    counts: Int64s
    clusters: Int64s
    strong: Int64s
    degree: Int64s
    peers: Int32s
    shared: Float64s
    since: Float64s
    linked: UInt8s
    real: Float64s
    whole: Int64s
    lists: Int64s
    work: Float64s
    single: Float32s


@compiled
def exponent(s: State, t: float) -> float:
    """e(t)."""
    e: float = s.real[FADING] * (t - s.real[FIRST]) - s.real[REBASED]
    return e


@seldom
def faded(amount: float, fading: float, age: float) -> float:
    """As river computes it, by the C library's `pow`; apart, so that it is never computed for nothing."""
    return float(amount * math.pow(2.0, -fading * age))


@compiled
def weight_now(s: State, i: int) -> float:
    """Weight of a row in units of UNIT: forward-decayed as it is; in river's mode faded, with UNIT 1."""
    weight: float = s.weights[i]
    if s.whole[LIKE_RIVER]:
        return faded(weight, s.real[FADING], s.real[NOW] - s.updated[i])
    return weight


@compiled
def shared_now(s: State, i: int, e: int) -> float:
    """Shared density of a pair, likewise."""
    density: float = s.shared[i, e]
    if s.whole[LIKE_RIVER]:
        return faded(density, s.real[FADING], s.real[NOW] - s.since[i, e])
    return density


@compiled
def enough_weight(s: State) -> float:
    """w_min in units of UNIT, less 2^-40 of it: items of one moment may be just w_min, but their sum is rounded."""
    enough: float = s.real[MIN_WEIGHT] * s.real[UNIT] * (1.0 - 2.0**-40)
    return enough


@compiled
def distance(a: Float64s, b: Float64s) -> float:
    """Euclidean distance, summed in the order of the dimensions."""
    total = 0.0
    for d in range(len(a)):
        apart = a[d] - b[d]
        total += apart * apart
    return math.sqrt(total)
