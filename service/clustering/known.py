"""The known gate: is this item one of the classes the trainer knew, and of which?

Distances in an embedding are not comparable across classes, so a score alone decides nothing. The gate

1. scores every class (`model/scores/gate.py`): how strange the item is for it;
2. turns the score into a conformal p-value against scores of held-out items of that class (Vovk et al. 2005,
   inductive conformal prediction, class by class),
       p_k = (1 + #{s_cal >= s_k}) / (n_k + 1);
3. names the class with the largest p (ties: the smallest score). Whether the item is new, that p's rank among
   held-out items decides, with whatever else speaks against it (stream_gate/gate.py).

Read-only and row by row: the result for an item does not depend, to the last bit, on the batch it came in.
"""

from dataclasses import dataclass

import numpy as np

from model.bundle import KnownArrays
from model.scores.score import row_by_row
from service.records import Float32s, Float64s, Int64s


@dataclass(frozen=True, kw_only=True, slots=True)
class Decisions:
    """The gate's word on a batch.

    Attributes:
        nearest: int64 (B,) index of the class with the largest p-value.
        p: float64 (B,) that p-value.
        distance: float64 (B,) Mahalanobis distance to that class's prototype.
    """

    nearest: Int64s
    p: Float64s
    distance: Float64s


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What is said of every class.

    Attributes:
        score: float64 (B, K); larger is stranger.
        p: float64 (B, K) their p-values.
        order: int64 (B, K) the classes, nearest first.
    """

    score: Float64s
    p: Float64s
    order: Int64s


class KnownGate:
    """The known classes as arrays; built once from a bundle, never changed."""

    def __init__(self, known: KnownArrays) -> None:
        self._score = known.gate
        self._whitener = known.class_whitener.astype(np.float64)
        self._prototypes = known.prototypes.astype(np.float64) @ self._whitener
        self._scores = known.calibration_scores
        self._offsets = known.calibration_offsets

    @property
    def dim(self) -> int:
        """D, the embedding dimension."""
        return len(self._whitener)

    @property
    def classes(self) -> int:
        """K, the number of known classes."""
        return len(self._prototypes)

    def decide(self, z: Float32s) -> Decisions:
        """Score a batch.

        Args:
            z: float32 (B, D) embeddings, finite.
        """
        seen = self.look(z)
        rows = np.arange(len(z))
        nearest = seen.order[:, 0] if len(z) else np.empty(0, dtype=np.int64)
        return Decisions(nearest=nearest, p=seen.p[rows, nearest], distance=self.distances(z, nearest))

    def look(self, z: Float32s) -> "Seen":
        """What is said of every class. Changes nothing, and is what `decide` goes by.

        Args:
            z: float32 (B, D) embeddings, finite.
        """
        strange = self._score(z)
        p = np.empty_like(strange)
        for k in range(self.classes):
            own = self._scores[self._offsets[k] : self._offsets[k + 1]]
            at_least = len(own) - np.searchsorted(own, strange[:, k].astype(np.float32), side="left")
            p[:, k] = (1 + at_least) / (len(own) + 1)
        return Seen(score=strange, p=p, order=np.lexsort((strange, -p), axis=-1).astype(np.int64))

    def whitened(self, z: Float32s) -> Float64s:
        """float32 (B, D) to float64 (B, D): where lengths are in standard deviations."""
        return row_by_row(z.astype(np.float64), self._whitener)

    def distances(self, z: Float32s, classes: Int64s) -> Float64s:
        """float64 (B,): Mahalanobis distance of each item to the prototype of its class of int64 (B,)."""
        away: Float64s = np.sqrt(np.square(self.whitened(z) - self._prototypes[classes]).sum(axis=-1))
        return away

    def away(self, z: Float32s, centre: Float32s) -> Float64s:
        """float64 (B,): Mahalanobis distance of each item of float32 (B, D) to float32 (D,)."""
        white = self.whitened(np.concatenate([centre[None], z]))
        away: Float64s = np.sqrt(np.square(white[1:] - white[0]).sum(axis=-1))
        return away
