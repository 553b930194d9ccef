"""Why an item is what it is said to be: the nouns, and a sentence for people.

    p > threshold              the item is known                     margin = p - threshold, above 0: known
    a reason's p < its threshold     that reason alone makes it new        margin below 0

`p` is the share of known items that are as strange, all reasons together, `threshold` the operator's rate. The
reasons are those of the gates (see stream_gate/): the item itself, the recent stream, the claim of a cluster. What
counts is the smallest of their p-values, and how small that usually is for known items: so a reason's threshold is
near the rate, and the same for all reasons. The scores are the parts that the item's own reason is an average of; no
part decides alone.
"""

from dataclasses import dataclass
from typing import Literal

from service.records import NO_CLUSTER, ClusterState, VerdictKind

By = Literal["item", "stream", "claim"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """One of the reasons that the gates go by.

    Attributes:
        by: The item itself, the recent stream, or the claim of a cluster.
        value: The combined score of the nearest class; log density ratio; log odds of being of the cluster. All: the
            larger, the newer.
        p: Share of known items for which it is as large.
        threshold: The p-value below which this reason alone makes the item new.
        margin: p - threshold; below 0 it does.
        cluster_id: Which cluster claims it, else None.
    """

    by: By
    value: float
    p: float
    threshold: float
    margin: float
    cluster_id: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ScorePart:
    """One of the scores whose average is the score of the nearest class.

    Attributes:
        score: Its name.
        layer: Of the embedding.
        value: In units of what is usual: held-out items have mean 0 and standard deviation 1; the larger, the stranger.
        p: Share of held-out items of that class with a score as large.
        threshold: The value above which the score alone would make the item new; None: held-out items are too few.
        margin: threshold - value.
    """

    score: str
    layer: str
    value: float
    p: float
    threshold: float | None
    margin: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class NearClass:
    """A known class near the item.

    Attributes:
        label: Its name.
        p: Share of its held-out items that are as strange for it; of a class that people made, of its members.
        score: The combined score; the larger, the stranger. None for a class that people made, which has none.
        distance: Mahalanobis distance to its prototype, in standard deviations.
        by_cluster: The cluster that people made this, or made part of it; None: the class is the bundle's.
    """

    label: str
    p: float
    score: float | None
    distance: float
    by_cluster: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NearReference:
    """An item of a known class that the net was fitted to, as an example.

    Attributes:
        label: Its class.
        place: Its row in the bundle's `reference_embeddings`.
        distance: In standard deviations, as for classes.
    """

    label: str
    place: int
    distance: float


@dataclass(frozen=True, kw_only=True, slots=True)
class NearCluster:
    """A cluster near the item.

    Attributes:
        id: Its id.
        state: Where it stands in its life; items go only to those that are announced.
        name: What a person called it, or None.
        items: How many it holds.
        distance: To the centre of its nearest strong micro-cluster, in cluster space.
        radius: Within which of a centre an item is inside; None for a clusterer that knows no such radius.
        exemplars: Ids of its latest items, newest last.
    """

    id: int
    state: ClusterState
    name: str | None
    items: int
    distance: float
    radius: float | None
    exemplars: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """What is said of an item at one place in the stream, and why.

    Attributes:
        as_of: The place: all items before it have been learnt, the item itself has not.
        verdict: What is said there.
        label: The class when known, else None.
        cluster_id: The cluster when in one, else None.
        by_cluster: The cluster by which the item is known, since people made that a class, or part of one; else None.
        novelty: As in a verdict.
        p: Share of known items that are as strange, all reasons together; of the members of a class that people made,
            where that took the item.
        threshold: What p must be above for the item to be known.
        margin: p - threshold: above 0 exactly when the item is known, but where it lies has the word: it is below 0
            for one in a cluster that is part of a class, and above 0 for one that a class that people made would have,
            in another cluster.
        reasons: Those that count.
        scores: The parts of the item's own reason.
        classes: The nearest, nearest first: the first is the one that the gate names.
        references: The nearest examples, nearest first.
        clusters: The nearest, nearest first, candidates too.
        sentence: For people.
    """

    as_of: int
    verdict: VerdictKind
    label: str | None
    cluster_id: int | None
    by_cluster: int | None
    novelty: float
    p: float
    threshold: float
    margin: float
    reasons: tuple[Reason, ...]
    scores: tuple[ScorePart, ...]
    classes: tuple[NearClass, ...]
    references: tuple[NearReference, ...]
    clusters: tuple[NearCluster, ...]
    sentence: str


def sentence_of(
    kind: VerdictKind,
    cluster: int,
    *,
    p: float,
    threshold: float,
    reasons: tuple[Reason, ...],
    nearest: str,
    clusters: tuple[NearCluster, ...],
    by_cluster: int | None = None,
    taken: int = NO_CLUSTER,
) -> str:
    """One or two sentences that say the verdict and what decided it; `taken` by the class of which cluster."""
    if by_cluster is not None and p > threshold:
        return (
            f"It is taken for {nearest!r}, of which cluster {by_cluster} is part: {_percent(p)} of its members are as "
            f"strange, and the limit is {_percent(threshold)}."
        )
    if by_cluster is not None:
        return f"It is taken for {nearest!r}: it lies in cluster {by_cluster}, which is part of that."
    if taken != NO_CLUSTER:
        return (
            f"It goes to cluster {cluster}, in which it lies. It looks like {nearest!r} as well, of which cluster "
            f"{taken} is part: {_percent(p)} of its members are as strange."
        )
    share = f"{_percent(p)} of known items are as strange, and the limit is {_percent(threshold)}"
    if kind is VerdictKind.KNOWN:
        return f"It is taken for {nearest!r}: {share}."
    decisive = [reason for reason in reasons if reason.margin < 0]
    why = (
        " and ".join(_WHY[reason.by] for reason in decisive)
        or "announced clusters claim more than their part"
    )
    if cluster == NO_CLUSTER:
        close = next((c for c in clusters if c.radius is not None), None)
        where = "there is no cluster near"
        if close is not None:
            nearest = f"the nearest is {close.id}, {close.state.value}, at {close.distance:.2g}"
            where = f"it is in no announced cluster ({nearest})"
    else:
        where = f"it goes to cluster {cluster}"
    return f"It is new: {share}. {why[0].upper()}{why[1:]}; {where}."


_WHY: dict[By, str] = {
    "item": "no known class has many such items",
    "stream": "the recent stream has more such items than known classes explain",
    "claim": "a cluster claims it",
}


def _percent(share: float) -> str:
    return "100 %" if share >= 0.995 else f"{100 * share:.2g} %"
