"""The stream clusterers whose answers are compared, behind two verbs: `learn_many`, and `predict_many`, which leaves
the model as it was. What each may choose from is in `clusterer_grids.py`.

    firstseen DBSTREAM      ours (`clusterers.py`)
    river                   DBSTREAM, DenStream, CluStream, STREAMKMeans, KMeans, item by item
    scikit-learn            MiniBatchKMeans and Birch, `partial_fit` in blocks
    denstream               DenStream; it has no prediction, so the label is that of its DBSCAN for the nearest
                            potential micro-cluster. It keeps every item
    incdbscan               exact DBSCAN of a sliding window; it has no prediction, so an item is inserted, its label
                            read, and the item deleted: it takes part in its own label, which others' do not
    CapyMOA                 MOA's CluStream with k-means and DenStream with DBSCAN; no prediction, so the label is the
                            nearest of the clusters it returns. Needs Java 17

The first three are there wherever these benchmarks can run. The others are measured where they are installed
(`pip install denstream incdbscan capymoa`), and left out, and said to be, where not.

Looked at on PyPI and left out: EmCStream (reads a file of its own, keeps no model to ask), estream (last release
2019), clusopt-core (2023, builds with C++ and Boost), scikit-multiflow (became river), streamndr (must be trained on
labels first), fishdbc (never forgets, cannot predict), CapyMOA's ClusTree and plain CluStream (no clusters, only
micro-clusters), river's TextClust (text) and ODAC (clusters the columns, not the items), and clusterers without a way
to add to what they have learnt, as HDBSCAN.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from benchmarks.streams import Float64s, Int64s


class Peer(Protocol):
    """One model."""

    def learn_many(self, x: Float64s) -> None:
        """Learn float64 (B, d), in order."""
        ...

    def predict_many(self, x: Float64s) -> Int64s:
        """int64 (B,): clusters as things stand, -1 for none; changes nothing."""
        ...


class RiverPeer:
    """One of river's: a dictionary at a time. All of them leave the model alone when predicting."""

    def __init__(self, db: Any) -> None:  # noqa: ANN401 - any of river's clusterers
        self._db = db
        self._learnt = False

    def learn_many(self, x: Float64s) -> None:
        """Learn rows as dictionaries."""
        for row in x.tolist():
            self._db.learn_one(dict(enumerate(row)))
        self._learnt = True

    def predict_many(self, x: Float64s) -> Int64s:
        """Ask for rows as dictionaries."""
        if not self._learnt:  # some have no answer yet, and raise
            return nothing_for(x)
        return np.array([self._predict(dict(enumerate(row))) for row in x.tolist()], dtype=np.int64)

    def _predict(self, item: dict[int, float]) -> int:
        return int(self._db.predict_one(item))


class RiverDenStream(RiverPeer):
    """It reclusters at every prediction. In a block nothing changes, so here it does once, and its rule is applied."""

    def predict_many(self, x: Float64s) -> Int64s:
        """The nearest cluster's."""
        found = super().predict_many(x[:1])
        clusters = self._db.clusters
        if not self._learnt or not self._db.initialized or not clusters:
            return np.full(len(x), found[0], dtype=np.int64)
        keys = np.array(list(clusters), dtype=np.int64)
        centers = np.array([[c.center[j] for j in range(x.shape[1])] for c in clusters.values()])
        return keys[nearest(centers, x)]


class MiniBatchKMeansPeer:
    """scikit-learn's, begun with the first items it needs."""

    def __init__(self, *, k: int, reassignment_ratio: float, first: int, seed: int) -> None:
        from sklearn.cluster import MiniBatchKMeans

        self._db = MiniBatchKMeans(
            n_clusters=k, reassignment_ratio=reassignment_ratio, random_state=seed, n_init=10
        )
        self._waiting: list[Float64s] = []
        self._first = max(first, k)

    def learn_many(self, x: Float64s) -> None:
        """Learn a block, or let it wait."""
        self._waiting.append(x)
        if self._is_fitted() or sum(map(len, self._waiting)) >= self._first:
            self._db.partial_fit(np.concatenate(self._waiting))
            self._waiting.clear()

    def predict_many(self, x: Float64s) -> Int64s:
        """The nearest centre."""
        if not self._is_fitted():
            return nothing_for(x)
        found: Int64s = self._db.predict(x).astype(np.int64)
        return found

    def _is_fitted(self) -> bool:
        return hasattr(self._db, "cluster_centers_")


