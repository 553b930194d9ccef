"""A step of the log made again, for what it says of clusters: a replay in the product does without the events."""

import numpy as np

from service.clustering.curation import Curation
from service.clustering.engine import Engine
from service.clustering.params import EngineParams
from service.clustering.stream_gate import StreamFit
from service.events import ClusterEvent
from service.records import NO_CLUSTER
from service.state.packing import Entry


def retell(engine: Engine, entry: Entry) -> tuple[ClusterEvent, ...]:
    """Make the step of a log entry again; its events."""
    if isinstance(entry, EngineParams):
        engine.configure(entry)
        return ()
    if isinstance(entry, StreamFit):
        return engine.refit(entry).events
    if isinstance(entry, Curation):
        return engine.carry_out(entry).events
    batch, clusters = entry[0], np.maximum(entry[1], NO_CLUSTER)
    result = engine.apply(batch)
    assert [v.cluster_id or NO_CLUSTER for v in result.verdicts] == clusters.tolist(), "another cluster"
    return result.events
