"""Shared density between micro-clusters, and what it links (Algorithm 1, lines 10-13; Algorithm 3, lines 3-6)."""

from service.clustering.kernels.state import (
    ALPHA,
    FADING,
    FLIP_A,
    FLIP_B,
    JUST_STRONG,
    LANES,
    LEAST_SHARED,
    LEAST_STRONG,
    LIKE_RIVER,
    MAX_DEGREE,
    N_FLIPS,
    N_STRONG,
    NEAR,
    STALE,
    STALE_ALL,
    STATUS,
    STRONG_NOW,
    UNIT,
    UNLINK,
    State,
    enough_weight,
    faded,
    shared_now,
    weight_now,
)
from service.compiling.compiled import compiled, seldom


@compiled
def place_of(s: State, i: int, j: int) -> int:
    """Where row j stands among the peers of i, or -1."""
    for e in range(s.degree[i]):
        if s.peers[i, e] == j:
            return e
    return -1


@seldom
def note_flip(s: State, i: int, j: int) -> None:
    """Something between two rows changed that may join or part clusters."""
    n = s.whole[N_FLIPS]
    if n >= s.lists.shape[1]:
        s.whole[STATUS] |= STALE | STALE_ALL
        return
    s.lists[FLIP_A, n] = i
    s.lists[FLIP_B, n] = j
    s.whole[N_FLIPS] = n + 1


@compiled
def drop_end(s: State, i: int, e: int) -> None:
    """Take one end of a pair out; the last of the list takes its place."""
    last = s.degree[i] - 1
    s.peers[i, e] = s.peers[i, last]
    s.shared[i, e] = s.shared[i, last]
    s.linked[i, e] = s.linked[i, last]
    if s.whole[LIKE_RIVER]:
        s.since[i, e] = s.since[i, last]
    s.degree[i] = last


@seldom
def forget_pair(s: State, i: int, e: int) -> None:
    """Take a pair out at both ends."""
    j = s.peers[i, e]
    if s.linked[i, e] and s.strong[i] and s.strong[j]:
        note_flip(s, i, j)
    drop_end(s, j, place_of(s, j, i))
    drop_end(s, i, e)


@seldom
def weakest(s: State, i: int) -> int:
    """Place of the peer with the least shared density (ties: the oldest peer)."""
    best = 0
    for e in range(1, s.degree[i]):
        s_e, s_best = shared_now(s, i, e), shared_now(s, i, best)
        if s_e < s_best or (s_e == s_best and s.births[s.peers[i, e]] < s.births[s.peers[i, best]]):
            best = e
    return best


@compiled
def share(s: State, i: int, j: int, t: float, gain: float) -> None:
    """Lines 11-12 of Algorithm 1: one more item of both. A full list admits a pair in place of a weaker one."""
    e = place_of(s, i, j)
    if e >= 0:
        f = place_of(s, j, i)
        if s.whole[LIKE_RIVER]:
            grown = faded(s.shared[i, e], s.real[FADING], t - s.since[i, e]) + 1.0
            s.since[i, e] = s.since[j, f] = t
        else:
            grown = s.shared[i, e] + gain
        s.shared[i, e] = s.shared[j, f] = grown
        return
    most = s.whole[MAX_DEGREE]
    weak_i = weakest(s, i) if s.degree[i] >= most else -1
    weak_j = weakest(s, j) if s.degree[j] >= most else -1
    if weak_i >= 0 and shared_now(s, i, weak_i) >= s.real[UNIT]:
        return
    if weak_j >= 0 and shared_now(s, j, weak_j) >= s.real[UNIT]:
        return
    if weak_i >= 0:
        forget_pair(s, i, weak_i)
    if weak_j >= 0:
        forget_pair(s, j, weak_j)
    for a, b in ((i, j), (j, i)):
        e = s.degree[a]
        s.peers[a, e] = b
        s.shared[a, e] = gain
        s.linked[a, e] = 0
        if s.whole[LIKE_RIVER]:
            s.since[a, e] = t
        s.degree[a] = e + 1
    s.real[LEAST_SHARED] = min(s.real[LEAST_SHARED], gain)


@compiled
def note_strong(s: State, i: int, w: float) -> None:
    """Keep the bounds below the weight of a strong row."""
    s.least_strong[i // LANES] = min(s.least_strong[i // LANES], w)
    s.real[LEAST_STRONG] = min(s.real[LEAST_STRONG], w)


@compiled
def reread(s: State, k: int) -> None:
    """Algorithm 3, lines 3-6, for what one item touched (NEAR): who is strong, and which pairs are linked.

    The ratio of a pair changes by items of its two ends alone, since weights and densities fade alike.
    """
    near = s.lists[NEAR]
    enough = enough_weight(s)
    for a in range(k):
        i = near[a]
        w = weight_now(s, i)
        if not s.strong[i] and w >= enough:
            s.strong[i] = JUST_STRONG
            note_strong(s, i, w)
            s.lists[STRONG_NOW, s.whole[N_STRONG]] = i
            s.whole[N_STRONG] += 1
    for a in range(k):
        i = near[a]
        w = weight_now(s, i)
        for e in range(s.degree[i]):
            j = s.peers[i, e]
            ratio = shared_now(s, i, e) / ((w + weight_now(s, j)) / 2.0)
            is_linked = ratio >= (s.real[UNLINK] if s.linked[i, e] else s.real[ALPHA])
            if is_linked != (s.linked[i, e] != 0):
                s.linked[i, e] = is_linked
                s.linked[j, place_of(s, j, i)] = is_linked
                if s.strong[i] and s.strong[j]:
                    note_flip(s, i, j)
