"""What every net promises: named layers of known width.

    x: float32 (B, *shape), values in 0..1  ──layers──►  {"penultimate": (B, H), "output": (B, D), ...}

A subclass implements `layers` and states each layer's width in `widths` when it is built, so that an
embedding's dimension is known without running anything.
"""

from collections.abc import Mapping

from torch import Tensor, nn


class Network(nn.Module):
    """A net with named intermediate layers.

    Attributes:
        widths: for each layer that `layers` returns, the number of values per item; always with
            "penultimate" and "output".
    """

    def __init__(self, widths: Mapping[str, int]) -> None:
        super().__init__()
        self.widths = dict(widths)

    def layers(self, x: Tensor) -> dict[str, Tensor]:
        """Run the net and keep its named intermediates.

        Args:
            x: float32 (B, *shape), scaled to 0..1.

        Returns:
            One float32 tensor (B, widths[name]) for every name in `widths`.
        """
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer "output": float32 (B, D)."""
        return self.layers(x)["output"]
