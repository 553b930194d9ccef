"""How well does `novelty` tell an unseen item from a known one, item by item, at every threshold?

    AUROC   chance that a random unseen item has a higher novelty than a random known one, equal ones counted half
            (Mann & Whitney 1947); .5 is luck
    FPR95   share of unseen items still taken for known at the smallest threshold that takes 95 % of the known ones
            (Liang, Li & Srikant 2018: known items are the positives); the lower, the better
    ROC     for every threshold, the share of unseen items above it against the share of known ones

`model/evaluate.py` measures the first two for the card, and neither may import the other; they must agree, which
`tests/service/scoring/test_gate.py` holds.

They see the score and no verdict, so no choice of threshold, and no flag, can better them.
"""

import numpy as np
from scipy.stats import rankdata

from service.records import Float64s

ACCEPTED = 0.95
"""Share of the known items that FPR95 takes."""


def auroc(known: Float64s, unseen: Float64s) -> float | None:
    """P(unseen > known) + P(equal) / 2: float64 (N,), (U,) -> 0..1, or None where there is nothing to compare."""
    if not len(known) or not len(unseen):
        return None
    ranks = rankdata(np.concatenate([unseen, known]))[: len(unseen)]
    above = ranks.sum() - len(unseen) * (len(unseen) + 1) / 2
    return float(above / (len(unseen) * len(known)))


def fpr95(known: Float64s, unseen: Float64s) -> float | None:
    """Share of `unseen` (U,) at or below the threshold that 95 % of `known` (N,) do not exceed."""
    if not len(known) or not len(unseen):
        return None
    threshold = np.sort(known)[int(np.ceil(ACCEPTED * len(known))) - 1]
    return float((unseen <= threshold).mean())


def roc(known: Float64s, unseen: Float64s, *, points: int = 200) -> tuple[tuple[float, float], ...]:
    """The curve from (0, 0) to (1, 1), as (known called new, unseen called new); empty without both kinds.

    Args:
        known: float64 (N,) novelties.
        unseen: float64 (U,) novelties.
        points: At most about so many corners are kept, evenly along the thresholds.
    """
    if not len(known) or not len(unseen):
        return ()
    thresholds = np.unique(np.concatenate([known, unseen]))[::-1]
    if len(thresholds) > points:
        thresholds = thresholds[np.linspace(0, len(thresholds) - 1, points).round().astype(int)]
    x = 1.0 - np.searchsorted(np.sort(known), thresholds) / len(known)
    y = 1.0 - np.searchsorted(np.sort(unseen), thresholds) / len(unseen)
    return ((0.0, 0.0), *zip(x.round(5).tolist(), y.round(5).tolist(), strict=True))
