"""River's DBSTREAM as the service's clusterer, to compare ours with: as it is, faults included.

`cluster.DBSTREAM` of the river library does all of the clustering: it learns an item, takes its macro-clusters anew
after each, and says by `predict_one` where the next one belongs. What is added around it:

- *Ids that last.* River numbers its macro-clusters 0, 1, ... at every reclustering. They are matched with the clusters
  before through the micro-clusters they share (lineage.py), as ours are.
- *A cap.* River has none. At `max_micro_clusters` the lightest (faded weight; ties: the oldest) makes room for the
  newborn, out of river's own dictionaries: the rule that ours goes by. To refuse the item would end the stream, and
  no other rule would compare like with like. Pairs are not capped: there are up to M (M - 1) / 2, and those that
  river forgets to remove when one end dies, until the other end does.
- *A count of items* for each micro-cluster: an item counts for the nearest that held it, or the one it founded.
- *State as arrays*, in the order of river's dictionaries, which its results depend on.

**What it means for verdicts.** River knows no noise: `predict_one` is the cluster with the nearest centre, the mean
of its micro-clusters, however far away; and its reclustering reads weights without fading them. So from the first
cluster on every item that no known class took is given to some cluster, and once that is announced, none is an
outlier any more but those given to a candidate. A cluster's region being what is nearest to it, an item of a
known class that was refused may be given to any: so the evidence that a cluster is new is weighed against *all*
held-out items that the known gate refused (`clusterer.reach`). The false alarm rate holds as it does for ours,
and a class has to be more frequent than all refused items together before it is announced.

Time is the number of items; `max_degree` and `unlink_fraction` mean nothing to it. Its powers are the C library's,
so a state replayed on another kind of processor may differ in the last bits.

Rows are river's ids of micro-clusters, which it gives again when the youngest dies.
"""

# Most of river's DBSTREAM has no annotations.
# mypy: allow-untyped-calls

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river.cluster.dbstream import DBSTREAM, DBSTREAMMicroCluster

from service.clustering import lineage
from service.clustering.micro_clusters import Run
from service.clustering.params import EngineParams
from service.records import NO_CLUSTER, Bools, Float64s, Int64s

Item = dict[int, float]
"""An item as river takes it."""

_TINY = float(np.finfo(np.float64).tiny)
"""What a weight that has faded to nothing is read as: a weight is positive."""


@dataclass(kw_only=True, slots=True)
class _Own:
    """What is remembered of a micro-cluster beside river's own. Owned and changed by RiverClusterer alone."""

    birth: int
    items: int
    cluster: int


