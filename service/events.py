"""What can happen to a cluster, in the past tense.

An event is a value: the engine returns it with the step that caused it, the pipeline hands it on once that
step is durable. Candidates come and go unannounced, so every event is about a cluster an operator can see.
"""

from dataclasses import dataclass
from enum import StrEnum

from service.records import Cluster


class EventKind(StrEnum):
    """One word an arrow of the life cycle, and two for lineage."""

    DRIFTED = "drifted"
    EMERGED = "emerged"
    ESTABLISHED = "established"
    FADED = "faded"
    REVIVED = "revived"
    GONE = "gone"
    MERGED = "merged"
    SPLIT = "split"


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterEvent:
    """Something happened to `cluster` (as it was right after), at item `seq`, at time `t`.

    `other_id` is the cluster that took it in (merged) or that it split from (split), else None.
    """

    kind: EventKind
    seq: int
    t: float
    cluster: Cluster
    other_id: int | None = None
