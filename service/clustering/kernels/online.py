"""Coming, moving and going of micro-clusters (Algorithm 1)."""

import math

from service.clustering.kernels.exact import exp
from service.clustering.kernels.pairs import drop_end, note_flip, place_of, reread, share
from service.clustering.kernels.search import leave_sieve, place_in_sieve
from service.clustering.kernels.state import (
    ALIVE,
    FADING,
    FREE,
    GONE_FROM,
    GONE_ITEMS,
    HIGH,
    LEAST_WEIGHT,
    LEFT,
    LIKE_RIVER,
    MAX_ROWS,
    N_REMOVED,
    NEAR,
    NEXT_BIRTH,
    RADIUS,
    SPARE,
    STATUS,
    State,
    distance,
    faded,
    weight_now,
)
from service.compiling.compiled import compiled, seldom
from service.records import Float64s


@seldom
def leave_graph(s: State, i: int) -> None:
    """A strong row is no longer: what it held together may part."""
    s.strong[i] = 0
    first = -1
    for e in range(s.degree[i]):
        j = s.peers[i, e]
        if s.linked[i, e] and s.strong[j]:
            if first < 0:
                first = j
            else:
                note_flip(s, first, j)


@seldom
def remove(s: State, i: int) -> None:
    """Give a row back."""
    if s.strong[i]:
        leave_graph(s, i)
    for e in range(s.degree[i]):
        j = s.peers[i, e]
        drop_end(s, j, place_of(s, j, i))
    s.degree[i] = 0
    leave_sieve(s, i)
    n = s.whole[N_REMOVED]
    s.lists[GONE_FROM, n] = s.clusters[i]
    s.lists[GONE_ITEMS, n] = s.counts[i]
    s.births[i] = s.clusters[i] = 0
    s.lists[SPARE, s.whole[FREE]] = i
    s.whole[FREE] += 1
    s.whole[ALIVE] -= 1
    s.whole[N_REMOVED] = n + 1
    s.whole[STATUS] |= LEFT


@seldom
def lightest(s: State) -> int:
    """The row of least weight (ties: the oldest)."""
    best = -1
    for i in range(s.whole[HIGH]):
        if s.births[i] == 0:
            continue
        if best < 0:
            best = i
            continue
        w, least = weight_now(s, i), weight_now(s, best)
        if w < least or (w == least and s.births[i] < s.births[best]):
            best = i
    return best


@seldom
def found(s: State, x: Float64s, t: float, gain: float) -> int:
    """Lines 3-4 of Algorithm 1: a micro-cluster of its own. At the cap the lightest makes room."""
    while s.whole[ALIVE] >= s.whole[MAX_ROWS]:
        remove(s, lightest(s))
    if s.whole[FREE]:
        s.whole[FREE] -= 1
        i = s.lists[SPARE, s.whole[FREE]]
    else:
        i = s.whole[HIGH]
        s.whole[HIGH] = i + 1
    for d in range(len(x)):
        s.centers[i, d] = x[d]
    place_in_sieve(s, i)
    s.weights[i], s.updated[i] = gain, t
    s.births[i] = s.whole[NEXT_BIRTH]
    s.counts[i], s.clusters[i], s.strong[i], s.degree[i] = 1, 0, 0, 0
    s.whole[NEXT_BIRTH] += 1
    s.whole[ALIVE] += 1
    s.real[LEAST_WEIGHT] = min(s.real[LEAST_WEIGHT], gain)
    s.lists[NEAR, 0] = i
    reread(s, 1)
    return int(i)


@compiled
def update(s: State, x: Float64s, t: float, gain: float, k: int) -> None:
    """Lines 6-19 of Algorithm 1, for the k rows in NEAR."""
    near = s.lists[NEAR]
    sigma = s.real[RADIUS] / 3.0  # the neighbourhood function is a Gaussian of this width (section 4.1)
    dims = len(x)
    for a in range(k):
        i = near[a]
        if s.whole[LIKE_RIVER]:
            s.weights[i] = faded(s.weights[i], s.real[FADING], t - s.updated[i]) + 1.0
            h = math.exp(-(s.apart[a] * s.apart[a]) / (2.0 * (sigma * sigma)))
        else:
            s.weights[i] += gain
            h = exp(-(s.apart[a] * s.apart[a]) / (2.0 * (sigma * sigma)))
        s.updated[i] = max(s.updated[i], t)
        for d in range(dims):
            old = s.centers[i, d]
            s.work[1 + a, d] = old
            s.centers[i, d] = old + h * (x[d] - old)
    for a in range(k):
        for b in range(a + 1, k):
            share(s, near[a], near[b], t, gain)
    # Lines 15-19, as published: pair after pair, a pair that comes too close goes back where it was.
    for a in range(k):
        for b in range(a + 1, k):
            i, j = near[a], near[b]
            if distance(s.centers[i], s.centers[j]) < s.real[RADIUS]:
                for d in range(dims):
                    s.centers[i, d] = s.work[1 + a, d]
                    s.centers[j, d] = s.work[1 + b, d]
    for a in range(k):
        place_in_sieve(s, near[a])
    reread(s, k)
