"""Distance to the k-th nearest of some fitting items of each class.

    s_k(z) = |z - r|,  r the 5th nearest reference of class k

Sun et al. 2022, "Out-of-Distribution Detection with Deep Nearest Neighbors", arXiv:2204.06507, class by class. It
assumes no shape: a class in two pieces, or bent, is as well described as a ball. The price is memory and time, so a
class is represented by at most REFERENCES of its items, the first ones (fitting items come shuffled).
"""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from model.scores.score import Float32s, Float64s, Int64s, row_by_row, taken

NEIGHBOUR = 5
"""k of the k-th nearest; a class of fewer references uses its farthest."""

REFERENCES = 100
"""Most references of a class."""

_ITEMS_AT_ONCE = 32
"""Bounds the memory of the distances, not the result."""


class NearestNeighbour:
    """Distance to the k-th nearest reference of each class.

    Args:
        references: float64 (K, R, d); a class with fewer than R items repeats none: its rows beyond `counts` are 0.
        counts: float64 (K,), how many references each class has.
    """

    def __init__(self, references: Float64s, counts: Float64s) -> None:
        self._references, self._counts = references, counts
        K, R, d = references.shape
        self._flat = np.ascontiguousarray(references.reshape(K * R, d).T)  # (d, K R)
        self._squares = np.square(references).sum(axis=2)
        absent = np.arange(R) >= counts[:, None]
        self._squares[absent] = np.inf
        self._nth = np.minimum(NEIGHBOUR, counts.astype(np.int64)) - 1

    @classmethod
    def fit(cls, z: Float32s, y: Int64s) -> Self:
        """Take the first items of each class."""
        own = [z[y == k][:REFERENCES].astype(np.float64) for k in range(int(y.max()) + 1)]
        R = max(map(len, own))
        references = np.zeros((len(own), R, z.shape[1]))
        for k, rows in enumerate(own):
            references[k, : len(rows)] = rows
        return cls(references, np.array([float(len(rows)) for rows in own]))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """From "references" and "counts".

        Raises:
            ValueError: they do not fit, or a count is not from 1 to R.
        """
        found = taken(arrays, {"references": ("K", "R", "d"), "counts": ("K",)})
        counts, R = found["counts"], found["references"].shape[1]
        if (counts != np.floor(counts)).any() or counts.min() < 1 or counts.max() > R:
            raise ValueError(f"has counts that are not whole numbers from 1 to {R}")
        return cls(**found)

    def arrays(self) -> dict[str, Float32s]:
        """Under the names of the arguments."""
        return {
            "references": self._references.astype(np.float32),
            "counts": self._counts.astype(np.float32),
        }

    @property
    def classes(self) -> int:
        """K."""
        return len(self._counts)

    @property
    def dim(self) -> int:
        """The width of the layer."""
        return int(self._references.shape[2])

    def __call__(self, z: Float64s) -> Float64s:
        """float64 (B, d) to float64 (B, K)."""
        K, R, _ = self._references.shape
        out = np.empty((len(z), K))
        for start in range(0, len(z), _ITEMS_AT_ONCE):
            own = z[start : start + _ITEMS_AT_ONCE]
            squares = self._squares - 2 * row_by_row(own, self._flat).reshape(-1, K, R)
            sorted_to = np.partition(squares, np.unique(self._nth), axis=2)
            nearest = np.take_along_axis(sorted_to, self._nth[None, :, None], axis=2)[:, :, 0]
            out[start : start + _ITEMS_AT_ONCE] = nearest + np.square(own).sum(axis=1, keepdims=True)
        return np.asarray(np.sqrt(np.maximum(out, 0.0)), dtype=np.float64)
