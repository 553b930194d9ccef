"""Left becomes right: half of the images are mirrored.

An option, and off unless asked for: a mirrored digit or letter is another sign, or none. Clothes, animals and
most photographs are as likely one way round as the other.
"""

import torch
from torch import Tensor


def flip(x: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each image with probability one half.

    Args:
        x: float32 (B, C, H, W).
        generator: a CPU generator, advanced by B numbers.

    Returns:
        float32 (B, C, H, W), on the device of `x`.
    """
    mirrored = (torch.rand(len(x), generator=generator) < 0.5).to(x.device)
    return torch.where(mirrored[:, None, None, None], x.flip(3), x)
