"""What the stream gate keeps of an item: F numbers, float16, which is finer than what fits can use.

(z - stream_mean) @ stream_projection,      of the bundle (model/calibrate.py)
"""

import numpy as np

from model.bundle import KnownArrays
from service.records import Float16s, Float32s

_LARGEST = 60_000
"""float16 ends a little above it."""


class FeatureSpace:
    """Embedding (D) to features (F)."""

    def __init__(self, known: KnownArrays) -> None:
        self._mean = known.stream_mean
        self._axes = known.stream_projection

    @property
    def dim(self) -> int:
        """F."""
        return int(self._axes.shape[1])

    def project(self, z: Float32s) -> Float16s:
        """float32 (B, D) to float16 (B, F), row by row: the same bits whatever B is.

        Other processors may give other last bits: it is in the log.
        """
        with np.errstate(over="ignore", invalid="ignore"):  # float32 may end before a far item does
            rows = np.matmul((z - self._mean)[:, None, :], self._axes)[:, 0, :]
        return _fitting(rows)

    def project_portably(self, z: Float32s) -> Float16s:
        """The same by sums along the last axis: the same bits on every processor, for what the state depends on."""
        axes = np.ascontiguousarray(self._axes.T)
        rows = [(row - self._mean) * axes for row in z]
        return _fitting(np.array([row.sum(axis=1) for row in rows]))


def _fitting(rows: Float32s) -> Float16s:
    """As float16, finite whatever the item: a fit is made of all that is in the window."""
    return np.asarray(np.nan_to_num(rows.clip(-_LARGEST, _LARGEST), copy=False), dtype=np.float16)
