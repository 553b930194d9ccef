"""Replay: an entry of the log makes the step again that it recorded.

The log holds what the engine was given and what it answered, so a replay that answers otherwise is noticed at the
very entry, and nothing is served on top of a state that cannot be trusted.
"""

from service.clustering.engine import Engine
from service.clustering.params import EngineParams
from service.clustering.stream_gate import StreamFit
from service.records import Int64s, Observed


class ReplayMismatch(Exception):
    """A replayed batch gave other clusters than it gave live: the state cannot be trusted."""


def replay_entry(engine: Engine, entry: tuple[Observed, Int64s] | EngineParams | StreamFit) -> None:
    """Make the step of one log entry again.

    Raises:
        ReplayMismatch: It gave other clusters than the log says.
    """
    if isinstance(entry, EngineParams):
        engine.configure(entry)
        return
    if isinstance(entry, StreamFit):
        engine.refit(entry)
        return
    batch, clusters = entry
    again = [v.cluster_id or 0 for v in engine.apply(batch).verdicts]
    if again != clusters.tolist():
        raise ReplayMismatch(
            f"Replaying the batch at seq {batch.first_seq} gave other clusters than the log holds. "
            "This is a bug in firstseen."
        )
