"""Dismissed clusters: nobody wants to hear of one, until it comes so much faster, or until a date.

    rate     items of the cluster among the latest SPAN to two times as many items of the stream
    until    the rate is so many times what it was as the cluster was dismissed; or an item comes at a date or later

An item that does not come tells nothing, so it is asked with the items of the cluster alone. Whole numbers are compared
with a product of one float, so that a replay says the same on any processor.
"""

import msgspec

SPAN = 1_000
"""Items of the stream; a rate is taken over the latest one to two times as many."""

FEWEST = 5
"""Items that a rate is reckoned with at least: two items instead of one are no escalation."""


class Pace(msgspec.Struct):
    """How many items a cluster had of late. Owned by the cluster's life.

    `start` is where the stretch of SPAN items began that is counted in `now`; `before` is the stretch before that.
    """

    start: int = 0
    before: int = 0
    now: int = 0

    def count(self, seq: int) -> None:
        """The item at `seq` is one of it."""
        self._move_on(seq)
        self.now += 1

    def rate(self, seq: int) -> tuple[int, int]:
        """Items of it, and items of the stream among which they are, as of `seq`."""
        self._move_on(seq)
        return self.before + self.now, SPAN + seq - self.start

    def _move_on(self, seq: int) -> None:
        passed = (seq - self.start) // SPAN
        if passed > 0:
            self.before, self.now = (self.now if passed == 1 else 0), 0
            self.start += passed * SPAN


class Dismissal(msgspec.Struct, frozen=True):
    """Until when a cluster is dismissed, and its rate as it was: so many `items` among so many `of` the stream."""

    items: int
    of: int
    until_rate: float | None = None
    until_t: float | None = None

    def is_over(self, pace: Pace, seq: int, t: float) -> bool:
        """Whether the item of the cluster at `seq`, counted in `pace`, at time t, ends it."""
        if self.until_t is not None and t >= self.until_t:
            return True
        if self.until_rate is None:
            return False
        items, of = pace.rate(seq)
        return items >= FEWEST and items * self.of >= self.until_rate * max(self.items, 1) * of
