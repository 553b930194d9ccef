"""Normalised softmax: cross-entropy of cosines with one proxy a class.

Wang, Xiang, Cheng and Yuille, "NormFace", ACM MM 2017; Zhai and Wu, "Classification is a Strong Baseline for
Deep Metric Learning", BMVC 2019, eq. 2. With x an output and p_k the classes' proxies, all brought to length
one, and s their cosines:

    L = - log  exp(s(x, p_y) / sigma) / sum_k exp(s(x, p_k) / sigma)         mean over the items

Without the lengths a plain softmax lowers its loss by growing its weights instead of turning the items to
their class; with them and sigma = 1 it could never reach 0 (cosines end at 1, so with K classes the least loss
is log(1 + (K - 1) e^-2)). Hence the temperature: sigma = 0.05 is Zhai and Wu's.

Compared with proxy-anchor, which pushes each proxy from all foreign items whatever the others do, here the
proxies of an item compete, and an item that is already on the right side by a few sigma costs nothing more:
its class is left the spread it has. As there, the proxies learn faster than the net.
"""

import torch
from torch import Tensor, nn

from model.objectives.objective import Objective


class NormalisedSoftmax(Objective):
    """The loss and its proxies.

    Args:
        classes: K.
        dim: D.
        generator: draws the proxies' directions, all equally likely.
        temperature: sigma, above 0.
    """

    rate = 10.0

    def __init__(
        self, classes: int, dim: int, generator: torch.Generator, *, temperature: float = 0.05
    ) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError("the normalised-softmax objective needs a temperature above 0")
        self.proxies = nn.Parameter(
            nn.functional.normalize(torch.randn(classes, dim, generator=generator), dim=1)
        )
        self.temperature = temperature

    def scores(self, x: Tensor) -> Tensor:
        """Return cosines with the proxies: (B, D) -> (B, K) in -1..1."""
        return nn.functional.normalize(x, dim=1) @ nn.functional.normalize(self.proxies, dim=1).T

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the loss of a batch: (B, D), int64 (B,) -> scalar, at least 0."""
        return nn.functional.cross_entropy(self.scores(x) / self.temperature, y)
