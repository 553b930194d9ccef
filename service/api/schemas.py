"""The HTTP bodies as pydantic models: what `/docs` shows. Bodies are written by msgspec, not through these."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.state.keys import STREAM_PATTERN

EXAMPLE_VERDICT = {
    "id": "a",
    "seq": 412,
    "verdict": "cluster",
    "label": None,
    "cluster_id": 17,
    "novelty": 0.997,
    "nearest": "8",
    "distance": 21.4,
}


EXAMPLE_DECISION: dict[str, Any] = {
    "decision": 812,
    "action": "promote",
    "cluster": 3,
    "created": [],
    "time": "2026-11-26T14:20:27.123Z",
    "who": "k3x9p2qa",
    "why": "seen on line 3",
    "label": "7",
    "into": None,
    "parts": [],
    "until_rate": None,
    "until": None,
    "undoes": None,
    "undone_by": None,
}


class ItemIn(BaseModel):
    """One item."""

    id: str | None = Field(None, max_length=256, description="Makes a resend safe: an id keeps its verdict.")
    x: Any = Field(description="The raw payload; GET /info tells what it is, with an example.")


class ItemsIn(BaseModel):
    """Several items."""

    items: list[ItemIn]


class VerdictOut(BaseModel):
    """The verdict of one item; it never changes."""

    id: str
    seq: int = Field(description="Place in the stream.")
    verdict: Literal["known", "cluster", "outlier"]
    label: str | None = Field(description="The class, when known.")
    cluster_id: int | None = Field(description="The cluster, when cluster.")
    novelty: float = Field(description="1 - the share of known items that look as strange; high is new.")
    nearest: str = Field(description="The nearest known class.")
    distance: float = Field(description="Mahalanobis distance to it, in standard deviations.")


class ReasonOut(BaseModel):
    """One of the reasons that the gates go by."""

    by: Literal["item", "stream", "claim"] = Field(
        description="The item itself, the recent stream, or the claim of a cluster."
    )
    value: float = Field(
        description="Score of the nearest class, log density ratio, or log odds: large is new."
    )
    p: float = Field(description="Share of known items for which it is as large.")
    threshold: float = Field(description="The p below which this reason alone makes the item new.")
    margin: float = Field(description="p - threshold; below 0 it does.")
    cluster_id: int | None = Field(description="Which cluster claims it.")


class ScorePartOut(BaseModel):
    """One of the scores whose average is the score of the nearest class."""

    score: str
    layer: str
    value: float = Field(description="Held-out items have mean 0 and standard deviation 1; large is strange.")
    p: float = Field(description="Share of held-out items of the class with a score as large.")
    threshold: float | None = Field(description="Above it the score alone would make the item new, or null.")
    margin: float | None = Field(description="threshold - value.")


class NearClassOut(BaseModel):
    """A known class near the item."""

    label: str
    p: float = Field(description="Share of its held-out items, or members, that are as strange for it.")
    score: float | None = Field(description="Large is strange; null for a class that people made.")
    distance: float = Field(description="Mahalanobis distance to its prototype, in standard deviations.")
    by_cluster: int | None = Field(description="The cluster that people made this of; null: the bundle's.")


class NearReferenceOut(BaseModel):
    """An item of a known class that the net was fitted to."""

    label: str
    place: int = Field(description="Its row in the bundle's `reference_embeddings`.")
    distance: float = Field(description="In standard deviations.")


class NearClusterOut(BaseModel):
    """A cluster near the item."""

    id: int
    state: Literal["candidate", "variant", "emerging", "established", "fading", "gone"]
    name: str | None
    items: int
    distance: float = Field(description="To its nearest centre, in cluster space.")
    radius: float | None = Field(description="Within which of a centre an item is inside.")
    exemplars: list[str] = Field(description="Ids of its latest items, newest last.")


class ExplanationOut(BaseModel):
    """Why an item is what it is said to be."""

    as_of: int = Field(
        description="Place in the stream: what came before it has been learnt, the item has not."
    )
    verdict: Literal["known", "cluster", "outlier"]
    label: str | None
    cluster_id: int | None
    by_cluster: int | None = Field(
        description="The cluster by which the item is known, since people made it part of a class."
    )
    novelty: float
    p: float = Field(
        description="Share of known items that are as strange, all reasons together; or of members of `by_cluster`."
    )
    threshold: float = Field(description="What p must be above for the item to be known.")
    margin: float = Field(
        description="p - threshold: above 0 for a known item, unless the cluster in which it lies has the word."
    )
    reasons: list[ReasonOut]
    scores: list[ScorePartOut]
    classes: list[NearClassOut] = Field(description="Nearest first.")
    references: list[NearReferenceOut] = Field(description="Nearest first.")
    clusters: list[NearClusterOut] = Field(description="Nearest first, candidates too.")
    sentence: str = Field(description="For people.")


class ExaminedOut(BaseModel):
    """The answer to `learn=false` or `explain=true`: a verdict with more to it."""

    id: str | None = Field(description="Null for an item without one in a dry run.")
    seq: int | None = Field(description="Place in the stream; null in a dry run.")
    verdict: Literal["known", "cluster", "outlier"]
    label: str | None
    cluster_id: int | None
    novelty: float
    nearest: str
    distance: float
    learned: bool = Field(description="Whether the item is durable and counts.")
    explanation: ExplanationOut | None = Field(
        None, description="Where it was asked for. Its own verdict is as of `as_of`, and may differ."
    )


class ProblemOut(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = Field(
        None, description="Of a whole request: `urn:firstseen:request:` and its X-Request-Id."
    )


class RefusedOut(BaseModel):
    """An item that cannot be classified as it was sent, or is in quarantine."""

    id: str | None
    problem: ProblemOut


class ResultsOut(BaseModel):
    """A result an item, in order."""

    results: list[VerdictOut | ExaminedOut | RefusedOut]


class EvidenceOut(BaseModel):
    """Why a cluster was announced: a sequential test against what known classes leak there."""

    trials: int = Field(description="Stream items since the start of its test that says most.")
    hits: int = Field(description="How many of them fell into it.")
    repeats: int = Field(description="Items that were the same over again, and are not among the hits.")
    p0: float = Field(description="Upper bound on the rate at which known items would.")
    log10_e: float = Field(description="log10 of the e-value, of all starts together.")
    log10_threshold: float = Field(description="What it had to reach.")
    unexplained: float | None = Field(
        description="Share of the recent stream that no mix of known classes explains, or null."
    )
    cohesion: float | None = Field(
        description="RMS distance of its hits from their mean; known classes: about 1."
    )
    usual_cohesion: tuple[float, float] | None = Field(description="Least and largest of the known classes.")
    separation: float | None = Field(description="Distance of that mean to the nearest known class.")
    usual_separation: tuple[float, float] | None = Field(description="The same between known classes.")


class MissingOut(BaseModel):
    """Why a cluster is a drift: items in the core of the known class since the cluster came."""

    expected: float = Field(description="Had it fared as the other classes.")
    seen: int


class ClusterOut(BaseModel):
    """A cluster of items that no known class explains."""

    id: int
    state: Literal["candidate", "variant", "emerging", "established", "fading", "gone"]
    name: str | None
    label: str | None = Field(
        description="The known class that it is part of, by a person's decision, or null."
    )
    dismissed: bool = Field(description="Whether a person does not want to hear of it.")
    items: int
    items_to_emerge: int | None = Field(description="Items it held when it was announced.")
    weight: float
    micro_clusters: int
    born_seq: int
    emerged_seq: int | None
    last_seq: int
    first_t: float
    last_t: float
    nearest: str | None
    nearest_distance: float | None
    exemplars: list[str] = Field(description="Ids of its latest items.")
    parent_id: int | None
    merged_into: int | None = Field(description="The cluster that took it in: ids are permanent.")
    variant_of: str | None = Field(description="The known class that it is a drift of, or null.")
    missing: MissingOut | None = Field(description="How that was seen, or null.")
    evidence: EvidenceOut


class ClustersOut(BaseModel):
    """The clusters of a stream."""

    seq: int
    stale: bool = Field(description="True while the store is away: newer items may be in flight.")
    clusters: list[ClusterOut]


class DecisionOut(BaseModel):
    """What somebody decided."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE_DECISION})

    decision: int = Field(description="Its number: its place in the stream. It counts from there on.")
    action: Literal["name", "promote", "link", "merge", "split", "dismiss", "undo"]
    cluster: int = Field(description="The cluster that it is about.")
    created: list[int] = Field(description="Clusters that came of it; of an undo, those that are back.")
    time: str = Field(json_schema_extra={"format": "date-time"}, description="When; RFC 3339.")
    who: str = Field(description="The id of the key that it came with; `open` where none is needed.")
    why: str
    label: str | None = Field(
        description="The name, or the class that it is part of by this; of an undo, was part of."
    )
    into: int | None = Field(description="The cluster that took it in.")
    parts: list[list[int]] = Field(
        description="Of a split: members of each part, by their `seq`; the first kept the id."
    )
    until_rate: float | None = Field(description="Dismissed until it comes so many times as often.")
    until: str | None = Field(json_schema_extra={"format": "date-time"}, description="Dismissed until then.")
    undoes: int | None = Field(description="The decision that it takes back.")
    undone_by: int | None = Field(description="The undo that took it back; null while it stands.")


