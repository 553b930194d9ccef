"""What every objective promises: a loss to train by, and the class it would answer.

    x: float32 (B, D), the net's "output";  y: int64 (B,), classes 0..K-1

An objective owns K representatives in the output space. Proxies or centres are parameters: they start far from
where they end and see a gradient only through a loss, so they may learn faster than the net: `rate` times as
fast. Means (supcon) are buffers, formed as the batches pass.
"""

import torch
from torch import Tensor, nn


class Objective(nn.Module):
    """A trainable loss over K classes in R^D.

    Attributes:
        rate: learning rate of the objective's own parameters as a multiple of the net's.
    """

    rate: float = 1.0

    def scores(self, x: Tensor) -> Tensor:
        """Return how well each item fits each class, larger is better: (B, D) -> (B, K)."""
        raise NotImplementedError

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the mean loss of a batch: (B, D), int64 (B,) -> scalar."""
        raise NotImplementedError

    def predict(self, x: Tensor) -> Tensor:
        """Return the best-fitting class of each item: (B, D) -> int64 (B,)."""
        return self.scores(x).argmax(1)


def squared_distances(x: Tensor, centres: Tensor) -> Tensor:
    """Return |x_b - c_k|^2 from differences, exact where a product form would cancel: (B, D), (K, D) -> (B,
    K).

    Takes B x K x D numbers of memory, small for the tens of classes and dimensions met here.
    """
    return torch.square(x[:, None, :] - centres[None, :, :]).sum(2)
