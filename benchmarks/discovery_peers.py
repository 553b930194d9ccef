"""Stream clusterers and novelty detectors of others, made to answer as firstseen does, on the same embeddings.

A peer gets what the clusterer of firstseen gets, the cluster space, and where it stands behind the known gate of the
bundle, that gate's p-values. It answers a block of 25 items from what it has learnt before, then learns the block
(interleaved chunks; Gama, Sebastião & Rodrigues 2013), and its answers become verdicts, so that one scorer judges all:

    0 .. K-1     a known class             ──► "known"
    -1           nothing it has a name for ──► "outlier"
    K, K+1, ...  something new, by number  ──► "cluster"

Two ways to make a novelty detector of a clusterer:

    BehindGate   the gate takes known items away at a rate that is one of the settings; the clusterer sees the rest, and
                 whatever cluster it names is the verdict
    Alone        the clusterer has learnt known items before the stream begins, and learns everything. A cluster is that
                 of a known class when it holds a twentieth of that class's references or more, of all classes the one
                 with the largest part; the rest are new. References are fitting items, named anew in each block

How new an item looks is the gate's 1 - p in the first case; else there is only the answer itself, 1 or 0. A cluster is
announced with the first item that is answered with it. Nothing is relabelled afterwards: a peer that renumbers its
clusters, as river does at each reclustering, pays for it, as whoever reads its answers would.
"""

from time import thread_time
from typing import Protocol

import numpy as np

from benchmarks.clusterer_peers import Peer, RiverPeer, nearest, nothing_for
from benchmarks.discovery_cells import Cell
from benchmarks.streams import Float64s, Int64s
from service.clustering.engine import StepResult
from service.records import Float32s, Verdict, VerdictKind

BLOCK = 25
OUTLIER = -1
_REFERENCES = 20
"""Fitting items a class that name the clusters of a clusterer that stands alone."""
_PART = 0.05
"""Part of a class's references that makes a cluster one of that class."""
_LEARNT_BEFORE, _OF_EACH = 2000, 50
"""Fitting items that a peer has learnt before the stream: so many, or so many a class where that is more."""


class TooSlow(RuntimeError):
    """A peer took longer than it may; it has no figures."""


class Answers(Protocol):
    """A peer, block by block."""

    def answer(self, z: Float32s, x: Float64s) -> tuple[Int64s, Float64s]:
        """Answer a block from what was learnt before, then learn it.

        Args:
            z: float32 (B, D) embeddings.
            x: float64 (B, C) the same items in the cluster space.

        Returns:
            int64 (B,) answers as at the top of this file, and float64 (B,) how new each looks.
        """
        ...


class Steps:
    """A peer that can be replayed as the engine is (`service.evaluation.replay.Steps`).

    Args:
        cell: What it answers about.
        peer: Who answers.
        limit_s: Longest time on a processor, for all items together.
    """

    def __init__(self, cell: Cell, peer: Answers, *, limit_s: float) -> None:
        self._cell = cell
        self._peer = peer
        self._left_s = limit_s
        self._seq = 0

    def step(self, z: Float32s, ids: tuple[str, ...], t: Float64s) -> StepResult:  # noqa: ARG002 - peers count items
        """Answer a batch.

        Raises:
            TooSlow: Its time is up.
        """
        verdicts: list[Verdict] = []
        for begin in range(0, len(z), BLOCK):
            block = slice(begin, begin + BLOCK)
            x = self._cell.space(z[block])
            start = thread_time()
            said, novelty = self._peer.answer(z[block], x)
            self._left_s -= thread_time() - start
            verdicts += verdicts_of(self._cell.labels, ids[block], said, novelty, first_seq=self._seq)
            self._seq += len(said)
            if self._left_s < 0.0:
                raise TooSlow
        return StepResult(verdicts=tuple(verdicts), events=())


def verdicts_of(
    labels: tuple[str, ...], ids: tuple[str, ...], said: Int64s, novelty: Float64s, *, first_seq: int
) -> list[Verdict]:
    """Answers as verdicts.

    Args:
        labels: The K known classes.
        ids: B ids.
        said: int64 (B,) as at the top of this file.
        novelty: float64 (B,).
        first_seq: Place of the first one in the stream.
    """
    K = len(labels)
    found = []
    for n, (id, answer) in enumerate(zip(ids, said.tolist(), strict=True)):
        is_known = 0 <= answer < K
        kind = VerdictKind.CLUSTER if answer >= K else VerdictKind.KNOWN if is_known else VerdictKind.OUTLIER
        found.append(
            Verdict(
                id=id,
                seq=first_seq + n,
                verdict=kind,
                label=labels[answer] if is_known else None,
                cluster_id=answer - K + 1 if answer >= K else None,
                novelty=float(novelty[n]),
                nearest=labels[answer] if is_known else labels[0],
                distance=0.0,
            )
        )
    return found


def learnt_before(cell: Cell) -> tuple[Float64s, Int64s]:
    """What a peer without a gate learns before the stream: float64 (n, C) fitting items, int64 (n,) their classes."""
    n = max(_LEARNT_BEFORE, _OF_EACH * len(cell.labels))
    return cell.space(cell.z_fit[:n]), cell.y_fit[:n]


