"""A labelled data set in memory: the noun every loader returns, and the one error they raise.

Values stay raw, in the range clients will send, so that what is fitted on and what is served pass through the
same scaling (`model/inputs.py`). A class is a number in `y` and a name in `labels`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.inputs import InputSpec


class DataError(ValueError):
    """A data set cannot be had. The message says what is wrong and what to do."""


@dataclass(frozen=True, kw_only=True)
class LabelledData:
    """N items with their classes.

    Attributes:
        name: the data set's short name, such as "digits".
        input: what one raw item looks like.
        x: float32 (N, *input.shape), raw values in [input.minimum, input.maximum].
        y: int64 (N,), index into `labels`.
        labels: the names of the classes, distinct, each with at least one item.
        source: where the items come from, for the bundle's card.

    Raises:
        DataError: the parts do not fit together.
    """

    name: str
    input: InputSpec
    x: NDArray[np.float32]
    y: NDArray[np.int64]
    labels: tuple[str, ...]
    source: str

    def __post_init__(self) -> None:
        shape = (len(self.y), *self.input.shape)
        if self.x.dtype != np.float32 or self.x.shape != shape:
            raise self._wrong(f"x must be float32 {shape}, not {self.x.dtype} {self.x.shape}")
        if self.y.dtype != np.int64 or self.y.ndim != 1:
            raise self._wrong(f"y must be int64 (N,), not {self.y.dtype} {self.y.shape}")
        if len(self.y) == 0:
            raise self._wrong("it has no items")
        low, high = float(self.x.min()), float(self.x.max())
        if not self.input.minimum <= low <= high <= self.input.maximum:
            raise self._wrong(
                f"its values must lie in {self.input.minimum}..{self.input.maximum}, not {low}..{high}"
            )
        if len(set(self.labels)) != len(self.labels):
            raise self._wrong("two classes have the same label")
        if np.any((self.y < 0) | (self.y >= len(self.labels))):
            raise self._wrong(f"y must be an index into its {len(self.labels)} labels")
        counts = np.bincount(self.y, minlength=len(self.labels))
        if not counts.all():
            raise self._wrong(f"the class {self.labels[int(counts.argmin())]!r} has no items")

    def _wrong(self, problem: str) -> DataError:
        return DataError(
            f"The data set {self.name!r} is not well formed: {problem}. Correct it and load it again."
        )
