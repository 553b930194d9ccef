"""Embedding (D) to the space the clusterer works in (C): centred, projected, known classes of radius 1."""

import numpy as np

from model.bundle import KnownArrays
from service.records import Float32s, Float64s

_ROWS_AT_ONCE = 256
"""Bounds the memory of a projection, not its result."""


class ClusterSpace:
    """The projection of a bundle; see the docstring of `model/calibrate.py`."""

    def __init__(self, known: KnownArrays) -> None:
        self._mean = known.cluster_mean.astype(np.float64)
        self._axes = np.ascontiguousarray(known.cluster_projection.T, dtype=np.float64)  # (C, D)

    @property
    def dim(self) -> int:
        """C."""
        return len(self._axes)

    def project(self, z: Float32s) -> Float64s:
        """float32 (B, D) to float64 (B, C).

        Sums along the last axis rather than a matrix product: the bits are the same for every batch size and
        every BLAS, and this is the one number of an item that the stored state is made of.
        """
        out = np.empty((len(z), self.dim), dtype=np.float64)
        for start in range(0, len(z), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            out[rows] = ((z[rows] - self._mean)[:, None, :] * self._axes).sum(axis=-1)
        return out
