"""What the engine needs of a clusterer, and which one it gets.

A clusterer learns items one by one, keeps micro-clusters, and parts them into clusters whose ids the caller gives
and that only grow. Its micro-clusters are told apart by *rows*, numbers that mean something until it learns or
forgets the next time. There are two:

- `MicroClusters` (micro_clusters.py), ours; the default.
- `RiverClusterer` (river_clusterer.py), around `cluster.DBSTREAM` of the river library, to compare with. Neither is
  river loaded where it is not chosen, nor does any verdict of the one depend on the other.

A stream keeps the one it began with for life: what one has learnt means nothing to the other.
"""

import math
from collections.abc import Collection, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from service.clustering.lineage import Matched
from service.clustering.micro_clusters import MicroClusters, Run
from service.clustering.params import EngineParams
from service.clustering.state_check import check_river_state, check_state
from service.records import Bools, Float64s, Int64s


class BackendChanged(ValueError):
    """Parameters ask for another clusterer than the one that the stream began with."""

    def __init__(self, own: str, wanted: str) -> None:
        super().__init__(
            f"This stream's clusters are formed by the backend {own!r}, and a stream keeps its backend for life; "
            f"{wanted!r} cannot go on from what {own!r} has learnt. Set FIRSTSEEN_BACKEND={own} as before, or give "
            "FIRSTSEEN_STREAM another name to begin a new stream."
        )


class Clusterer(Protocol):
    """The clusterer of one stream; mutable, with one owner."""

    def __len__(self) -> int:
        """M, how many micro-clusters there are: never more than the cap."""

    @property
    def is_stale(self) -> bool:
        """Whether clusters joined or parted, so that `regroup` is due before the next item."""

    def learn(self, x: Float64s, times: Float64s | None, start: int, out: Int64s) -> Run:
        """Learn items of a batch, one by one, up to where clusters joined or parted or micro-clusters left.

        Args:
            x: float64 (B, D), finite, C-contiguous.
            times: float64 (B,) times of the items, where it knows of times; None: each is one later than the
                one before.
            start: The first item to learn.
            out: int64 (4, B), written for the items learnt: cluster that the item was given *before* it was
                learnt, NO_CLUSTER for none; birth (a number that only grows) and row of the micro-cluster it was
                assigned to; 1 if it founded that.
        """

    def predict(self, x: Float64s) -> Int64s:
        """int64 (B,): the cluster that `learn` would say of each item, were it the next; NO_CLUSTER for none.

        Changes nothing. Not while it `is_stale`: then clusters are regrouped before the next item.

        Args:
            x: float64 (B, D), finite, C-contiguous.
        """

    def regroup(
        self,
        next_id: int,
        announced: Collection[int] = (),
        united: Collection[int] = (),
        apart: Collection[int] = (),
        pairs: Collection[tuple[int, int]] = (),
    ) -> Matched:
        """Take the partition of the clusters concerned anew, and carry the ids over.

        Args:
            next_id: The first cluster id not given yet.
            announced: Ids that people have seen; they are kept before others.
            united: Ids of clusters that stay one whatever the partition says.
        """

    def adopt(self, cluster: int, into: int) -> None:
        """Give the micro-clusters of one cluster to another; from then on `regroup` is told that it is united."""

    def part(self, births: Int64s, of: int, into: int) -> None:
        """Give those micro-clusters of a cluster that have these births to another, a new one."""

    def drop(self, cluster: int) -> None:
        """Forget the micro-clusters of a cluster that is gone."""

    def retune(self, params: EngineParams) -> Sequence[tuple[int, int]]:
        """Work with other parameters from now on; what is learnt stays.

        Returns:
            (cluster, items) of each micro-cluster that had to leave, since the cap is lower.
        """

    def rows_of(self, cluster: int) -> Int64s:
        """int64 (m,): the rows of one cluster, in order of birth."""

    def cluster_of(self, row: int) -> int:
        """Cluster of a row in use, NO_CLUSTER for none."""

    def items_of(self, cluster: int) -> int:
        """Items assigned to the micro-clusters of one cluster, not faded; 0 if it has none."""

    def births(self, rows: Int64s) -> Int64s:
        """int64 (len(rows),): permanent numbers of micro-clusters; they only grow."""

    def centers(self, rows: Int64s) -> Float64s:
        """float64 (len(rows), D)."""

    def weights(self, rows: Int64s) -> Float64s:
        """float64 (len(rows),): weights, faded to now; positive."""

    def strong(self, rows: Int64s) -> Bools:
        """Bool (len(rows),): which are heavy enough to form a cluster."""

    def state(self) -> dict[str, NDArray[Any]]:
        """All of it as flat arrays; equal states give equal arrays, to the bit. See `restored`."""


def made(dim: int, params: EngineParams) -> Clusterer:
    """A clusterer that has learnt nothing, of the backend that `params` name.

    Args:
        dim: D, the dimensions of an item.
        params: What it works with.
    """
    if params.backend == "river":
        from service.clustering.river_clusterer import RiverClusterer  # noqa: PLC0415 - loaded only if chosen

        return RiverClusterer(dim, params)
    return MicroClusters(dim, params)


def restored(arrays: dict[str, NDArray[Any]], dim: int, params: EngineParams) -> Clusterer:
    """The clusterer whose `state` the arrays are: what is learnt next is learnt as if nothing had happened.

    Args:
        arrays: By name; anything may be in them.
        dim: D, the dimensions of an item.
        params: What the clusterer worked with.

    Raises:
        SnapshotUnreadable: No clusterer of this backend, D and `params` has such a state.
    """
    if params.backend == "river":
        from service.clustering.river_clusterer import RiverClusterer  # noqa: PLC0415 - loaded only if chosen

        check_river_state(arrays, dim, params)
        return RiverClusterer.from_state(arrays, params)
    check_state(arrays, dim, params)
    return MicroClusters.from_state(arrays, params)


def reach(params: EngineParams) -> float:
    """How far from the nearest strong centre of its cluster an item may lie: ours, the radius; river's, anywhere.

    The region that a cluster's items come from has to be known for the evidence that it is new (emergence.py).
    """
    return math.inf if params.backend == "river" else params.clustering_threshold