class BirchPeer:
    """scikit-learn's, its leaves joined to k clusters after every block."""

    def __init__(self, *, k: int, threshold: float, branching_factor: int) -> None:
        from sklearn.cluster import Birch

        self._k = k
        self._db = Birch(n_clusters=None, threshold=threshold, branching_factor=branching_factor)

    def learn_many(self, x: Float64s) -> None:
        """Learn a block, join the leaves. It warns where they are fewer than k: then each is a cluster."""
        self._db.set_params(n_clusters=None).partial_fit(x)
        if len(self._db.subcluster_centers_) > self._k:
            self._db.set_params(n_clusters=self._k).partial_fit()

    def predict_many(self, x: Float64s) -> Int64s:
        """The cluster of the nearest leaf."""
        if not hasattr(self._db, "subcluster_centers_"):
            return nothing_for(x)
        found: Int64s = self._db.predict(x).astype(np.int64)
        return found


class DenStreamPeer:
    """The package `denstream`; a moment passes with every item.

    Args:
        db: Its `DenStream`.
    """

    def __init__(self, db: Any) -> None:  # noqa: ANN401 - from a package that may be missing
        self._db = db
        self._t = 0

    def learn_many(self, x: Float64s) -> None:
        """Learn rows, each a moment later."""
        for row in x:
            self._db.partial_fit(row[None, :], self._t)
            self._t += 1

    def predict_many(self, x: Float64s) -> Int64s:
        """The cluster of the nearest potential micro-cluster."""
        if not self._db.p_micro_clusters:
            return nothing_for(x)
        centers = np.concatenate([c.center for c in self._db.p_micro_clusters])
        labels: Int64s = self._db.model.fit_predict(centers).astype(np.int64)
        return labels[nearest(centers, x)]


class IncrementalDBSCANPeer:
    """The package `incdbscan`, over a sliding window.

    Args:
        db: Its `IncrementalDBSCAN`.
        window: How many of the latest items it holds, about: whole blocks leave.
    """

    def __init__(self, db: Any, window: int) -> None:  # noqa: ANN401 - from a package that may be missing
        self._db = db
        self._window = window
        self._kept: deque[Float64s] = deque()

    def learn_many(self, x: Float64s) -> None:
        """Insert a block, delete those that leave the window."""
        self._db.insert(x)
        self._kept.append(x)
        while sum(map(len, self._kept)) > self._window:
            self._db.delete(self._kept.popleft())

    def predict_many(self, x: Float64s) -> Int64s:
        """Insert an item, read its label, delete it; item by item."""
        found = np.empty(len(x), dtype=np.int64)
        for n in range(len(x)):
            self._db.insert(x[n : n + 1])
            found[n] = int(self._db.get_cluster_labels(x[n : n + 1])[0])
            self._db.delete(x[n : n + 1])
        return found


class CapyMOAPeer:
    """One of MOA's by way of CapyMOA.

    Args:
        db: Its clusterer.
        instance: Makes what it trains with of a row.
        scale: Rows are divided by it, since some of its lengths may be 1 at most.
    """

    def __init__(self, db: Any, instance: Callable[[Float64s], Any], scale: float) -> None:  # noqa: ANN401 - the same
        self._db = db
        self._instance = instance
        self._scale = scale
        self._centers: Float64s | None = None

    def learn_many(self, x: Float64s) -> None:
        """Train with rows, then take the clusters."""
        for row in x / self._scale:
            self._db.train(self._instance(row))
        found = self._db.get_clustering_result()
        centers = [] if found is None else found.get_centers()
        self._centers = np.array(centers, dtype=np.float64) * self._scale if len(centers) else None

    def predict_many(self, x: Float64s) -> Int64s:
        """The nearest cluster."""
        return nothing_for(x) if self._centers is None else nearest(self._centers, x)


def nothing_for(x: Float64s) -> Int64s:
    """int64 (B,): no cluster for any of float64 (B, d)."""
    return np.full(len(x), -1, dtype=np.int64)


def nearest(centers: Float64s, x: Float64s) -> Int64s:
    """int64 (B,): row of the nearest of float64 (M, d) for each of float64 (B, d)."""
    d2 = np.square(centers).sum(axis=1) - 2.0 * x @ centers.T
    rows: Int64s = d2.argmin(axis=1)
    return rows
