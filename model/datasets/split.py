"""Which items are fitted on, which calibrate, which stay fresh, and which classes nobody has seen.

    known classes, each by itself, shuffled     ──►  fit 50 %   calibrate 25 %   fresh 25 %
    held-out classes                            ──►  unseen, all of them
    classes of fewer than 15 items              ──►  aside: neither known nor measured

`fit` is what gradients and covariances see. `calibrate` gives the conformal scores, which are honest only on
items the fit has not seen. `fresh` meets neither, so it can stand for tomorrow's items of known classes;
`unseen` stands for tomorrow's new class. A class of fewer than 15 items would leave fewer than 8 to fit on, which is
no class to learn, and a handful to measure it by: it is set `aside`, and the card names it. To the bundle its items
are new, as they should be. A class that is held out by name stays unseen however small it is.

The part of an item depends on the seed, on its class and on its place in the data set, and not on which other
classes are held out: experiments with different held-out classes share their splits.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from model.datasets.labelled import DataError, LabelledData

FEWEST_ITEMS = 15
"""Of a class that can be known: fewer are set aside."""
_FEWEST_KNOWN_CLASSES = 2


@dataclass(frozen=True, kw_only=True)
class Split:
    """Five disjoint sets of positions in a data set, together all of it, each in random order.

    Attributes:
        fit: int64, about half of the items of every known class.
        calibrate: int64, about a quarter.
        fresh: int64, about a quarter.
        unseen: int64, all items of the held-out classes; empty where none is held out.
        aside: int64, all items of classes too small to be known.
    """

    fit: NDArray[np.int64]
    calibrate: NDArray[np.int64]
    fresh: NDArray[np.int64]
    unseen: NDArray[np.int64]
    aside: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))


def split(data: LabelledData, hold_out: Sequence[str], *, seed: int) -> Split:
    """Split a data set, stratified by class.

    Args:
        data: the data set.
        hold_out: labels of the classes to keep unseen; may be empty.
        seed: 0 or above; the same seed gives the same split.

    Returns:
        a class of n items gives ceil(n / 2) to fit; the rest is halved, the odd item to calibrate.

    Raises:
        DataError: a held-out label is unknown or repeated, fewer than two classes stay known, or the seed is
            negative.
    """
    _check(data, hold_out, seed)
    parts: dict[str, list[NDArray[np.int64]]] = {
        name: [] for name in ("fit", "calibrate", "fresh", "unseen", "aside")
    }
    for k, label in enumerate(data.labels):
        items = np.random.default_rng([seed, k]).permutation(np.flatnonzero(data.y == k))
        if label in hold_out:
            parts["unseen"].append(items)
            continue
        if len(items) < FEWEST_ITEMS:
            parts["aside"].append(items)
            continue
        half = (len(items) + 1) // 2
        three_quarters = half + (len(items) - half + 1) // 2
        parts["fit"].append(items[:half])
        parts["calibrate"].append(items[half:three_quarters])
        parts["fresh"].append(items[three_quarters:])
    rng = np.random.default_rng([seed, len(data.labels)])
    empty = np.empty(0, dtype=np.int64)
    return Split(**{name: rng.permutation(np.concatenate([empty, *lists])) for name, lists in parts.items()})


def _check(data: LabelledData, hold_out: Sequence[str], seed: int) -> None:
    if isinstance(hold_out, str):
        raise DataError(f"hold_out must be a list of labels, not the single string {hold_out!r}.")
    strangers = [label for label in hold_out if label not in data.labels]
    if strangers:
        raise DataError(
            f"{data.name} has no class {strangers[0]!r} to hold out. "
            f"Its classes are: {', '.join(data.labels)}."
        )
    if len(set(hold_out)) != len(hold_out):
        raise DataError("A class is held out twice. Name each held-out class once.")
    counts = np.bincount(data.y, minlength=len(data.labels))
    kept = [n for label, n in zip(data.labels, counts, strict=True) if label not in hold_out]
    if len(kept) < _FEWEST_KNOWN_CLASSES:
        raise DataError(
            f"Holding out {len(hold_out)} of the {len(data.labels)} classes of {data.name} leaves fewer than "
            f"{_FEWEST_KNOWN_CLASSES} known ones. Hold out fewer."
        )
    if sum(n >= FEWEST_ITEMS for n in kept) < _FEWEST_KNOWN_CLASSES:
        raise DataError(
            f"Of the {len(kept)} classes of {data.name} to be known, fewer than {_FEWEST_KNOWN_CLASSES} have "
            f"{FEWEST_ITEMS} items or more; the largest has {max(kept)}. Add items."
        )
    if seed < 0:
        raise DataError(f"The seed must be 0 or above, not {seed}.")
