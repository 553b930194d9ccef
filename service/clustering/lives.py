"""Which clusters are told of, under whose id their items go, and what became of them.

A cluster comes to be when micro-clusters join, and often it is gone some items later. So nobody is told of one before
it has reached a minimum age; then it is BORN, or SPLIT from the cluster it was a part of. Until then the items of a
part that split off go by the id of the elder: the first on the way up its parents that is told of. Others are noise.

                          minimum age reached
      young, no parent ───────── BORN ─────────▶ ┌──────┐
                                                  │ told │ ── MERGED, DIED ──▶ no more
      young, with parent ─────── SPLIT ────────▶ └──────┘
         │                  (or BORN: no elder)
         └── merged, died: nobody hears of it

What is told of has no parent any more, so a chain of parents is a chain of young ones with at most one elder at its
end. Ids only grow, and one that ended does not come back. When a young cluster ends, its children fall to the one it
went into, or else to its own parent; when one that was told of dies, its children have no parent.

What is answered here depends on moments alone, not on how the stream was cut into batches: `announce` is called
with the time before anything is changed at that time, and makes the same steps late as it would have made in time.
"""

import math
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import msgspec
import numpy as np

from service.clustering.lineage import Matched
from service.records import NO_CLUSTER, Float64s, Int64s

NOISE = -1
"""The label of an item that lies in no strong micro-cluster of a cluster that is told of."""

MAX_EVENTS = 1_000
"""The latest events are kept; beyond this many the oldest leave."""


