"""Dismissed clusters: nobody wants to hear of one, until it comes so much faster, or until a date.

    rate     its items among the latest items of the stream, as `arrivals.py` counts them
    until    the rate is so many times what it was as the cluster was dismissed; or an item comes at a date or later

An item that does not come tells nothing, so it is asked with the items of the cluster alone. Whole numbers are compared
with a product of one float, so that a replay says the same on any processor.
"""

import msgspec

from service.clustering.arrivals import RATE_SPANS, SPAN, Arrivals

FEWEST = 5
"""Items below which nothing escalates: two instead of one are no flood."""


class Dismissal(msgspec.Struct, frozen=True):
    """Until when a cluster is dismissed, and its rate as it was: so many `items` among so many `of` the stream."""

    items: int
    of: int
    until_rate: float | None = None
    until_t: float | None = None

    def is_over(self, arrivals: Arrivals, seq: int, t: float, *, since: int) -> bool:
        """Whether the item of the cluster before `seq`, counted in `arrivals`, at time t, ends it.

        Args:
            arrivals: The cluster's.
            seq: Where the stream stands.
            t: Of the item.
            since: The cluster's birth.
        """
        if self.until_t is not None and t >= self.until_t:
            return True
        if self.until_rate is None:
            return False
        items, of = recent(arrivals, seq, since=since)
        return items >= FEWEST and items * self.of >= self.until_rate * max(self.items, 1) * of


def recent(arrivals: Arrivals, seq: int, *, since: int) -> tuple[int, int]:
    """Items of a cluster, and the items of the stream among which they are; arguments as of `is_over`."""
    counts = arrivals.until(seq, since=since)[-RATE_SPANS:]
    first = max(since, (max(0, seq - 1) // SPAN - len(counts) + 1) * SPAN)
    return sum(counts), max(1, seq - first)
