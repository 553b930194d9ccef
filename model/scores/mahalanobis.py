"""Mahalanobis distance to each class, and the same relative to everything.

    mahalanobis           s_k(z) = |(z - m_k) W|^2                       Lee et al. 2018, arXiv:1807.03888
    relative-mahalanobis  s_k(z) = |(z - m_k) W|^2 - |(z - m_0) W_0|^2   Ren et al. 2021, arXiv:2106.09022

W whitens the covariance within classes, shared by all, W_0 that of all items with m_0 their mean. Both covariances S
are shrunk towards the identity of the same trace, S' = 0.9 S + 0.1 (tr S / d) I: a net leaves directions in which
known items hardly vary, and unshrunk these would decide everything. The background term takes out the directions in
which all items are far, whatever their class; that helps where new classes are near the known ones.
"""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from model.scores.score import Float32s, Float64s, Int64s, class_means, row_by_row, taken

SHRINKAGE = 0.1


class Mahalanobis:
    """|(z - m_k) W|^2.

    Args:
        means: float64 (K, d), m_k.
        whitener: float64 (d, d), W.
    """

    def __init__(self, means: Float64s, whitener: Float64s) -> None:
        self._means, self._whitener = means, whitener
        self._centres = means @ whitener

    @classmethod
    def fit(cls, z: Float32s, y: Int64s) -> Self:
        """Means, and the shrunk covariance within classes."""
        means = class_means(z, y).astype(np.float32).astype(np.float64)
        return cls(means, whitener(z.astype(np.float64) - means[y]).astype(np.float32).astype(np.float64))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """From "means" and "whitener"."""
        return cls(**taken(arrays, {"means": ("K", "d"), "whitener": ("d", "d")}))

    def arrays(self) -> dict[str, Float32s]:
        """Under the names of the arguments."""
        return {"means": self._means.astype(np.float32), "whitener": self._whitener.astype(np.float32)}

    @property
    def classes(self) -> int:
        """K."""
        return len(self._means)

    @property
    def dim(self) -> int:
        """The width of the layer."""
        return len(self._whitener)

    def __call__(self, z: Float64s) -> Float64s:
        """float64 (B, d) to float64 (B, K)."""
        white = row_by_row(z, self._whitener)
        return np.asarray(np.square(white[:, None, :] - self._centres).sum(axis=-1), dtype=np.float64)


class RelativeMahalanobis:
    """|(z - m_k) W|^2 - |(z - m_0) W_0|^2.

    Args:
        means: float64 (K, d), m_k.
        whitener: float64 (d, d), W.
        background_mean: float64 (d,), m_0.
        background_whitener: float64 (d, d), W_0.
    """

    def __init__(
        self, means: Float64s, whitener: Float64s, background_mean: Float64s, background_whitener: Float64s
    ) -> None:
        self._near = Mahalanobis(means, whitener)
        self._far = Mahalanobis(background_mean[None], background_whitener)

    @classmethod
    def fit(cls, z: Float32s, y: Int64s) -> Self:
        """Two covariances: within classes, and of all items."""
        near, far = Mahalanobis.fit(z, y).arrays(), Mahalanobis.fit(z, np.zeros_like(y)).arrays()
        return cls.from_arrays(
            {**near, "background_mean": far["means"][0], "background_whitener": far["whitener"]}
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """From arrays under the names of the arguments."""
        layout = {
            "means": ("K", "d"),
            "whitener": ("d", "d"),
            "background_mean": ("d",),
            "background_whitener": ("d", "d"),
        }
        return cls(**taken(arrays, layout))

    def arrays(self) -> dict[str, Float32s]:
        """Under the names of the arguments."""
        far = self._far.arrays()
        return {
            **self._near.arrays(),
            "background_mean": far["means"][0],
            "background_whitener": far["whitener"],
        }

    @property
    def classes(self) -> int:
        """K."""
        return self._near.classes

    @property
    def dim(self) -> int:
        """The width of the layer."""
        return self._near.dim

    def __call__(self, z: Float64s) -> Float64s:
        """float64 (B, d) to float64 (B, K)."""
        return self._near(z) - self._far(z)


def whitener(deviations: Float64s, shrinkage: float = SHRINKAGE) -> Float64s:
    """The symmetric inverse root of the shrunk covariance: (N, d), mean 0 -> (d, d)."""
    N, d = deviations.shape
    covariance = deviations.T @ deviations / N
    # A layer that is the same for all items has no scale: then any will do, and 1 is one.
    trace = float(np.trace(covariance)) or float(d)
    shrunk = (1 - shrinkage) * covariance + shrinkage * trace / d * np.eye(d)
    variances, axes = np.linalg.eigh(shrunk)
    return np.asarray((axes / np.sqrt(variances)) @ axes.T, dtype=np.float64)
