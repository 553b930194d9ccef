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
    cell = row * n_parts + parts[is_shared]
    size = len(old) * n_parts
    overlap = np.bincount(cell, weights[is_shared], minlength=size).reshape(len(old), n_parts)
    meets = np.bincount(cell, minlength=size).reshape(len(old), n_parts) > 0
    heir = np.where(meets, overlap, -np.inf).argmax(axis=1) if n_parts else np.empty(0, dtype=np.int64)

    claims: list[list[int]] = [[] for _ in range(n_parts)]  # rows of `old`, by the part that keeps them
    for k, part in enumerate(heir.tolist()):
        claims[part].append(k)

    id_of = np.zeros(n_parts, dtype=np.int64)
    born, split, merged = [], [], []
    for part, claim in enumerate(claims):
        if claim:
            keeper = min(claim, key=lambda k: (old[k] not in announced, -overlap[k, part], old[k]))
            id_of[part] = old[keeper]
            merged += [(int(old[k]), int(old[keeper])) for k in claim if k != keeper]
            continue
        id_of[part] = next_id
        if meets[:, part].any():
            parent = np.where(meets[:, part], overlap[:, part], -np.inf).argmax()  # ties: the smaller id
            split.append((next_id, int(old[parent])))
        else:
            born.append(next_id)
        next_id += 1

    cluster_of = np.where(parts >= 0, id_of[parts] if n_parts else NO_CLUSTER, before).astype(np.int64)
    for ended, keeper_id in merged:  # their weak micro-clusters now remember the one that took them in
        cluster_of[cluster_of == ended] = keeper_id
    return Matched(
        cluster_of=cluster_of,
        born=tuple(born),
        split=tuple(split),
        merged=tuple(sorted(merged)),
        next_id=next_id,
    )
