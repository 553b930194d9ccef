"""Proxy-anchor: each class's proxy pulls its items and pushes all others, the hardest most.

Kim, Kim, Cho and Kwak, "Proxy Anchor Loss for Deep Metric Learning", CVPR 2020, eq. 4. With s the cosine, P
all proxies, P+ those whose class occurs in the batch, X_p+ the batch's items of p's class and X_p- the
others:

    L =  1/|P+|  sum_{p in P+}  log(1 + sum_{x in X_p+} exp(-alpha (s(x, p) - delta)))
       + 1/|P|   sum_{p in P}   log(1 + sum_{x in X_p-} exp( alpha (s(x, p) + delta)))

alpha = 32 (how much the hardest item outweighs the rest) and delta = 0.1 (the margin) are the paper's.
Each term is a log-sum-exp with an extra 0, which is how it is computed: exp(32 * 1.1) would cost float32 all
its digits.

The loss sees directions only, so the output has no natural scale; the proxies learn faster than the net, as
the paper's own training does.
"""

import torch
from torch import Tensor, nn

from model.objectives.objective import Objective


class ProxyAnchor(Objective):
    """The loss and its proxies.

    Args:
        classes: K.
        dim: D.
        generator: draws the proxies, normal with variance 2 / K as the paper's code does.
        alpha: scale, above 0.
        delta: margin, on the scale of a cosine.
    """

    rate = 10.0

    def __init__(
        self,
        classes: int,
        dim: int,
        generator: torch.Generator,
        *,
        alpha: float = 32.0,
        delta: float = 0.1,
    ) -> None:
        super().__init__()
        self.proxies = nn.Parameter(torch.randn(classes, dim, generator=generator) * (2 / classes) ** 0.5)
        self.alpha = alpha
        self.delta = delta

    def scores(self, x: Tensor) -> Tensor:
        """Return cosines with the proxies: (B, D) -> (B, K) in -1..1."""
        return nn.functional.normalize(x, dim=1) @ nn.functional.normalize(self.proxies, dim=1).T

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return eq. 4 for a batch: (B, D), int64 (B,) -> scalar, above 0."""
        cosines = self.scores(x)
        own = nn.functional.one_hot(y, cosines.shape[1]).bool()
        pull = _log_one_plus_sum_exp(-self.alpha * (cosines - self.delta), own)
        push = _log_one_plus_sum_exp(self.alpha * (cosines + self.delta), ~own)
        present = own.any(0).sum()
        return pull.sum() / present + push.mean()


def _log_one_plus_sum_exp(exponents: Tensor, counted: Tensor) -> Tensor:
    """Return log(1 + sum over counted items of exp): (B, K), bool (B, K) -> (K,); 0 where none is counted."""
    masked = exponents.masked_fill(~counted, -torch.inf)
    one = torch.zeros_like(masked[:1])
    return torch.cat([one, masked]).logsumexp(0)
