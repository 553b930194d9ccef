"""A small convolutional net for images from 4x4 up, the default.

    x (B, C, H, W)
      │ conv3x3(channels)   ─ batch norm ─ ReLU  ─┐
      │ conv3x3(2 channels) ─ batch norm ─ ReLU   │ a 2x2 max pool after the blocks just before the last,
      │ ...                                       │ as many as bring the longer side to 8 or less
      │ conv3x3(2 channels) ─ batch norm ─ ReLU  ─┘
      ├─ mean over places                      = "pooled"      (B, 2 channels)
      └─ flatten ─ linear(hidden) ─ batch norm ─ ReLU = "penultimate" (B, hidden)
                                         └─ linear(D) = "output"      (B, D)

An image is halved until its longer side is at most 8, but at least once, so the flattened map has the same
order of size whatever comes in:

    side       8    16    28    32    64
    pools      1     1     2     2     3
    map       4x4   8x8   7x7   8x8   8x8

There are three blocks, or one more than there are pools. Pools come early, since most of the arithmetic of a
28x28 image would be spent before the first. Batch norm (Ioffe and Szegedy 2015) is what lets 40 epochs be
enough; at serving time it is a fixed affine map.
"""

from typing import cast

from torch import Tensor, nn

from model.inputs import InputSpec
from model.networks.network import Network

_LARGEST_SIDE = 8


def pools_for(height: int, width: int) -> int:
    """Return how many 2x2 pools bring the longer side to 8 or less: at least one."""
    side, pools = max(height, width), 0
    while pools == 0 or side > _LARGEST_SIDE:
        side, pools = -(-side // 2), pools + 1
    return pools


class Cnn(Network):
    """Convolutions with batch norm, one hidden linear layer, a linear output.

    Args:
        input: an image; a vector has no neighbouring pixels and is refused.
        output_dim: D.
        channels: channels of the first block; the others have twice as many.
        hidden: width of the layer "penultimate".
    """

    def __init__(
        self,
        input: InputSpec,  # noqa: A002  # the contract's word
        *,
        output_dim: int = 32,
        channels: int = 32,
        hidden: int = 128,
    ) -> None:
        super().__init__({"pooled": 2 * channels, "penultimate": hidden, "output": output_dim})
        if input.kind != "image":
            raise ValueError(
                "the network cnn takes images; choose the network mlp for vectors, table for tables"
            )
        if min(output_dim, channels, hidden) < 1:
            raise ValueError("a cnn needs output_dim, channels and hidden of at least 1")
        planes, height, width = input.shape
        pools = pools_for(height, width)
        blocks = max(3, pools + 1)
        self.features = nn.Sequential()
        for block in range(blocks):
            wide = channels if block == 0 else 2 * channels
            self.features.extend([nn.Conv2d(planes, wide, 3, padding=1), nn.BatchNorm2d(wide), nn.ReLU()])
            planes = wide
            if blocks - 1 - pools <= block < blocks - 1:
                # Rounding up keeps the last row and column of an odd side, and a side of 1 at 1.
                self.features.append(nn.MaxPool2d(2, ceil_mode=True))
                height, width = -(-height // 2), -(-width // 2)
        self.hidden = nn.Sequential(
            nn.Linear(planes * height * width, hidden), nn.BatchNorm1d(hidden), nn.ReLU()
        )
        self.output = nn.Linear(hidden, output_dim)

    def layers(self, x: Tensor) -> dict[str, Tensor]:
        """Return "pooled" (B, 2 channels) and "penultimate" (B, hidden), both >= 0, and "output" (B, D)."""
        features = cast("Tensor", self.features(x))
        penultimate = cast("Tensor", self.hidden(features.flatten(1)))
        return {
            "pooled": features.mean((2, 3)),
            "penultimate": penultimate,
            "output": self.output(penultimate),
        }
