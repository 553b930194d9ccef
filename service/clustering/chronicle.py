"""How many items of each kind there were, over the stream and over time; and what became of clusters.

Two histories, each bounded and each a table of whole numbers, a row a bin: known, cluster, outlier.

    by items   512 bins of equal runs of the stream, from its beginning. When they are full, each two become one and
               runs are twice as long: 16 places at first. So a stream of 4,096 items and more has 256 to 512 bins
    by time    bins of 1 s (600 of them), 10 s (720), 5 min (576) and 1 h (1440); a bin without items takes no row, the
               oldest rows leave. So a stream that rests keeps its fine history

The time is the one the log has. A clock that goes back does not: an item counts at the latest time there was.
And the latest 256 events (`Mark`).

It is part of the engine's state because nothing else keeps it: the log is cut, and counts are no use with a gap. All
numbers are whole, so what is learnt in one batch or in many is the same to the bit.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.clustering.state_check import demand
from service.events import ClusterEvent, EventKind
from service.records import Float64s, Int64s, VerdictKind

KINDS = (VerdictKind.KNOWN, VerdictKind.CLUSTER, VerdictKind.OUTLIER)
"""The columns of counts, in order."""

RUNS = 512
FIRST_RUN = 16
LEVELS = ((1, 600), (10, 720), (300, 576), (3600, 1440))
"""Width in seconds, and most rows."""

MOST_MARKS = 256

_HUGE = 2**62
_FURTHEST_T = 1e15
_BIN, _FROM, _TO, _COUNTS = 0, 1, 2, slice(3, 6)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """Something happened to a cluster; `other_id` as in `ClusterEvent`."""

    kind: EventKind
    seq: int
    t: float
    cluster_id: int
    other_id: int | None


class Runs:
    """By items: int64 (512, 3) counts and float64 (512, 2) first and last times (NaN: no item), `size` places each."""

    def __init__(self) -> None:
        self.size = FIRST_RUN
        self.counts: Int64s = np.zeros((RUNS, len(KINDS)), dtype=np.int64)
        self.times: Float64s = np.full((RUNS, 2), np.nan)

    def reach(self, seq: int) -> None:
        """Have a bin for place `seq`."""
        while seq >= self.size * RUNS:
            half = RUNS // 2
            self.counts[:half] = self.counts[0::2] + self.counts[1::2]
            self.times[:half, 0] = np.fmin(self.times[0::2, 0], self.times[1::2, 0])
            self.times[:half, 1] = np.fmax(self.times[0::2, 1], self.times[1::2, 1])
            self.counts[half:], self.times[half:] = 0, np.nan
            self.size *= 2

    def add(self, run: int, counts: Sequence[int], first_t: float, last_t: float) -> None:
        """Count items of one bin."""
        self.counts[run] += counts
        if math.isnan(self.times[run, 0]):
            self.times[run, 0] = first_t
        self.times[run, 1] = last_t


class Bins:
    """By time at one width: rows (bin number, first seq, seq behind the last, known, cluster, outlier), int64."""

    def __init__(self, width_s: int, most: int) -> None:
        self.width_s = width_s
        self.most = most
        self._rows: Int64s = np.zeros((2 * most, 6), dtype=np.int64)
        self._count = 0

    @property
    def rows(self) -> Int64s:
        """int64 (n, 6), n <= most, oldest first."""
        return self._rows[max(0, self._count - self.most) : self._count]

    def restore(self, rows: Int64s) -> None:
        """Have these rows."""
        self._count = len(rows)
        self._rows[: len(rows)] = rows

    def add(self, place: int, first_seq: int, to_seq: int, counts: Sequence[int]) -> None:
        """Count items of one bin, no earlier than the last."""
        if not self._count or self._rows[self._count - 1, _BIN] != place:
            if self._count == len(self._rows):
                self._rows[: self.most] = self._rows[self.most :]
                self._count = self.most
            self._rows[self._count] = (place, first_seq, to_seq, 0, 0, 0)
            self._count += 1
        row = self._rows[self._count - 1]
        row[_TO] = to_seq
        row[_COUNTS] += counts


class Chronicle:
    """Both histories and the marks of one stream; mutable, owned by the engine."""

    def __init__(self) -> None:
        self.runs = Runs()
        self.levels = [Bins(width_s, most) for width_s, most in LEVELS]
        self.marks: list[Mark] = []
        self.latest_t = -math.inf

    def count(self, first_seq: int, t: Float64s, kinds: Sequence[VerdictKind]) -> None:
        """Count items that follow each other.

        Args:
            first_seq: Place of the first.
            t: float64 (B,) seconds since 1970 (UTC).
            kinds: B, what each was said to be.
        """
        B = len(kinds)
        if not B:
            return
        t = np.maximum.accumulate(np.maximum(t, self.latest_t))
        self.latest_t = float(t[-1])
        is_one_time = t[0] == t[-1]
        # Where there are few pieces, no table is needed.
        is_short = B == 1 or (is_one_time and self.runs.size >= B)
        counted = _Listed(kinds) if is_short else _Tabled(kinds)
        self._by_items(first_seq, t, counted)
        if is_one_time:
            counts = counted.between(0, B)
            for level in self.levels:
                level.add(int(self.latest_t // level.width_s), first_seq, first_seq + B, counts)
            return
        for level in self.levels:
            for place, start, stop in _pieces(np.floor_divide(t, level.width_s).astype(np.int64)):
                level.add(place, first_seq + start, first_seq + stop, counted.between(start, stop))

    def _by_items(self, first_seq: int, t: Float64s, counted: "_Listed | _Tabled") -> None:
        self.runs.reach(first_seq + len(t) - 1)
        at, end, size = 0, len(t), self.runs.size
        while at < end:
            run = (first_seq + at) // size
            stop = min(end, (run + 1) * size - first_seq)
            self.runs.add(run, counted.between(at, stop), float(t[at]), float(t[stop - 1]))
            at = stop

    def told(self, event: ClusterEvent) -> ClusterEvent:
        """The event, remembered; the oldest of more than 256 is forgotten."""
        mark = Mark(
            kind=event.kind, seq=event.seq, t=event.t, cluster_id=event.cluster.id, other_id=event.other_id
        )
        self.marks = [*self.marks, mark][-MOST_MARKS:]
        return event

    # As stored

    def state(self) -> dict[str, NDArray[Any]]:
        """The histories as arrays; the marks go beside them."""
        used = int(np.flatnonzero(self.runs.counts.any(axis=1)).max(initial=-1)) + 1
        return {
            "size": np.array([self.runs.size], dtype=np.int64),
            "counts": self.runs.counts[:used].copy(),
            "times": self.runs.times[:used].copy(),
            "latest": np.array([self.latest_t]),
            **{f"rows.{level.width_s}": level.rows.copy() for level in self.levels},
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]], marks: Sequence[Mark], *, seq: int) -> None:
        """Take a stored state.

        Args:
            arrays: As `state` gave them.
            marks: Those there were.
            seq: Where the stream stood.

        Raises:
            SnapshotUnreadable: It cannot be one.
        """
        _check(arrays, marks, seq=seq)
        self.runs.size = int(arrays["size"][0])
        used = len(arrays["counts"])
        self.runs.counts[:used], self.runs.times[:used] = arrays["counts"], arrays["times"]
        self.latest_t = float(arrays["latest"][0])
        for level in self.levels:
            level.restore(arrays[f"rows.{level.width_s}"])
        self.marks = list(marks)


class _Listed:
    """Counts of a stretch of a short list."""

    def __init__(self, kinds: Sequence[VerdictKind]) -> None:
        self._kinds = kinds

    def between(self, start: int, stop: int) -> Sequence[int]:
        own = self._kinds[start:stop]
        return [own.count(kind) for kind in KINDS]


class _Tabled:
    """The same of a long one, by sums up to each place."""

    def __init__(self, kinds: Sequence[VerdictKind]) -> None:
        places = {kind: n for n, kind in enumerate(KINDS)}
        table = np.zeros((len(kinds) + 1, len(KINDS)), dtype=np.int64)
        table[np.arange(1, len(kinds) + 1), [places[kind] for kind in kinds]] = 1
        self._upto = table.cumsum(axis=0)

    def between(self, start: int, stop: int) -> Sequence[int]:
        counts: list[int] = (self._upto[stop] - self._upto[start]).tolist()
        return counts


def _pieces(bins: Int64s) -> list[tuple[int, int, int]]:
    """(bin, start, stop) of each stretch of one bin."""
    cuts = [0, *(np.flatnonzero(np.diff(bins)) + 1).tolist(), len(bins)]
    return [(int(bins[a]), a, b) for a, b in itertools.pairwise(cuts)]


def _check(arrays: Mapping[str, NDArray[Any]], marks: Sequence[Mark], *, seq: int) -> None:
    what = "the history of the stream"
    names = {"size", "counts", "times", "latest", *(f"rows.{width}" for width, _ in LEVELS)}
    demand(arrays.keys() == names, what)
    size, counts, times, latest = (arrays[name] for name in ("size", "counts", "times", "latest"))
    demand(size.dtype == np.int64 and size.shape == (1,), what)
    demand(int(size[0]) in {FIRST_RUN << n for n in range(50)}, what)
    n = len(counts)
    demand(counts.dtype == np.int64 and counts.shape == (n, len(KINDS)) and n <= RUNS, what)
    demand(times.dtype == np.float64 and times.shape == (n, 2), what)
    demand(bool((counts >= 0).all()) and bool((counts.sum(axis=1) <= size[0]).all()), what)
    demand((n - 1) * int(size[0]) <= seq and int(counts.sum()) <= seq, what)
    demand(bool((np.abs(times[~np.isnan(times)]) < _FURTHEST_T).all()), what)
    demand(latest.dtype == np.float64 and latest.shape == (1,) and not math.isnan(latest[0]), what)
    for width, most in LEVELS:
        rows = arrays[f"rows.{width}"]
        demand(rows.dtype == np.int64 and rows.ndim == 2 and rows.shape[1] == 6 and len(rows) <= most, what)
        demand(bool((np.diff(rows[:, _BIN]) > 0).all()), what)
        demand(bool((rows[:, _FROM] >= 0).all() and (rows[:, _TO] > rows[:, _FROM]).all()), what)
        demand(bool((rows[1:, _FROM] >= rows[:-1, _TO]).all() and (rows[:, _TO] <= seq).all()), what)
        held = rows[:, _COUNTS]
        demand(bool((held >= 0).all() and (held.sum(axis=1) <= rows[:, _TO] - rows[:, _FROM]).all()), what)
    demand(len(marks) <= MOST_MARKS, what)
    demand(
        all(0 <= mark.seq <= seq and math.isfinite(mark.t) and mark.cluster_id > 0 for mark in marks), what
    )
