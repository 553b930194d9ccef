"""How much a client of /stream may send: a window of unanswered items that follows how fast they are answered.

A window as large for a slow engine as for a fast one is a queue of many seconds. Little's law (Little 1961) gives the
right one: what waits is the rate times the wait, so items that had `in_front` items before them (themselves included)
and waited `wait_s` were taken at in_front / wait_s a second, and a window of

    window = in_front / wait_s * delay_s, not below `least`, not above `most`

makes the wait `delay_s`. That needs no clock of its own, no average and no probing. It is right as well for a client
that sends little: while the wait is shorter than `delay_s`, the window is larger than what was in use, by their ratio,
so a burst finds room. With several clients each has the window of its share, and they add up to one of `delay_s`.

A window starts at `least` and is `most` after one answer of a fast engine. It can shrink, but what was granted is never
taken back: a client may have used it already. So `limit`, the position up to which it may send, only grows:

    limit = max(limit, durable + window)          credits = limit - accepted

`least` is what keeps a stream moving: with nothing unanswered the credits are at least that, whatever was measured, so
a client whose frames have no more items than `least` can always send the next one in the end.

References:
    J. D. C. Little (1961). A proof for the queuing formula L = λW. Operations Research 9(3).
"""

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """What bounds a window.

    Attributes:
        least: It is never smaller, in items.
        most: It is never larger, and holds at least `least`.
        delay_s: How long an item should wait at most.
    """

    least: int
    most: int
    delay_s: float

    def __post_init__(self) -> None:
        assert 1 <= self.least <= self.most
        assert self.delay_s > 0

    def after(self, *, in_front: int, wait_s: float) -> int:
        """The window, now that an item behind `in_front - 1` others was answered after `wait_s`."""
        if in_front * self.delay_s >= self.most * wait_s:  # also when no time has passed
            return self.most
        return max(self.least, int(in_front / wait_s * self.delay_s))


@dataclass(frozen=True, slots=True)
class _Mark:
    """A frame that waits: where it ends, when it came, how many items were unanswered with it."""

    end: int
    at: float
    in_front: int


class Credits:
    """The arithmetic of one connection. Holds one mark a frame that waits, so no more than a window has items."""

    def __init__(self, window: Window) -> None:
        self._bounds = window
        self._marks: deque[_Mark] = deque()
        self.window = window.least
        self.accepted = 0
        self.durable = 0
        self.limit = self.window

    @property
    def left(self) -> int:
        """How many items may be sent now."""
        return self.limit - self.accepted

    def received(self, n: int, now: float, *, waits: bool) -> None:
        """The client sent `n` items, within its credit; `waits`: the last of them, or one before, was queued."""
        assert n <= self.left
        self.accepted += n
        if waits:
            self._marks.append(_Mark(self.accepted, now, self.accepted - self.durable))

    def answered(self, durable: int, now: float) -> None:
        """All items before position `durable` are answered."""
        assert self.durable <= durable <= self.accepted
        self.durable = durable
        mark = None
        while self._marks and self._marks[0].end <= durable:
            mark = self._marks.popleft()
        if mark is not None:
            self.window = self._bounds.after(in_front=mark.in_front, wait_s=now - mark.at)
        self.limit = max(self.limit, durable + self.window)
