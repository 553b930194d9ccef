"""The history of a stream, brought to as many bins as are wanted.

    chronicle: 512 equal runs, or rows of 1 s, 10 s, 5 min, 1 h ─► those that are asked for ─► neighbours made one

Bins lie at multiples of their width, counted from the beginning of the stream, or of 1970: so they stay where they are
while the stream goes on, and only the last one grows. Of times, the finest history that reaches far enough back is
taken. Bins without items are left out.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.clustering.chronicle import LEVELS
from service.records import Int64s


@dataclass(frozen=True, kw_only=True, slots=True)
class Bin:
    """A stretch of the stream; `to_seq` is the place behind its last item."""

    from_seq: int
    to_seq: int
    from_t: float
    to_t: float
    known: int
    cluster: int
    outlier: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeline:
    """Bins, oldest first; `unit`: places or seconds of the finest that were there to be joined."""

    unit: int
    bins: tuple[Bin, ...]


def by_items(
    history: Mapping[str, NDArray[Any]], *, seq: int, bins: int, start: float | None, stop: float | None
) -> Timeline:
    """Bins of equal runs of the stream.

    Args:
        history: As `Chronicle.state` gives it.
        seq: Where the stream stands.
        bins: Most bins, at least 2.
        start, stop: Places in the stream, None for all: bins that lie at least in part between them.
    """
    size, counts, times = int(history["size"][0]), history["counts"], history["times"]
    edges = np.arange(len(counts)) * size
    is_wanted = counts.any(axis=1)
    if start is not None:
        is_wanted &= edges + size > start
    if stop is not None:
        is_wanted &= edges < stop
    own = np.flatnonzero(is_wanted)
    width = _width(own, bins)
    return Timeline(
        unit=size,
        bins=tuple(
            Bin(
                from_seq=int(edges[rows[0]]),
                to_seq=min(seq, int(edges[rows[-1]]) + size),
                from_t=float(times[rows[0], 0]),
                to_t=float(times[rows[-1], 1]),
                **_sums(counts[rows]),
            )
            for rows in _grouped(own, own // width)
        ),
    )


def by_time(
    history: Mapping[str, NDArray[Any]], *, bins: int, start: float | None, stop: float | None
) -> Timeline:
    """Bins of equal time.

    Args:
        history: As `Chronicle.state` gives it.
        bins: Most bins, at least 2.
        start, stop: Seconds since 1970 (UTC), None for all: bins that lie at least in part between them.
    """
    unit, rows = _reaching(history, start)
    is_wanted = np.ones(len(rows), dtype=np.bool_)
    if start is not None:
        is_wanted &= (rows[:, 0] + 1) * unit > start
    if stop is not None:
        is_wanted &= rows[:, 0] * unit < stop
    rows = rows[is_wanted]
    width = _width(rows[:, 0], bins)
    return Timeline(
        unit=unit,
        bins=tuple(
            Bin(
                from_seq=int(rows[own[0], 1]),
                to_seq=int(rows[own[-1], 2]),
                from_t=float(int(rows[own[0], 0]) // width * width * unit),
                to_t=float((int(rows[own[0], 0]) // width + 1) * width * unit),
                **_sums(rows[own, 3:]),
            )
            for own in _grouped(np.arange(len(rows)), rows[:, 0] // width)
        ),
    )


def _reaching(history: Mapping[str, NDArray[Any]], start: float | None) -> tuple[int, Int64s]:
    """The finest level that has all there is from `start` on: width in seconds, and its rows."""
    for unit, most in LEVELS[:-1]:
        rows = history[f"rows.{unit}"]
        has_lost = len(rows) == most
        if not has_lost or (start is not None and rows[0, 0] * unit <= start):
            return unit, rows
    return LEVELS[-1][0], history[f"rows.{LEVELS[-1][0]}"]


def _width(places: Int64s, bins: int) -> int:
    """How many neighbours become one, so that there are at most so many bins, wherever the first of them begins."""
    if not len(places):
        return 1
    return max(1, math.ceil((int(places[-1]) - int(places[0])) / (bins - 1)))


def _grouped(rows: Int64s, keys: Int64s) -> list[Int64s]:
    """The rows of each key, in order."""
    if not len(rows):
        return []
    return np.split(rows, np.flatnonzero(np.diff(keys)) + 1)


def _sums(counts: Int64s) -> dict[str, int]:
    known, cluster, outlier = counts.sum(axis=0).tolist()
    return {"known": known, "cluster": cluster, "outlier": outlier}
