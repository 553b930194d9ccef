"""Held-out items of known classes, in two halves.

    every other one   ─► fitted: what fits compare the stream with
    the others        ─► judged: no fit sees them, so they are to it what fresh known items are

Both are weighted to the stream's shares. With too few there is no stream gate, and all are judged: by the known gate.
"""

from dataclasses import dataclass

import numpy as np

from model.bundle import KnownArrays
from service.clustering.stream_gate import constants
from service.clustering.stream_gate.features import FeatureSpace
from service.clustering.stream_gate.shares import mass
from service.records import Float16s, Float64s, Int64s


@dataclass(frozen=True, kw_only=True, slots=True)
class Half:
    """Some held-out items.

    Attributes:
        places: int64 (n,) among all held-out items.
        features: float16 (n, F).
        p: float64 (n,) largest p-value of the known gate; an item is left out of the p-value of its own class.
        labels: int64 (n,) classes.
        counts: int64 (K,) how many there are of each.
    """

    places: Int64s
    features: Float16s
    p: Float64s
    labels: Int64s
    counts: Int64s

    def mass(self, shares: Float64s) -> Float64s:
        """float64 (n,): weights that give each class its share of 1 in all; see `shares.mass`."""
        return mass(shares, self.labels, self.counts)


def are_enough(known: KnownArrays) -> bool:
    """Whether a bundle has enough held-out items for a stream gate."""
    items, classes = known.calibration_p.shape
    return bool(items >= max(constants.FEWEST_HELD_OUT, constants.FEWEST_OF_CLASS * classes))


def widened(radius: float, known: KnownArrays) -> float:
    """The radius of micro-clusters with a stream gate, if there can be one; without, what it was."""
    if not are_enough(known):
        return radius
    return max(radius, min(constants.WIDER * radius, constants.WIDEST))


def halves(known: KnownArrays, space: FeatureSpace) -> tuple[Half, Half]:
    """The two halves of a bundle's held-out items, fitted and judged; if they are too few, all are in the second."""
    features = space.project_portably(known.calibration_embeddings)
    labels, p = known.calibration_labels, known.calibration_p
    is_fitted = np.arange(len(labels)) % 2 == 0

    def half(places: Int64s) -> Half:
        return Half(
            places=places,
            features=features[places],
            p=p[places].max(axis=1).astype(np.float64),
            labels=labels[places],
            counts=np.bincount(labels[places], minlength=p.shape[1]),
        )

    judged = np.flatnonzero(~is_fitted) if are_enough(known) else np.arange(len(labels))
    return half(np.flatnonzero(is_fitted)[: constants.MOST_FITTED]), half(judged)
