"""What Python calls: five functions of the arrays, each compiled once and kept on disk."""

import numpy as np

from service.clustering.kernels.clock import advance, weaken
from service.clustering.kernels.connectivity import settle
from service.clustering.kernels.exact import exp2
from service.clustering.kernels.online import found, lightest, remove, update
from service.clustering.kernels.pairs import note_strong, reread
from service.clustering.kernels.search import find_near, leave_sieve, nearest, nearest_strong, place_in_sieve
from service.clustering.kernels.state import (
    ALIVE,
    FIRST,
    FREE,
    HAS_ORIGIN,
    HAS_TIME,
    HIGH,
    LEAST_SHARED,
    LEAST_STRONG,
    LEAST_WEIGHT,
    LIKE_RIVER,
    MAX_ROWS,
    NEAR,
    NEEDS_ROW,
    NEEDS_WORK,
    NOW,
    QUEUE,
    REACH,
    SPARE,
    STATUS,
    UNIT,
    State,
    exponent,
    shared_now,
    weight_now,
)
from service.compiling.compiled import compiled, entry
from service.records import Float32s, Float64s, Int32s, Int64s, UInt8s


@compiled
def named(
    sieve: Float32s,
    centers: Float64s,
    amounts: Float64s,
    ids: Int64s,
    peers: Int32s,
    shared: Float64s,
    since: Float64s,
    linked: UInt8s,
    real: Float64s,
    whole: Int64s,
    lists: Int64s,
    work: Float64s,
    single: Float32s,
) -> State:
    """The arrays by name."""
    return State(
        sieve, centers, amounts[0], amounts[1], amounts[2], amounts[3], ids[0], ids[1], ids[2], ids[3], ids[4],
        peers, shared, since, linked, real, whole, lists, work, single,
    )  # fmt: skip


@entry
def learn_items(
    sieve: Float32s,
    centers: Float64s,
    amounts: Float64s,
    ids: Int64s,
    peers: Int32s,
    shared: Float64s,
    since: Float64s,
    linked: UInt8s,
    real: Float64s,
    whole: Int64s,
    lists: Int64s,
    work: Float64s,
    single: Float32s,
    x: Float64s,
    times: Float64s,
    start: int,
    out: Int64s,
) -> int:
    """Learn items until the batch ends or something has to be done outside: see STATUS.

    Args:
        x: float64 (B, D), finite.
        times: float64 (B,), or (0,): time is then the number of items learnt.
        start: The first item to learn.
        out: int64 (4, B), written: cluster of the nearest strong row whose ball held the item before it was
            learnt, 0 for none; birth and row of the micro-cluster it was assigned to; whether it founded that.

    Returns:
        The first item that was not learnt.
    """
    s = named(sieve, centers, amounts, ids, peers, shared, since, linked, real, whole, lists, work, single)
    for b in range(start, len(x)):
        item = x[b]
        if not whole[HAS_ORIGIN]:
            for d in range(len(item)):
                work[0, d] = item[d]
            whole[HAS_ORIGIN] = 1
        t = real[NOW]
        if len(times):
            t = times[b]
            if not whole[HAS_TIME]:
                real[FIRST] = real[NOW] = t
                whole[HAS_TIME] = 1
            advance(s, t)
            settle(s)
            if whole[STATUS]:
                return b
        k = find_near(s, item)
        if k == 0 and whole[FREE] == 0 and whole[HIGH] == len(s.births) and whole[ALIVE] < whole[MAX_ROWS]:
            whole[STATUS] |= NEEDS_ROW
            return b
        if k >= len(work):
            whole[STATUS] |= NEEDS_WORK
            return b
        home = nearest_strong(s, k)
        out[0, b] = 0 if home < 0 else s.clusters[home]
        gain = real[UNIT] if t == real[NOW] else exp2(exponent(s, t))
        if k == 0:
            row = found(s, item, t, gain)
        else:
            row = nearest(s, k)
            s.counts[row] += 1
            update(s, item, t, gain, k)
        out[1, b] = s.births[row]
        out[2, b] = row
        out[3, b] = k == 0
        if not len(times):
            advance(s, t + 1.0)
        settle(s)
        if whole[STATUS]:
            return b + 1
    return len(x)