class DecisionsOut(BaseModel):
    """A page of decisions, newest first."""

    seq: int
    stale: bool = Field(description="True while the store is away: newer decisions may be in flight.")
    decisions: list[DecisionOut]
    next: int | None = Field(description="Give it as `after` for the next page; null on the last.")


class EventOut(BaseModel):
    """Something happened to a cluster."""

    id: str = Field(description="Of the event: the same however often it is told.")
    event: str = Field(description="What happened; docs/protocol.md lists the kinds.")
    seq: int = Field(description="Place in the stream at which it happened.")
    t: float = Field(description="When, seconds since 1970 (UTC).")
    cluster: ClusterOut = Field(description="As it was right after.")
    other_id: int | None = Field(description="The cluster that took it in, or that it split from.")
    decision: int | None = Field(
        None, description="The decision that did it; null where the stream itself did."
    )
    label: str | None = Field(
        None,
        description="The class that it is part of from now on (promoted, linked, relabelled), or was (undone).",
    )


class EventsOut(BaseModel):
    """A page of the outbox."""

    events: list[EventOut] = Field(description="Oldest first.")
    last: str = Field(description="Give it as `after` for what comes next; now or later.")
    gap: bool = Field(description="Whether some that came after `after` have left.")
    total: int = Field(description="How many there have been in all.")


