"""Does what one item changed join or part clusters? Answered where it happened, without reclustering."""

from service.clustering.kernels.state import (
    ADOPTED,
    FLIP_A,
    FLIP_B,
    HIGH,
    JUST_STRONG,
    MARK,
    N_FLIPS,
    N_STRONG,
    N_TOUCHED,
    QUEUE,
    STALE,
    STALE_ALL,
    STAMP,
    STATUS,
    STRONG_NOW,
    TOUCHED,
    State,
)
from service.compiling.compiled import compiled, seldom


@seldom
def reaches(s: State, i: int, j: int) -> bool:
    """Whether two strong rows are connected, by breadth-first search of the component of i."""
    s.whole[STAMP] += 1
    stamp = s.whole[STAMP]
    queue, mark = s.lists[QUEUE], s.lists[MARK]
    queue[0], mark[i] = i, stamp
    head, tail = 0, 1
    while head < tail:
        row = queue[head]
        head += 1
        for e in range(s.degree[row]):
            peer = s.peers[row, e]
            if s.linked[row, e] and s.strong[peer] and mark[peer] != stamp:
                if peer == j:
                    return True
                mark[peer] = stamp
                queue[tail] = peer
                tail += 1
    return False


@seldom
def touch(s: State, i: int) -> None:
    """The cluster of a row must be taken anew."""
    cluster = s.clusters[i]
    n = s.whole[N_TOUCHED]
    if cluster == 0 or (n and s.lists[TOUCHED, n - 1] == cluster):
        return
    if n >= s.lists.shape[1]:
        s.whole[STATUS] |= STALE_ALL
        return
    s.lists[TOUCHED, n] = cluster
    s.whole[N_TOUCHED] = n + 1


@seldom
def only_neighbour(s: State, i: int) -> int:
    """The one cluster of all strong rows linked to a row; 0 if there is none, -1 if they are not of one.

    Or if one has just become strong itself: what it remembers of its cluster may be out of date.
    """
    cluster = 0
    for e in range(s.degree[i]):
        peer = s.peers[i, e]
        if s.linked[i, e] and s.strong[peer]:
            other = s.clusters[peer]
            if s.strong[peer] >= JUST_STRONG or cluster not in (0, other):
                return -1
            cluster = other
    return cluster


@seldom
def is_alone(s: State, i: int) -> bool:
    """Whether a strong row is the only one of its cluster: then the cluster wakes up with it."""
    others = 0
    for row in range(s.whole[HIGH]):
        others += s.clusters[row] == s.clusters[i] and s.strong[row] != 0 and row != i
    return others == 0


@compiled
def settle(s: State) -> None:
    """See `examine`; most items change nothing."""
    if s.whole[N_STRONG] or s.whole[N_FLIPS]:
        examine(s)


@seldom
def examine(s: State) -> None:
    """Decide whether what an item changed joins or parts clusters, by looking at what it touched alone.

    If not, a row that became strong takes the cluster of its neighbours; if so, STALE is set and TOUCHED names
    the clusters concerned.
    """
    n_strong, n_flips = s.whole[N_STRONG], s.whole[N_FLIPS]
    is_stale = s.whole[STATUS] & STALE != 0
    for n in range(n_strong):
        i = s.lists[STRONG_NOW, n]
        if s.strong[i]:
            around = only_neighbour(s, i)
            if around == 0:
                is_stale |= s.clusters[i] == 0 or not is_alone(s, i)
            else:
                is_stale |= around < 0 or s.clusters[i] not in (0, around)
    if not is_stale:
        for n in range(n_strong):
            i = s.lists[STRONG_NOW, n]
            if s.strong[i] and s.clusters[i] == 0:
                s.clusters[i], s.strong[i] = only_neighbour(s, i), ADOPTED
    for n in range(n_flips):
        if is_stale:
            break
        i, j = s.lists[FLIP_A, n], s.lists[FLIP_B, n]
        if not (s.strong[i] and s.strong[j]):
            is_stale = True  # an end left as well: too tangled to be worth a shortcut
        elif s.clusters[i] != s.clusters[j]:
            is_stale = True  # whether they are linked now is not all: they may stay apart (lineage.parted)
        else:
            is_stale = not reaches(s, i, j)
    if is_stale:
        s.whole[STATUS] |= STALE
        for n in range(n_strong):
            i = s.lists[STRONG_NOW, n]
            if s.strong[i] == ADOPTED:  # what it was before is what it is matched by
                s.clusters[i] = 0
            touch(s, i)
            for e in range(s.degree[i]):
                touch(s, s.peers[i, e])
        for n in range(n_flips):
            touch(s, s.lists[FLIP_A, n])
            touch(s, s.lists[FLIP_B, n])
    for n in range(n_strong):
        i = s.lists[STRONG_NOW, n]
        s.strong[i] = min(s.strong[i], 1)
    s.whole[N_STRONG] = s.whole[N_FLIPS] = 0