class Change(StrEnum):
    """What can become of a cluster."""

    BORN = "born"
    SPLIT = "split"
    MERGED = "merged"
    DIED = "died"


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something became of a cluster that is told of, or it is told of from now on (BORN, SPLIT).

    Attributes:
        change: What.
        t: When; for BORN and SPLIT the time at which it reached the minimum age.
        cluster: The cluster.
        other: What it split from, or was merged into; told of as well.
    """

    change: Change
    t: float
    cluster: int
    other: int | None = None


class Life(msgspec.Struct):
    """A cluster that is; `parent` is what it split from, while it is young."""

    born: float
    parent: int | None = None
    is_told: bool = False


class Lives:
    """The clusters of one stream; mutable, with one owner.

    Args:
        minimum_age: What a cluster must reach to be told of, in the unit of time.
        next_id: The first id not given yet.
        lives: The clusters by id, in order of birth.
        events: What became of clusters before, oldest first.
    """

    def __init__(
        self,
        minimum_age: float,
        next_id: int = 1,
        lives: dict[int, Life] | None = None,
        events: Iterable[Event] = (),
    ) -> None:
        self.minimum_age = minimum_age
        self.next_id = next_id
        self.lives: dict[int, Life] = {} if lives is None else lives
        self.events: deque[Event] = deque(events, maxlen=MAX_EVENTS)
        self.young = [cluster for cluster, life in self.lives.items() if not life.is_told]
        """Those that are not told of, in the order in which they will be."""

    def told(self) -> set[int]:
        """Those that are told of."""
        return {cluster for cluster, life in self.lives.items() if life.is_told}

    def matures(self, cluster: int) -> float:
        """The time from which on a cluster is told of."""
        return self.lives[cluster].born + self.minimum_age

    # Labels

    def label(self, cluster: int) -> int:
        """Under which id an item of a cluster goes now; NOISE for none."""
        while cluster != NO_CLUSTER:
            life = self.lives[cluster]
            if life.is_told:
                return cluster
            cluster = life.parent or NO_CLUSTER
        return NOISE

    def labels(self, found: Int64s) -> Int64s:
        """int64 (B,): `label` of each."""
        if not self.young:
            return np.where(found == NO_CLUSTER, NOISE, found)
        clusters, place = np.unique(found, return_inverse=True)
        labels: Int64s = np.array([self.label(cluster) for cluster in clusters.tolist()], dtype=np.int64)[
            place
        ]
        return labels

    def labels_at(self, found: Int64s, moments: Float64s) -> Int64s:
        """int64 (B,): under which id each item went at its moment.

        Args:
            found: int64 (B,) clusters, NO_CLUSTER for none.
            moments: float64 (B,) not before the latest `announce`, and nothing ended since.
        """
        labels = np.where(found == NO_CLUSTER, NOISE, found)
        for cluster, items in self._young_in(found):
            elder, rest = cluster, items
            while elder != NO_CLUSTER and len(rest):
                life = self.lives[elder]
                is_told = life.is_told | (moments[rest] >= self.matures(elder))
                labels[rest[is_told]] = elder
                rest = rest[~is_told]
                elder = life.parent or NO_CLUSTER
            labels[rest] = NOISE
        return labels

    def _young_in(self, found: Int64s) -> Iterator[tuple[int, Int64s]]:
        """Every young cluster found, and the places of its items."""
        if not self.young or not len(found):
            return
        clusters, place, counts = np.unique(found, return_inverse=True, return_counts=True)
        items = np.split(np.argsort(place, kind="stable"), np.cumsum(counts)[:-1])
        for cluster, of in zip(clusters.tolist(), items, strict=True):
            if cluster != NO_CLUSTER and not self.lives[cluster].is_told:
                yield cluster, of

    # Changes

    def announce(self, now: float) -> None:
        """From now on people are told of those that have reached the minimum age."""
        while self.young and now >= self.matures(self.young[0]):
            cluster = self.young.pop(0)
            life = self.lives[cluster]
            elder = self.label(life.parent or NO_CLUSTER)
            life.is_told, life.parent = True, None
            self._tell(
                Change.BORN if elder == NOISE else Change.SPLIT,
                self.matures(cluster),
                cluster,
                None if elder == NOISE else elder,
            )

    def regrouped(self, found: Matched, now: float) -> None:
        """Clusters joined or parted."""
        self.next_id = found.next_id
        for cluster, parent in sorted([*((c, None) for c in found.born), *found.split]):
            self.lives[cluster] = Life(born=now, parent=parent)
            self.young.append(cluster)
        for cluster, into in found.merged:
            self._end(cluster, Change.MERGED, now, into)

    def died(self, clusters: Collection[int], now: float) -> None:
        """All micro-clusters of these are gone."""
        for cluster in sorted(clusters):
            self._end(cluster, Change.DIED, now, None)

    def _end(self, cluster: int, change: Change, now: float, heir: int | None) -> None:
        if heir is not None and self._descends(heir, cluster):
            self.lives[heir].parent = self.lives[cluster].parent
        life = self.lives.pop(cluster)
        for child in self.young:
            if child not in (cluster, heir) and self.lives[child].parent == cluster:
                self.lives[child].parent = life.parent if heir is None else heir
        if life.is_told:
            self._tell(change, now, cluster, heir)
        else:
            self.young.remove(cluster)

    def _descends(self, cluster: int, ancestor: int) -> bool:
        parent = self.lives[cluster].parent
        while parent is not None and parent != ancestor:
            parent = self.lives[parent].parent
        return parent == ancestor

    def _tell(self, change: Change, t: float, cluster: int, other: int | None) -> None:
        self.events.append(Event(change=change, t=t, cluster=cluster, other=other))

    # Restoring

    def check(self, now: float, clusters: Collection[int]) -> None:
        """Raises ValueError for lives that cannot be.

        Args:
            now: The latest time.
            clusters: Those that micro-clusters belong to.
        """
        if self.lives.keys() != set(clusters):
            raise ValueError("the clusters and their lives.")
        if not max(self.lives, default=0) < self.next_id < 2**62 or min(self.lives, default=1) < 1:
            raise ValueError("the ids of the clusters.")
        births = [life.born for life in self.lives.values()]
        if not all(-math.inf < born <= now for born in births) or births != sorted(births):
            raise ValueError("the births of the clusters.")
        for cluster, life in self.lives.items():
            if life.is_told != (now >= self.matures(cluster)):
                raise ValueError("the ages of the clusters.")
            self._check_parents(cluster, life)
        if any(not math.isfinite(event.t) for event in self.events):
            raise ValueError("the times of the events.")

    def _check_parents(self, cluster: int, life: Life) -> None:
        seen = {cluster}
        while life.parent is not None:
            if life.is_told or life.parent in seen or life.parent not in self.lives:
                raise ValueError("the parents of the clusters.")
            seen.add(life.parent)
            life = self.lives[life.parent]
