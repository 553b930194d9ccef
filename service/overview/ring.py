"""The recent items of a stream as rows of one array: where they lie on the map, and what was said of them.

    | seq i8 | t f8 | x f4 | y f4 | kind u1 | of i4 | near i4 | distance f4 |      41 bytes an item

A ring: when it is full, the oldest rows make room (`lost_to` tells up to where). It begins small and doubles until it
has `room`. Rows come in order of the stream; one that is there already is not taken again, so that a log may be read
twice. x and y are NaN for an item whose features nobody kept.

No item is an object here: what is added and read are arrays.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

KNOWN, CLUSTER, OUTLIER = 0, 1, 2
"""Kinds, as `kind` has them."""

POINT = np.dtype(
    [
        ("seq", "<i8"),
        ("t", "<f8"),
        ("x", "<f4"),
        ("y", "<f4"),
        ("kind", "u1"),
        ("of", "<i4"),  # the class where it is known, the cluster where it is in one, else 0
        ("near", "<i4"),  # the nearest class
        ("distance", "<f4"),  # to it, in standard deviations
    ]
)
"""One row."""

Points = NDArray[np.void]
"""POINT (n,)."""

ROOM = 50_000
"""Rows that a stream has room for: 2 MB."""

_SMALLEST = 1024


class Ring:
    """The last `room` items; 0 keeps none."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.clear()

    def clear(self) -> None:
        """Forget all of it, and what is lost."""
        self._rows = np.zeros(min(self.room, _SMALLEST), dtype=POINT)
        self._added = 0  # ever; the next goes to row `_added % len(_rows)`
        self._kept = 0
        self.next_seq = 0
        self.lost_to = 0

    def __len__(self) -> int:
        return self._kept

    def add(self, points: Points) -> None:
        """Rows that follow, their seqs rising; those below `next_seq` are there already."""
        points = points[points["seq"] >= self.next_seq]
        if not len(points) or not self.room:
            return
        self.next_seq = int(points["seq"][-1]) + 1
        if len(points) > self.room:
            self.lost_to = int(points["seq"][-self.room - 1]) + 1
            points = points[-self.room :]
        self._grow(self._kept + len(points))
        gone = self._kept + len(points) - len(self._rows)
        if gone > 0:
            last = (self._added - self._kept + gone - 1) % len(self._rows)
            self.lost_to = max(self.lost_to, int(self._rows["seq"][last]) + 1)
            self._kept -= gone
        at = self._added % len(self._rows)
        head = min(len(points), len(self._rows) - at)
        self._rows[at : at + head] = points[:head]
        self._rows[: len(points) - head] = points[head:]
        self._added += len(points)
        self._kept += len(points)

    def _grow(self, wanted: int) -> None:
        if wanted <= len(self._rows) or len(self._rows) == self.room:
            return
        size = len(self._rows)
        while size < min(wanted, self.room):
            size = min(2 * size, self.room)
        rows: NDArray[Any] = np.zeros(size, dtype=POINT)
        rows[: self._kept] = self.all()
        self._rows, self._added = rows, self._kept

    def all(self) -> Points:
        """A copy of what there is, in order."""
        size = len(self._rows)
        if not self._kept:
            return np.zeros(0, dtype=POINT)
        start = (self._added - self._kept) % size
        if start + self._kept <= size:
            return self._rows[start : start + self._kept].copy()
        return np.concatenate([self._rows[start:], self._rows[: start + self._kept - size]])

    def since(self, seq: int) -> Points:
        """A copy of the rows from place `seq` of the stream on, in order."""
        rows = self.all()
        return rows[int(np.searchsorted(rows["seq"], seq)) :]
