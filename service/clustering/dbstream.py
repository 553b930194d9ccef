"""DBSTREAM as an estimator: of river's kind, item by item, and of scikit-learn's, batch by batch.

    from service.clustering.dbstream import DBSTREAM

    db = DBSTREAM(clustering_threshold=0.2, minimum_weight=3)
    db.learn_one({"x": 0.1, "y": 0.7})              # river: also in a pipeline, also with river's metrics
    db.predict_one({"x": 0.1, "y": 0.7})            # a cluster id, or -1: noise
    labels = db.predict_learn_many(X)               # prequential: each item's cluster before it is learnt
    db.partial_fit(X).predict(X)                    # scikit-learn

A batch gives exactly what its items give one by one. Cluster ids only grow and follow their cluster through
change (lineage.py); `events` tells what became of them (lives.py). Between calls the partition is up to date, so that
a prediction costs one search; after a call that Ctrl-C broke off, the next one brings it up to date first. What was
learnt until then stays learnt. The micro-clusters and the speed are micro_clusters.py's and kernels/'s.
"""

import math
from collections.abc import Collection, Hashable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray
from river import base

from service.clustering.arguments import number, parameters
from service.clustering.blob import SnapshotUnreadable, pack, unpack
from service.clustering.lives import MAX_EVENTS, NOISE, Change, Event, Life, Lives
from service.clustering.micro_clusters import MicroClusters
from service.clustering.params import ClustererParams
from service.clustering.rows import Features, matrix, moments
from service.clustering.state_check import check_state
from service.records import NO_CLUSTER, Float64s, Int64s

__all__ = ["DBSTREAM", "MAX_EVENTS", "NOISE", "Change", "ClusterView", "Event"]

MAGIC = b"FSDB"
VERSION = 1

