"""Two views: know an item again among all others, though it looks different.

Chen, Kornblith, Norouzi and Hinton, "A Simple Framework for Contrastive Learning of Visual Representations"
(SimCLR), ICML 2020. Every item of a batch is shown twice, differently changed (`model/augment/views.py`); a
small projection head maps the layer "penultimate" to a space in which the two must be nearest. With u_1..u_2B
the projections of all views, brought to length one, and i' the other view of i:

    NT-Xent = mean over i of  - log  exp(u_i u_i' / tau) / sum_{a != i} exp(u_i u_a / tau)

An objective asks for what tells the known classes apart and lets the net forget the rest, with which a class to
come might have differed. This loss cannot be lowered without telling *items* apart, also those of one class, so
it keeps more of what there is to see.

The head has one hidden ReLU layer as in the paper, and is thrown away after training: it is the head that loses
what the views do not share, so that the layer below it need not (there, section 4.2).
"""

import torch
from torch import Tensor, nn

_PROJECTED = 64


class TwoViews(nn.Module):
    """The projection head and its loss.

    Args:
        width: H, of the layer "penultimate".
        temperature: tau, above 0.
    """

    def __init__(self, width: int, *, temperature: float = 0.5) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError("two views need a temperature above 0")
        self.head = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, _PROJECTED))
        self.temperature = temperature

    def forward(self, penultimate: Tensor) -> Tensor:
        """Return NT-Xent: (2 B, H), row i + B the other view of the item in row i -> scalar, above 0."""
        return nt_xent(self.head(penultimate), self.temperature)


def nt_xent(u: Tensor, temperature: float) -> Tensor:
    """Return the loss of projections.

    Args:
        u: float (2 B, P), row i + B the other view of the item in row i. Lengths do not matter.
        temperature: tau, above 0.

    Returns:
        a scalar, above 0; log(2 B - 1) where all projections are the same.
    """
    z = nn.functional.normalize(u, dim=1)
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    logits = (z @ z.T / temperature).masked_fill(itself, -torch.inf)
    other = torch.arange(len(z), device=z.device).roll(len(z) // 2)
    return nn.functional.cross_entropy(logits, other)
