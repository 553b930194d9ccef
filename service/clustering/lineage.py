"""Stable ids: a cluster keeps its number while its micro-clusters come, go and regroup.

DBSTREAM numbers its clusters anew at every reclustering. Here the new partition is matched with the old one
through the micro-clusters they share, which have permanent ids of their own:

- of all parts an old cluster falls into, the heaviest keeps the id (ties: the part with the older
  micro-cluster); the others are *split* off and get new ids;
- of all old clusters that meet in one part, one that was announced keeps its id before one that was not, then
  the heaviest there (ties: the smaller id); another takes the heaviest of its other parts that no one keeps, and if
  there is none, it is *merged* into the first;
- a part with no old cluster in it is *born*.

A micro-cluster that became weak is in no part but remembers its cluster, so that a cluster that wakes up is
the one that fell asleep. Pure functions of arrays; ids only grow.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from service.records import NO_CLUSTER, Float64s, Int64s


@dataclass(frozen=True, kw_only=True, slots=True)
class Matched:
    """The new partition under stable ids.

    Attributes:
        cluster_of: int64 (M,) cluster id of each micro-cluster, NO_CLUSTER for none.
        born: Ids that came from nothing.
        split: (new id, id it split from).
        merged: (id that ends, id that took it in).
        next_id: The next id to give.
    """

    cluster_of: Int64s
    born: tuple[int, ...]
    split: tuple[tuple[int, int], ...]
    merged: tuple[tuple[int, int], ...]
    next_id: int


def united_parts(before: Int64s, parts: Int64s, united: Collection[int]) -> Int64s:
    """The partition with those parts made one that share a united cluster, renumbered in order of birth.

    Args:
        before: int64 (M,) cluster id each micro-cluster had, NO_CLUSTER for none.
        parts: int64 (M,) as `match` takes them.
        united: Ids of clusters that stay one whatever the partition says.
    """
    joined = parts
    for cluster in united:
        own = np.unique(joined[(before == cluster) & (joined >= 0)])
        if len(own) > 1:
            joined = np.where(np.isin(joined, own), own[0], joined)
    if joined is parts:
        return parts
    kept = np.unique(joined[joined >= 0])
    return np.where(joined >= 0, np.searchsorted(kept, joined), -1).astype(np.int64)


def parted(
    before: Int64s,
    parts: Int64s,
    weights: Float64s,
    centers: Float64s,
    apart: Collection[int],
    united: Collection[int] = (),
    pairs: Collection[tuple[int, int]] = (),
) -> Int64s:
    """The partition with those parts cut in which clusters meet that stay apart, renumbered in order of birth.

    Only clusters meet in a part that have their heaviest part there, the others would not end in it anyway; and united
    ones wherever they are, since they bring the parts together. A micro-cluster of one that meets stays with it; any
    other goes with the nearest of theirs. A cut may move the heaviest part of a cluster that has two as heavy, and so
    make it meet another: then it is cut again.

    Args:
        before: int64 (M,) cluster id each micro-cluster had, NO_CLUSTER for none.
        parts: int64 (M,) as `match` takes them.
        weights: float64 (M,) faded weights, positive.
        centers: float64 (M, d).
        apart: Ids of clusters that no chain makes one.
        united: Ids of clusters that stay one whatever the partition says.
        pairs: Besides, two that no chain makes one, each.
    """
    conflicts = {(a, b) for one, other in pairs for a, b in ((one, other), (other, one))}
    everybody = {*apart, *(cluster for pair in conflicts for cluster in pair)}
    in_apart = set(apart)

    def meet(one: int, other: int) -> bool:
        return not ((one in in_apart and other in in_apart) or (one, other) in conflicts)

    while (finer := _parted_once(before, parts, weights, centers, everybody, united, meet)) is not None:
        parts = finer  # it has more parts than before, and can have no more than there are micro-clusters
    return parts


def _parted_once(
    before: Int64s,
    parts: Int64s,
    weights: Float64s,
    centers: Float64s,
    apart: Collection[int],
    united: Collection[int],
    meet: Callable[[int, int], bool],
) -> Int64s | None:
    """The partition cut where clusters meet now that may not `meet`; None where none do.

    Of several, those that may stay together, the first with the first that it may meet.
    """
    n_parts = int(parts.max(initial=-1)) + 1
    meeting: dict[int, list[int]] = {}
    for cluster in apart:
        is_own = (before == cluster) & (parts >= 0)
        if is_own.any():
            held_there = np.bincount(parts[is_own], weights[is_own], minlength=n_parts)
            where = np.flatnonzero(held_there).tolist() if cluster in united else [int(held_there.argmax())]
            for place in where:
                meeting.setdefault(place, []).append(cluster)
    cut = np.zeros(len(parts), dtype=np.int64)
    for part, clusters in meeting.items():
        groups = _grouped(clusters, meet)
        if len(groups) < 2:
            continue
        held = np.flatnonzero((parts == part) & np.isin(before, clusters))
        leader = {cluster: group[0] for group in groups for cluster in group}
        cut[held] = [leader[cluster] for cluster in before[held].tolist()]
        for row in np.flatnonzero((parts == part) & (cut == 0)).tolist():
            near = np.square(centers[held] - centers[row]).sum(axis=1)
            cut[row] = cut[held[int(near.argmin())]]
    if not cut.any():
        return None
    there = np.flatnonzero(parts >= 0)
    _, first, place = np.unique(
        parts[there] * (int(cut.max()) + 1) + cut[there], return_index=True, return_inverse=True
    )
    found = np.full(len(parts), -1, dtype=np.int64)
    found[there] = np.argsort(np.argsort(first))[place]
    return found


def _grouped(clusters: Collection[int], meet: Callable[[int, int], bool]) -> list[list[int]]:
    groups: list[list[int]] = []
    for cluster in sorted(clusters):
        for group in groups:
            if all(meet(cluster, other) for other in group):
                group.append(cluster)
                break
        else:
            groups.append([cluster])
    return groups


def match(
    before: Int64s,
    parts: Int64s,
    weights: Float64s,
    next_id: int,
    announced: Collection[int] = (),
    united: Collection[int] = (),
) -> Matched:
    """Carry cluster ids over to a new partition.

    Args:
        before: int64 (M,) cluster id each micro-cluster had, NO_CLUSTER for none.
        parts: int64 (M,) the new partition: 0, 1, ... in order of birth, -1 for weak micro-clusters.
        weights: float64 (M,) faded weights, positive.
        next_id: The first id not given yet.
        announced: Ids that people have seen.
        united: Ids of clusters that stay one whatever the partition says.
    """
    parts = united_parts(before, parts, united)
    n_parts = int(parts.max(initial=-1)) + 1
    is_shared = (parts >= 0) & (before != NO_CLUSTER)
    if not is_shared.any():  # nothing old is concerned: the quick way to the same
        return Matched(
            cluster_of=np.where(parts >= 0, next_id + parts, before),
            born=tuple(range(next_id, next_id + n_parts)),
            split=(),
            merged=(),
            next_id=next_id + n_parts,
        )
    old, row = np.unique(before[is_shared], return_inverse=True)
    cell, inverse = np.unique(row * n_parts + parts[is_shared], return_inverse=True)
    overlap = np.bincount(inverse, weights[is_shared])  # of an old cluster with a part, where they meet
    of, within = np.divmod(cell, n_parts)
    # Of an old cluster its parts as (-overlap, part), heaviest first; of a part its heaviest old one, likewise.
    shares: list[list[tuple[float, int]]] = [[] for _ in old]
    elders: list[tuple[float, int] | None] = [None] * n_parts
    for k, part, heavy in zip(of.tolist(), within.tolist(), (-overlap).tolist(), strict=True):
        shares[k].append((heavy, part))
        best = elders[part]
        if best is None or (heavy, k) < best:
            elders[part] = (heavy, k)
    # Of a part those old ones of which it is the heaviest, as (is not announced, -overlap, old): the first keeps it.
    claims: dict[int, list[tuple[bool, float, int]]] = {}
    for k, share in enumerate(shares):
        share.sort()
        heavy, part = share[0]
        claims.setdefault(part, []).append((old[k] not in announced, heavy, k))
    keeps: dict[int, int] = {}
    for part, claim in claims.items():
        claim.sort()
        keeps[part] = claim[0][2]
    merged = []
    for part in sorted(claims):
        for _, _, k in claims[part][1:]:
            free = next((other for _, other in shares[k] if other not in keeps), None)
            if free is None:
                merged.append((int(old[k]), int(old[keeps[part]])))
            else:
                keeps[free] = k

    id_of = np.zeros(n_parts, dtype=np.int64)
    born, split = [], []
    for part in range(n_parts):
        elder = elders[part]
        if part in keeps:
            id_of[part] = old[keeps[part]]
            continue
        id_of[part] = next_id
        if elder is not None:
            split.append((next_id, int(old[elder[1]])))
        else:
            born.append(next_id)
        next_id += 1

    cluster_of = np.where(parts >= 0, id_of[parts], before).astype(np.int64)
    if merged:  # their weak micro-clusters now remember the one that took them in
        ended = dict(merged)
        kept = [ended.get(cluster, cluster) for cluster in cluster_of.tolist()]
        cluster_of = np.array(kept, dtype=np.int64)
    return Matched(
        cluster_of=cluster_of,
        born=tuple(born),
        split=tuple(split),
        merged=tuple(sorted(merged)),
        next_id=next_id,
    )
