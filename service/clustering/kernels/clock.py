"""Time: fading, the moving landmark, clean-ups (Algorithm 2)."""

import math

import numpy as np

from service.clustering.kernels.exact import exp2
from service.clustering.kernels.online import leave_graph, remove
from service.clustering.kernels.pairs import forget_pair
from service.clustering.kernels.search import place_in_sieve
from service.clustering.kernels.state import (
    ALIVE,
    ALPHA,
    FADING,
    FIRST,
    GAP,
    HIGH,
    LANES,
    LEAST_SHARED,
    LEAST_STRONG,
    LEAST_WEIGHT,
    LIKE_RIVER,
    NOW,
    REACH,
    REBASE_AT,
    REBASED,
    SWEPT,
    UNIT,
    State,
    enough_weight,
    exponent,
    faded,
    shared_now,
    weight_now,
)
from service.compiling.compiled import compiled, seldom


@compiled
def advance(s: State, t: float) -> None:
    """Let time pass to t: weights fade, clean-ups that are due are made. Never goes back."""
    s.real[NOW] = max(s.real[NOW], t)
    now = s.real[NOW]
    if not s.whole[LIKE_RIVER]:
        e = exponent(s, now)
        if e > REBASE_AT:
            rebase(s, math.floor(e / REBASE_AT) * REBASE_AT)
            e = exponent(s, now)
        s.real[UNIT] = exp2(e)
    if s.whole[LIKE_RIVER] or s.real[LEAST_STRONG] < enough_weight(s):
        weaken(s)
    intervals = math.floor((now - s.real[FIRST]) / s.real[GAP])
    if intervals > s.whole[SWEPT]:
        s.whole[SWEPT] = intervals
        sweep(s)


@seldom
def rebase(s: State, by: float) -> None:
    """Move the landmark: all amounts times 2^-by, exactly."""
    s.real[REBASED] += by
    shift = -int(min(by, 4096.0))
    for i in range(s.whole[HIGH]):
        s.weights[i] = math.ldexp(s.weights[i], shift)
        for e in range(s.degree[i]):
            s.shared[i, e] = math.ldexp(s.shared[i, e], shift)
    for b in range((s.whole[HIGH] + LANES - 1) // LANES):
        s.least_strong[b] = math.ldexp(s.least_strong[b], shift)
    for bound in (LEAST_STRONG, LEAST_WEIGHT, LEAST_SHARED):
        s.real[bound] = math.ldexp(s.real[bound], shift)


@seldom
def weaken(s: State) -> None:
    """Those that faded below w_min are not strong any more; the bounds tell where there can be any."""
    enough = enough_weight(s)
    least = np.inf
    for b in range((s.whole[HIGH] + LANES - 1) // LANES):
        if s.least_strong[b] < enough or s.whole[LIKE_RIVER]:
            block = np.inf
            for i in range(b * LANES, min((b + 1) * LANES, s.whole[HIGH])):
                if s.strong[i]:
                    w = weight_now(s, i)
                    if w < enough:
                        leave_graph(s, i)
                    else:
                        block = min(block, w)
            s.least_strong[b] = block
        least = min(least, s.least_strong[b])
    s.real[LEAST_STRONG] = least


@seldom
def sweep(s: State) -> None:
    """Algorithm 2: forget what has faded below one item's weight after one clean-up interval."""
    if s.whole[LIKE_RIVER]:
        weak = faded(1.0, s.real[FADING], s.real[GAP])
    else:
        weak = exp2(exponent(s, s.real[NOW] - s.real[GAP]))
    if s.whole[LIKE_RIVER] or s.real[LEAST_WEIGHT] < weak:
        least = np.inf
        for i in range(s.whole[HIGH]):
            if s.births[i] != 0:
                w = weight_now(s, i)
                if w < weak:
                    remove(s, i)
                else:
                    least = min(least, w)
        s.real[LEAST_WEIGHT] = least
        look_from_near(s)
    weak *= s.real[ALPHA]
    if s.whole[LIKE_RIVER] or s.real[LEAST_SHARED] < weak:
        least = np.inf
        for i in range(s.whole[HIGH]):
            for e in range(s.degree[i] - 1, -1, -1):
                density = shared_now(s, i, e)
                if density < weak:
                    forget_pair(s, i, e)
                else:
                    least = min(least, density)
        s.real[LEAST_SHARED] = least


@seldom
def look_from_near(s: State) -> None:
    """Measure anew how far centres are from the origin; if most are too far for float32, move the origin.

    It decides how fast the search is, not what it finds.
    """
    for attempt in range(2):
        far = 0
        s.real[REACH] = 0.0
        heaviest = -1
        for i in range(s.whole[HIGH]):
            if s.births[i] != 0:
                far += not place_in_sieve(s, i)
                if heaviest < 0 or s.weights[i] > s.weights[heaviest]:
                    heaviest = i
        if attempt == 1 or 2 * far <= s.whole[ALIVE]:
            return
        for d in range(s.centers.shape[1]):
            s.work[0, d] = s.centers[heaviest, d]
