"""Squared distance to the class centre over its squared radius: the original idea, class by class.

    s_k(z) = |z - m_k|^2 / r_k^2,      r_k^2 the mean of |z - m_k|^2 over class k

The original clustering layer decides by P_k = exp(-|z - c_k|^2 / r_k^2) (`model/objectives/rbf.py`); s_k is -log P_k
with centre and radius measured instead of trained. It takes classes for balls, and that is its weakness: where a
class is long and thin, its radius covers much that is not it.
"""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from model.scores.score import Float32s, Float64s, Int64s, class_means, taken

_SMALLEST_SQUARE = 1e-12


class CentreRadius:
    """|z - m_k|^2 / r_k^2.

    Args:
        centres: float64 (K, d).
        squared_radii: float64 (K,), above 0.
    """

    def __init__(self, centres: Float64s, squared_radii: Float64s) -> None:
        self._centres, self._squared_radii = centres, squared_radii

    @classmethod
    def fit(cls, z: Float32s, y: Int64s) -> Self:
        """Means and mean squares."""
        centres = class_means(z, y)
        away = np.square(z.astype(np.float64) - centres[y]).sum(1)
        squares = np.array([away[y == k].mean() for k in range(len(centres))])
        return cls.from_arrays(
            {
                "centres": centres.astype(np.float32),
                "squared_radii": np.maximum(squares, _SMALLEST_SQUARE).astype(np.float32),
            }
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """From "centres" and "squared_radii".

        Raises:
            ValueError: they do not fit, or a radius is not above 0.
        """
        found = taken(arrays, {"centres": ("K", "d"), "squared_radii": ("K",)})
        if not (found["squared_radii"] > 0).all():
            raise ValueError("has squared_radii that are not above 0")
        return cls(**found)

    def arrays(self) -> dict[str, Float32s]:
        """Under the names of the arguments."""
        return {
            "centres": self._centres.astype(np.float32),
            "squared_radii": self._squared_radii.astype(np.float32),
        }

    @property
    def classes(self) -> int:
        """K."""
        return len(self._centres)

    @property
    def dim(self) -> int:
        """The width of the layer."""
        return int(self._centres.shape[1])

    def __call__(self, z: Float64s) -> Float64s:
        """float64 (B, d) to float64 (B, K)."""
        away = np.square(z[:, None, :] - self._centres).sum(axis=-1)
        return np.asarray(away / self._squared_radii, dtype=np.float64)
