"""DBSTREAM as an estimator: of river's kind, item by item, and of scikit-learn's, batch by batch.

    from service.clustering.dbstream import DBSTREAM

    db = DBSTREAM(clustering_threshold=0.2, minimum_weight=3)
    db.learn_one({"x": 0.1, "y": 0.7})              # river: also in a pipeline, also with river's metrics
    db.predict_one({"x": 0.1, "y": 0.7})            # a cluster id, or -1: noise
    labels = db.predict_learn_many(X)               # prequential: each item's cluster before it is learnt
    db.partial_fit(X).predict(X)                    # scikit-learn

A batch gives exactly what its items give one by one. Cluster ids only grow and follow their cluster through
change (lineage.py); `events` tells what became of them. Between calls the partition is up to date, so that a
prediction costs one search. The micro-clusters and the speed are micro_clusters.py's and kernels/'s.
"""

import math
from collections import deque
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

import msgspec
import numpy as np
from numpy.typing import ArrayLike
from river import base

from service.clustering.blob import pack, unpack
from service.clustering.lineage import Matched
from service.clustering.micro_clusters import MicroClusters
from service.clustering.params import ClustererParams
from service.clustering.rows import matrix, moments, row
from service.records import NO_CLUSTER, Float64s, Int64s

NOISE = -1
"""The label of an item that lies in no strong micro-cluster of a cluster that is old enough."""

MAGIC = b"FSDB"
VERSION = 1
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
    """Something became of a cluster that had reached the minimum age, or it reached it now (BORN, SPLIT).

    Attributes:
        change: What.
        t: When; for BORN and SPLIT the time from which on it is told of.
        cluster: The cluster.
        other: What it split from, or was merged into.
    """

    change: Change
    t: float
    cluster: int
    other: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterView:
    """A cluster as it is now.

    Attributes:
        center: float64 (D,) the mean of its micro-clusters' centres by weight.
        weight: Sum of their faded weights.
        items: Items assigned to them, not faded.
        micro_clusters: How many of them are strong.
        born: When it came to be.
    """

    center: Float64s
    weight: float
    items: int
    micro_clusters: int
    born: float


class _Life(msgspec.Struct):
    born: float
    parent: int | None = None
    is_told: bool = False


class _Ledger(msgspec.Struct, forbid_unknown_fields=True):
    params: ClustererParams
    minimum_age: float
    features: list[Any] | None
    next_id: int
    lives: dict[int, _Life]
    events: list[Event]
    dim: int


