"""Features that set a cluster's members apart: columns of a table, or places of a vector.

    number      z = (median of the members - m) / (1.4826 s), m and s the middle and the typical distance from it of
                known classes: one is a standard deviation where these are normal
    category    the value that is over-represented most: z = (p - q) / sqrt(q (1 - q) (1 / n + 1 / r)), p its share
                among n members, q among r others, drawn towards 1 / 2 by one item, so that nothing is impossible
    missing     likewise, of cells that are missing

What is usual comes from the net where it has learnt it (`model/networks/front.py`: median and half interquartile range
of each column, and which values are common), else from the few items of the bundle and members of other clusters. Only
differences of at least ENOUGH are told, the largest first.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from model.bundle import Bundle
from model.inputs import NumericInput, TableColumn, TableInput
from service.records import Bools, Float32s, Float64s

MOST_FEATURES: Final = 8
ENOUGH: Final = 2.0
FURTHEST: Final = 1e6
"""No difference is told as larger than that."""

_FITTED: Final = 200
"""Items that the net has learnt what is common from, as far as a share among them is worth something."""

_TO_NORMAL: Final = 1.4826
_FEWEST: Final = 3
_OTHER: Final = 1
"""The place that the front end gives to values that are not common."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Feature:
    """A feature that sets members apart.

    Attributes:
        feature: The column's name, or the place in a vector.
        kind: "number", "category" or "missing".
        z: How far, in standard deviations; below 0 for a number that is low.
        value: The members' median, or most telling category; None where it is that cells are missing.
        share: Of the members that have this value, or whose cell is missing; None for a number.
        usual: The middle of known classes, or the share of others; None where nobody knows.
    """

    feature: str
    kind: str
    z: float
    value: float | str | None
    share: float | None
    usual: float | None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Usual:
    """What is usual elsewhere.

    Attributes:
        rows: float32 (r, F) payloads of known items and of members of other clusters; r may be 0.
        middle, scale: float64 (F,) of the numbers as the net has learnt them, NaN for a category; None if it has not.
        common: For each column the categories that were common in fitting, None where nobody knows.
    """

    rows: Float32s
    middle: Float64s | None = None
    scale: Float64s | None = None
    common: Sequence[frozenset[int] | None] = ()


def apart(own: Float32s, usual: Usual, spec: TableInput | NumericInput) -> tuple[Feature, ...]:
    """What sets members apart from what is usual.

    Args:
        own: float32 (n, F) their payloads, n at least 1.
        usual: Of F features as well.
        spec: What these are.
    """
    found: list[Feature] = []
    for at in range(own.shape[1]):
        column = spec.columns[at] if isinstance(spec, TableInput) else None
        if column is not None and column.kind == "category":
            found += _category(own[:, at], usual, at, column)
            continue
        name = str(at) if column is None else column.name
        found += _number(own[:, at], usual, at, name, spec)
        if column is not None:
            found += _missing(np.isnan(own[:, at]), np.isnan(usual.rows[:, at]), usual, name)
    telling = [feature for feature in found if abs(feature.z) >= ENOUGH]
    return tuple(sorted(telling, key=lambda feature: -abs(feature.z))[:MOST_FEATURES])


def usual_of(bundle: Bundle, rows: Float32s) -> Usual:
    """What is usual, as far as a bundle and other items, float32 (r, F), tell."""
    spec, weights = bundle.manifest.input, bundle.weights
    if not isinstance(spec, TableInput) or "front.median" not in weights:
        return Usual(rows=rows)
    F = len(spec.columns)
    middle, scale = np.full(F, np.nan), np.full(F, np.nan)
    numbers = [at for at, column in enumerate(spec.columns) if column.kind == "number"]
    middle[numbers], scale[numbers] = weights["front.median"], weights["front.scale"]
    common: list[frozenset[int] | None] = [None] * F
    categories = [at for at, column in enumerate(spec.columns) if column.kind == "category"]
    for n, at in enumerate(categories):
        places = weights[f"front.place_{n}"]
        common[at] = frozenset(np.flatnonzero(places[1:] > _OTHER).tolist())
    return Usual(rows=rows, middle=middle, scale=scale, common=common)


def _number(
    own: Float32s, usual: Usual, at: int, name: str, spec: TableInput | NumericInput
) -> list[Feature]:
    values = own[~np.isnan(own)].astype(np.float64)
    if not len(values):
        return []
    if usual.middle is not None and usual.scale is not None:
        middle, scale = float(usual.middle[at]), float(usual.scale[at])
    else:
        rows = usual.rows[:, at][~np.isnan(usual.rows[:, at])].astype(np.float64)
        if len(rows) < _FEWEST:
            return []
        middle = float(np.median(rows))
        scale = float(np.median(np.abs(rows - middle))) or float(rows.std()) or 1.0 / 255
    value = float(np.median(values))
    z = (value - middle) / (_TO_NORMAL * scale) if scale > 0 else 0.0
    if isinstance(spec, NumericInput):
        width = spec.maximum - spec.minimum
        value, middle = spec.minimum + value * width, spec.minimum + middle * width
    return [
        Feature(
            feature=name,
            kind="number",
            z=_shown(max(-FURTHEST, min(FURTHEST, z))),
            value=_shown(value),
            share=None,
            usual=_shown(middle),
        )
    ]


def _category(own: Float32s, usual: Usual, at: int, column: TableColumn) -> list[Feature]:
    counts = Counter(own[own >= 0].astype(int).tolist())
    others = Counter(usual.rows[:, at][usual.rows[:, at] >= 0].astype(int).tolist())
    common = usual.common[at] if usual.common else None
    found = []
    for code, n in sorted(counts.items()):
        x, r = others[code], len(usual.rows)
        if common is not None and code not in common:  # next to none of those that the net was fitted to
            r += _FITTED
        elif common is not None:  # as many as any other common one
            x, r = x + _FITTED // max(1, len(common)), r + _FITTED
        z, share, elsewhere = _shares(n, len(own), x, r)
        value = str(column.cell(float(code)))
        found.append(
            Feature(feature=column.name, kind="category", z=z, value=value, share=share, usual=elsewhere)
        )
    found += _missing(own < 0, usual.rows[:, at] < 0, usual, column.name)
    return sorted(found, key=lambda feature: -feature.z)[:1]


def _missing(own: Bools, others: Bools, usual: Usual, name: str) -> list[Feature]:
    if not own.any() or not len(usual.rows):
        return []
    z, share, elsewhere = _shares(int(own.sum()), len(own), int(others.sum()), len(others))
    return [Feature(feature=name, kind="missing", z=z, value=None, share=share, usual=elsewhere)]


def _shares(y: int, n: int, x: int, r: int) -> tuple[float, float, float | None]:
    """Z, the share of the members, and that of the others where there are any."""
    q = (x + 0.5) / (r + 1)
    z = (y / n - q) / math.sqrt(q * (1 - q) * (1 / n + 1 / (r + 1)))
    return _shown(z), _shown(y / n), _shown(x / r) if r else None


def _shown(value: float) -> float:
    """Six digits that mean something."""
    return float(f"{value:.6g}")
