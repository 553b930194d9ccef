"""Labelled streams and their answers, written in two lines that can be counted on fingers.

    answers("a a x x x", "a . . 1 1")

is five items, two of the known class a and three of the unseen class x, answered with: its own class, outlier,
outlier, cluster 1, cluster 1. Small letters up to m are known classes, n to z unseen ones; a dot is an outlier, a
number a cluster. `at` says where clusters were announced; else it was with their first item. Novelty is .1 for what
was taken for a known class and .9 else, unless given.
"""

from collections.abc import Iterable, Mapping, Sequence

from service.events import ClusterEvent, EventKind
from service.records import Verdict, VerdictKind
from service.scoring.answers import Answers, read_answers
from tests.service.told import cluster as cluster_as_told


def verdict(seq: int, answer: str, novelty: float | None = None) -> Verdict:
    """One answer: a letter, a dot or a number."""
    kind = VerdictKind.KNOWN
    if answer == ".":
        kind = VerdictKind.OUTLIER
    elif answer.isdigit():
        kind = VerdictKind.CLUSTER
    return Verdict(
        id=f"i{seq}",
        seq=seq,
        verdict=kind,
        label=answer if kind is VerdictKind.KNOWN else None,
        cluster_id=int(answer) if kind is VerdictKind.CLUSTER else None,
        novelty=novelty if novelty is not None else (0.1 if kind is VerdictKind.KNOWN else 0.9),
        nearest="a",
        distance=1.0,
    )


def event(
    kind: EventKind, seq: int, cluster: int, exemplars: tuple[str, ...] = (), other: int | None = None
) -> ClusterEvent:
    """Something that happened to a cluster, with the items it was shown with."""
    view = cluster_as_told(id=cluster, emerged_seq=seq, last_seq=seq, exemplars=exemplars)
    return ClusterEvent(kind=kind, seq=seq, t=0.0, cluster=view, other_id=other)


def truth(labels: str) -> dict[str, str]:
    """By id, the class; an item a letter, spaces left out."""
    return {f"i{n}": label for n, label in enumerate(labels.replace(" ", ""))}


def verdicts(said: str, novelty: Sequence[float] | None = None) -> list[Verdict]:
    """An answer a word."""
    words = said.split()
    return [verdict(n, word, None if novelty is None else novelty[n]) for n, word in enumerate(words)]


def answers(
    labels: str,
    said: str,
    *,
    at: Mapping[int, int] | None = None,
    exemplars: Mapping[int, Iterable[str]] | None = None,
    drifted_at: Mapping[int, int] | None = None,
    heirs: Mapping[int, tuple[int, int]] | None = None,
    unseen: str | None = None,
    novelty: Sequence[float] | None = None,
) -> Answers:
    """A stream; `unseen` are the unseen classes, those of the stream unless given."""
    own = truth(labels)
    new = sorted({*own.values()} & {*"nopqrstuvwxyz"}) if unseen is None else list(unseen)
    return read_answers(
        own, new, verdicts(said, novelty), at or {}, exemplars or {}, drifted_at or {}, heirs or {}
    )