_LONGEST = 2.0**52
"""Half-lives and clean-up intervals that a stream's times may span: beyond, float64 does not tell moments apart."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterView:
    """A cluster as it is now, with what split off from it and is too young to be told of.

    Attributes:
        center: The mean of its micro-clusters' centres by weight, by feature.
        weight: Sum of their faded weights.
        items: Items assigned to them, not faded.
        micro_clusters: How many of them are strong.
        born: When it came to be.
    """

    center: dict[Hashable, float]
    weight: float
    items: int
    micro_clusters: int
    born: float


class _Ledger(msgspec.Struct, forbid_unknown_fields=True):
    params: ClustererParams
    minimum_age: float
    features: list[str | int | float] | None
    next_id: int
    lives: dict[int, Life]
    events: list[Event]


class DBSTREAM(base.Clusterer):
    """Density-based stream clustering with a shared-density graph (Hahsler & Bolaños 2016).

    The parameters are for life: to change one, make a new clusterer, or `clone({...})`. Of scikit-learn's interface
    there are `partial_fit` and `predict`; there is no `fit` or `get_params`, as what is learnt depends on all that
    came before, so its `clone`, Pipeline and searches refuse it. River's `clone` and pipelines take it.

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
        self._params = parameters(
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
        self._lives = Lives(number("minimum_age", minimum_age))
        if not 0 <= self._lives.minimum_age < math.inf:
            raise ValueError(f"minimum_age must be 0 or a positive number, not {minimum_age}.")
        self._micro: MicroClusters | None = None
        self._features: Features | None = None
        self._epoch: float | None = None  # the first time, if items bring times
        self._is_broken_off = False  # an interrupted call has left something to do
        self._one: Int64s = np.empty((4, 1), dtype=np.int64)  # for one item, used again and again

    def __setattr__(self, name: str, value: object) -> None:
        if not name.startswith("_") and name in self.__dict__:  # all that is public is a parameter
            raise AttributeError(
                f"{name} is {getattr(self, name)!r} for life; make a new DBSTREAM, or clone({{{name!r}: {value!r}}})."
            )
        super().__setattr__(name, value)

    # river

    def learn_one(self, x: Mapping[Hashable, float], *, t: float | None = None) -> None:
        """Learn one item.

        The clock follows the latest time, and does not go back: one item from the far future fades all that was
        learnt before. So check times before you send them.

        Args:
            x: Features, the same names in every item.
            t: Its event time; all items bring one, or none. (river's pipelines hand none on.)

        Raises:
            ValueError: A feature is missing, new, or no finite number; nothing is changed.
        """
        features = Features.of(x) if self._features is None else self._features
        row = features.row(x)
        self._learn(row, self._times(None if t is None else [t], 1), features)

    def predict_one(self, x: Mapping[Hashable, float]) -> int:
        """The cluster of one item, NOISE for none; raises as `learn_one`."""
        features = Features.of(x) if self._features is None else self._features
        row = features.row(x)
        micro = self._settled()
        return NOISE if micro is None else self._lives.label(int(micro.predict(row)[0]))

    def _unit_test_skips(self) -> set[str]:
        """Checks of river's that ask for the contrary: a feature that is missing is no zero, it is refused by name."""
        return {
            "check_emerging_features",
            "check_disappearing_features",
            "check_radically_disappearing_features",
        }

    # Arrays

    def learn_many(self, X: ArrayLike, *, t: ArrayLike | None = None) -> None:
        """Learn items in order.

        Args:
            X: float (B, D), B at least 1; a data frame's columns name the features.
            t: float (B,) their event times; all items bring one, or none. On wrong ones, see `learn_one`.

        Raises:
            ValueError: An item is not finite, the width is another, or there is none; nothing is changed.
        """
        rows, features = matrix(X, self._features)
        self._learn(rows, self._times(t, len(rows)), features)

    def predict_many(self, X: ArrayLike) -> Int64s:
        """int64 (B,): the cluster of each item, NOISE for none; raises as `learn_many`."""
        rows, _ = matrix(X, self._features)
        micro = self._settled()
        if micro is None:
            return np.full(len(rows), NOISE, dtype=np.int64)
        return self._lives.labels(micro.predict(rows))

    def predict_learn_many(self, X: ArrayLike, *, t: ArrayLike | None = None) -> Int64s:
        """int64 (B,): the cluster of each item before it was learnt, by one search for both; as `learn_many`.

        It is what `predict_one` says of it then; with times, at the item's time, when all has faded until then.
        """
        rows, features = matrix(X, self._features)
        found = self._learn(rows, self._times(t, len(rows)), features)[0]
        labels: Int64s = np.where(found == NO_CLUSTER, NOISE, found)
        return labels

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
        """Clusters that are told of and have a strong micro-cluster: those that a prediction can give."""
        micro = self._settled()
        return 0 if micro is None else len(self._labelled(micro)[2])

    @property
    def clusters(self) -> dict[int, ClusterView]:
        """Those that a prediction can give, by id, in order of id."""
        micro = self._settled()
        if micro is None:
            return {}
        rows, labels, clusters = self._labelled(micro)
        return {cluster: self._view(micro, cluster, rows[labels == cluster]) for cluster in clusters}

    @property
    def centers(self) -> dict[int, dict[Hashable, float]]:
        """Centre of each of `clusters`, by feature."""
        return {cluster: view.center for cluster, view in self.clusters.items()}

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
        self._settled()
        return tuple(self._lives.events)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return 0 if self._micro is None else self._micro.nbytes

    def _labelled(self, micro: MicroClusters) -> tuple[Int64s, Int64s, list[int]]:
        """int64 (M,) rows, int64 (M,) the label of what each holds, and the labels of those that are strong."""
        rows = micro.rows()
        labels = self._lives.labels(micro.clusters(rows))
        return rows, labels, np.unique(labels[micro.strong(rows) & (labels != NOISE)]).tolist()

    def _view(self, micro: MicroClusters, cluster: int, rows: Int64s) -> ClusterView:
        assert self._features is not None
        weights = micro.weights(rows)
        center = (weights / weights.sum()) @ micro.centers(rows)
        return ClusterView(
            center=dict(zip(self._features.names, center.tolist(), strict=True)),
            weight=float(weights.sum()),
            items=int(micro.counts(rows).sum()),
            micro_clusters=int(micro.strong(rows).sum()),
            born=self._lives.lives[cluster].born,
        )

    # State

    def to_bytes(self) -> bytes:
        """All of it as one versioned blob; equal states give equal bytes.

        Raises:
            TypeError: A feature's name is no text that UTF-8 can hold, and no number of 64 bits.
        """
        micro = self._settled()
        features: list[Any] | None = None if self._features is None else self._features.names
        if self._features is not None and not self._features.are_storable:
            raise TypeError(
                "Features whose names are neither texts (of valid Unicode) nor numbers (of 64 bits) cannot be "
                "stored; rename them."
            )
        ledger = _Ledger(
            params=self._params,
            minimum_age=self._lives.minimum_age,
            features=features,
            next_id=self._lives.next_id,
            lives=self._lives.lives,
            events=list(self._lives.events),
        )
        return pack(MAGIC, VERSION, {} if micro is None else micro.state(), ledger)

    @classmethod
    def from_bytes(cls, blob: bytes) -> Self:
        """The inverse of `to_bytes`; what follows is as if nothing had happened, to the bit.

        Raises:
            SnapshotUnreadable: The blob is damaged, of another version, no clusterer's, or contradicts itself.
        """
        arrays, ledger = unpack(blob, MAGIC, VERSION, _Ledger)
        try:
            return cls._restored(arrays, ledger)
        except SnapshotUnreadable:
            raise
        except ValueError as error:
            raise SnapshotUnreadable(f"The stored state contradicts itself: {error}") from error

    @classmethod
    def _restored(cls, arrays: dict[str, NDArray[Any]], ledger: _Ledger) -> Self:
        self = cls(**asdict(ledger.params), minimum_age=ledger.minimum_age)
        self._lives = Lives(self._lives.minimum_age, ledger.next_id, ledger.lives, ledger.events)
        if ledger.features is None:
            if arrays or ledger.lives or ledger.events or ledger.next_id != 1:
                raise ValueError("something was learnt, but no item.")
            return self
        self._features = Features(ledger.features)
        check_state(arrays, len(self._features), self._params)
        clock, counters = arrays["clock"].tolist(), arrays["counters"].tolist()
        self._lives.check(clock[0], set(arrays["clusters"].tolist()) - {NO_CLUSTER})
        if counters[3] or (counters[2] and self._params.river_online):
            raise ValueError("an item was learnt by half.")
        self._micro = MicroClusters.from_state(arrays, self._params)
        self._epoch = clock[1] if counters[2] else None
        return self

    # Learning

    def _times(self, t: ArrayLike | None, n: int) -> Float64s | None:
        if t is None:
            if self._epoch is not None:
                raise ValueError("All items bring a time, or none does. Send t.")
            return None
        if self._params.river_online:
            raise ValueError("river's arithmetic counts items; leave t out, or river_online.")
        if self._micro is not None and self._epoch is None:
            raise ValueError("All items bring a time, or none does. Leave t out, as before.")
        times = moments(t, n)
        span = float(times.max()) - (float(times[0]) if self._epoch is None else self._epoch)
        shortest = min(1 / self._params.fading_factor, self._params.cleanup_interval)
        if span > _LONGEST * shortest:
            raise ValueError(
                f"These times lie {span:g} after the first one: too far for a fading_factor of "
                f"{self._params.fading_factor:g} and a cleanup_interval of {self._params.cleanup_interval:g}. "
                "Send times in one unit, and give both in it."
            )
        return times

    def _learn(self, rows: Float64s, times: Float64s | None, features: Features) -> Int64s:
        """Learn; int64 (4, B), of which the first row is the label before each item, or NO_CLUSTER for noise."""
        micro, lives = self._settled(), self._lives
        if micro is None:
            micro = MicroClusters(rows.shape[1], self._params)
            self._micro, self._features = micro, features
            self._epoch = None if times is None else float(times[0])
        start, B = 0, len(rows)
        out = self._one if B == 1 else np.empty((4, B), dtype=np.int64)
        try:
            while start < B:
                before = micro.now if lives.young else math.inf
                run = micro.learn(rows, times, start, out)
                if lives.young:
                    part = slice(start, run.next)
                    out[0, part] = lives.labels_at(out[0, part], _moments(before, times, part))
                if lives.young or run.removed or micro.is_stale:
                    self._follow(micro, run.removed)
                start = run.next
        except BaseException:  # Ctrl-C: what is learnt stays, and what follows of it is for the next call
            self._is_broken_off = True
            raise
        return out

    def _settled(self) -> MicroClusters | None:
        """The micro-clusters, with what a call that was interrupted left to do done."""
        micro = self._micro
        if self._is_broken_off and micro is not None:
            self._follow(micro, micro.pending())
            self._is_broken_off = False
        return micro

    def _follow(self, micro: MicroClusters, removed: Collection[tuple[int, int]]) -> None:
        """Births, splits, merges and deaths, and who is old enough now."""
        lives, now = self._lives, micro.now
        lives.announce(now)
        if micro.is_stale:
            lives.regrouped(micro.regroup(lives.next_id, lives.told()), now)
        gone = {cluster for cluster, _ in removed if cluster in lives.lives and not micro.items_of(cluster)}
        lives.died(gone, now)
        lives.announce(now)


def _moments(before: float, times: Float64s | None, part: slice) -> Float64s:
    """float64: the time at which each item of the part was looked at."""
    if times is None:
        return before + np.arange(part.stop - part.start, dtype=np.float64)
    moments: Float64s = np.maximum.accumulate(np.maximum(times[part], before))
    return moments