class _River(DBSTREAM):
    """River's DBSTREAM, unchanged in what it computes: two of its steps can be seen, and micro-clusters taken out.

    Attributes:
        most: Its micro-clusters are never more.
        held_by: Ids of the micro-clusters that held the item learnt last, nearest first (ties: the oldest).
        evicted: Ids of those that made room for that item.
        labels: Macro-cluster (0, 1, ...) of each micro-cluster as last reclustered, None for the weak.
    """

    def __init__(self, params: EngineParams) -> None:
        super().__init__()
        self.held_by: list[int] = []
        self.evicted: list[int] = []
        self.labels: dict[int, int | None] = {}
        self.use(params)

    def use(self, params: EngineParams) -> None:
        """Work with these parameters, which river reads whenever it needs them."""
        self.clustering_threshold = params.clustering_threshold
        self.fading_factor = params.fading_factor
        self.cleanup_interval = params.cleanup_interval
        self.intersection_factor = params.intersection_factor
        self.minimum_weight = params.minimum_weight
        self.most = params.max_micro_clusters
        self.clustering_is_up_to_date = False

    def _find_fixed_radius_nn(self, x: Item) -> dict[int, DBSTREAMMicroCluster]:
        """The step after which a micro-cluster is founded if none is found: at the cap, room is made here."""
        found: dict[int, DBSTREAMMicroCluster] = super()._find_fixed_radius_nn(x)
        self.held_by = sorted(found, key=lambda i: self._distance(found[i].center, x))
        self.evicted = [] if found else self.shrink(self.most - 1)
        return found

    def _generate_labels(self, weighted_adjacency_list: dict[int, dict[int, float]]) -> dict[int, int | None]:
        self.labels = super()._generate_labels(weighted_adjacency_list)
        return self.labels

    def recluster(self) -> dict[int, int | None]:
        """The macro-cluster of each micro-cluster now, in order of birth."""
        self._recluster()
        return self.labels

    @property
    def now(self) -> int:
        """How many items were learnt."""
        return self._time_stamp

    def weight(self, i: int) -> float:
        """Weight of a micro-cluster, faded to now."""
        micro = self._micro_clusters[i]
        return float(micro.weight * 2.0 ** (-self.fading_factor * (self._time_stamp - micro.last_update)))

    def shrink(self, most: int) -> list[int]:
        """Take out the lightest (ties: the oldest) until there are no more than that; their ids."""
        gone = []
        while len(self._micro_clusters) > most:
            gone.append(min(self._micro_clusters, key=self.weight))
            self.take_out(gone[-1])
        return gone

    def take_out(self, i: int) -> None:
        """A micro-cluster leaves, with every pair it is in."""
        del self._micro_clusters[i]
        for pairs in (self.s, self.s_t):
            pairs.pop(i, None)
            for row in pairs.values():
                row.pop(i, None)
        self.clustering_is_up_to_date = False

    def fade(self) -> None:
        """Write down all weights and densities as they are now, so that another fading factor goes on from there."""
        for i, micro in self._micro_clusters.items():
            micro.weight, micro.last_update = self.weight(i), self._time_stamp
        for i, row in self.s.items():
            for j, density in row.items():
                row[j] = density * 2.0 ** (-self.fading_factor * (self._time_stamp - self.s_t[i][j]))
                self.s_t[i][j] = self._time_stamp
        self.clustering_is_up_to_date = False

    def arrays(self) -> dict[str, NDArray[Any]]:
        """See `RiverClusterer.state`."""
        micros = self._micro_clusters.values()
        pairs = [(j, row[j], self.s_t[i][j]) for i, row in self.s.items() for j in row]
        return {
            "ids": np.array(list(self._micro_clusters), dtype=np.int64),
            "centers": np.array([list(micro.center.values()) for micro in micros], dtype=np.float64),
            "weights": np.array([micro.weight for micro in micros], dtype=np.float64),
            "updated": np.array([micro.last_update for micro in micros], dtype=np.int64),
            "row_ids": np.array(list(self.s), dtype=np.int64),
            "row_sizes": np.array([len(row) for row in self.s.values()], dtype=np.int64),
            "pair_ids": np.array([j for j, _, _ in pairs], dtype=np.int64),
            "pair_shared": np.array([density for _, density, _ in pairs], dtype=np.float64),
            "pair_since": np.array([since for _, _, since in pairs], dtype=np.int64),
        }

    def fill(self, now: int, arrays: dict[str, NDArray[Any]]) -> None:
        """The inverse of `arrays`."""
        self._time_stamp = now
        micros = (arrays[name].tolist() for name in ("ids", "centers", "weights", "updated"))
        for i, center, weight, updated in zip(*micros, strict=True):
            self._micro_clusters[i] = DBSTREAMMicroCluster(dict(enumerate(center)), updated, weight)
        pairs = zip(
            *(arrays[name].tolist() for name in ("pair_ids", "pair_shared", "pair_since")), strict=True
        )
        for i, size in zip(arrays["row_ids"].tolist(), arrays["row_sizes"].tolist(), strict=True):
            row = [next(pairs) for _ in range(size)]
            self.s[i] = {j: density for j, density, _ in row}
            self.s_t[i] = {j: since for j, _, since in row}