class DeadLetterOut(BaseModel):
    """An item that crashed the engine."""

    id: str = Field(description="The client's, or `~<epoch>-<n>` of an item that had none.")
    reason: str
    t: float = Field(description="When, seconds since 1970 (UTC).")
    seq: int = Field(description="Where the stream stood.")
    attempts: int = Field(description="How often it was in what crashed.")
    size: int = Field(description="Bytes of its payload.")
    kept: bool = Field(description="Whether it can be tried again from here; false where it was too large.")
    version: str = Field(description="Of firstseen.")


class DeadLettersOut(BaseModel):
    """A page of the quarantine, in order of ids."""

    items: list[DeadLetterOut]
    next: str | None = Field(description="Give it as `after` for the next page; null on the last.")


class DroppedOut(BaseModel):
    """How many items were forgotten."""

    dropped: int


class TicketOut(BaseModel):
    """A ticket; shown once."""

    ticket: str = Field(description="Give it as `?ticket=` of the WebSocket.")
    valid_s: int = Field(description="For so many seconds, and for one connection.")
    scope: Literal["ingest", "read"]
    stream: str


class ReadyOut(BaseModel):
    """Whether the service takes items."""

    ready: bool
    reason: str | None
    warnings: list[str] = Field(description="What an operator should know although items are taken.")
    durability: Literal["fsync", "relaxed", "replicated"] = Field(
        description="What an acknowledgement promises."
    )


class StreamOut(BaseModel):
    """A stream."""

    name: str
    ready: bool = Field(description="Whether it takes items here, now.")
    reason: str | None = Field(description="Why not.")
    seq: int | None = Field(
        description="The seq after its last durable item; null where its state is of another bundle."
    )
    epoch: int = Field(description="How often it was taken.")


class StreamsOut(BaseModel):
    """A page of the streams, in order of names."""

    streams: list[StreamOut]
    next: str | None = Field(description="Give it as `after` for the next page; null on the last.")


class LiveOut(BaseModel):
    """The process answers."""

    live: Literal[True] = True


STREAM: dict[str, Any] = {
    "parameters": [
        {
            "name": "stream",
            "in": "query",
            "required": False,
            "schema": {"type": "string", "pattern": f"^{STREAM_PATTERN}$"},
            "description": "The stream; left out, the default one. Sending items to one makes it.",
        }
    ]
}
"""The parameter of every route that is about one stream; goes into `openapi_extra`."""

STREAM_PROBLEMS: dict[int | str, dict[str, Any]] = {
    404: {"model": ProblemOut, "description": "There is no such stream."},
    422: {"model": ProblemOut, "description": "No stream can have this name, or another parameter is wrong."},
    503: {"model": ProblemOut, "description": "The stream is not ready, or no other can be opened now."},
}
"""What may be wrong with it, where a route only looks; goes into `responses`."""
