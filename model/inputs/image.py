"""Images: numbers of shape (C, H, W), in a known range.

A raw image is accepted flat in that order, nested as (C, H, W), or nested as (H, W) when it has one channel.

Example: for `ImageInput(shape=(1, 2, 2), minimum=0, maximum=16)` the items `[0, 4, 8, 16]`,
`[[0, 4], [8, 16]]` and `[[[0, 4], [8, 16]]]` all decode to `[[[0.0, 0.25], [0.5, 1.0]]]`.
"""

from typing import Literal, Self

import pydantic

from model.inputs.numeric import NumericInput


class ImageInput(NumericInput):
    """What one image looks like before scaling: `shape` is (C, H, W).

    Raises:
        pydantic.ValidationError: another shape, or the range is empty or wider than float32.
    """

    kind: Literal["image"] = "image"

    @pydantic.model_validator(mode="after")
    def _has_three_dimensions(self) -> Self:
        if len(self.shape) != 3:
            raise ValueError(f"the shape of an image input is (C, H, W), not {self.shape}")
        return self

    def layouts(self) -> dict[int, tuple[int, ...]]:
        """Flat, nested as the shape, or without the channel where there is one."""
        return super().layouts() | ({2: self.shape[1:]} if self.shape[0] == 1 else {})

    def form(self) -> str:
        """Say what the numbers are."""
        return f"an image of {'x'.join(map(str, self.shape))}, flat or nested"

    def describe(self) -> str:
        """Say what to send."""
        shape = "x".join(map(str, self.shape))
        bounds = f"{self.minimum:g} to {self.maximum:g}"
        return f"{self.size} numbers from {bounds} (image {shape}, flat or nested)"

    def summary(self) -> str:
        """Return kind, shape and range."""
        return f"image of {super().summary()}"
