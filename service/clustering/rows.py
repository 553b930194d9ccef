"""What people send as items, as rows of numbers; and what is wrong with it, in words.

An item is a mapping of features, the same names every time, or a row of a matrix. All is checked before anything is
learnt, so that a refused item or batch leaves no trace.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from operator import itemgetter

import numpy as np
from numpy.typing import ArrayLike

from service.records import Float64s


def row(x: Mapping[Hashable, float], names: Sequence[Hashable]) -> Float64s:
    """float64 (1, D): the features of one item in the order of `names`.

    Raises:
        ValueError: A feature is missing, unknown, no number, or not finite.
    """
    if len(x) != len(names) or not names:
        raise ValueError(_not_these(x, names))
    try:
        values = itemgetter(*names)(x) if len(names) > 1 else (x[names[0]],)
        numbers = np.array([values], dtype=np.float64)
    except KeyError:
        raise ValueError(_not_these(x, names)) from None
    except (TypeError, ValueError):
        wrong = next((k for k in names if not isinstance(x[k], int | float | np.number)), names[0])
        raise ValueError(f"Feature {wrong!r} is {x[wrong]!r}; send a number.") from None
    # The sum of squares is quick and tells nearly always; it may overflow, so it does not tell alone.
    if not math.isfinite(numbers[0].dot(numbers[0])) and not np.isfinite(numbers).all():
        wrong = next(k for k in names if not math.isfinite(x[k]))
        raise ValueError(f"Feature {wrong!r} is {x[wrong]!r}; send finite numbers.")
    return numbers


def matrix(X: ArrayLike, names: Sequence[Hashable] | None) -> tuple[Float64s, list[Hashable]]:
    """float64 (B, D), C-contiguous, and the names of the features.

    Args:
        X: A matrix, one row an item; a data frame's columns are put in the order of `names`.
        names: The features of the first item; None: there was none yet.

    Raises:
        ValueError: There is no item, a number is not finite, or the features are others.
    """
    columns = getattr(X, "columns", None)
    try:
        rows = np.ascontiguousarray(X, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Items must be numbers, one row an item: {error}") from None
    if np.ndim(X) != 2:
        raise ValueError(f"Items must be a matrix, one row an item, not of shape {np.shape(X)}.")
    if 0 in rows.shape:
        raise ValueError(
            f"Send at least one item of at least one feature; this batch is of shape {rows.shape}."
        )
    found: list[Hashable] = list(range(rows.shape[1])) if columns is None else list(columns)
    if names is not None:
        if columns is not None and set(found) != set(names):
            raise ValueError(_not_these(dict.fromkeys(found, 0.0), names))
        if len(found) != len(names):
            raise ValueError(f"These items have {len(found)} features; the first one had {len(names)}.")
        if columns is not None and found != list(names):
            rows = np.ascontiguousarray(rows[:, [found.index(name) for name in names]])
    finite = np.isfinite(rows)
    if not finite.all():
        b, d = np.argwhere(~finite)[0].tolist()
        raise ValueError(f"Item {b} of the batch has {rows[b, d]} as feature {d}; send finite numbers.")
    return rows, found if names is None else list(names)


def moments(t: ArrayLike, n: int) -> Float64s:
    """float64 (n,): event times of n items.

    Raises:
        ValueError: They are not n finite numbers.
    """
    try:
        times = np.ascontiguousarray(t, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Times must be numbers: {error}") from None
    if times.shape != (n,):
        raise ValueError(f"Send one time an item: {n} items, times of shape {times.shape}.")
    if not np.isfinite(times).all():
        raise ValueError("Times must be finite numbers.")
    return times


def _not_these(x: Mapping[Hashable, float], names: Sequence[Hashable]) -> str:
    if not names:
        return "The item has no features; send at least one."
    missing = ", ".join(repr(name) for name in names if name not in x)
    unknown = ", ".join(repr(name) for name in x if name not in names)
    parts = [f"{what}: {which}" for what, which in (("missing", missing), ("unknown", unknown)) if which]
    return f"Every item must have the {len(names)} features of the first one. {'; '.join(parts)}."
