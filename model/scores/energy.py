"""Energy: how little the classes together have to say for an item.

    e(z) = - log sum_k exp(T cos(z, m_k))

Liu et al. 2020, "Energy-based Out-of-distribution Detection", arXiv:2010.03759, with the logits of a cosine
classifier whose weights are the class means and T = 32, the scale that proxy-anchor trains with. The energy itself
knows no classes. To take part among scores that do, each class gets the mean of the energy and its own logit's
share,

    s_k(z) = (e(z) - T cos(z, m_k)) / 2,

so the best class is the nearest direction, and an item that no class claims is strange for all.
"""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from model.scores.score import Float32s, Float64s, Int64s, class_means, row_by_row, taken

SCALE = 32.0
"""T, the logits' scale."""

_SHORTEST = 1e-12


class Energy:
    """(e(z) - T cos(z, m_k)) / 2.

    Args:
        directions: float64 (K, d), the class means brought to length one.
    """

    def __init__(self, directions: Float64s) -> None:
        self._directions = directions

    @classmethod
    def fit(cls, z: Float32s, y: Int64s) -> Self:
        """Means, brought to length one."""
        return cls.from_arrays({"directions": _unit(class_means(z, y)).astype(np.float32)})

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """From "directions"."""
        return cls(**taken(arrays, {"directions": ("K", "d")}))

    def arrays(self) -> dict[str, Float32s]:
        """Under the name of the argument."""
        return {"directions": self._directions.astype(np.float32)}

    @property
    def classes(self) -> int:
        """K."""
        return len(self._directions)

    @property
    def dim(self) -> int:
        """The width of the layer."""
        return int(self._directions.shape[1])

    def __call__(self, z: Float64s) -> Float64s:
        """float64 (B, d) to float64 (B, K)."""
        logits = SCALE * row_by_row(_unit(z), self._directions.T)
        return np.asarray(-(logsumexp(logits, axis=1)[:, None] + logits) / 2, dtype=np.float64)


def _unit(z: Float64s) -> Float64s:
    return np.asarray(
        z / np.maximum(np.sqrt(np.square(z).sum(axis=1, keepdims=True)), _SHORTEST), dtype=np.float64
    )
