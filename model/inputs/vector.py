"""Vectors: F numbers in a known range, in an order that means something and with no neighbours.

A raw vector is a flat list. Example: for `VectorInput(shape=(3,), minimum=-1, maximum=1)` the item
`[-1, 0, 1]` decodes to `[0.0, 0.5, 1.0]`.
"""

from typing import Literal, Self

import pydantic

from model.inputs.numeric import NumericInput


class VectorInput(NumericInput):
    """What one vector looks like before scaling: `shape` is (F,).

    Raises:
        pydantic.ValidationError: another shape, or the range is empty or wider than float32.
    """

    kind: Literal["vector"] = "vector"

    @pydantic.model_validator(mode="after")
    def _has_one_dimension(self) -> Self:
        if len(self.shape) != 1:
            raise ValueError(f"the shape of a vector input is (F,), not {self.shape}")
        return self

    def form(self) -> str:
        """Say what the numbers are."""
        return "a flat list"

    def describe(self) -> str:
        """Say what to send."""
        return f"{self.size} numbers from {self.minimum:g} to {self.maximum:g} (a flat list)"

    def summary(self) -> str:
        """Return kind, size and range."""
        return f"vector of {super().summary()}"
