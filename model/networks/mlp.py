"""The original net: a flat input through equal ReLU layers to an output of D numbers.

    x (B, *shape) ─ flatten (B, F) ─ [linear(width) ─ ReLU] x depth = "penultimate" (B, width)
                                                          └─ linear(D) = "output" (B, D)

With the defaults and a 28x28 input this is 784 -> 7 ReLU layers of 520 -> D. It has no normalisation
layers, so the start decides whether a signal survives seven layers: weights are drawn as in He et al. 2015
("Delving Deep into Rectifiers", eq. 10: variance 2 / fan_in, biases 0), which keeps its scale. (torch's own
default has variance 1 / (3 fan_in): every layer divides the mean square by six, seven layers by 280,000.)

The net sees no geometry: a digit one pixel to the right is another input. It is here because it is the
original and as the plainest peer of the CNN, and it is the net for vectors.
"""

import itertools
from typing import cast

from torch import Tensor, nn

from model.inputs import InputSpec, NumericInput
from model.networks.network import Network


class Mlp(Network):
    """Equal ReLU layers, then a linear output.

    Args:
        input: an image is flattened in (C, H, W) order; a vector is taken as it is.
        output_dim: D.
        width: units of each hidden layer.
        depth: number of hidden layers, at least 1.
    """

    def __init__(
        self,
        input: InputSpec,  # noqa: A002  # the contract's word
        *,
        output_dim: int = 32,
        width: int = 520,
        depth: int = 7,
    ) -> None:
        super().__init__({"penultimate": width, "output": output_dim})
        if not isinstance(input, NumericInput):
            raise ValueError(  # noqa: TRY004  # what a manifest can get wrong
                "the network mlp takes numbers in a known range; choose the network tfidf or sentence for text, "
                "table for tables"
            )
        if min(output_dim, width, depth) < 1:
            raise ValueError("an mlp needs output_dim, width and depth of at least 1")
        self.hidden = nn.Sequential()
        for fan_in, fan_out in itertools.pairwise([input.size] + [width] * depth):
            linear = nn.Linear(fan_in, fan_out)
            nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
            nn.init.zeros_(linear.bias)
            self.hidden.extend([linear, nn.ReLU()])
        self.output = nn.Linear(width, output_dim)

    def layers(self, x: Tensor) -> dict[str, Tensor]:
        """Return "penultimate" float32 (B, width), at least 0, and "output" float32 (B, D)."""
        penultimate = cast("Tensor", self.hidden(x.flatten(1)))
        return {"penultimate": penultimate, "output": self.output(penultimate)}