class BehindGate:
    """A clusterer for what the bundle's known gate refuses.

    Args:
        cell: Has the gate.
        clusterer: Gets the refused items, in the cluster space.
        rate: At which known items may be refused.
    """

    def __init__(self, cell: Cell, clusterer: Peer, *, rate: float) -> None:
        self._cell = cell
        self._clusterer = clusterer
        self._rate = rate

    def answer(self, z: Float32s, x: Float64s) -> tuple[Int64s, Float64s]:
        """See `Answers`."""
        said, p = self._cell.p(z)
        refused = p <= self._rate
        if refused.any():
            found = self._clusterer.predict_many(x[refused])
            said[refused] = np.where(found < 0, OUTLIER, found + len(self._cell.labels))
            self._clusterer.learn_many(x[refused])
        return said, 1.0 - p


class Alone:
    """A clusterer for everything.

    Args:
        cell: Has the known items.
        clusterer: Learns these first.
    """

    def __init__(self, cell: Cell, clusterer: Peer) -> None:
        self._clusterer = clusterer
        self._K = len(cell.labels)
        first, _ = learnt_before(cell)
        for begin in range(0, len(first), BLOCK):
            clusterer.learn_many(first[begin : begin + BLOCK])
        rows = np.concatenate([np.flatnonzero(cell.y_fit == k)[:_REFERENCES] for k in range(self._K)])
        self._references = cell.space(cell.z_fit[rows])
        self._classes = cell.y_fit[rows]

    def answer(self, z: Float32s, x: Float64s) -> tuple[Int64s, Float64s]:  # noqa: ARG002 - it sees clusters alone
        """See `Answers`."""
        found = self._clusterer.predict_many(np.concatenate([x, self._references]))
        own, named = found[: len(x)], owners(found[len(x) :], self._classes, self._K)
        said = np.array(
            [OUTLIER if c < 0 else named.get(c, c + self._K) for c in own.tolist()], dtype=np.int64
        )
        self._clusterer.learn_many(x)
        return said, ((said < 0) | (said >= self._K)).astype(np.float64)


def owners(found: Int64s, classes: Int64s, K: int) -> dict[int, int]:
    """By cluster, the known class that it is one of, where there is one.

    Args:
        found: int64 (R,) clusters of the references, -1 for none.
        classes: int64 (R,) their classes.
        K: How many classes there are.
    """
    ids, column = np.unique(found, return_inverse=True)
    parts = np.zeros((K, len(ids)))
    np.add.at(parts, (classes, column), 1.0)
    parts /= np.maximum(np.bincount(classes, minlength=K), 1)[:, None]
    best = parts.argmax(axis=0)
    return {
        int(c): int(k)
        for c, k, part in zip(ids.tolist(), best.tolist(), parts.max(axis=0).tolist(), strict=True)
        if c >= 0 and part >= _PART
    }


class Classifies(Protocol):
    """A novelty detector that has learnt known classes, as streamndr's are."""

    def learn_many(self, x: Float64s, y: Int64s) -> object:
        """Learn float64 (N, C) of known classes, int64 (N,)."""
        ...

    def predict_many(self, x: Float64s) -> Int64s:
        """Answer float64 (B, C) as at the top of this file, and learn them."""
        ...


class Classifier:
    """A novelty detector with a training of its own, on fitting items.

    Args:
        cell: Has the known items.
        detector: Learns these first.
    """

    def __init__(self, cell: Cell, detector: Classifies) -> None:
        self._detector = detector
        self._K = len(cell.labels)
        detector.learn_many(*learnt_before(cell))

    def answer(self, z: Float32s, x: Float64s) -> tuple[Int64s, Float64s]:  # noqa: ARG002 - it has a space of its own
        """See `Answers`."""
        said = np.asarray(self._detector.predict_many(x), dtype=np.int64)
        return said, ((said < 0) | (said >= self._K)).astype(np.float64)


class OneByOne:
    """A detector that is asked for one item at a time: some look up at an item what they found just before it.

    Args:
        detector: Any that `Classifies`.
    """

    def __init__(self, detector: Classifies) -> None:
        self._detector = detector

    def learn_many(self, x: Float64s, y: Int64s) -> None:
        """Learn known items."""
        self._detector.learn_many(x, y)

    def predict_many(self, x: Float64s) -> Int64s:
        """Answer items one by one."""
        return np.array([int(self._detector.predict_many(row[None])[0]) for row in x], dtype=np.int64)


class AtLeast:
    """A detector that needs so many items of each class to learn from: those of small classes are repeated.

    Args:
        detector: Any that `Classifies`.
        items: How many.
    """

    def __init__(self, detector: Classifies, items: int) -> None:
        self._detector = detector
        self._items = items
        self.predict_many = detector.predict_many

    def learn_many(self, x: Float64s, y: Int64s) -> None:
        """Learn known items, class after class."""
        rows = []
        for k in np.unique(y).tolist():
            own = np.flatnonzero(y == k)
            rows.append(own if len(own) >= self._items else np.resize(own, self._items))
        every = np.concatenate(rows)
        self._detector.learn_many(x[every], y[every])


class MacroClusters(RiverPeer):
    """river's DBSTREAM and DenStream: they recluster at a prediction, so in a block, where nothing changes, once.

    Before it has a cluster river answers 0, as if it had one; here that is none.
    """

    def predict_many(self, x: Float64s) -> Int64s:
        """The nearest macro-cluster's, by river's own rule."""
        if not self._learnt:
            return nothing_for(x)
        super().predict_many(x[:1])
        clusters = self._db.clusters
        if not clusters:
            return nothing_for(x)
        keys = np.array(list(clusters), dtype=np.int64)
        centers = np.array([[c.center[j] for j in range(x.shape[1])] for c in clusters.values()])
        return keys[nearest(centers, x)]
