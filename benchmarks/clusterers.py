"""The two clusterers whose speed is compared, ours and river's DBSTREAM, behind the same verbs.

Both get the same parameters, under river's names. Ours takes rows of an array, many or one; river takes one
dictionary at a time. `prepare` makes of an array what a clusterer eats, outside the measured time: what is compared
is the algorithm, not the dictionary it asks for.

River needs minutes to hours to come to thousands of micro-clusters in hundreds of dimensions. So ours learns the
stream, `learnt()` says what that was, and `River.holding` is a river model with just that: the same centres,
weights, shared densities and times, in the same order. From there on both are asked for the same items. (A test holds
a copied model against one that learnt the stream itself, item by item.)

"""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.streams import Float64s, Int64s
from service.clustering.dbstream import DBSTREAM


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """DBSTREAM's, for a stream that a radius of 1 suits.

    Attributes:
        max_micro_clusters: The cap of ours; river has none.
    """

    clustering_threshold: float = 1.0
    fading_factor: float = 1e-4
    cleanup_interval: int = 1000
    intersection_factor: float = 0.1
    minimum_weight: float = 2.0
    max_micro_clusters: int = 20_000


@dataclass(frozen=True, kw_only=True)
class Learnt:
    """What DBSTREAM knows after t items, in order of birth.

    Attributes:
        t: Items learnt.
        centers: float64 (M, d).
        weights: float64 (M,), each as it was at a time of its own.
        updated: float64 (M,), that time.
        pairs: int64 (E, 2), rows i < j that share density.
        shared: float64 (E,), how much they did at a time of their own.
        shared_at: float64 (E,), that time.
    """

    t: int
    centers: Float64s
    weights: Float64s
    updated: Float64s
    pairs: Int64s
    shared: Float64s
    shared_at: Float64s


class Ours:
    """`service.clustering.dbstream.DBSTREAM`."""

    name = "firstseen"

    def __init__(self, parameters: Parameters) -> None:
        self.db = DBSTREAM(**asdict(parameters))

    def learn_many(self, x: Float64s) -> None:
        """Learn float64 (B, d), in order."""
        self.db.learn_many(x)

    def predict_many(self, x: Float64s) -> Int64s:
        """int64 (B,): the cluster of each row as things stand, -1 for none."""
        return self.db.predict_many(x)

    def predict_learn_many(self, x: Float64s) -> Int64s:
        """int64 (B,): the cluster of each row before it is learnt; then it is learnt, and then the next."""
        return self.db.predict_learn_many(x)

    def learn_one(self, x: dict[int, float]) -> None:
        """Learn one item given as river gives it."""
        self.db.learn_one(x)

    def predict_one(self, x: dict[int, float]) -> int:
        """The cluster of one item given as river gives it."""
        return self.db.predict_one(x)

    def __len__(self) -> int:
        """M now."""
        return self.db.n_micro_clusters

    def live_bytes(self) -> int:
        """Bytes of the state in memory."""
        return self.db.nbytes

    def stored_bytes(self) -> int:
        """Bytes of the state as it is stored."""
        return len(self.db.to_bytes())

    def learnt(self) -> Learnt:
        """What it has learnt; weights and densities as they are now."""
        micro = self.db.micro_clusters
        assert micro is not None, "nothing was learnt"
        rows = micro.rows()
        pairs, shared, _ = micro.pairs(rows)
        return Learnt(
            t=int(micro.now),
            centers=micro.centers(rows),
            weights=micro.weights(rows),
            updated=np.full(len(rows), micro.now),
            pairs=pairs.T,
            shared=shared,
            shared_at=np.full(len(shared), micro.now),
        )


class River:
    """`river.cluster.DBSTREAM`."""

    name = "river"

    def __init__(self, parameters: Parameters) -> None:
        from river import cluster

        self.db: Any = cluster.DBSTREAM(
            clustering_threshold=parameters.clustering_threshold,
            fading_factor=parameters.fading_factor,
            cleanup_interval=parameters.cleanup_interval,
            intersection_factor=parameters.intersection_factor,
            minimum_weight=parameters.minimum_weight,
        )

    @classmethod
    def holding(cls, learnt: Learnt, parameters: Parameters) -> "River":
        """A model that stands where another stream clusterer came to.

        River numbers micro-clusters in order of birth, keeps the density of a pair at the lower number, and fades
        weights and densities from the time they were last changed.
        """
        from river.cluster.dbstream import DBSTREAMMicroCluster

        self = cls(parameters)
        for row, (center, weight, updated) in enumerate(
            zip(learnt.centers.tolist(), learnt.weights.tolist(), learnt.updated.tolist(), strict=True)
        ):
            self.db._micro_clusters[row] = DBSTREAMMicroCluster(  # noqa: SLF001 - river has no way in
                x=dict(enumerate(center)), last_update=updated, weight=weight
            )
        for (i, j), shared, at in sorted(
            zip(learnt.pairs.tolist(), learnt.shared.tolist(), learnt.shared_at.tolist(), strict=True)
        ):
            self.db.s.setdefault(i, {})[j] = shared
            self.db.s_t.setdefault(i, {})[j] = at
        self.db._time_stamp = learnt.t  # noqa: SLF001 - the same
        return self

    @staticmethod
    def prepare(x: Float64s) -> Sequence[dict[int, float]]:
        """float64 (N, d) as N dictionaries."""
        return [dict(enumerate(row)) for row in x.tolist()]

    def learn_one(self, x: dict[int, float]) -> None:
        """Learn one item."""
        self.db.learn_one(x)

    def predict_one(self, x: dict[int, float]) -> int:
        """The cluster of one item. River reclusters at a prediction if it has learnt since the last one."""
        return int(self.db.predict_one(x))

    def __len__(self) -> int:
        """M now."""
        return len(self.db.micro_clusters)

    def live_bytes(self) -> int:
        """Bytes of what it knows in memory: micro-clusters, shared densities and their times."""
        return _deep_bytes([self.db.micro_clusters, self.db.s, self.db.s_t])


def _deep_bytes(roots: Sequence[object]) -> int:
    """Bytes of dictionaries, micro-clusters and numbers that can be reached from these, each counted once."""
    seen: set[int] = set()
    total = 0
    waiting = list(roots)
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        total += sys.getsizeof(thing)
        if isinstance(thing, dict):
            waiting.extend(thing.keys())
            waiting.extend(thing.values())
        else:
            waiting.extend(getattr(thing, slot) for slot in getattr(thing, "__slots__", ()))
    return total
