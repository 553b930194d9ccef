"""The original clustering layer: a Gaussian bump per class, with trainable centre and radius.

    P_k(x) = exp(-|x - c_k|^2 / r_k^2)                 in 0..1, and 1 at the centre

P_k is read as the probability that x belongs to class k, each class on its own (they need not sum to one, so
"none of these" is expressible). Writing u_k = |x - c_k|^2 / r_k^2, the loss is the binary cross-entropy

    L = mean over items of  [ u_y  -  sum_{j != y} log(1 - exp(-u_j)) ]

since -log P_y is u_y itself. log(1 - exp(-u)) is computed as Mächler 2012 ("Accurately Computing
log(1 - exp(-|a|))") advises: log(-expm1(-u)) up to log 2, log1p(-exp(-u)) above.

Gradients, which torch derives and the tests compare with these formulas:

    dP/dx = -2 (x - c) / r^2  P
    dP/dc = +2 (x - c) / r^2  P
    dP/dr =  2 |x - c|^2 / r^3  P

The last one differs from the formula published with the layer, dP/dr = 2 |x - c| / r^3 P, which lacks a
factor |x - c|: with q = |x - c|^2 fixed, d/dr (-q r^-2) = 2 q r^-3, and the chain rule multiplies by P. The
published form has the wrong unit as well: P has none, so dP/dr is one over a length, and |x - c| / r^3 is
one over a length squared.

Where to start: an item whose coordinates differ from a centre's by about 1 each lies at |x - c|^2 = D, so
with r = 1 in 32 dimensions P = e^-32, whose gradient is nothing. Radii start at sqrt(D), where the same
item has P = 1/e, and centres 2 sqrt(D) apart, where P = e^-4. Radii are kept positive by training log r.
"""

import math

import torch
from torch import Tensor, nn

from model.objectives.centres import well_separated
from model.objectives.objective import Objective, squared_distances

_SMALLEST_EXPONENT = 1e-6  # an item on a foreign centre: log(1 - P) is cut at log(1e-6)


def membership(x: Tensor, centres: Tensor, radii: Tensor) -> Tensor:
    """Return P: (B, D), (K, D), (K,) above 0 -> (B, K) in 0..1."""
    return torch.exp(-squared_distances(x, centres) / torch.square(radii))


def log_one_minus_exp(u: Tensor) -> Tensor:
    """Return log(1 - exp(-u)) to full precision for any u above 0, elementwise."""
    small = u < math.log(2)
    # Both branches are evaluated; each is given arguments at which its own gradient is finite.
    below = torch.log(-torch.expm1(-torch.where(small, u, torch.ones_like(u))))
    above = torch.log1p(-torch.exp(-torch.where(small, torch.ones_like(u), u)))
    return torch.where(small, below, above)


class Rbf(Objective):
    """The layer and its loss.

    Args:
        classes: K.
        dim: D.
        generator: places the centres.
        radius: where every radius starts, in units of the output; sqrt(D) when not given.
    """

    rate = 1.0

    def __init__(
        self, classes: int, dim: int, generator: torch.Generator, *, radius: float | None = None
    ) -> None:
        super().__init__()
        start = math.sqrt(dim) if radius is None else radius
        if start <= 0:
            raise ValueError("the rbf objective needs a radius above 0")
        self.centres = nn.Parameter(well_separated(classes, dim, 2 * start, generator))
        self.log_radii = nn.Parameter(torch.full((classes,), math.log(start)))

    @property
    def radii(self) -> Tensor:
        """The K radii, above 0, in units of the output."""
        return self.log_radii.exp()

    def scores(self, x: Tensor) -> Tensor:
        """Return log P, which orders items where P itself has underflowed: (B, D) -> (B, K), at most 0."""
        return -squared_distances(x, self.centres) / torch.square(self.radii)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the binary cross-entropy of a batch: (B, D), int64 (B,) -> scalar, at least 0."""
        exponents = -self.scores(x)
        own = nn.functional.one_hot(y, exponents.shape[1]).bool()
        missed = -log_one_minus_exp(exponents.clamp(min=_SMALLEST_EXPONENT))
        return torch.where(own, exponents, missed).sum(1).mean()
