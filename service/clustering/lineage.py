"""Stable ids: a cluster keeps its number while its micro-clusters come, go and regroup.

DBSTREAM numbers its clusters anew at every reclustering. Here the new partition is matched with the old one
through the micro-clusters they share, which have permanent ids of their own:

- of all parts an old cluster falls into, the heaviest keeps the id (ties: the part with the older
  micro-cluster); the others are *split* off and get new ids;
- of all old clusters that meet in one part, one that was announced keeps its id before one that was not, then
  the heaviest there (ties: the smaller id); the others are *merged* into it;
- a part with no old cluster in it is *born*.

A micro-cluster that became weak is in no part but remembers its cluster, so that a cluster that wakes up is
the one that fell asleep. Pure functions of arrays; ids only grow.
"""

from collections.abc import Collection
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


def match(
    before: Int64s, parts: Int64s, weights: Float64s, next_id: int, announced: Collection[int] = ()
) -> Matched:
    """Carry cluster ids over to a new partition.

    Args:
        before: int64 (M,) cluster id each micro-cluster had, NO_CLUSTER for none.
        parts: int64 (M,) the new partition: 0, 1, ... in order of birth, -1 for weak micro-clusters.
        weights: float64 (M,) faded weights, positive.
        next_id: The first id not given yet.
        announced: Ids that people have seen.
    """
    n_parts = int(parts.max(initial=-1)) + 1
    overlap: dict[int, dict[int, float]] = {}  # old id -> part -> weight they share
    for cluster, part, weight in zip(before.tolist(), parts.tolist(), weights.tolist(), strict=True):
        if cluster != NO_CLUSTER and part >= 0:
            shares = overlap.setdefault(cluster, {})
            shares[part] = shares.get(part, 0.0) + weight

    claims: list[list[tuple[float, int]]] = [[] for _ in range(n_parts)]
    for cluster, shares in overlap.items():
        heir = min(shares, key=lambda part: (-shares[part], part))  # parts are numbered by age
        claims[heir].append((shares[heir], cluster))

    id_of = np.zeros(n_parts, dtype=np.int64)
    born, split, merged = [], [], []
    for part in range(n_parts):
        if claims[part]:
            _, keeper = min(claims[part], key=lambda claim: (claim[1] not in announced, -claim[0], claim[1]))
            id_of[part] = keeper
            merged += [(cluster, keeper) for _, cluster in claims[part] if cluster != keeper]
            continue
        id_of[part] = next_id
        parents = {c: shares[part] for c, shares in overlap.items() if part in shares}
        if parents:
            split.append((next_id, min(parents, key=lambda c: (-parents[c], c))))
        else:
            born.append(next_id)
        next_id += 1

    ended = dict(merged)
    cluster_of = np.where(parts >= 0, id_of[parts] if n_parts else NO_CLUSTER, before)
    if ended:
        # Weak micro-clusters of a cluster that ended now remember the one that took it in.
        cluster_of = np.array([ended.get(c, c) for c in cluster_of.tolist()], dtype=np.int64)
    return Matched(
        cluster_of=cluster_of.astype(np.int64),
        born=tuple(born),
        split=tuple(split),
        merged=tuple(sorted(merged)),
        next_id=next_id,
    )
