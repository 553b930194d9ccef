"""Small random changes of place, size and angle, so that a net learns shapes and not pixels.

Each image of a batch gets its own affine map: rotate by an angle, scale, shift. The map sends a place in
the new image to the place in the old one it is read from (bilinear, zeros, that is `InputSpec.minimum`,
outside), in coordinates where the image spans -1..1 both ways:

    old = R(angle) / scale  new + shift            angle, scale, shift uniform within the limits

There is no mirroring: a mirrored digit is another digit (`model/augment/flip.py`).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class AffineLimits:
    """How far an image may be changed.

    Attributes:
        rotation_degrees: largest angle, either way.
        scale: largest change of size, as a share (0.1: between 0.9 and 1.1 times as large).
        shift: largest move along each axis, as a share of that side.
    """

    rotation_degrees: float = 10.0
    scale: float = 0.1
    shift: float = 0.1


def affine(x: Tensor, generator: torch.Generator, limits: AffineLimits) -> Tensor:
    """Change each image of a batch by an affine map of its own.

    Args:
        x: float32 (B, C, H, W), scaled to 0..1, B at least 1.
        generator: a CPU generator, advanced by 4 B numbers.
        limits: how far.

    Returns:
        float32 (B, C, H, W), in 0..1, on the device of `x`.
    """
    draws = torch.rand(4, len(x), generator=generator) * 2 - 1
    angle = draws[0] * math.radians(limits.rotation_degrees)
    size = 1 + draws[1] * limits.scale
    moves = 2 * limits.shift * draws[2:]  # shares of a side; the side spans 2
    # The grid's coordinates stretch with the sides; the aspect keeps a rotation of a wide image a rotation.
    aspect = x.shape[3] / x.shape[2]
    across = torch.stack([angle.cos() / size, -angle.sin() / size / aspect, moves[0]], dim=1)
    down = torch.stack([angle.sin() / size * aspect, angle.cos() / size, moves[1]], dim=1)
    theta = torch.stack([across, down], dim=1).to(x.device)  # (B, 2, 3)
    grid = torch.nn.functional.affine_grid(theta, list(x.shape), align_corners=False)
    return torch.nn.functional.grid_sample(x, grid, align_corners=False)
