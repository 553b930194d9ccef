"""How well was a labelled stream discovered? Pure functions of what was emitted, as it was emitted.

A cluster stands for the class that most of its items have. It is a *false* cluster when that is a class the
trainer knew, or when it was announced before any item of its class had come. "Outlier" counts neither as known
nor as discovered, so calling everything an outlier scores badly where it should: `known_accuracy`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from service.records import Verdict, VerdictKind


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassScore:
    """How one unseen class fared.

    Attributes:
        items: Its items in the stream.
        clusters: Ids of the clusters that stand for it, in order of announcement.
        delay_items: Items of the class up to its first cluster's announcement, that item included; None if
            it has no cluster.
        caught: Share of its items that were not taken for a known class.
        in_cluster: Share of its items whose verdict was a cluster that stands for it.
    """

    items: int
    clusters: tuple[int, ...]
    delay_items: int | None
    caught: float
    in_cluster: float


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamScore:
    """How a stream fared.

    Attributes:
        items: Items in the stream.
        known_accuracy: Share of the items of known classes that got their own class as verdict.
        known_called_new: Share of them that got none.
        unseen_caught: Share of the items of unseen classes that were not taken for a known class.
        clusters_found: Unseen classes that have a cluster.
        clusters_announced: Clusters announced.
        false_clusters: Those of them that stand for no unseen class, or came before their class did.
        classes: By unseen class.
    """

    items: int
    known_accuracy: float
    known_called_new: float
    unseen_caught: float
    clusters_found: int
    clusters_announced: int
    false_clusters: int
    classes: Mapping[str, ClassScore]


def score(
    truth: Mapping[str, str],
    unseen: Sequence[str],
    verdicts: Sequence[Verdict],
    announced_at: Mapping[int, int],
    exemplars: Mapping[int, Sequence[str]],
) -> StreamScore:
    """Score a stream.

    Args:
        truth: True class of each item id.
        unseen: The classes the trainer did not know.
        verdicts: What was emitted, in stream order.
        announced_at: By cluster, the seq of the item at which it was announced.
        exemplars: By cluster, ids of some of its items: they stand in for one that no item got as verdict.
    """
    members: dict[int, Counter[str]] = {c: Counter(truth[id] for id in exemplars[c]) for c in announced_at}
    for cluster in announced_at:
        emitted = Counter(truth[v.id] for v in verdicts if v.cluster_id == cluster)
        members[cluster] = emitted or members[cluster]
    stands_for = {c: min(m, key=lambda label: (-m[label], label)) for c, m in members.items() if m}
    first_seq = {
        label: min((v.seq for v in verdicts if truth[v.id] == label), default=None) for label in unseen
    }

    right: dict[str, list[int]] = {label: [] for label in unseen}
    for cluster in sorted(announced_at, key=lambda c: announced_at[c]):
        label = stands_for.get(cluster)
        start = first_seq.get(label) if label is not None else None
        if label is not None and start is not None and announced_at[cluster] >= start:
            right[label].append(cluster)

    known = [v for v in verdicts if truth[v.id] not in right]
    novel = [v for v in verdicts if truth[v.id] in right]
    return StreamScore(
        items=len(verdicts),
        known_accuracy=_share(v.label == truth[v.id] for v in known),
        known_called_new=_share(v.verdict is not VerdictKind.KNOWN for v in known),
        unseen_caught=_share(v.verdict is not VerdictKind.KNOWN for v in novel),
        clusters_found=sum(bool(clusters) for clusters in right.values()),
        clusters_announced=len(announced_at),
        false_clusters=len(announced_at) - sum(len(clusters) for clusters in right.values()),
        classes={
            label: _class_score([v for v in novel if truth[v.id] == label], clusters, announced_at)
            for label, clusters in right.items()
        },
    )


def _class_score(
    own: Sequence[Verdict], clusters: Sequence[int], announced_at: Mapping[int, int]
) -> ClassScore:
    delay = None if not clusters else sum(v.seq <= announced_at[clusters[0]] for v in own)
    return ClassScore(
        items=len(own),
        clusters=tuple(clusters),
        delay_items=delay,
        caught=_share(v.verdict is not VerdictKind.KNOWN for v in own),
        in_cluster=_share(v.cluster_id in clusters for v in own),
    )


def _share(flags: Iterable[bool]) -> float:
    values = list(flags)
    return sum(values) / len(values) if values else 0.0
