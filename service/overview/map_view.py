"""What the map shows of clusters: where their items lie, and how many there were lately.

A cluster lies where its items are: at the middle of the latest of them that the ring has. Items of a cluster that was
taken in by another are that other's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.overview.landmarks import disc_of
from service.overview.ring import CLUSTER, KNOWN, Points
from service.records import Cluster, Float64s, Int64s

_MOST = 200
"""Latest items of a cluster that its place is made of."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sparklines:
    """Items of each cluster in equal runs of the recent stream.

    Attributes:
        from_seq, to_seq: What the runs cover; from_seq is below 0 while the stream is short.
        counts: int64 (n, bins), a row for each cluster that was asked for.
    """

    from_seq: int
    to_seq: int
    counts: Int64s


def heirs(clusters: Iterable[Cluster]) -> dict[int, int]:
    """Each cluster that was taken in -> the one that has its items now; a chain is followed to its end."""
    into = {cluster.id: cluster.merged_into for cluster in clusters if cluster.merged_into is not None}
    found: dict[int, int] = {}
    for start in into:
        end, seen = start, {start}
        while (following := into.get(end)) is not None and following not in seen:
            end = following
            seen.add(end)
        found[start] = end
    return found


def owners(points: Points, into: Mapping[int, int]) -> NDArray[np.int64]:
    """int64 (n,): the cluster that has each item now, 0 where it is in none."""
    own = np.where(points["kind"] == CLUSTER, points["of"], 0).astype(np.int64)
    if into:
        old = np.array(sorted(into), dtype=np.int64)
        new = np.array([into[cluster] for cluster in old.tolist()], dtype=np.int64)
        place = np.minimum(np.searchsorted(old, own), len(old) - 1)
        own = np.where(old[place] == own, new[place], own)
    return own


def discs(points: Points, own: NDArray[np.int64], clusters: Iterable[int]) -> dict[int, Float64s]:
    """Where clusters lie: float64 (3,), x, y and radius; those without an item on the map are left out."""
    is_placed = (own != 0) & ~np.isnan(points["x"])
    of = own[is_placed]
    order = np.argsort(of, kind="stable")
    xy = np.stack([points["x"][is_placed], points["y"][is_placed]], axis=1)[order]
    wanted = np.array(list(clusters), dtype=np.int64)
    starts, stops = np.searchsorted(of[order], wanted), np.searchsorted(of[order], wanted, side="right")
    return {
        cluster: disc_of(xy[max(start, stop - _MOST) : stop])
        for cluster, start, stop in zip(wanted.tolist(), starts.tolist(), stops.tolist(), strict=True)
        if stop > start
    }


def known_discs(points: Points, labels: Iterable[int]) -> dict[int, Float64s]:
    """The same of known classes, by place in the labels: for those that the bundle has no landmark of."""
    own = np.where(points["kind"] == KNOWN, points["of"].astype(np.int64) + 1, 0)
    return {k - 1: disc for k, disc in discs(points, own, [k + 1 for k in labels]).items()}


def sparklines(
    points: Points, own: NDArray[np.int64], clusters: Iterable[int], *, bins: int, most_items: int
) -> Sparklines:
    """How many items of each cluster there were.

    Args:
        points: Rows of the ring.
        own: int64 (n,), as `owners`.
        clusters: Which.
        bins: Runs.
        most_items: Places of the stream that they cover at most.
    """
    wanted = np.array(list(clusters), dtype=np.int64)
    if not len(points):
        return Sparklines(from_seq=0, to_seq=0, counts=np.zeros((len(wanted), bins), dtype=np.int64))
    to_seq = int(points["seq"][-1]) + 1
    width = -(-max(1, min(most_items, to_seq - int(points["seq"][0]))) // bins)
    from_seq = to_seq - width * bins
    is_meant = (points["seq"] >= from_seq) & np.isin(own, wanted)
    run = (points["seq"][is_meant] - from_seq) // width
    order = np.argsort(wanted)
    row = order[np.searchsorted(wanted[order], own[is_meant])]
    counts = np.bincount(row * bins + run, minlength=len(wanted) * bins).reshape(len(wanted), bins)
    return Sparklines(from_seq=from_seq, to_seq=to_seq, counts=counts)
