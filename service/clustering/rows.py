"""What people send as items, as rows of numbers; and what is wrong with it, in words.

An item is a mapping of features, the same names every time, or a row of a matrix. All is checked before anything is
learnt, so that a refused item or batch leaves no trace.

One item is what a stream consists of, so its way is short: the values are taken by name, packed as C doubles into
one row that is used again and again, and `math.hypot` of them tells whether all are finite: it is so only if they
are, but for numbers near the largest, which are then looked at one by one.
"""

import math
import struct
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from service.records import Float64s


class Features:
    """The features of a stream's items, as the first item named them, and how other items are read in that order.

    Args:
        names: At least one, each once.

    Raises:
        ValueError: There is none, or one is there twice.
    """

    def __init__(self, names: Iterable[Hashable]) -> None:
        self.names = [name.item() if isinstance(name, np.generic) else name for name in names]
        if not self.names:
            raise ValueError("The item has no features; send at least one.")
        if len(set(self.names)) != len(self.names):
            twice = next(name for n, name in enumerate(self.names) if name in self.names[:n])
            raise ValueError(f"Feature {twice!r} is there twice; every feature needs a name of its own.")
        self._values_of = _getter(self.names)
        self._row: Float64s = np.empty((1, len(self.names)), dtype=np.float64)
        self._target = self._row.data
        self._pack = struct.Struct(f"{len(self.names)}d").pack_into

    def __len__(self) -> int:
        return len(self.names)

    @property
    def are_storable(self) -> bool:
        """Whether all names are texts that UTF-8 can hold, or numbers of 64 bits."""
        return all(_is_storable(name) for name in self.names)

    def __reduce__(self) -> tuple[Any, ...]:
        return Features, (self.names,)

    @classmethod
    def of(cls, x: object) -> "Features":
        """The features of the first item, a mapping; raises as `row`."""
        return cls(_mapping(x))

    def row(self, x: Mapping[Hashable, float]) -> Float64s:
        """float64 (1, D): the features of one item. The next call overwrites it.

        Raises:
            ValueError: A feature is missing, unknown, no number, or not finite.
        """
        if type(x) is not dict:
            x = _mapping(x)
        if len(x) != len(self.names):
            raise ValueError(_others(x, self.names))
        try:
            values = self._values_of(x)
            self._pack(self._target, 0, *values)
        except KeyError:
            raise ValueError(_others(x, self.names)) from None
        except (struct.error, TypeError, ValueError, OverflowError):
            raise ValueError(_no_number(x, self.names)) from None
        if not math.isfinite(math.hypot(*values)) and not np.isfinite(self._row).all():
            wrong = self.names[int(np.flatnonzero(~np.isfinite(self._row[0]))[0])]
            raise ValueError(f"Feature {wrong!r} is {x[wrong]!r}; send finite numbers.")
        return self._row


def matrix(X: ArrayLike, features: Features | None) -> tuple[Float64s, Features]:
    """float64 (B, D), C-contiguous, aligned, writable, and its features.

    Args:
        X: A matrix of numbers, one row an item; a data frame's columns are put in the order of `features`.
        features: The first item's; None: there was none yet. A matrix without names has 0, 1, ....

    Raises:
        ValueError: There is no item, what is there is no number or not finite, or the features are others.
    """
    columns = None if type(X) is np.ndarray else getattr(X, "columns", None)
    array = _numbers(X, "Items must be numbers, one row an item")
    if array.ndim != 2:
        raise ValueError(f"Items must be a matrix, one row an item, not of shape {array.shape}.")
    if not array.size:
        raise ValueError(
            f"Send at least one item of at least one feature, not a batch of shape {array.shape}."
        )
    rows = _plain(array)
    if features is None:
        features = Features(range(rows.shape[1]) if columns is None else columns)
    elif columns is not None and list(columns) != features.names:
        found = Features(columns)
        if set(found.names) != set(features.names):
            raise ValueError(_others(found.names, features.names))
        rows = _plain(rows[:, [found.names.index(name) for name in features.names]])
    if rows.shape[1] != len(features):
        raise ValueError(f"These items have {rows.shape[1]} features; the first one had {len(features)}.")
    if not _all_finite(rows):
        b, d = np.argwhere(~np.isfinite(rows))[0].tolist()
        raise ValueError(
            f"Item {b} of the batch has {rows[b, d]} as feature {features.names[d]!r}; send finite numbers."
        )
    return rows, features


