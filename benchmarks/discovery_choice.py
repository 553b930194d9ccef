"""A peer's settings, chosen on design streams: the point of its grid with the best macro-F1 there.

The figure is the one that everybody is judged by, and the streams are of splits that are not reported, so this is what
a careful user could do who has labels of new classes, which nobody has in practice. Time is bounded: a stream that
takes a peer longer than the limit ends, and the point is out; when all points are, the peer has no figures, and the
table says "too slow". The limit is for so many items, in proportion for a stream of fewer. A chosen peer gets three
times as long on reported streams: these may have more in them, and some peers take the longer for an item the more
came before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from benchmarks.discovery_cells import Cell
from benchmarks.discovery_entries import Entry, Settings
from benchmarks.discovery_peers import BLOCK, Steps, TooSlow
from service.evaluation.labelled_stream import Stream
from service.evaluation.replay import Steps as Replayable
from service.evaluation.replay import answered
from service.scoring.answers import Answers
from service.scoring.matching import macro_f1

LENGTH = 4_000
"""Items of a design stream, at most. A grid has up to 24 points, and six peers have one: with the 10,000 of a reported
stream the choice would take longer than everything that is reported. The new classes come at 20 % and at 50 % of it all
the same, and have 300 and 200 items at 10 % each: several times what any peer takes to announce one."""
ITEMS = 10_000
"""What a time limit is for."""
PATIENCE = 3.0
BATCH = 4 * BLOCK
"""Items a step: whole blocks. MINAS forgets when a block ends at a multiple of its window, and only then."""


@dataclass(frozen=True, kw_only=True)
class Design:
    """A design stream and its cell."""

    cell: Cell
    stream: Stream


def answers_of(engine: Replayable, cell: Cell, stream: Stream) -> Answers:
    """Send a stream of a cell's pool, and read what was said; unseen are the classes that arrive.

    Raises:
        TooSlow: The peer's time was up.
    """
    arriving = tuple(arrival.label for arrival in stream.schedule.arrivals if arrival.label is not None)
    return answered(engine, stream, cell.z_pool[stream.rows], unseen=arriving, batch=BATCH)


def time_for(stream: Stream, limit_s: float) -> float:
    """Seconds that a peer may take for a stream, where it may take `limit_s` for ITEMS items."""
    return limit_s * len(stream) / ITEMS


def choose(entry: Entry, designs: Sequence[Design], *, limit_s: float) -> Settings | None:
    """The best point of a grid, or None when every one took too long.

    Args:
        entry: Whose.
        designs: Streams to choose on; the mean over them counts.
        limit_s: Longest time for ITEMS items; in proportion for a stream.
    """
    done: list[tuple[float, Settings]] = []
    for settings in entry.settings():
        try:
            found = [
                macro_f1(
                    answers_of(
                        Steps(d.cell, entry.make(d.cell, settings), limit_s=time_for(d.stream, limit_s)),
                        d.cell,
                        d.stream,
                    )
                ).all
                for d in designs
            ]
        except TooSlow:
            continue
        done.append((fmean(f1 or 0.0 for f1 in found), settings))
    return max(done, key=lambda one: one[0])[1] if done else None
