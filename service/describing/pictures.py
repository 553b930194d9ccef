"""Pictures of members, as PNG: each for itself, and their average.

A payload is float32 (C, H, W) in 0..1. One channel is shown as grey, three as colours, of any other number the mean.
Pictures larger than LARGEST are shown smaller. What comes from a client is numbers by then, and what goes out are bytes
that Pillow wrote: there is nothing in it to be run.
"""

import base64
import io
from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image

from service.records import Float32s

LARGEST: Final = 128
"""Pixels of the longer side of what is shown."""

_COLOURS: Final = 3


def png_of(x: Float32s) -> str:
    """PNG of a picture float32 (C, H, W), in base64."""
    finite = np.nan_to_num(x, nan=0.0, posinf=1.0, neginf=0.0)
    values = np.clip(np.rint(finite * 255.0), 0, 255).astype(np.uint8)
    if len(values) == _COLOURS:
        picture = Image.fromarray(np.ascontiguousarray(values.transpose(1, 2, 0)), mode="RGB")
    else:
        grey = values[0] if len(values) == 1 else np.rint(values.mean(axis=0)).astype(np.uint8)
        picture = Image.fromarray(np.ascontiguousarray(grey), mode="L")
    picture.thumbnail((LARGEST, LARGEST))
    out = io.BytesIO()
    picture.save(out, format="PNG")
    return base64.b64encode(out.getvalue()).decode()


def average_of(pictures: Sequence[Float32s]) -> Float32s | None:
    """The mean of pictures of one shape, float32 (C, H, W); None of none."""
    if not pictures:
        return None
    return np.asarray(np.mean(np.stack(pictures), axis=0, dtype=np.float64), dtype=np.float32)
