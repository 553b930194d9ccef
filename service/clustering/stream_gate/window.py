"""The latest WINDOW items of the stream, as a ring of arrays.

    features  float16 (WINDOW, F)   see features.py
    cores     int32   (WINDOW,)     class in whose core the item lies, -1 for none
    births    int64   (WINDOW,)     birth of the micro-cluster it went to, 0 for an item of a known class

Of its items a cluster is told later, by the births: clusters come, join and part, micro-clusters keep their numbers.
It is state, 2 F + 12 bytes an item.
"""

from dataclasses import dataclass

import numpy as np

from service.clustering.stream_gate import constants
from service.records import Float16s, Int32s, Int64s


@dataclass(frozen=True, kw_only=True, slots=True)
class Recent:
    """Copies of the window's items, oldest first: float16 (n, F), int32 (n,), int64 (n,)."""

    features: Float16s
    cores: Int32s
    births: Int64s


class Window:
    """The ring; mutable, owned by the stream gate.

    Args:
        dim: F.
    """

    def __init__(self, dim: int) -> None:
        size = constants.WINDOW
        self._features = np.zeros((size, dim), dtype=np.float16)
        self._cores = np.full(size, -1, dtype=np.int32)
        self._births = np.zeros(size, dtype=np.int64)
        self._at = 0
        self._held = 0

    def __len__(self) -> int:
        return self._held

    def take(self, features: Float16s, cores: Int32s, births: Int64s) -> None:
        """Take items in; the oldest leave.

        Args:
            features: float16 (B, F).
            cores: int32 (B,).
            births: int64 (B,).
        """
        size = len(self._cores)
        for start in range(0, len(cores), size):
            rows = slice(start, start + size)
            n = len(cores[rows])
            places = (self._at + np.arange(n)) % size
            self._features[places] = features[rows]
            self._cores[places] = cores[rows]
            self._births[places] = births[rows]
            self._at = (self._at + n) % size
            self._held = min(size, self._held + n)

    def recent(self) -> Recent:
        """What is in it."""
        order = self._order()
        return Recent(features=self._features[order], cores=self._cores[order], births=self._births[order])

    def share_of(self, births: Int64s) -> float:
        """Of its items, those that went to micro-clusters of these births and lie in no core; 0 of none."""
        order = self._order()
        is_its = np.isin(self._births[order], births) & (self._cores[order] < 0)
        return float(is_its.sum()) / max(1, self._held)

    def _order(self) -> Int64s:
        return (self._at - self._held + np.arange(self._held)) % len(self._cores)

    def fill(self, recent: Recent) -> None:
        """Take these in place of what is in it; at most WINDOW."""
        self._held = self._at = 0
        self.take(recent.features, recent.cores, recent.births)
