"""When the items of a cluster came: how many in each of the latest spans of the stream.

    span    SPAN places of the stream in a row; span n holds the places n SPAN to (n + 1) SPAN - 1
    counts  items in the latest spans up to that of the latest item; at most MOST_SPANS, older ones are forgotten

From these follow the two figures an operator asks for first, and the line that is drawn beside a cluster's name:

    rate    items per 1,000 items of the stream, over the latest RATE_SPANS spans, or since its birth
    growth  items in the newer half of the time that is remembered, over those in the older half
"""

from collections import Counter
from collections.abc import Sequence

import msgspec

SPAN = 250
"""Places of the stream in a span."""

MOST_SPANS = 32

RATE_SPANS = 4


class Arrivals(msgspec.Struct):
    """Of one cluster. Owned and changed by the engine alone. `first` is the number of the span of `counts[0]`."""

    first: int = 0
    counts: list[int] = []

    def add(self, seq: int, items: int = 1) -> None:
        """So many items came in the span of `seq`; in one that is forgotten already they do not count."""
        span = seq // SPAN
        if not self.counts:
            self.first = span
        if span < self.first:
            missing = min(self.first - span, MOST_SPANS - len(self.counts))
            self.counts[:0] = [0] * missing
            self.first -= missing
        if span - self.first >= len(self.counts) + MOST_SPANS:  # of what is counted nothing would be left
            self.first, self.counts = span - MOST_SPANS + 1, [0] * MOST_SPANS
        if span >= self.first:
            self.counts += [0] * (span - self.first + 1 - len(self.counts))
            self.counts[span - self.first] += items
            late = max(0, len(self.counts) - MOST_SPANS)
            self.first += late
            del self.counts[:late]

    def take_in(self, other: "Arrivals") -> None:
        """Those of another cluster, too."""
        for n, items in enumerate(other.counts):
            if items:
                self.add((other.first + n) * SPAN, items)

    def part(self, own: Sequence[int], others: Sequence[int]) -> "Arrivals":
        """Let a part of the cluster have its own, which are returned: of each span the share of its members.

        Args:
            own: Places in the stream of those of its members that are remembered.
            others: Of those that stay.
        """
        gone = Arrivals(first=self.first, counts=[0] * len(self.counts))
        mine, theirs = (Counter(seq // SPAN for seq in seqs) for seqs in (own, others))
        for n, items in enumerate(self.counts):
            leave, stay = mine[self.first + n], theirs[self.first + n]
            if not leave + stay:  # of this span nobody is remembered
                leave, stay = len(own), len(others)
            gone.counts[n] = items * leave // max(1, leave + stay)
            self.counts[n] -= gone.counts[n]
        return gone

    def until(self, seq: int, *, since: int) -> list[int]:
        """Counts of the latest MOST_SPANS spans, oldest first, the last one being that of the place before `seq`.

        Args:
            seq: Where the stream stands.
            since: The cluster's birth; no span before it is shown.
        """
        last = max(0, seq - 1) // SPAN
        first = max(0, min(since // SPAN, last), last - MOST_SPANS + 1)
        return [self._of(span) for span in range(first, last + 1)]

    def _of(self, span: int) -> int:
        at = span - self.first
        return self.counts[at] if 0 <= at < len(self.counts) else 0


def rate(counts: list[int], seq: int, *, since: int) -> float:
    """Items per 1,000 items of the stream, of late. `counts` are of `Arrivals.until` with the same arguments."""
    first = max(since, (max(0, seq - 1) // SPAN - min(RATE_SPANS, len(counts)) + 1) * SPAN)
    return round(1000.0 * sum(counts[-RATE_SPANS:]) / max(1, seq - first), 6)


def growth(counts: list[int]) -> float | None:
    """Items in the newer half of the spans over those in the older; None where there is nothing to compare."""
    half = len(counts) // 2
    older, newer = sum(counts[:half]), sum(counts[len(counts) - half :])
    return round(newer / older, 6) if older else None
