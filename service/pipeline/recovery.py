"""Replay: an entry of the log makes the step again that it recorded.

The log holds what the engine was given and what it answered, so a replay that answers otherwise is noticed at the
very entry, and nothing is served on top of a state that cannot be trusted.

The log says how the stream was cut into batches, and the engine does not care: entries that follow each other are
joined and learnt at once (`unpack_entries`), which is what makes a replay of single items as fast as one of batches.
Where a joined batch does not fit, its entries are gone through one by one, so that what is reported has its place.
"""

from collections.abc import Callable, Sequence

import numpy as np

from service.clustering.curation import Curation
from service.clustering.engine import Engine
from service.clustering.params import EngineParams
from service.clustering.stream_gate import Misfit, StreamFit
from service.errors import DecisionRefused
from service.records import NO_CLUSTER, Int64s, Observed
from service.state.batches import LogRecord
from service.state.packing import Entry, EntryUnreadable, unpack_entries, unpack_entry

Told = Callable[[Observed, Int64s], None]
"""Called with each batch and the cluster each of its items got, as the log has it (`Entry`)."""


class ReplayMismatch(Exception):
    """A replayed batch gave other clusters than it gave live: the state cannot be trusted."""


def replay(engine: Engine, records: Sequence[LogRecord], told: Told | None = None) -> None:
    """Make the steps of some log entries again, which follow each other and what the engine has learnt.

    Args:
        engine: Where to.
        records: The entries.
        told: Who wants to know of what was learnt again, if anybody does.

    Raises:
        ReplayMismatch: One gave other clusters than the log says; the engine is of no use any more.
        EntryUnreadable: One cannot be read, or is of another stream gate than this bundle's.
    """
    try:
        for entry in unpack_entries((record.first_seq, record.payload) for record in records):
            _learn(engine, entry)
            if told is not None and isinstance(entry, tuple):
                told(*entry)
    except (Misfit, DecisionRefused, EntryUnreadable):
        # Nothing of the joined batch was learnt: which of its entries is it?
        for record in records:
            if record.first_seq >= engine.seq:
                replay_entry(engine, unpack_entry(record.payload, first_seq=record.first_seq))
        raise  # none by itself


def look_back(records: Sequence[LogRecord], told: Told) -> None:
    """Tell of the batches of some log entries, without an engine.

    Raises:
        EntryUnreadable: One cannot be read.
    """
    for entry in unpack_entries((record.first_seq, record.payload) for record in records):
        if isinstance(entry, tuple):
            told(*entry)


def replay_entry(engine: Engine, entry: Entry) -> None:
    """Make the step of one log entry again; raises as `replay`."""
    try:
        _learn(engine, entry)
    except (Misfit, DecisionRefused) as misfit:
        raise EntryUnreadable(
            f"The log entry at seq {engine.seq} cannot be replayed: {misfit} It was written with another bundle or by "
            "another version of firstseen, or is damaged."
        ) from None


def _learn(engine: Engine, entry: Entry) -> None:
    if isinstance(entry, EngineParams):
        engine.configure(entry)
        return
    if isinstance(entry, StreamFit):
        engine.refit(entry)
        return
    if isinstance(entry, Curation):
        engine.carry_out(entry)
        return
    batch, clusters = entry[0], np.maximum(entry[1], NO_CLUSTER)
    again = engine.relearn(batch)
    if again.tolist() != clusters.tolist():
        first = next(n for n, (one, other) in enumerate(zip(again, clusters, strict=True)) if one != other)
        raise ReplayMismatch(
            f"Replaying the item at seq {batch.first_seq + first} gave another cluster than the log holds. "
            "This is a bug in firstseen."
        )
