"""Another light: each image of a batch gets a brightness and a contrast of its own.

    new = clip( b (m + c (old - m)), 0, 1)        b, c uniform around 1 within the limits, m the image's mean

Brightness is a factor, so that what is black stays black: the ground of a digit is no information, and must not
become one. All channels change alike; colours do not turn.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class LightLimits:
    """How far the light may change.

    Attributes:
        brightness: largest change of the factor b, as a share: 0.3 is between 0.7 and 1.3 times as bright.
        contrast: likewise of c.
    """

    brightness: float = 0.3
    contrast: float = 0.3


def light(x: Tensor, generator: torch.Generator, limits: LightLimits) -> Tensor:
    """Change brightness and contrast of each image.

    Args:
        x: float32 (B, C, H, W), scaled to 0..1.
        generator: a CPU generator, advanced by 2 B numbers.
        limits: how far.

    Returns:
        float32 (B, C, H, W), in 0..1, on the device of `x`.
    """
    draws = (torch.rand(2, len(x), generator=generator) * 2 - 1).to(x.device)[:, :, None, None, None]
    mean = x.mean((1, 2, 3), keepdim=True)
    contrasted = mean + (1 + limits.contrast * draws[1]) * (x - mean)
    return ((1 + limits.brightness * draws[0]) * contrasted).clamp(0, 1)
