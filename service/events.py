"""What can happen to a cluster, in the past tense.

An event is a value: the engine returns it with the step that caused it, the pipeline hands it on once that
step is durable. Candidates come and go unannounced, so every event is about a cluster an operator can see.
"""

from dataclasses import dataclass
from enum import StrEnum

from service.records import Cluster


class EventKind(StrEnum):
    """One word an arrow of the life cycle, two for lineage, and one for each decision of people.

    RELABELLED follows PROMOTED, LINKED, and their UNDONE: it is the offer to read older verdicts anew. Those that name
    `cluster` are of the class `label` from now on, or of none where that is None; firstseen itself changes no verdict.
    ESCALATED: a dismissed cluster has reached what it was dismissed until.
    """

    DRIFTED = "drifted"
    EMERGED = "emerged"
    ESTABLISHED = "established"
    FADED = "faded"
    REVIVED = "revived"
    GONE = "gone"
    MERGED = "merged"
    SPLIT = "split"
    NAMED = "named"
    PROMOTED = "promoted"
    LINKED = "linked"
    DISMISSED = "dismissed"
    ESCALATED = "escalated"
    RELABELLED = "relabelled"
    UNDONE = "undone"


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterEvent:
    """Something happened to `cluster` (as it was right after), at item `seq`, at time `t`.

    Who does not want to hear of dismissed clusters leaves out what is of one: `cluster.dismissed`.

    Attributes:
        kind: What happened.
        seq: At which place in the stream.
        t: When.
        cluster: What it happened to, as it was right after.
        other_id: The cluster that took it in (merged) or that it split from (split), else None.
        decision: The place in the stream of the decision that did it; None where the stream itself did.
        label: The class that it is part of from now on (promoted, linked, relabelled), or was part of until now
            (undone); else None.
    """

    kind: EventKind
    seq: int
    t: float
    cluster: Cluster
    other_id: int | None = None
    decision: int | None = None
    label: str | None = None