class DBSTREAM(base.Clusterer):
    """Density-based stream clustering with a shared-density graph (Hahsler & Bolaños 2016).

    Args:
        clustering_threshold: Radius r of a micro-cluster.
        fading_factor: lambda; weights halve every 1/lambda items, or units of event time.
        cleanup_interval: t_gap; what is weak is removed every so often, and lives so long at least. (river's
            default of 2 never lets a rare class form.)
        intersection_factor: alpha; two micro-clusters are connected from this shared density on, relative to their
            mean weight. The paper's .3 is for two dimensions; balls overlap less in more.
        minimum_weight: w_min; a micro-cluster is strong from this (faded) weight on.
        max_micro_clusters: Hard cap; the lightest makes room for the newborn.
        max_degree: Hard cap on the pairs a micro-cluster shares density in; the weakest makes room.
        unlink_fraction: A link made at alpha is cut at this fraction of it; 1: no hysteresis, the paper's rule.
        minimum_age: A cluster is told of when it has lived so long; a part split off goes by its parent's id
            until then.
        river_online: Do the arithmetic of river's DBSTREAM, to compare with it.

    References:
        Michael Hahsler and Matthew Bolaños (2016). Clustering Data Streams Based on Shared Density between
        Micro-Clusters. IEEE Transactions on Knowledge and Data Engineering 28(6), 1449-1461.

    Examples:
        >>> db = DBSTREAM(clustering_threshold=1.5, minimum_weight=1.5)
        >>> for x in [(1, 1), (1, 1.5), (9, 9), (1.2, 1.2), (9, 9.5)]:
        ...     db.learn_one(dict(enumerate(x)))
        >>> db.predict_one({0: 1, 1: 1}), db.predict_one({0: 9, 1: 9}), db.predict_one({0: 5, 1: 5})
        (1, 2, -1)
    """

    def __init__(
        self,
        clustering_threshold: float = 1.0,
        fading_factor: float = 1e-3,
        cleanup_interval: float = 1000,
        intersection_factor: float = 0.3,
        minimum_weight: float = 3.0,
        max_micro_clusters: int = 10_000,
        max_degree: int = 64,
        unlink_fraction: float = 0.7,
        minimum_age: float = 0.0,
        river_online: bool = False,  # noqa: FBT001, FBT002 - river's estimators take parameters by any name or place
    ) -> None:
        self.clustering_threshold = clustering_threshold
        self.fading_factor = fading_factor
        self.cleanup_interval = cleanup_interval
        self.intersection_factor = intersection_factor
        self.minimum_weight = minimum_weight
        self.max_micro_clusters = max_micro_clusters
        self.max_degree = max_degree
        self.unlink_fraction = unlink_fraction
        self.minimum_age = minimum_age
        self.river_online = river_online
        if not 0 <= minimum_age < math.inf:
            raise ValueError(f"minimum_age must be 0 or a positive number, not {minimum_age}.")
        self._params = ClustererParams(
            clustering_threshold=clustering_threshold,
            fading_factor=fading_factor,
            cleanup_interval=cleanup_interval,
            intersection_factor=intersection_factor,
            minimum_weight=minimum_weight,
            max_micro_clusters=max_micro_clusters,
            max_degree=max_degree,
            unlink_fraction=unlink_fraction,
            river_online=river_online,
        )
        self._micro: MicroClusters | None = None
        self._features: list[Hashable] | None = None
        self._has_times: bool | None = None
        self._next_id = 1
        self._lives: dict[int, _Life] = {}
        self._young: list[int] = []
        self._events: deque[Event] = deque(maxlen=MAX_EVENTS)

    # river

    def learn_one(self, x: Mapping[Hashable, float], t: float | None = None) -> None:
        """Learn one item.

        Args:
            x: Features, the same names in every item.
            t: Its event time; all items bring one, or none.

        Raises:
            ValueError: A feature is missing, new, or no finite number; nothing is changed.
        """
        names = self._features if self._features is not None else list(x)
        self._learn(row(x, names), None if t is None else self._times([t], 1), names)

    def predict_one(self, x: Mapping[Hashable, float]) -> int:
        """The cluster of one item, NOISE for none; raises as `learn_one`."""
        return int(self._predict(row(x, self._features if self._features is not None else list(x)))[0])

    # Arrays

    def learn_many(self, X: ArrayLike, t: ArrayLike | None = None) -> None:
        """Learn items in order.

        Args:
            X: float (B, D), B at least 1; a data frame's columns name the features.
            t: float (B,) their event times.

        Raises:
            ValueError: An item is not finite, the width is another, or there is none; nothing is changed.
        """
        self.predict_learn_many(X, t)

    def predict_many(self, X: ArrayLike) -> Int64s:
        """int64 (B,): the cluster of each item, NOISE for none; raises as `learn_many`."""
        rows, _ = matrix(X, self._features)
        return self._predict(rows)

    def predict_learn_many(self, X: ArrayLike, t: ArrayLike | None = None) -> Int64s:
        """int64 (B,): the cluster of each item before it was learnt, by one search for both; as `learn_many`."""
        rows, names = matrix(X, self._features)
        return self._learn(rows, None if t is None else self._times(t, len(rows)), names)

    # scikit-learn

    def partial_fit(self, X: ArrayLike, y: object = None) -> Self:  # noqa: ARG002 - scikit-learn's signature
        """`learn_many`."""
        self.learn_many(X)
        return self

    def predict(self, X: ArrayLike) -> Int64s:
        """`predict_many`."""
        return self.predict_many(X)

    # Views

    @property
    def n_clusters(self) -> int:
        """Clusters that are old enough to be told of."""
        return len(self.clusters)

    @property
    def clusters(self) -> dict[int, ClusterView]:
        """Clusters that are old enough to be told of and have a strong micro-cluster, by id."""
        views = {}
        for cluster, life in self._lives.items():
            micro = self._micro
            assert micro is not None
            rows = micro.rows_of(cluster)
            strong = micro.strong(rows)
            if not life.is_told or not strong.any():
                continue
            weights = micro.weights(rows)
            views[cluster] = ClusterView(
                center=weights @ micro.centers(rows) / weights.sum(),
                weight=float(weights.sum()),
                items=int(micro.counts(rows).sum()),
                micro_clusters=int(strong.sum()),
                born=life.born,
            )
        return views

    @property
    def centers(self) -> dict[int, dict[Hashable, float]]:
        """Centre of each cluster, by feature."""
        names = self._features or []
        return {c: dict(zip(names, v.center.tolist(), strict=True)) for c, v in self.clusters.items()}

    @property
    def n_micro_clusters(self) -> int:
        """M."""
        return 0 if self._micro is None else len(self._micro)

    @property
    def micro_clusters(self) -> MicroClusters | None:
        """The micro-clusters, for reading; None before the first item."""
        return self._micro

    @property
    def events(self) -> tuple[Event, ...]:
        """What became of clusters, oldest first; the latest MAX_EVENTS."""
        return tuple(self._events)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return 0 if self._micro is None else self._micro.nbytes

    # State

    def to_bytes(self) -> bytes:
        """All of it as one versioned blob; equal states give equal bytes.

        Raises:
            TypeError: A feature's name is no text and no number.
        """
        ledger = _Ledger(
            params=self._params,
            minimum_age=self.minimum_age,
            features=self._features,
            next_id=self._next_id,
            lives=self._lives,
            events=list(self._events),
            dim=-1 if self._micro is None else self._micro.dim,
        )
        if not all(isinstance(name, str | int | float) for name in self._features or ()):
            raise TypeError(
                "Features whose names are neither texts nor numbers cannot be stored; rename them."
            )
        return pack(MAGIC, VERSION, {} if self._micro is None else self._micro.state(), ledger)

    @classmethod
    def from_bytes(cls, blob: bytes) -> Self:
        """The inverse of `to_bytes`; what follows is as if nothing had happened, to the bit.

        Raises:
            SnapshotUnreadable: The blob is damaged, of another version, or no clusterer's.
        """
        arrays, ledger = unpack(blob, MAGIC, VERSION, _Ledger)
        p = ledger.params
        self = cls(
            clustering_threshold=p.clustering_threshold,
            fading_factor=p.fading_factor,
            cleanup_interval=p.cleanup_interval,
            intersection_factor=p.intersection_factor,
            minimum_weight=p.minimum_weight,
            max_micro_clusters=p.max_micro_clusters,
            max_degree=p.max_degree,
            unlink_fraction=p.unlink_fraction,
            minimum_age=ledger.minimum_age,
            river_online=p.river_online,
        )
        if ledger.dim >= 0:
            self._micro = MicroClusters.from_state(arrays, p)
            self._has_times = self._micro.has_times
        self._features, self._next_id = ledger.features, ledger.next_id
        self._lives = ledger.lives
        self._young = [cluster for cluster, life in self._lives.items() if not life.is_told]
        self._events.extend(ledger.events)
        return self

    # Learning

    def _predict(self, rows: Float64s) -> Int64s:
        if self._micro is None:
            return np.full(len(rows), NOISE, dtype=np.int64)
        found = self._micro.predict(rows)
        return self._told(found, np.full(len(rows), self._micro.now))

    def _times(self, t: ArrayLike, n: int) -> Float64s:
        if self.river_online:
            raise ValueError("river's arithmetic counts items; leave the times out, or river_online.")
        return moments(t, n)

    def _learn(self, rows: Float64s, times: Float64s | None, names: list[Hashable]) -> Int64s:
        if self._has_times is not None and self._has_times != (times is not None):
            raise ValueError(
                "All items bring a time, or none does." + (" Send t." if self._has_times else "")
            )
        if self._micro is None:
            self._micro = MicroClusters(rows.shape[1], self._params)
            self._features, self._has_times = names, times is not None
        micro = self._micro
        out = np.empty((4, len(rows)), dtype=np.int64)
        labels = np.empty(len(rows), dtype=np.int64)
        start = 0
        while start < len(rows):
            before = micro.now
            run = micro.learn(rows, times, start, out)
            part = slice(start, run.next)
            labels[part] = self._told(out[0, part], _moments(before, times, part))
            self._follow(run.removed)
            start = run.next
        return labels

    def _told(self, found: Int64s, moments: Float64s) -> Int64s:
        """Clusters as they are told of: NOISE, or the parent, for one that was too young at that moment."""
        if self.minimum_age == 0:
            return np.where(found == NO_CLUSTER, NOISE, found)
        labels = np.full(len(found), NOISE, dtype=np.int64)
        for cluster in np.unique(found[found != NO_CLUSTER]).tolist():
            of = found == cluster
            elder: int | None = cluster
            while elder is not None and of.any():
                life = self._lives[elder]
                is_old = of & (moments >= life.born + self.minimum_age)
                labels[is_old] = elder
                of &= ~is_old
                elder = life.parent
        return labels

    def _follow(self, removed: Collection[tuple[int, int]]) -> None:
        """Births, splits, merges and deaths, and who is old enough now."""
        micro = self._micro
        assert micro is not None
        if micro.is_stale:
            told = [cluster for cluster, life in self._lives.items() if life.is_told]
            self._regrouped(micro.regroup(self._next_id, told), micro.now)
        for cluster in sorted({c for c, _ in removed}):
            if cluster in self._lives and not micro.items_of(cluster):
                self._end(cluster, Change.DIED, None)
        for cluster in [c for c in self._young if micro.now >= self._lives[c].born + self.minimum_age]:
            life = self._lives[cluster]
            life.is_told = True
            self._young.remove(cluster)
            change = Change.BORN if life.parent is None else Change.SPLIT
            self._events.append(
                Event(change=change, t=life.born + self.minimum_age, cluster=cluster, other=life.parent)
            )

    def _regrouped(self, found: Matched, now: float) -> None:
        self._next_id = found.next_id
        for cluster, parent in [*((c, None) for c in found.born), *found.split]:
            self._lives[cluster] = _Life(born=now, parent=parent)
            self._young.append(cluster)
        for cluster, into in found.merged:
            self._end(cluster, Change.MERGED, into)

    def _end(self, cluster: int, change: Change, heir: int | None) -> None:
        """A cluster is no more; what had split off from it now split off from its heir."""
        life = self._lives.pop(cluster)
        if heir is not None and self._descends(heir, cluster):
            self._lives[heir].parent = life.parent
        for other, child in self._lives.items():
            if child.parent == cluster:
                child.parent = heir if other != heir else life.parent
        if life.is_told:
            assert self._micro is not None
            self._events.append(Event(change=change, t=self._micro.now, cluster=cluster, other=heir))
        else:
            self._young.remove(cluster)

    def _descends(self, cluster: int, ancestor: int) -> bool:
        parent = self._lives[cluster].parent
        while parent is not None and parent != ancestor:
            parent = self._lives[parent].parent
        return parent == ancestor


def _moments(before: float, times: Float64s | None, part: slice) -> Float64s:
    """float64: the time at which each item of the part was looked at."""
    if times is None:
        return before + np.arange(part.stop - part.start, dtype=np.float64)
    moments: Float64s = np.maximum.accumulate(np.maximum(times[part], before))
    return moments
