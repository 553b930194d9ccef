"""In which order items are shown in an epoch, so that rare classes meet a gradient, too.

Where the largest class has at most ten times the items of the smallest, an epoch shows every item once. Where it
has more, it draws as many items, with replacement, class k with n_k items with a chance

    P(k) = sqrt(n_k) / sum_j sqrt(n_j),        each of its items alike

"Square-root sampling" (Mahajan et al. 2018, "Exploring the Limits of Weakly Supervised Pretraining"; the rule is
that of word2vec) lies between showing items as they come, where a class with a thousandth of them is in every
fourth batch of 256, and showing classes alike, where its ten items are repeated until they are learnt by heart.

Example: classes with 10,000 and 100 items are drawn in 10 of 11 and 1 of 11 cases, instead of 100 and 1 of 101.
"""

import torch
from torch import Tensor

_UNEQUAL = 10


def epoch_order(y: Tensor, generator: torch.Generator) -> Tensor:
    """Return the places of an epoch's items in the order to show them.

    Args:
        y: int64 (N,), on the CPU, the class of each fitting item; every class from 0 on occurs.
        generator: a CPU generator.

    Returns:
        int64 (N,).
    """
    counts = torch.bincount(y)
    if int(counts.max()) <= _UNEQUAL * int(counts.min()):
        return torch.randperm(len(y), generator=generator)
    weights = counts.double().rsqrt()[y]  # sqrt(n_k) of the class, shared by its n_k items
    ends = weights.cumsum(0)
    draws = torch.rand(len(y), generator=generator, dtype=torch.float64) * ends[-1]
    return torch.searchsorted(ends, draws, right=True).clamp(max=len(y) - 1)
