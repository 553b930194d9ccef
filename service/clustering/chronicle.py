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
from collections.abc import Iterator, Mapping, Sequence
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
_BIN, _FROM, _TO, _COUNTS, _WIDTH = 0, 1, 2, slice(3, 6), 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """Something happened to a cluster; `other_id` as in `ClusterEvent`."""

    kind: EventKind
    seq: int
    t: float
    cluster_id: int
    other_id: int | None


class Runs:
    """By items: `size` places a run. The run in hand is a list until another begins, which is quick to add to."""

    def __init__(self) -> None:
        self.size = FIRST_RUN
        self._counts: Int64s = np.zeros((RUNS, len(KINDS)), dtype=np.int64)
        self._times: Float64s = np.full((RUNS, 2), np.nan)
        self._run = 0
        self._own = [0] * len(KINDS)
        self._first_t = self._last_t = math.nan

    def add(self, seq: int, counts: Sequence[int], first_t: float, last_t: float) -> None:
        """Count items of one run that begin at place `seq`."""
        if seq >= self.size * RUNS:
            self._double(seq)
        run = seq // self.size
        if run != self._run:
            self._put()
            self._take(run)
        own = self._own
        for n, items in enumerate(counts):
            own[n] += items
        if self._first_t != self._first_t:  # NaN: the first of its run
            self._first_t = first_t
        self._last_t = last_t

    def _double(self, seq: int) -> None:
        self._put()
        counts, times, half = self._counts, self._times, RUNS // 2
        while seq >= self.size * RUNS:
            counts[:half] = counts[0::2] + counts[1::2]
            times[:half, 0] = np.fmin(times[0::2, 0], times[1::2, 0])
            times[:half, 1] = np.fmax(times[0::2, 1], times[1::2, 1])
            counts[half:], times[half:] = 0, np.nan
            self.size *= 2
        self._take(seq // self.size)

    def _put(self) -> None:
        self._counts[self._run] = self._own
        self._times[self._run] = self._first_t, self._last_t

    def _take(self, run: int) -> None:
        self._run = run
        self._own = self._counts[run].tolist()
        self._first_t, self._last_t = self._times[run].tolist()

    def state(self) -> tuple[Int64s, Float64s]:
        """int64 (n, 3) counts and float64 (n, 2) first and last times, NaN where there was no item; n <= 512."""
        self._put()
        used = int(np.flatnonzero(self._counts.any(axis=1)).max(initial=-1)) + 1
        return self._counts[:used].copy(), self._times[:used].copy()

    def restore(self, size: int, counts: Int64s, times: Float64s) -> None:
        """Have these."""
        self.size = size
        self._counts[: len(counts)], self._times[: len(times)] = counts, times
        self._take(max(0, len(counts) - 1))


class Bins:
    """By time at one width: rows (bin number, first seq, seq behind the last, known, cluster, outlier), int64."""

    def __init__(self, width_s: int, most: int) -> None:
        self.width_s = width_s
        self.most = most
        self._rows: Int64s = np.zeros((2 * most, _WIDTH), dtype=np.int64)
        self._count = 0
        self._last = [-1, 0, 0, 0, 0, 0]  # the row in hand; it goes where `_count - 1` says

    def add(self, place: int, first_seq: int, to_seq: int, counts: Sequence[int]) -> None:
        """Count items of one bin, no earlier than the last."""
        if not self._count or self._last[0] != place:
            self._begin(place, first_seq)
        last = self._last
        last[2] = to_seq
        for n, items in enumerate(counts, 3):
            last[n] += items

    def _begin(self, place: int, first_seq: int) -> None:
        if self._count:
            self._rows[self._count - 1] = self._last
        if self._count == len(self._rows):
            self._rows[: self.most] = self._rows[self.most :]
            self._count = self.most
        self._count += 1
        self._last = [place, first_seq, 0, 0, 0, 0]

    def state(self) -> Int64s:
        """int64 (n, 6), n <= most, oldest first."""
        if self._count:
            self._rows[self._count - 1] = self._last
        return self._rows[max(0, self._count - self.most) : self._count].copy()

    def restore(self, rows: Int64s) -> None:
        """Have these."""
        self._count = len(rows)
        self._rows[: len(rows)] = rows
        if len(rows):
            self._last = rows[-1].tolist()


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
        now = max(float(t[0]), self.latest_t)
        if float(t.max()) <= now:  # so all of them count at one time
            self.latest_t = now
            whole = [0] * len(KINDS)
            for start, stop in self._pieces_of_runs(first_seq, B):
                own = kinds[start:stop]
                counts = [own.count(kind) for kind in KINDS]
                self.runs.add(first_seq + start, counts, now, now)
                whole = [a + b for a, b in zip(whole, counts, strict=True)]
            for level in self.levels:
                level.add(int(now // level.width_s), first_seq, first_seq + B, whole)
            return
        times, upto = np.maximum.accumulate(np.maximum(t, now)), _upto(kinds)
        self.latest_t = float(times[-1])
        for start, stop in self._pieces_of_runs(first_seq, B):
            counts = (upto[stop] - upto[start]).tolist()
            self.runs.add(first_seq + start, counts, float(times[start]), float(times[stop - 1]))
        for level in self.levels:
            for place, start, stop in _pieces(np.floor_divide(times, level.width_s).astype(np.int64)):
                level.add(place, first_seq + start, first_seq + stop, (upto[stop] - upto[start]).tolist())

    def _pieces_of_runs(self, first_seq: int, count: int) -> Iterator[tuple[int, int]]:
        """(start, stop) of what lies in one run each; runs may grow in between."""
        at = 0
        while at < count:
            stop = min(count, at + self.runs.size - (first_seq + at) % self.runs.size)
            yield at, stop
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
        """The histories as arrays, copies; the marks go beside them."""
        counts, times = self.runs.state()
        return {
            "size": np.array([self.runs.size], dtype=np.int64),
            "counts": counts,
            "times": times,
            "latest": np.array([self.latest_t]),
            **{f"rows.{level.width_s}": level.state() for level in self.levels},
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
        self.runs.restore(int(arrays["size"][0]), arrays["counts"], arrays["times"])
        self.latest_t = float(arrays["latest"][0])
        for level in self.levels:
            level.restore(arrays[f"rows.{level.width_s}"])
        self.marks = list(marks)


def _upto(kinds: Sequence[VerdictKind]) -> Int64s:
    """int64 (B + 1, 3): how many of each kind there are before each place."""
    places = {kind: n for n, kind in enumerate(KINDS)}
    table = np.zeros((len(kinds) + 1, len(KINDS)), dtype=np.int64)
    table[np.arange(1, len(kinds) + 1), [places[kind] for kind in kinds]] = 1
    upto: Int64s = table.cumsum(axis=0)
    return upto


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
        demand(
            rows.dtype == np.int64 and rows.ndim == 2 and rows.shape[1] == _WIDTH and len(rows) <= most, what
        )
        demand(bool((np.diff(rows[:, _BIN]) > 0).all()), what)
        demand(bool((rows[:, _FROM] >= 0).all() and (rows[:, _TO] > rows[:, _FROM]).all()), what)
        demand(bool((rows[1:, _FROM] >= rows[:-1, _TO]).all() and (rows[:, _TO] <= seq).all()), what)
        held = rows[:, _COUNTS]
        demand(bool((held >= 0).all() and (held.sum(axis=1) <= rows[:, _TO] - rows[:, _FROM]).all()), what)
    demand(len(marks) <= MOST_MARKS, what)
    demand(
        all(0 <= mark.seq <= seq and math.isfinite(mark.t) and mark.cluster_id > 0 for mark in marks), what
    )