@entry
def predict_items(
    sieve: Float32s,
    centers: Float64s,
    amounts: Float64s,
    ids: Int64s,
    peers: Int32s,
    shared: Float64s,
    since: Float64s,
    linked: UInt8s,
    real: Float64s,
    whole: Int64s,
    lists: Int64s,
    work: Float64s,
    single: Float32s,
    x: Float64s,
    out: Int64s,
) -> None:
    """Cluster of the nearest strong row whose ball holds each item now, 0 for none; changes nothing.

    Args:
        x: float64 (B, D), finite.
        out: int64 (B,), written.
    """
    s = named(sieve, centers, amounts, ids, peers, shared, since, linked, real, whole, lists, work, single)
    for b in range(len(x)):
        row = nearest_strong(s, find_near(s, x[b]))
        out[b] = 0 if row < 0 else s.clusters[row]


@entry
def partition_rows(
    sieve: Float32s,
    centers: Float64s,
    amounts: Float64s,
    ids: Int64s,
    peers: Int32s,
    shared: Float64s,
    since: Float64s,
    linked: UInt8s,
    real: Float64s,
    whole: Int64s,
    lists: Int64s,
    work: Float64s,
    single: Float32s,
    rows: Int64s,
    out: Int64s,
) -> None:
    """Algorithm 3, line 7: connected components of the undirected graph of strong, linked rows.

    Args:
        rows: int64 (N,) rows in order of birth, closed under links between strong ones.
        out: int64 (N,), written: 0, 1, ... in order of each component's oldest row; -1 for rows that are weak.
    """
    s = named(sieve, centers, amounts, ids, peers, shared, since, linked, real, whole, lists, work, single)
    component, queue = lists[NEAR], lists[QUEUE]
    for n in range(len(rows)):
        component[rows[n]] = -1
    parts = 0
    for n in range(len(rows)):
        if not s.strong[rows[n]] or component[rows[n]] >= 0:
            continue
        component[rows[n]] = parts
        queue[0] = rows[n]
        head, tail = 0, 1
        while head < tail:
            row = queue[head]
            head += 1
            for e in range(s.degree[row]):
                peer = s.peers[row, e]
                if s.linked[row, e] and s.strong[peer] and component[peer] < 0:
                    component[peer] = parts
                    queue[tail] = peer
                    tail += 1
        parts += 1
    for n in range(len(rows)):
        out[n] = component[rows[n]]


@entry
def remove_rows(
    sieve: Float32s,
    centers: Float64s,
    amounts: Float64s,
    ids: Int64s,
    peers: Int32s,
    shared: Float64s,
    since: Float64s,
    linked: UInt8s,
    real: Float64s,
    whole: Int64s,
    lists: Int64s,
    work: Float64s,
    single: Float32s,
    rows: Int64s,
) -> None:
    """Give rows back, and decide what that parts."""
    s = named(sieve, centers, amounts, ids, peers, shared, since, linked, real, whole, lists, work, single)
    for n in range(len(rows)):
        remove(s, rows[n])
    settle(s)


@entry
def refresh(
    sieve: Float32s,
    centers: Float64s,
    amounts: Float64s,
    ids: Int64s,
    peers: Int32s,
    shared: Float64s,
    since: Float64s,
    linked: UInt8s,
    real: Float64s,
    whole: Int64s,
    lists: Int64s,
    work: Float64s,
    single: Float32s,
    is_retuned: int,
) -> None:
    """Make anew what follows from the rest: unit, sieve, free rows, bounds.

    Args:
        is_retuned: Not 0: the parameters are others; who is strong and what is linked is read again, and the
            lightest leave if there are more than the cap.
    """
    s = named(sieve, centers, amounts, ids, peers, shared, since, linked, real, whole, lists, work, single)
    real[UNIT] = 1.0 if whole[LIKE_RIVER] else exp2(exponent(s, real[NOW]))
    real[LEAST_STRONG] = real[LEAST_WEIGHT] = real[LEAST_SHARED] = np.inf
    s.least_strong[:] = np.inf
    real[REACH] = 0.0
    whole[FREE] = 0
    sieve[:] = 0.0
    for i in range(len(s.births) - 1, -1, -1):
        if s.births[i] == 0:
            leave_sieve(s, i)
            if i < whole[HIGH]:
                lists[SPARE, whole[FREE]] = i
                whole[FREE] += 1
            continue
        place_in_sieve(s, i)
        w = weight_now(s, i)
        real[LEAST_WEIGHT] = min(real[LEAST_WEIGHT], w)
        if s.strong[i]:
            note_strong(s, i, w)
        for e in range(s.degree[i]):
            real[LEAST_SHARED] = min(real[LEAST_SHARED], shared_now(s, i, e))
    if is_retuned:
        while whole[ALIVE] > whole[MAX_ROWS]:
            remove(s, lightest(s))
        k = 0
        for i in range(whole[HIGH]):
            if s.births[i]:
                lists[NEAR, k] = i
                k += 1
        weaken(s)
        reread(s, k)
        settle(s)
