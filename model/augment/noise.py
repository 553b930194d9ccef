"""Shaken values: every feature of a vector gets Gaussian noise in proportion to how much it varies.

    new = old + scale  std_f  g          g normal, std_f the feature's standard deviation over the batch

A feature that is constant stays so. For features of a continuous kind, such as an embedding's, whose items lie
near each other without sharing a single value.
"""

import torch
from torch import Tensor


def noise(x: Tensor, generator: torch.Generator, scale: float) -> Tensor:
    """Shake every feature.

    Args:
        x: float32 (B, F).
        generator: a CPU generator, advanced by B F numbers.
        scale: standard deviation of the noise, as a share of the feature's own.

    Returns:
        float32 (B, F), on the device of `x`. They may leave the range of `x` a little.
    """
    shaken = torch.randn(x.shape, generator=generator).to(x.device)
    return x + scale * x.std(0, correction=0) * shaken
