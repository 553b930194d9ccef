"""Another item's values: some features of a vector come from other items.

Bahri, Jiang, Tay and Metzler, "SCARF: Self-Supervised Contrastive Learning using Random Feature Corruption",
ICLR 2022: for every item a random share of its features is replaced, each by a draw from that feature's own
distribution among the items. The new value is one that the feature really takes, whatever its scale, and be it
one column of a category; what is broken is only which values go together.

The paper draws from the whole training set; here a value comes from a random item of the batch, which is a
random part of it: the same distribution, at no cost. (One value in B is the item's own, and stays.)
"""

import torch
from torch import Tensor


def corrupt(x: Tensor, generator: torch.Generator, share: float) -> Tensor:
    """Replace features by those of other items.

    Args:
        x: float32 (B, F).
        generator: a CPU generator, advanced by 2 B F numbers.
        share: chance of each feature to be replaced, 0..1. The paper's is 0.6.

    Returns:
        float32 (B, F), on the device of `x`.
    """
    replaced = (torch.rand(x.shape, generator=generator) < share).to(x.device)
    donors = torch.randint(len(x), x.shape, generator=generator).to(x.device)
    return torch.where(replaced, x.gather(0, donors), x)
