"""Replay: an entry of the log makes the step again that it recorded.

The log holds what the engine was given and what it answered, so a replay that answers otherwise is noticed at the
very entry, and nothing is served on top of a state that cannot be trusted.
"""

from service.clustering.engine import Engine
from service.clustering.params import EngineParams
from service.clustering.stream_gate import Misfit, StreamFit
from service.records import Int64s, Observed
from service.state.packing import EntryUnreadable


class ReplayMismatch(Exception):
    """A replayed batch gave other clusters than it gave live: the state cannot be trusted."""


def replay_entry(engine: Engine, entry: tuple[Observed, Int64s] | EngineParams | StreamFit) -> None:
    """Make the step of one log entry again.

    Raises:
        ReplayMismatch: It gave other clusters than the log says.
        EntryUnreadable: It is of another stream gate than this bundle's.
    """
    if isinstance(entry, EngineParams):
        engine.configure(entry)
        return
    try:
        if isinstance(entry, StreamFit):
            engine.refit(entry)
            return
        batch, clusters = entry
        again = [v.cluster_id or 0 for v in engine.apply(batch).verdicts]
    except Misfit as misfit:
        raise EntryUnreadable(
            f"The log entry at seq {engine.seq} cannot be replayed: {misfit} It was written with another bundle or by "
            "another version of firstseen, or is damaged."
        ) from None
    if again != clusters.tolist():
        raise ReplayMismatch(
            f"Replaying the batch at seq {batch.first_seq} gave other clusters than the log holds. "
            "This is a bug in firstseen."
        )