def moments(t: ArrayLike, n: int) -> Float64s:
    """float64 (n,): event times of n items.

    Raises:
        ValueError: They are not n finite numbers.
    """
    array = _numbers(t, "Times must be numbers")
    if array.shape != (n,):
        raise ValueError(f"Send one time an item: {n} items, times of shape {array.shape}.")
    times = _plain(array)
    if not np.isfinite(times).all():
        raise ValueError("Times must be finite numbers.")
    return times


def _is_storable(name: Hashable) -> bool:
    if type(name) is str:
        return not any("\ud800" <= letter <= "\udfff" for letter in name)  # halves of a letter
    return type(name) is float or (type(name) is int and -(2**63) <= name < 2**64)


def _getter(names: Sequence[Hashable]) -> Callable[[Mapping[Hashable, float]], tuple[float, ...]]:
    if len(names) > 1:
        return itemgetter(*names)
    name = names[0]
    return lambda x: (x[name],)


def _mapping(x: object) -> dict[Hashable, float]:
    if isinstance(x, Mapping):
        return dict(x)  # a plain one: others may make up what is missing
    raise ValueError(f"An item is a mapping of feature names to numbers, not {type(x).__name__}.")


def _numbers(X: ArrayLike, complaint: str) -> NDArray[Any]:
    """As an array of a kind that becomes float64 without loss of meaning: no text, no dates, no complex numbers."""
    if type(X) is not np.ndarray:
        _check_all_there(X, complaint)
    try:
        array = np.asarray(X)
        if array.dtype.kind == "O" and not any(isinstance(value, str | bytes) for value in array.flat):
            array = array.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{complaint}: {error}.") from None
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{complaint}, not {array.dtype}.")
    return array


def _check_all_there(X: ArrayLike, complaint: str) -> None:
    """Raises ValueError for what numpy would read as something else: without its mask, or as one single object."""
    if callable(getattr(X, "toarray", None)):
        say = f"{complaint}, not a sparse matrix; send what its `.toarray()` gives."
        raise ValueError(say)  # noqa: TRY004 - as for any bad batch
    parts = X if isinstance(X, list | tuple) else [X]
    if any(isinstance(part, np.ma.MaskedArray) and np.ma.is_masked(part) for part in parts):
        raise ValueError(f"{complaint}, and none of them masked; fill them in, or leave those items out.")


def _plain(array: NDArray[Any]) -> Float64s:
    """Of the one kind that there is compiled code for: float64, C-contiguous, aligned, writable.

    A copy only where it must be; for another kind, all would be compiled anew while the item waits.
    """
    rows = np.ascontiguousarray(array, dtype=np.float64)
    return rows if rows.flags.carray else rows.copy()


def _all_finite(rows: Float64s) -> bool:
    if len(rows) == 1 and math.isfinite(math.hypot(*rows[0].tolist())):  # the quick way for one
        return True
    return bool(np.isfinite(rows).all())


def _no_number(x: Mapping[Hashable, Any], names: Sequence[Hashable]) -> str:
    for name in names:
        try:
            float(x[name])
            is_number = not isinstance(x[name], str | bytes)
        except (TypeError, ValueError, OverflowError):
            is_number = False
        if not is_number:
            return f"Feature {name!r} is {x[name]!r:.100}; send a number that a float64 can hold."
    return "Every feature must be a number."


def _others(x: Iterable[Hashable], names: Sequence[Hashable]) -> str:
    found = list(x)
    missing = ", ".join(repr(name) for name in names if name not in found)
    unknown = ", ".join(repr(name) for name in found if name not in names)
    parts = [f"{what}: {which}" for what, which in (("missing", missing), ("unknown", unknown)) if which]
    return f"Every item must have the {len(names)} features of the first one. {'; '.join(parts)}."
