"""The known gate: is this item one of the classes the trainer knew, and of which?

Distances in an embedding are not comparable across classes, so a score alone decides nothing. The gate

1. scores every class by the relative Mahalanobis distance (Ren et al. 2021, "A Simple Fix to Mahalanobis
   Distance for Improving Near-OOD Detection"): the squared distance to the class, minus the squared distance
   to all training data regardless of class,
       s_k(z) = |(z - m_k) W|^2 - |(z - m_0) W_0|^2;
2. turns it into a conformal p-value against scores of held-out items of that class (Vovk et al. 2005, inductive
   conformal prediction, class by class),
       p_k = (1 + #{s_cal >= s_k}) / (n_k + 1);
3. takes the class with the largest p (ties: the smallest score) and accepts the item when p exceeds the
   operator's rate. For an item of class k, P(p_k <= rate) <= rate: that is the meaning of the one number.

Read-only and row by row: the result for an item does not depend, to the last bit, on the batch it came in.
"""

from dataclasses import dataclass

import numpy as np

from model.bundle import KnownArrays
from service.records import Bools, Float32s, Float64s, Int64s


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

    def accepted(self, rate: float) -> Bools:
        """Bool (B,): which items are taken for known when `rate` of the known may be refused."""
        return self.p > rate


class KnownGate:
    """The known classes as arrays; built once from a bundle, never changed."""

    def __init__(self, known: KnownArrays) -> None:
        self._whiteners = np.ascontiguousarray(
            np.concatenate([known.class_whitener, known.background_whitener], axis=1), dtype=np.float64
        )
        D: int = known.class_whitener.shape[0]
        self._D = D
        self._prototypes = known.prototypes.astype(np.float64) @ self._whiteners[:, :D]
        self._background = known.background_mean.astype(np.float64) @ self._whiteners[:, D:]
        self._scores = known.calibration_scores.astype(np.float64)
        self._offsets = known.calibration_offsets

    @property
    def dim(self) -> int:
        """D, the embedding dimension."""
        return self._D

    @property
    def classes(self) -> int:
        """K, the number of known classes."""
        return len(self._prototypes)

    def decide(self, z: Float32s, *, portable: bool = False) -> Decisions:
        """Score a batch.

        Args:
            z: float32 (B, D) embeddings, finite.
            portable: Give the same bits on every processor, which a matrix product does not. Slower; for what
                the stored state depends on. An item's own decision is in the log, and need not be.
        """
        if portable:
            white = np.concatenate(
                [np.empty((0, 2 * self._D)), *((row * self._whiteners.T).sum(axis=1)[None] for row in z)]
            )
        else:
            # (B, 1, D) @ (D, 2D): numpy multiplies row by row, so a row's bits do not depend on B.
            white = np.matmul(z[:, None, :].astype(np.float64), self._whiteners)[:, 0, :]
        to_class = np.square(white[:, None, : self._D] - self._prototypes).sum(axis=-1)  # (B, K)
        to_all = np.square(white[:, self._D :] - self._background).sum(axis=-1)  # (B,)
        scores = to_class - to_all[:, None]
        p = np.empty_like(scores)
        for k in range(self.classes):
            own = self._scores[self._offsets[k] : self._offsets[k + 1]]
            at_least = len(own) - np.searchsorted(own, scores[:, k], side="left")
            p[:, k] = (1 + at_least) / (len(own) + 1)
        nearest = np.lexsort((scores, -p), axis=-1)[:, 0] if len(z) else np.empty(0, dtype=np.int64)
        rows = np.arange(len(z))
        return Decisions(
            nearest=nearest.astype(np.int64),
            p=p[rows, nearest],
            distance=np.sqrt(to_class[rows, nearest]),
        )
