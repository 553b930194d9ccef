"""What the service says, as frozen values. A field that a newer service adds is ignored, so an old client goes on.

The same nouns as `service.records`, which is not imported: it needs numpy. A test holds the two together.
"""

from typing import Any, Literal

import msgspec


class Problem(msgspec.Struct, frozen=True, kw_only=True, rename={"kind": "type"}):
    """RFC 9457 problem details.

    Attributes:
        kind: Its type, a path on the service that says what it means, such as `/problems/invalid-item`.
        title: The same for every problem of the type.
        status: As the HTTP status.
        detail: What is wrong here, and what to send instead.
    """

    kind: str
    title: str
    status: int
    detail: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The answer for one item; the verdict of an id never changes.

    Attributes:
        id: The item's.
        seq: Its place in the stream; None of an item that was not learnt from (`learn=False`).
        verdict: known (then `label`), cluster (then `cluster_id`), or outlier: none of these.
        label: The class.
        cluster_id: The cluster.
        novelty: 1 - the share of known items that look as strange; high is new.
        nearest: The known class nearest to it, whatever the verdict.
        distance: Mahalanobis distance to that, in standard deviations.
        explanation: With `explain=True`: what the verdict came from, as the service tells it.
    """

    id: str
    seq: int | None
    verdict: Literal["known", "cluster", "outlier"]
    label: str | None
    cluster_id: int | None
    novelty: float
    nearest: str
    distance: float
    explanation: dict[str, Any] | None = None


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """An item that gets no verdict as it was sent; `problem` says why. The others are not affected."""

    id: str | None
    problem: Problem


Answer = Verdict | Refusal


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Why a cluster was announced: a sequential test against what known classes leak there (`GET /docs`)."""

    trials: int
    hits: int
    repeats: int
    p0: float
    log10_e: float
    log10_threshold: float
    unexplained: float | None
    cohesion: float | None
    usual_cohesion: tuple[float, float] | None
    separation: float | None
    usual_separation: tuple[float, float] | None


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """Why a cluster is a drift of a known class: how many items of that class were expected since, and seen."""

    expected: float
    seen: int


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster of items that no known class explains. Ids are permanent.

    Attributes:
        state: candidate, variant, emerging, established, fading or gone.
        label: The known class that it is part of, by a person's decision.
        dismissed: Whether a person does not want to hear of it.
        items_to_emerge, emerged_seq: When it was announced; None while it is not.
        exemplars: Ids of its latest items, newest last.
        merged_into: The cluster that took it in.
        variant_of: The known class that it is a drift of.
    """

    id: int
    state: str
    name: str | None
    label: str | None = None
    dismissed: bool = False
    items: int
    items_to_emerge: int | None
    weight: float
    micro_clusters: int
    born_seq: int
    emerged_seq: int | None
    last_seq: int
    first_t: float
    last_t: float
    nearest: str | None
    nearest_distance: float | None
    exemplars: tuple[str, ...]
    parent_id: int | None
    merged_into: int | None
    variant_of: str | None
    missing: Missing | None
    evidence: Evidence


class Clusters(msgspec.Struct, frozen=True, kw_only=True):
    """The clusters as they are after the item at `seq`.

    `watch()` begins with this, and gives it anew after every cut: events of the time between are not told again.
    """

    seq: int
    clusters: tuple[Cluster, ...]
    stale: bool = False


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened to a cluster.

    Attributes:
        event: emerged, drifted, established, faded, revived, gone, merged or split; or what people decided: named,
            promoted, linked, merged, split, dismissed, escalated, relabelled or undone.
        seq: Of the item with which it did, or of the decision.
        t: When, seconds since 1970 (UTC).
        cluster: The cluster right after.
        other_id: The cluster that took it in (merged), or that it parted from (split).
        decision: The decision that did it; None where the stream itself did.
        label: The class that it is part of from now on (promoted, linked, relabelled), or was until now (undone).
    """

    event: str
    seq: int
    t: float
    cluster: Cluster
    other_id: int | None = None
    decision: int | None = None
    label: str | None = None


class PastEvent(Event, frozen=True, kw_only=True):
    """An event as the history has it.

    Attributes:
        id: Its own; `events` goes on behind it.
        gap: Whether events have left the history that came right before, since only the latest 10,000 are kept.
    """

    id: str
    gap: bool = False


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody decided about a cluster; it counts from its place in the stream on.

    Attributes:
        decision: Its number, which is its place in the stream.
        action: name, promote, link, merge, split, dismiss or undo.
        cluster: The cluster that it is about.
        created: Clusters that came of it (split); of an undo, those that are back.
        time: When (RFC 3339).
        who: The id of the key that it came with; `open` where none is needed.
        why: What was said of it, or "".
        label: The name, or the class that it is part of by this; of an undo, was part of.
        into: The cluster that took it in.
        parts: Of a split, the births of each part that left.
        until_rate: Dismissed until it comes so many times as often.
        until: Dismissed until then (RFC 3339).
        undoes: The decision that it takes back.
        undone_by: The undo that took it back; None while it stands.
    """

    decision: int
    action: str
    cluster: int
    time: str
    who: str
    created: tuple[int, ...] = ()
    why: str = ""
    label: str | None = None
    into: int | None = None
    parts: tuple[tuple[int, ...], ...] = ()
    until_rate: float | None = None
    until: str | None = None
    undoes: int | None = None
    undone_by: int | None = None


class SplitPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a cluster that could leave it: the births of its micro-clusters name it."""

    births: tuple[int, ...]
    items: int
    exemplars: tuple[str, ...] = ()


class SplitPreview(msgspec.Struct, frozen=True, kw_only=True):
    """What a split would make of a cluster; nothing has changed. The first part is the heaviest, and keeps the id."""

    cluster: int
    seq: int
    parts: tuple[SplitPart, ...]


class Info(msgspec.Struct, frozen=True, kw_only=True):
    """What is served.

    Attributes:
        seq: The latest place in the stream that is taken.
        state_hash: Of the stream's state; None where it could not be read.
        verdicts: How many of each kind.
        known: How many items of each known class.
        input: What items are, with an `example`.
        bundle: Its id, labels and metrics.
        settings: Of the service, without secrets.
    """

    version: str
    stream: str
    seq: int
    verdicts: dict[str, int]
    known: dict[str, int]
    input: dict[str, Any]
    bundle: dict[str, Any]
    epoch: int = 0
    stale: bool = False
    state_hash: str | None = None
    quarantined: int = 0
    device: str = ""
    store: str = ""
    settings: dict[str, Any] = {}


def answer_of(said: dict[str, Any]) -> Answer:
    """A result, verdict or nack, as the service wrote it."""
    if "problem" in said:
        return msgspec.convert(said, Refusal)
    return msgspec.convert(said, Verdict)


def problem_of(said: object, *, status: int, otherwise: str) -> Problem:
    """A problem from a response's body; what is none, as from a proxy, is described as `otherwise`."""
    try:
        return msgspec.convert(said, Problem)
    except msgspec.ValidationError:
        return Problem(
            kind="about:blank", title="Not an answer of firstseen", status=status, detail=otherwise
        )
