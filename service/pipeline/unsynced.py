"""How much of what was acknowledged a crash of Redis might take: in the tier `relaxed`, what came in the last moments.

Redis syncs its file every second there, and says nowhere how far it got. So this is a bound from above: the items of
the last WINDOW_S, which is what the tier promises no more than (`service.state.durability`). A step function of time is
kept coarsely: places in the stream no closer than GRAIN_S, so at most WINDOW_S / GRAIN_S + 2 of them.
"""

from collections import deque
from collections.abc import Callable

WINDOW_S = 2.0
"""What came before has been synced: once a second, and a sync that takes longer holds up writes after two."""

GRAIN_S = 0.1


class Unsynced:
    """Of one stream.

    Args:
        now: A clock that does not go back, in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._places: deque[tuple[float, int]] = deque()
        """When the stream still stood where, oldest first."""
        self._seq = 0

    def stands(self, seq: int) -> None:
        """The stream is acknowledged up to here."""
        now = self._now()
        if not self._places or now - self._places[-1][0] >= GRAIN_S:
            self._places.append((now, self._seq))
        self._seq = seq
        self._drop(now)

    def restored(self, seq: int) -> None:
        """The state was read from the store up to here."""
        self._places.clear()
        self._seq = seq

    @property
    def items(self) -> int:
        """How many at most are not synced."""
        self._drop(self._now())
        return self._seq - self._places[0][1] if self._places else 0

    def _drop(self, now: float) -> None:
        """What came at a place came within a grain after it."""
        while self._places and now - self._places[0][0] > WINDOW_S + GRAIN_S:
            self._places.popleft()
