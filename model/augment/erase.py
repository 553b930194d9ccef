"""Something in the way: a rectangle of an image is painted over.

Zhong, Zheng, Kang, Li and Yang, "Random Erasing Data Augmentation", AAAI 2020: with probability p a rectangle
whose area and aspect are random, at a random place, wholly inside the image. It is painted with 0, which is
`InputSpec.minimum`, and smaller than in the paper (its area goes up to .4): a digit without its upper half may
be another digit.

    area     uniform in area_from .. area_to, as a share of the image
    aspect   height over width, log-uniform in 1/longest .. longest, and then as far as the image allows

Sides are rounded to whole pixels, at least one.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class EraseLimits:
    """What may be painted over.

    Attributes:
        probability: share of the images that lose a rectangle.
        area_from: smallest area, as a share of the image, above 0.
        area_to: largest.
        longest: largest ratio of one side to the other, at least 1.
    """

    probability: float = 0.5
    area_from: float = 0.02
    area_to: float = 0.15
    longest: float = 3.0


def erase(x: Tensor, generator: torch.Generator, limits: EraseLimits) -> Tensor:
    """Paint a rectangle of some images over.

    Args:
        x: float32 (B, C, H, W), scaled to 0..1.
        generator: a CPU generator, advanced by 5 B numbers.
        limits: how often and how much.

    Returns:
        float32 (B, C, H, W), on the device of `x`.
    """
    height, width = x.shape[2:]
    chosen, area, aspect, down, across = torch.rand(5, len(x), generator=generator)
    pixels = (limits.area_from + (limits.area_to - limits.area_from) * area) * height * width
    root = torch.exp((aspect - 0.5) * math.log(limits.longest))  # the aspect's square root
    tall = (pixels.sqrt() * root).round().clamp(1, height)
    wide = (pixels.sqrt() / root).round().clamp(1, width)
    rows = _covered(height, (down * (height - tall + 1)).floor(), tall)
    columns = _covered(width, (across * (width - wide + 1)).floor(), wide)
    gone = rows[:, :, None] & columns[:, None, :] & (chosen < limits.probability)[:, None, None]
    return x.masked_fill(gone[:, None].to(x.device), 0)


def _covered(side: int, start: Tensor, length: Tensor) -> Tensor:
    """Return which pixels of a side lie in the rectangle: (B,), (B,) -> bool (B, side)."""
    places = torch.arange(side)[None, :]
    return (places >= start[:, None]) & (places < (start + length)[:, None])
