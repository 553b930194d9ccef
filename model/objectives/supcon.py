"""Supervised contrastive: every item of a batch pulls those of its class and pushes all others.

Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020, eq. 2 (the sum over positives outside the
logarithm, which the paper finds better than inside). With z the outputs brought to length one, A(i) all items
of the batch but i and P(i) those among them of i's class:

    L_out = sum_i  -1/|P(i)|  sum_{p in P(i)}  log  exp(z_i z_p / tau) / sum_{a in A(i)} exp(z_i z_a / tau)

divided here by the number of items that have a positive, so that it is a mean as all objectives' losses are;
an item alone of its class in the batch has no P(i) and counts as an anchor for nobody. tau = 0.1 is the
paper's. The loss cannot reach 0: |P(i)| positives that all coincide with i share the probability, which
costs log |P(i)|.

It compares items with items, so it needs company: a batch of several times K items, or two views of each.

**Representatives.** The loss has none, and to answer with a class one is needed. Each class keeps the running
mean of its items' directions over the batches met while training (momentum 0.9, so about the last ten), and
an item fits a class by the cosine with that mean: the best single direction, since the mean of unit vectors is
what has the largest summed cosine with them. A class that no batch had yet fits everything with 0. The means
are buffers and see no gradient, and the loss does not depend on them.
"""

import torch
from torch import Tensor, nn

from model.objectives.objective import Objective

_MOMENTUM = 0.9


class SupCon(Objective):
    """The loss and its classes' mean directions.

    Args:
        classes: K.
        dim: D.
        generator: not drawn from: the means start at 0.
        temperature: tau, above 0.
    """

    rate = 1.0
    means: Tensor

    def __init__(
        self,
        classes: int,
        dim: int,
        generator: torch.Generator,  # noqa: ARG002  # all objectives are built alike
        *,
        temperature: float = 0.1,
    ) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError("the supcon objective needs a temperature above 0")
        self.register_buffer("means", torch.zeros(classes, dim))
        self.temperature = temperature

    def scores(self, x: Tensor) -> Tensor:
        """Return cosines with the mean directions: (B, D) -> (B, K) in -1..1."""
        return nn.functional.normalize(x, dim=1) @ nn.functional.normalize(self.means, dim=1).T

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the mean of eq. 2 over a batch: (B, D), int64 (B,) -> scalar, at least 0; 0 without any pair.

        While training, the batch enters the running means.
        """
        z = nn.functional.normalize(x, dim=1)
        itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
        positive = (y[:, None] == y[None, :]) & ~itself
        # As good as minus infinity beside any cosine, and still a number for an item that is all alone.
        logits = (z @ z.T / self.temperature).masked_fill(itself, torch.finfo(z.dtype).min)
        log_share = logits - logits.logsumexp(1, keepdim=True)
        counts = positive.sum(1)
        items = log_share.masked_fill(~positive, 0).sum(1) / counts.clamp(min=1)
        if self.training:
            self._remember(z.detach(), y)
        return -items.sum() / (counts > 0).sum().clamp(min=1)

    def _remember(self, z: Tensor, y: Tensor) -> None:
        """Move the mean of each class in the batch a tenth of the way to the batch's."""
        own = nn.functional.one_hot(y, len(self.means)).to(z.dtype)
        counts = own.sum(0)[:, None]
        batch = own.T @ z / counts.clamp(min=1)
        moved = _MOMENTUM * self.means + (1 - _MOMENTUM) * batch
        self.means.copy_(torch.where(counts > 0, moved, self.means))
