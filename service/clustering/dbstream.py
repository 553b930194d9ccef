"""DBSTREAM as arrays: density-based stream clustering with a shared-density graph.

The algorithm is Hahsler & Bolaños 2016, "Clustering Data Streams Based on Shared Density between
Micro-Clusters", IEEE TKDE 28(6). A micro-cluster is a ball of radius r whose centre moves towards the items it
gets and whose weight fades. Two micro-clusters that get the same items share density; those that share enough
are one cluster. The state is a struct of arrays, one row a micro-cluster, rows in order of birth:

    centers     float64 (M, C)   where it is
    weights     float64 (M,)     w at the time of its last update; w(t) = w 2^(-lambda (t - updated))
    updated     int64   (M,)     time of that update
    births      int64   (M,)     its permanent id; only grows
    counts      int64   (M,)     items assigned to it, not faded
    clusters    int64   (M,)     the stable cluster id that lineage gave it; DBSTREAM only carries it along
    strong      bool    (M,)     w(t) >= w_min when last looked at
    shared      float64 (M, M)   shared density s_ij at its last update, symmetric, zero diagonal
    shared_at   int64   (M, M)   time of that update
    linked      bool    (M, M)   s_ij(t) / mean(w_i(t), w_j(t)) >= alpha when last looked at

Time is the number of items learnt. Three choices go beyond the paper, for a service that answers item by item:

- *Read at touch.* `strong` and `linked` are re-read, faded to now, for the micro-clusters an item touches, and
  for all of them at every clean-up; the ratio in `linked` does not change by time alone, so nothing is missed
  in between but a weight that fades below w_min, and that by at most one clean-up interval.
- *Hysteresis.* A link made at alpha is cut at 0.7 alpha, so that a pair at the edge does not flicker.
- *A cap.* At `max_micro_clusters` the lightest (ties: the oldest) makes room for the newborn.

`dirty` says that the partition may have changed since it was last taken.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from service.clustering.exact import exp, exp2
from service.clustering.params import EngineParams
from service.records import NO_CLUSTER, Bools, Float64s, Int64s

_TABLE_ROWS = 65_536
"""Ages up to this many items are faded by a table of at most 1 MiB."""

UNLINK_AT = 0.7
"""A link is cut below this fraction of the intersection factor."""

_ROW_ARRAYS = ("centers", "weights", "updated", "births", "counts", "clusters", "strong")
_PAIR_ARRAYS = {"shared": np.float64, "shared_at": np.int64, "linked": np.bool_}


@dataclass(frozen=True, slots=True)
class Learned:
    """What learning one item did.

    Attributes:
        birth: Id of the micro-cluster the item was assigned to.
        is_new: Whether the item founded it.
        removed: (cluster, count) of each micro-cluster that had to leave.
    """

    birth: int
    is_new: bool
    removed: tuple[tuple[int, int], ...]


class DBSTREAM:
    """The online clusterer of one stream; mutable, with one owner (the engine)."""

    def __init__(self, dim: int, params: EngineParams) -> None:
        self.params = params
        self.dim = dim
        self.t = 0
        self.next_birth = 1
        self.dirty = False
        self.centers: Float64s = np.empty((0, dim), dtype=np.float64)
        self.weights: Float64s = np.empty(0, dtype=np.float64)
        self.updated: Int64s = np.empty(0, dtype=np.int64)
        self.births: Int64s = np.empty(0, dtype=np.int64)
        self.counts: Int64s = np.empty(0, dtype=np.int64)
        self.clusters: Int64s = np.empty(0, dtype=np.int64)
        self.strong: Bools = np.empty(0, dtype=np.bool_)
        self._table: Float64s = np.empty(0, dtype=np.float64)
        self._table_factor = 0.0
        self._room: dict[str, NDArray[Any]] = {
            name: np.zeros((0, 0), dtype=dtype) for name, dtype in _PAIR_ARRAYS.items()
        }
        self.shared: Float64s
        self.shared_at: Int64s
        self.linked: Bools
        self._resize_pairs(0)

    def __len__(self) -> int:
        return len(self.weights)

    # Reading

    def squared_distances(self, x: Float64s) -> Float64s:
        """float64 (M,): squared distances of x, float64 (C,), to all centres."""
        d2: Float64s = np.square(self.centers - x).sum(axis=1)
        return d2

    def nearest_strong(self, x: Float64s) -> int | None:
        """Row of the nearest strong micro-cluster whose ball holds x, float64 (C,); None: x is an outlier."""
        if not self.strong.any():
            return None
        d2 = np.where(self.strong, self.squared_distances(x), np.inf)
        row = int(d2.argmin())
        return row if d2[row] < self.params.clustering_threshold**2 else None

    def faded_weights(self) -> Float64s:
        """float64 (M,): weights at the present time."""
        faded: Float64s = self.weights * self._fade(self.t - self.updated)
        return faded

    def _fade(self, age: Int64s) -> Float64s:
        """2^(-lambda age), elementwise. Ages are whole numbers, mostly small: a table answers for these."""
        factor = self.params.fading_factor
        oldest = int(age.max(initial=0))
        if oldest >= _TABLE_ROWS:
            return exp2(-factor * age)
        if factor != self._table_factor or oldest >= len(self._table):
            self._table = exp2(-factor * np.arange(2 * oldest + 256))
            self._table_factor = factor
        found: Float64s = self._table[age]
        return found

    def row_of(self, birth: int) -> int | None:
        """Where the micro-cluster is in the arrays now, or None when it is gone."""
        row = int(np.searchsorted(self.births, birth))
        return row if row < len(self) and self.births[row] == birth else None

    def components(self) -> Int64s:
        """int64 (M,): the partition; strong micro-clusters linked to each other have one number, weak ones -1.

        Algorithm 4 (reclustering with shared density): the connected components of the *undirected* graph of
        strong micro-clusters. Numbers are 0, 1, ... in order of each component's oldest micro-cluster.
        """
        part = np.full(len(self), -1, dtype=np.int64)
        rows = np.flatnonzero(self.strong)
        if len(rows):
            graph = csr_array(self.linked[np.ix_(rows, rows)].astype(np.int8))
            _, found = connected_components(graph, directed=False)
            # connected_components numbers by first appearance, and rows are in order of birth.
            part[rows] = found
        return part

    # Learning

    def learn(self, x: Float64s) -> Learned:
        """Learn one item: Algorithm 1 (update), Algorithm 2 (clean-up) when it is due.

        Args:
            x: float64 (C,), finite.
        """
        removed: list[tuple[int, int]] = []
        near = np.flatnonzero(self.squared_distances(x) < self.params.clustering_threshold**2)
        is_new = not len(near)
        if is_new:
            if len(self) >= self.params.max_micro_clusters:
                lightest = np.zeros(len(self), dtype=np.bool_)
                lightest[self.faded_weights().argmin()] = True
                removed += self._remove(lightest)
            birth = self._add(x)
            self._reread(np.array([len(self) - 1]))
        else:
            row = int(near[np.square(self.centers[near] - x).sum(axis=1).argmin()])
            self.counts[row] += 1
            birth = int(self.births[row])
            self._update(x, near)
            self._reread(near)
        self.t += 1
        if self.t % self.params.cleanup_interval == 0:
            removed += self._cleanup()
        return Learned(birth, is_new, tuple(removed))

    def drop(self, cluster: int) -> None:
        """Forget the micro-clusters of a cluster that is gone."""
        self._remove(self.clusters == cluster)

    def _add(self, x: Float64s) -> int:
        birth = self.next_birth
        self.next_birth += 1
        M = len(self)
        self.centers = np.concatenate([self.centers, x[None, :]])
        self.weights = np.append(self.weights, 1.0)
        self.updated = np.append(self.updated, self.t)
        self.births = np.append(self.births, birth)
        self.counts = np.append(self.counts, 1)
        self.clusters = np.append(self.clusters, NO_CLUSTER)
        self.strong = np.append(self.strong, False)
        self._resize_pairs(M + 1)
        for name in _PAIR_ARRAYS:
            pairs = getattr(self, name)
            pairs[M, :] = pairs[:, M] = 0
        return birth

    def _resize_pairs(self, M: int) -> None:
        """Show M rows of the pair arrays; their room doubles, so that a newborn seldom costs a copy of all."""
        room = len(self._room["shared"])
        if room < M:
            for name in _PAIR_ARRAYS:
                wider = np.zeros((2 * M, 2 * M), dtype=self._room[name].dtype)
                wider[:room, :room] = self._room[name]
                self._room[name] = wider
        for name in _PAIR_ARRAYS:
            setattr(self, name, self._room[name][:M, :M])

    def _update(self, x: Float64s, near: Int64s) -> None:
        """Lines 6-19 of Algorithm 1, for all micro-clusters whose ball holds x at once."""
        p = self.params
        fade = self._fade(self.t - self.updated[near])
        self.weights[near] = self.weights[near] * fade + 1.0
        self.updated[near] = self.t

        # The neighbourhood function: a Gaussian with sigma = r / 3 (section 4.1).
        old = self.centers[near]
        towards = x - old
        sigma2 = (p.clustering_threshold / 3.0) ** 2
        h = exp(-np.square(towards).sum(axis=1) / (2.0 * sigma2))
        new = old + h[:, None] * towards

        if len(near) > 1:
            pair = np.ix_(near, near)
            fade_pair = self._fade((self.t - self.shared_at[pair]) * (self.shared[pair] > 0))
            density = self.shared[pair] * fade_pair + 1.0
            np.fill_diagonal(density, 0.0)
            self.shared[pair] = density
            self.shared_at[pair] = self.t
            # Collapse guard: neighbours that would come closer than r do not move at all.
            apart2 = np.square(new[:, None, :] - new[None, :, :]).sum(axis=-1)
            np.fill_diagonal(apart2, np.inf)
            stay = (apart2 < p.clustering_threshold**2).any(axis=1)
            new[stay] = old[stay]
        self.centers[near] = new

    def _reread(self, rows: Int64s) -> None:
        """Refresh `strong` and `linked` of these rows, all weights and densities faded to now."""
        p = self.params
        w = self.faded_weights()
        strong = w[rows] >= p.minimum_weight
        density = self.shared[rows] * self._fade((self.t - self.shared_at[rows]) * (self.shared[rows] > 0))
        ratio = density / ((w[rows, None] + w[None, :]) / 2.0)
        was = self.linked[rows]
        linked = np.where(was, ratio >= UNLINK_AT * p.intersection_factor, ratio >= p.intersection_factor)
        if (strong != self.strong[rows]).any() or (linked != was).any():
            self.dirty = True
        self.strong[rows] = strong
        self.linked[rows] = linked
        self.linked[:, rows] = linked.T

    def _cleanup(self) -> list[tuple[int, int]]:
        """Algorithm 2: forget what has faded below the weight of one item after one clean-up interval."""
        p = self.params
        weak = float(self._fade(np.array(p.cleanup_interval)))
        removed = self._remove(self.faded_weights() < weak)
        faded = self.shared * self._fade((self.t - self.shared_at) * (self.shared > 0))
        forgotten = faded < p.intersection_factor * weak
        self.shared[forgotten] = 0.0
        self.shared_at[forgotten] = 0
        self._reread(np.arange(len(self)))
        return removed

    def _remove(self, gone: Bools) -> list[tuple[int, int]]:
        if not gone.any():
            return []
        removed = list(zip(self.clusters[gone].tolist(), self.counts[gone].tolist(), strict=True))
        keep = np.flatnonzero(~gone)
        for name in _ROW_ARRAYS:
            setattr(self, name, getattr(self, name)[keep])
        for name in _PAIR_ARRAYS:
            self._room[name][: len(keep), : len(keep)] = getattr(self, name)[np.ix_(keep, keep)]
        self._resize_pairs(len(keep))
        self.dirty = True
        return removed

    # State

    def state(self) -> dict[str, np.ndarray]:
        """All arrays; pairs as a sparse list, so that the size is that of what is there."""
        i, j = np.nonzero(np.triu(self.shared))
        return {
            "clock": np.array([self.t, self.next_birth, int(self.dirty)], dtype=np.int64),
            **{name: getattr(self, name) for name in _ROW_ARRAYS},
            "pair_rows": np.stack([i, j]).astype(np.int64),
            **{f"pair_{name}": getattr(self, name)[i, j] for name in _PAIR_ARRAYS},
        }

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], params: EngineParams) -> "DBSTREAM":
        """The inverse of `state`, exact to the bit."""
        self = cls(arrays["centers"].shape[1], params)
        self.t, self.next_birth, dirty = (int(v) for v in arrays["clock"])
        self.dirty = bool(dirty)
        for name in _ROW_ARRAYS:
            setattr(self, name, arrays[name].copy())
        M = len(self)
        self._resize_pairs(M)
        i, j = arrays["pair_rows"]
        for name in _PAIR_ARRAYS:
            pairs = getattr(self, name)
            pairs[i, j] = pairs[j, i] = arrays[f"pair_{name}"]
        return self
