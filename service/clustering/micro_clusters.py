"""The micro-clusters of one stream: the online phase of DBSTREAM, and the partition they fall into.

The algorithm is Hahsler & Bolaños 2016, "Clustering Data Streams Based on Shared Density between Micro-Clusters",
IEEE TKDE 28(6). A micro-cluster is a ball of radius r whose centre moves towards the items it gets and whose weight
fades. Two micro-clusters that get the same items share density; those that share enough are one cluster. This class
owns the arrays (described in kernels/state.py); kernels/ changes them.

Four choices go beyond the paper, for a service that answers item by item for ever:

- *Always partitioned.* Reclustering (Algorithm 3) is not a phase. A weight is compared with w_min when it is read,
  faded to now; the ratio that links a pair changes by items of its two ends alone. So what one item can change is
  where it fell, and is settled there (kernels/connectivity.py). Only when clusters really join or part are those
  concerned matched with what they were (`regroup`).
- *Hysteresis.* A link made at alpha is cut at `unlink_fraction` alpha, so that a pair at the edge does not flicker.
- *Caps.* At `max_micro_clusters` the lightest (faded weight; ties: the oldest) makes room for the newborn, which
  under a flood of noise is the singleton that waited longest. At `max_degree` a new pair takes the place of the
  weakest (ties: the oldest peer) if that has faded below one item; else it is not kept. So memory is at most
  about (4 D' + 8 D + 13 E + 180) bytes a micro-cluster, D' at most 64, and up to 16 D bytes for each ball that ever
  held one item at once, which the radius bounds in practice, and the cap in any case.
- *Event time.* Items may bring their own times, also late ones; see kernels/state.py on forward decay. Without,
  time is the number of items learnt.

In river's mode (`river_online`) weights are kept faded to their last item, with the C library's `pow` and `exp`, as
river 0.26 does: centres, weights and shared densities then equal river's to the bit. It is for comparison: slower,
not the same on all processors, and without event time.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.clustering import lineage
from service.clustering.kernels import entries
from service.clustering.kernels import state as at
from service.clustering.params import ClustererParams
from service.clustering.refounding import refounded
from service.records import NO_CLUSTER, Bools, Float64s, Int64s

_FIRST_ROWS = 128
_FIRST_WORK = 32
_SIEVE_DIMS = 64
_NO_TIMES: Float64s = np.empty(0, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Run:
    """What learning a run of items did.

    Attributes:
        next: The first item of the batch that was not learnt yet.
        removed: (cluster, items) of each micro-cluster that had to leave.
    """

    next: int
    removed: tuple[tuple[int, int], ...]


class MicroClusters:
    """The online clusterer of one stream; mutable, with one owner.

    Args:
        dim: D, the dimensions of an item.
        params: What it works with; `retune` changes them.
    """

    def __init__(self, dim: int, params: ClustererParams) -> None:
        self.dim = dim
        self._params = params
        self._real: Float64s = np.zeros(16, dtype=np.float64)
        self._whole: Int64s = np.zeros(16, dtype=np.int64)
        self._whole[at.NEXT_BIRTH] = 1
        self._real[at.UNIT] = 1.0
        self._real[[at.LEAST_STRONG, at.LEAST_WEIGHT, at.LEAST_SHARED]] = np.inf
        self._sieve = np.zeros((0, min(-(-dim // 8) * 8, _SIEVE_DIMS), at.LANES), dtype=np.float32)
        self._centers: Float64s = np.zeros((0, dim), dtype=np.float64)
        self._amounts: Float64s = np.zeros((4, 0), dtype=np.float64)
        self._ids: Int64s = np.zeros((5, 0), dtype=np.int64)
        self._peers = np.zeros((0, params.max_degree), dtype=np.int32)
        self._shared: Float64s = np.zeros((0, params.max_degree), dtype=np.float64)
        self._since: Float64s = np.zeros(
            (0, params.max_degree if params.river_online else 0), dtype=np.float64
        )
        self._linked = np.zeros((0, params.max_degree), dtype=np.uint8)
        self._lists: Int64s = np.zeros((10, 1), dtype=np.int64)
        self._work: Float64s = np.zeros((_FIRST_WORK, dim), dtype=np.float64)
        self._single = np.zeros(self._sieve.shape[1] + at.LANES, dtype=np.float32)
        self._one_out: Int64s = np.zeros((4, 1), dtype=np.int64)
        self._set_parameters()
        self._grow_rows()

    def _set_parameters(self) -> None:
        p = self._params
        self._real[: at.MIN_WEIGHT + 1] = (
            p.clustering_threshold,
            p.fading_factor,
            p.cleanup_interval,
            p.intersection_factor,
            p.intersection_factor * p.unlink_fraction,
            p.minimum_weight,
        )
        self._whole[: at.LIKE_RIVER + 1] = (p.max_micro_clusters, p.max_degree, p.river_online)

    def _grow_rows(self) -> None:
        """Twice as many rows, up to the cap."""
        rows = len(self._centers)
        most = max(at.LANES, -(-self._params.max_micro_clusters // at.LANES) * at.LANES, rows)
        more = max(0, min(2 * rows or _FIRST_ROWS, most) - rows)
        self._sieve = np.concatenate(
            [self._sieve, np.zeros((more // at.LANES, *self._sieve.shape[1:]), np.float32)]
        )
        self._sieve[rows // at.LANES :, : self.dim] = np.inf
        self._centers = _longer(self._centers, more)
        self._amounts = _wider(self._amounts, more)
        self._amounts[3, rows // at.LANES :] = np.inf
        self._ids = _wider(self._ids, more)
        self._peers = _longer(self._peers, more)
        self._shared = _longer(self._shared, more)
        self._since = _longer(self._since, more)
        self._linked = _longer(self._linked, more)
        self._lists = _wider(self._lists, more)
        self._bind()

    def _bind(self) -> None:
        self._arrays = (
            self._sieve,
            self._centers,
            self._amounts,
            self._ids,
            self._peers,
            self._shared,
            self._since,
            self._linked,
            self._real,
            self._whole,
            self._lists,
            self._work,
            self._single,
        )

    # Reading

    def __len__(self) -> int:
        return int(self._whole[at.ALIVE])

    @property
    def params(self) -> ClustererParams:
        """What it works with."""
        return self._params

    @property
    def now(self) -> float:
        """The latest time: the number of items learnt, or the latest an item brought."""
        return float(self._real[at.NOW])

    @property
    def is_stale(self) -> bool:
        """Whether clusters joined or parted, so that `regroup` is due before the next item."""
        return bool(self._whole[at.STATUS] & at.STALE)

    @property
    def has_times(self) -> bool | None:
        """Whether items bring their own times; None before the first."""
        if self._whole[at.NEXT_BIRTH] == 1:
            return None
        return bool(self._whole[at.HAS_TIME])

    @property
    def next_birth(self) -> int:
        """The birth of the one that is founded next."""
        return int(self._whole[at.NEXT_BIRTH])

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self._arrays)

    def rows(self) -> Int64s:
        """int64 (M,): rows in use, in order of birth."""
        used = np.flatnonzero(self._ids[0])
        return used[np.argsort(self._ids[0, used])]

    def rows_of(self, cluster: int) -> Int64s:
        """int64: rows of one cluster, in order of birth."""
        used = np.flatnonzero((self._ids[2] == cluster) & (self._ids[0] > 0))
        return used[np.argsort(self._ids[0, used])]

    def cluster_of(self, row: int) -> int:
        """Cluster of a row, NO_CLUSTER for none."""
        return int(self._ids[2, row])

    def items_of(self, cluster: int) -> int:
        """Items assigned to the micro-clusters of one cluster, not faded."""
        ids = self._ids
        return int(ids[1] @ ((ids[2] == cluster) & (ids[0] > 0)))

    def centers(self, rows: Int64s) -> Float64s:
        """float64 (len(rows), D)."""
        return self._centers[rows]

    def births(self, rows: Int64s) -> Int64s:
        """Permanent ids; they only grow."""
        births: Int64s = self._ids[0, rows]
        return births

    def counts(self, rows: Int64s) -> Int64s:
        """Items assigned, not faded."""
        counts: Int64s = self._ids[1, rows]
        return counts

    def clusters(self, rows: Int64s) -> Int64s:
        """Clusters, NO_CLUSTER for none."""
        clusters: Int64s = self._ids[2, rows]
        return clusters

    def strong(self, rows: Int64s) -> Bools:
        """Whether the weight now is at least w_min."""
        strong: Bools = self._ids[3, rows] > 0
        return strong

    def weights(self, rows: Int64s) -> Float64s:
        """Weights, faded to now."""
        faded: Float64s
        if self._params.river_online:
            faded = self._amounts[0, rows] * 2.0 ** (
                -self._params.fading_factor * (self.now - self._amounts[1, rows])
            )
        else:
            faded = self._amounts[0, rows] / self._real[at.UNIT]
        return faded

    def pairs(self, rows: Int64s) -> tuple[Int64s, Float64s, Bools]:
        """Shared densities: int64 (2, P) places in `rows`, float64 (P,) faded to now, bool (P,) linked."""
        p = self._pairs(rows)
        density = self._shared[p.row, p.edge]
        if self._params.river_online:
            density = density * 2.0 ** (-self._params.fading_factor * (self.now - self._since[p.row, p.edge]))
        else:
            density = density / self._real[at.UNIT]
        return np.stack([p.first, p.second]), density, self._linked[p.row, p.edge] > 0

    def _pairs(self, rows: Int64s) -> "_Pairs":
        """Every pair once, with first < second as places in `rows`, in that order."""
        place = np.full(len(self._centers), -1, dtype=np.int64)
        place[rows] = np.arange(len(rows))
        n, e = np.nonzero(np.arange(self._peers.shape[1]) < self._ids[4, rows, None])
        other = place[self._peers[rows[n], e]]
        keep = n < other
        n, e, other = n[keep], e[keep], other[keep]
        order = np.lexsort((other, n))
        return _Pairs(first=n[order], second=other[order], row=rows[n[order]], edge=e[order])

    def predict(self, x: Float64s) -> Int64s:
        """int64 (B,): cluster of the nearest strong micro-cluster whose ball holds each item, or NO_CLUSTER.

        Args:
            x: float64 (B, D), finite, C-contiguous.
        """
        if x.shape[1:] != (self.dim,):
            raise ValueError(f"x must be (B, {self.dim}), not {x.shape}.")
        out = np.empty(len(x), dtype=np.int64)
        entries.predict_items(*self._arrays, x, out)
        return out

    # Learning

    def learn(self, x: Float64s, times: Float64s | None, start: int, out: Int64s) -> Run:
        """Learn items of a batch, one by one, up to where clusters joined or parted or micro-clusters left.

        Call it again from `Run.next` until that is the end of the batch; when `is_stale`, call `regroup` first.

        Args:
            x: float64 (B, D), finite, C-contiguous.
            times: float64 (B,) times of the items; None: each is one later than the one before.
            start: The first item to learn.
            out: int64 (4, B), written for the items learnt: cluster of the nearest strong micro-cluster whose ball
                held the item *before* it was learnt, NO_CLUSTER for none; birth and row of the micro-cluster it
                was assigned to; 1 if it founded that.
        """
        if x.shape[1:] != (self.dim,) or out.shape != (4, len(x)) or not 0 <= start <= len(x):
            raise ValueError(f"x must be (B, {self.dim}), out (4, B), not {x.shape} and {out.shape}.")
        if times is not None and (self._params.river_online or times.shape != (len(x),)):
            raise ValueError("times must be (B,), and river's arithmetic takes none.")
        if self._whole[at.STATUS]:
            raise RuntimeError("Clusters joined or parted: regroup first. This is a bug in firstseen.")
        if self._whole[at.HIGH] > 4 * max(len(self), at.LANES):
            self._pack()
        while True:
            start = entries.learn_items(*self._arrays, x, _NO_TIMES if times is None else times, start, out)
            status = int(self._whole[at.STATUS])
            if status & at.NEEDS_ROW:
                self._grow_rows()
            if status & at.NEEDS_WORK:
                self._work = _longer(self._work, len(self._work))
                self._bind()
            self._whole[at.STATUS] = status = status & ~(at.NEEDS_ROW | at.NEEDS_WORK)
            if status or start == len(x):
                return Run(start, self._take_removed() if status & at.LEFT else ())

    def _take_removed(self) -> tuple[tuple[int, int], ...]:
        n = self._whole[at.N_REMOVED]
        self._whole[at.N_REMOVED] = 0
        self._whole[at.STATUS] &= ~at.LEFT
        gone, items = self._lists[[at.GONE_FROM, at.GONE_ITEMS], :n].tolist()
        return tuple(sorted(zip(gone, items, strict=True)))  # rows are in no order, and must not show

    def pending(self) -> tuple[tuple[int, int], ...]:
        """What `learn` could not return since it was interrupted as it came back; usually nothing."""
        self._whole[at.STATUS] &= ~(at.NEEDS_ROW | at.NEEDS_WORK)
        return self._take_removed()

    def _pack(self) -> None:
        """Close the gaps that a flood left behind: the search looks at all rows up to the last."""
        self.__dict__.update(MicroClusters.from_state(self.state(), self._params).__dict__)

    def drop(self, cluster: int) -> None:
        """Forget the micro-clusters of a cluster that is gone."""
        entries.remove_rows(*self._arrays, self.rows_of(cluster))
        self._take_removed()

    def regroup(
        self,
        next_id: int,
        announced: Collection[int] = (),
        united: Collection[int] = (),
        apart: Collection[int] = (),
        pairs: Collection[tuple[int, int]] = (),
    ) -> lineage.Matched:
        """Take the partition of the clusters concerned anew, and carry the ids over.

        Args:
            next_id: The first cluster id not given yet.
            announced: Ids that people have seen; they are kept before others.
            united: Ids of clusters that stay one whatever the partition says.
            apart: Ids of clusters that no chain makes one.
            pairs: Besides, two that no chain makes one, each.
        """
        births, _, own, strong, _ = self._ids
        # What stays apart though it is linked is no component: then all has to be looked at.
        if apart or pairs or self._whole[at.STATUS] & at.STALE_ALL:
            concerned = births > 0
        else:
            concerned = (own == NO_CLUSTER) & (strong > 0)
            for cluster in set(self._lists[at.TOUCHED, : self._whole[at.N_TOUCHED]].tolist()):
                concerned |= (own == cluster) & (births > 0)
        rows = np.flatnonzero(concerned)
        rows = rows[np.argsort(births[rows])]
        parts = np.empty(len(rows), dtype=np.int64)
        entries.partition_rows(*self._arrays, rows, parts)
        if apart or pairs:
            parts = lineage.parted(
                self._ids[2, rows], parts, self.weights(rows), self.centers(rows), apart, united, pairs
            )
        found = lineage.match(self._ids[2, rows], parts, self.weights(rows), next_id, announced, united)
        self._ids[2, rows] = found.cluster_of
        self._whole[[at.STATUS, at.N_TOUCHED]] = 0
        return found

    def adopt(self, cluster: int, into: int) -> None:
        """Give the micro-clusters of one cluster to another; `regroup` is to be told that it is united."""
        self._ids[2, self._ids[2] == cluster] = into
        touched = self._lists[at.TOUCHED, : self._whole[at.N_TOUCHED]]
        touched[touched == cluster] = into

    def part(self, births: Int64s, of: int, into: int) -> None:
        """Give those micro-clusters of a cluster that have these births to another, a new one."""
        self._ids[2, (self._ids[2] == of) & (self._ids[0] > 0) & np.isin(self._ids[0], births)] = into

    def refound(self, of: Int64s, centers: Float64s, counts: Int64s) -> None:
        """Found others in the place of some, of the same clusters: see refounding.py; there has to be room."""
        arrays = refounded(self.state(), of, centers, counts)
        self.__dict__.update(MicroClusters.from_state(arrays, self._params).__dict__)

    def retune(self, params: ClustererParams) -> tuple[tuple[int, int], ...]:
        """Work with other parameters from now on; what is learnt stays.

        Returns:
            (cluster, items) of each micro-cluster that had to leave, since the cap is lower.
        """
        assert params.river_online == self._params.river_online, "kept for a stream's whole life"
        if params == self._params:
            return ()
        other = MicroClusters(self.dim, params)
        other._fill(self.state(), is_retuned=True)
        self.__dict__.update(other.__dict__)
        return self._take_removed()

    # State

    def state(self) -> dict[str, NDArray[Any]]:
        """All of it as flat arrays, in order of birth; equal states give equal arrays.

        clock: float64 (4,) latest time, first time, K, 2^e(now); counters: int64 (4,) next birth, clean-ups, whether
        an item brought a time, is stale; centers, weights, updated, births, counts, clusters, strong: (M,) or (M, D);
        pair_rows: int64 (2, P); pair_shared: float64 (P,); pair_linked: uint8 (P,); pair_since: float64 (P,), or
        (0,) but in river's mode.
        """
        rows = self.rows()
        p = self._pairs(rows)
        river = self._params.river_online
        return {
            "clock": self._real[[at.NOW, at.FIRST, at.REBASED, at.UNIT]],
            "counters": np.append(self._whole[[at.NEXT_BIRTH, at.SWEPT, at.HAS_TIME]], int(self.is_stale)),
            "centers": self._centers[rows],
            "weights": self._amounts[0, rows],
            "updated": self._amounts[1, rows],
            "births": self._ids[0, rows],
            "counts": self._ids[1, rows],
            "clusters": self._ids[2, rows],
            "strong": self._ids[3, rows].astype(np.uint8),
            "pair_rows": np.stack([p.first, p.second]),
            "pair_shared": self._shared[p.row, p.edge],
            "pair_linked": self._linked[p.row, p.edge],
            "pair_since": self._since[p.row, p.edge] if river else np.empty(0, dtype=np.float64),
        }

    @classmethod
    def from_state(cls, arrays: dict[str, NDArray[Any]], params: ClustererParams) -> "MicroClusters":
        """The inverse of `state`: what is learnt next is learnt as if nothing had happened, to the bit."""
        self = cls(arrays["centers"].shape[1], params)
        self._fill(arrays, is_retuned=False)
        return self

    def _fill(self, arrays: dict[str, NDArray[Any]], *, is_retuned: bool) -> None:
        M = len(arrays["births"])
        while len(self._centers) < M:
            before = len(self._centers)
            self._grow_rows()
            if len(self._centers) == before:  # a cap that is lower now: `refresh` lets the lightest go
                self._params, params = self._params.with_changes(max_micro_clusters=M), self._params
                self._grow_rows()
                self._params = params
        self._real[[at.NOW, at.FIRST, at.REBASED, at.UNIT]] = arrays["clock"]
        self._whole[[at.NEXT_BIRTH, at.SWEPT, at.HAS_TIME]] = arrays["counters"][:3]
        self._whole[[at.ALIVE, at.HIGH]] = M
        if M:
            self._work[0] = arrays["centers"][0]
            self._whole[at.HAS_ORIGIN] = 1
        self._centers[:M] = arrays["centers"]
        self._amounts[0, :M], self._amounts[1, :M] = arrays["weights"], arrays["updated"]
        for n, name in enumerate(("births", "counts", "clusters", "strong")):
            self._ids[n, :M] = arrays[name]
        self._fill_pairs(arrays)
        if is_retuned:
            self._change_landmark()
        entries.refresh(*self._arrays, int(is_retuned))
        if is_retuned or arrays["counters"][3]:  # pairs that a lower cap left out are noted nowhere
            self._whole[at.STATUS] |= at.STALE | at.STALE_ALL

    def _fill_pairs(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Both ends of each pair; under a lower cap on the degree, the densest first."""
        density = arrays["pair_shared"]
        for n in np.argsort(-density, kind="stable").tolist():
            i, j = arrays["pair_rows"][:, n].tolist()
            if max(self._ids[4, i], self._ids[4, j]) >= self._params.max_degree:
                continue
            for a, b in ((i, j), (j, i)):
                e = self._ids[4, a]
                self._peers[a, e], self._shared[a, e], self._linked[a, e] = (
                    b,
                    density[n],
                    arrays["pair_linked"][n],
                )
                if self._params.river_online:
                    self._since[a, e] = arrays["pair_since"][n]
                self._ids[4, a] += 1

    def _change_landmark(self) -> None:
        """Under another fading factor: e(now) becomes 0, and amounts are what they are now."""
        elapsed = self._real[at.NOW] - self._real[at.FIRST]
        self._whole[at.SWEPT] = int(np.floor(elapsed / self._params.cleanup_interval))
        if not self._params.river_online:
            self._amounts[0] /= self._real[at.UNIT]
            self._shared /= self._real[at.UNIT]
            self._real[at.REBASED] = self._params.fading_factor * elapsed


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pairs:
    """Places of both ends in the rows asked for, and where the pair is kept: all int64 (P,)."""

    first: Int64s
    second: Int64s
    row: Int64s
    edge: Int64s


def _longer(array: NDArray[Any], more: int) -> NDArray[Any]:
    return np.concatenate([array, np.zeros((more, *array.shape[1:]), dtype=array.dtype)])


def _wider(array: NDArray[Any], more: int) -> NDArray[Any]:
    return np.concatenate([array, np.zeros((len(array), more), dtype=array.dtype)], axis=1)