class RiverClusterer:
    """River's DBSTREAM behind the port of `clusterer.py`; mutable, with one owner.

    Args:
        dim: D, the dimensions of an item.
        params: What it works with; `retune` changes them.
    """

    def __init__(self, dim: int, params: EngineParams) -> None:
        self.dim = dim
        self._params = params
        self._river = _River(params)
        self._own: dict[int, _Own] = {}
        self._next_birth = 1
        self._names: dict[int, int] = {}
        self._is_stale = False

    # Reading

    def __len__(self) -> int:
        return len(self._own)

    @property
    def is_stale(self) -> bool:
        """Whether clusters joined or parted, so that `regroup` is due before the next item."""
        return self._is_stale

    def rows_of(self, cluster: int) -> Int64s:
        """int64 (m,): the rows of one cluster, in order of birth."""
        return np.array([i for i, own in self._own.items() if own.cluster == cluster], dtype=np.int64)

    def cluster_of(self, row: int) -> int:
        """Cluster of a row, NO_CLUSTER for none."""
        return self._own[row].cluster if row in self._own else NO_CLUSTER

    def items_of(self, cluster: int) -> int:
        """Items assigned to the micro-clusters of one cluster, not faded; 0 if it has none."""
        return sum(own.items for own in self._own.values() if own.cluster == cluster)

    def births(self, rows: Int64s) -> Int64s:
        """Permanent numbers; they only grow."""
        return np.array([self._own[row].birth for row in rows.tolist()], dtype=np.int64)

    def centers(self, rows: Int64s) -> Float64s:
        """float64 (len(rows), D)."""
        micros = self._river.micro_clusters
        found = [list(micros[i].center.values()) for i in rows.tolist()]
        return np.array(found, dtype=np.float64).reshape(-1, self.dim)

    def weights(self, rows: Int64s) -> Float64s:
        """float64 (len(rows),): weights, faded to now; positive."""
        return np.array([max(self._river.weight(i), _TINY) for i in rows.tolist()], dtype=np.float64)

    def strong(self, rows: Int64s) -> Bools:
        """Bool (len(rows),): which are in one of river's macro-clusters."""
        labels = self._river.recluster()
        return np.array([labels[i] is not None for i in rows.tolist()], dtype=np.bool_)

    # Learning

    def learn(self, x: Float64s, times: Float64s | None, start: int, out: Int64s) -> Run:
        """Learn items of a batch, one by one, up to where clusters joined or parted or micro-clusters left.

        Args:
            x: float64 (B, D), finite.
            times: None: river counts items.
            start: The first item to learn.
            out: int64 (4, B), written for the items learnt: cluster of the nearest centre of a cluster *before* the
                item was learnt, NO_CLUSTER where there was no cluster; birth and row of the micro-cluster it was
                assigned to; 1 if it founded that.
        """
        assert times is None, "river knows no times"
        for b in range(start, len(x)):
            assert not self._is_stale, "regroup first"
            removed = self._learn_one(dict(enumerate(x[b].tolist())), out[:, b])
            if removed or self._is_stale:
                return Run(b + 1, removed)
        return Run(len(x), ())

    def predict(self, x: Float64s) -> Int64s:
        """int64 (B,): the cluster that `learn` would say of each item, were it the next; NO_CLUSTER for none."""
        return np.array([self._home(dict(enumerate(item))) for item in x.tolist()], dtype=np.int64)

    def _home(self, item: Item) -> int:
        return self._names.get(self._river.predict_one(item), NO_CLUSTER)  # that of an empty model is 0

    def _learn_one(self, item: Item, out: Int64s) -> tuple[tuple[int, int], ...]:
        river, own = self._river, self._own
        before = self._home(item)
        river.learn_one(item)
        left = [own.pop(i) for i in river.evicted]  # first: the newborn may have been given the id of one
        row = river.held_by[0] if river.held_by else next(reversed(river.micro_clusters))
        if river.held_by:
            own[row].items += 1
        else:
            own[row] = _Own(birth=self._next_birth, items=1, cluster=NO_CLUSTER)
            self._next_birth += 1
        out[:] = before, own[row].birth, row, not river.held_by
        if len(own) > len(river.micro_clusters):  # river has cleaned up
            left += [own.pop(i) for i in list(own) if i not in river.micro_clusters]
        self._look()
        return tuple((gone.cluster, gone.items) for gone in left)

    def _look(self) -> None:
        """Take river's macro-clusters anew: are they the clusters that have names, each one of them?"""
        names: dict[int, int] = {}
        is_one = True
        for i, label in self._river.recluster().items():
            if label is not None:
                cluster = self._own[i].cluster
                is_one &= cluster != NO_CLUSTER and names.setdefault(label, cluster) == cluster
        self._is_stale = not is_one or len(set(names.values())) < len(names)
        self._names = names

    def regroup(
        self,
        next_id: int,
        announced: Collection[int] = (),
        united: Collection[int] = (),
        apart: Collection[int] = (),  # noqa: ARG002 - river has the word on what is one
        pairs: Collection[tuple[int, int]] = (),  # noqa: ARG002 - likewise
    ) -> lineage.Matched:
        """Carry the ids of clusters over to river's macro-clusters.

        Args:
            next_id: The first cluster id not given yet.
            announced: Ids that people have seen; they are kept before others.
            united: Ids of clusters that stay one whatever the partition says.
        """
        labels = self._river.recluster().values()
        found = lineage.match(
            np.array([own.cluster for own in self._own.values()], dtype=np.int64),
            np.array([-1 if label is None else label for label in labels], dtype=np.int64),
            self.weights(np.array(list(self._own), dtype=np.int64)),
            next_id,
            announced,
            united,
        )
        for own, cluster in zip(self._own.values(), found.cluster_of.tolist(), strict=True):
            own.cluster = cluster
        self._look()
        return found

    def adopt(self, cluster: int, into: int) -> None:
        """Not to be had: river's macro-clusters are what they are, and the engine asks for none."""
        raise NotImplementedError

    def part(self, births: Int64s, of: int, into: int) -> None:
        """Not to be had either."""
        raise NotImplementedError

    def drop(self, cluster: int) -> None:
        """Forget the micro-clusters of a cluster that is gone."""
        for i in self.rows_of(cluster).tolist():
            self._river.take_out(i)
            del self._own[i]
        self._look()

    def retune(self, params: EngineParams) -> tuple[tuple[int, int], ...]:
        """Work with other parameters from now on; what is learnt stays.

        Returns:
            (cluster, items) of each micro-cluster that had to leave, since the cap is lower.
        """
        if params.fading_factor != self._params.fading_factor:
            self._river.fade()
        self._params = params
        self._river.use(params)
        left = [self._own.pop(i) for i in self._river.shrink(params.max_micro_clusters)]
        self._look()
        return tuple((gone.cluster, gone.items) for gone in left)

    # State

    def state(self) -> dict[str, NDArray[Any]]:
        """All of it as flat arrays, in the order of river's dictionaries; equal states give equal arrays.

        counters: int64 (2,) items learnt, next birth; ids (river's), updated, births, items, clusters: int64 (M,);
        centers: float64 (M, D); weights: float64 (M,) as of `updated`; row_ids, row_sizes: int64 (S,) the older end
        of pairs, and how many follow each; pair_ids, pair_since: int64 (P,); pair_shared: float64 (P,).
        """
        own = self._own.values()
        arrays = self._river.arrays()
        return {
            **arrays,
            "centers": arrays["centers"].reshape(-1, self.dim),
            "counters": np.array([self._river.now, self._next_birth], dtype=np.int64),
            "births": np.array([one.birth for one in own], dtype=np.int64),
            "items": np.array([one.items for one in own], dtype=np.int64),
            "clusters": np.array([one.cluster for one in own], dtype=np.int64),
        }

    @classmethod
    def from_state(cls, arrays: dict[str, NDArray[Any]], params: EngineParams) -> "RiverClusterer":
        """The inverse of `state`: what is learnt next is learnt as if nothing had happened, to the bit.

        Nothing is checked: arrays from outside pass `check_river_state` (state_check.py) first.
        """
        self = cls(arrays["centers"].shape[1], params)
        now, self._next_birth = arrays["counters"].tolist()
        self._river.fill(now, arrays)
        columns = (arrays[name].tolist() for name in ("ids", "births", "items", "clusters"))
        for i, birth, items, cluster in zip(*columns, strict=True):
            self._own[i] = _Own(birth=birth, items=items, cluster=cluster)
        self._look()
        return self
