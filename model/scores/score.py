"""What every known-class score promises: how strange is an item for each class?

    z: (B, d), one layer of the embedding  ──►  s: (B, K), the larger, the stranger for class k

A score is fitted once, on fitting items, and is then a handful of float32 arrays with names: these go into the
bundle, and what is served is made from them again, so that trainer and service compute with the same numbers.
Scores of different kinds have different units; `gate.py` brings them together.

Row by row: what an item scores does not depend, to the last bit, on the batch it is in. A matrix product does not
promise that (a BLAS picks its kernel by the shape of the operands), so scores multiply with `row_by_row`.
"""

from collections.abc import Mapping
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

Float32s = NDArray[np.float32]
Float64s = NDArray[np.float64]
Int64s = NDArray[np.int64]


class Score(Protocol):
    """A fitted score of one layer."""

    @classmethod
    def fit(cls, z: Float32s, y: Int64s) -> Self:
        """Fit to items of known classes.

        Args:
            z: float32 (N, d), one layer of the embeddings of fitting items.
            y: int64 (N,), classes 0..K-1, each present.
        """

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The score that `arrays` were taken from.

        Raises:
            ValueError: they are not the arrays of such a score; the message says which.
        """

    def arrays(self) -> dict[str, Float32s]:
        """All of it, by name."""

    @property
    def classes(self) -> int:
        """K."""

    @property
    def dim(self) -> int:
        """d, the width of the layer."""

    def __call__(self, z: Float64s) -> Float64s:
        """float64 (B, d) to float64 (B, K); larger is stranger."""


def row_by_row(z: Float64s, W: Float64s) -> Float64s:
    """The product z @ W, each row by itself: (B, d), (d, m) -> (B, m)."""
    return np.asarray(np.matmul(z[:, None, :], W)[:, 0, :], dtype=np.float64)


def class_means(z: Float32s, y: Int64s) -> Float64s:
    """float64 (K, d): the mean of each class."""
    z64 = z.astype(np.float64)
    return np.stack([z64[y == k].mean(0) for k in range(int(y.max()) + 1)])


def taken(
    arrays: Mapping[str, NDArray[Any]], layout: Mapping[str, tuple[str, ...]]
) -> dict[str, NDArray[np.float64]]:
    """The arrays a score is made of, checked, in float64.

    Args:
        arrays: by name.
        layout: the names expected, and for each a letter for every dimension; a letter is one size everywhere.

    Raises:
        ValueError: a name is missing or unknown, a dtype is not float32, or a shape does not fit.
    """
    for name in sorted(layout.keys() - arrays.keys()):
        raise ValueError(f"has no array {name}")
    for name in sorted(arrays.keys() - layout.keys()):
        raise ValueError(f"has an unknown array {name!r}")
    sizes: dict[str, int] = {}
    for name, letters in layout.items():
        array = arrays[name]
        if array.dtype != np.float32 or array.ndim != len(letters) or 0 in array.shape:
            raise ValueError(f"has {name} as {array.dtype} {array.shape}, not float32 ({', '.join(letters)})")
        for letter, size in zip(letters, array.shape, strict=True):
            if sizes.setdefault(letter, size) != size:
                raise ValueError(f"has {name} of shape {array.shape}, where {letter} is {sizes[letter]}")
    return {name: arrays[name].astype(np.float64) for name in layout}
