"""A labelled stream as it was answered: what all measures are functions of.

What a client was told is what counts: the verdict each item got when it came, the clusters as they were announced,
and those that were told to be a known class that drifted, at once or after they had been announced as new. Nothing
is relabelled afterwards, so an item that came before its class was discovered is an error for ever, and a cluster
that changes its id has two.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from service.events import ClusterEvent, EventKind
from service.records import NO_CLUSTER, Bools, Float64s, Int64s, Verdict, VerdictKind

NO_LABEL = -1
"""The index of the known class that an item was not taken for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Announcement:
    """A cluster was announced.

    Attributes:
        cluster: Its id.
        at: Place of the item with which it was.
        exemplars: Places of items that were shown as its own, then or later.
        retracted_at: Place of the item with which it was told to be a known class that drifted, after all; or to be
            one with a cluster that was. None: it was not.
    """

    cluster: int
    at: int
    exemplars: tuple[int, ...]
    retracted_at: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    """A cluster was told to be a known class that drifted, whether it had been announced as new or not.

    Attributes:
        cluster: Its id.
        at: Place of the item with which it was.
        exemplars: Places of items that were shown as its own, then or at another time.
    """

    cluster: int
    at: int
    exemplars: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Answers:
    """N items in the order they came. A place is a position in that order.

    Attributes:
        known: The K classes the trainer knew.
        unseen: The U classes it did not.
        y: int64 (N,) the true class, an index into `known + unseen`.
        label: int64 (N,) the known class it was taken for, an index into `known`, else NO_LABEL.
        cluster: int64 (N,) the cluster it was answered with, else NO_CLUSTER.
        novelty: float64 (N,) how new it looked, high is new.
        announced: Clusters in order of announcement.
        drifts: Clusters that were told to be a drift, in order.
    """

    known: tuple[str, ...]
    unseen: tuple[str, ...]
    y: Int64s
    label: Int64s
    cluster: Int64s
    novelty: Float64s
    announced: tuple[Announcement, ...]
    drifts: tuple[Drift, ...] = ()

    def __len__(self) -> int:
        return len(self.y)

    @property
    def is_unseen(self) -> Bools:
        """Whether an item is of a class that the trainer did not know, bool (N,)."""
        return np.greater_equal(self.y, len(self.known))

    @property
    def is_right(self) -> Bools:
        """Whether an item was taken for its own known class, bool (N,)."""
        return np.equal(self.label, self.y)

    @property
    def is_taken(self) -> Bools:
        """Whether an item was taken for any known class, bool (N,)."""
        return np.not_equal(self.label, NO_LABEL)

    def of(self, label: str) -> Bools:
        """The items of a class, bool (N,)."""
        return np.equal(self.y, (*self.known, *self.unseen).index(label))


def read_answers(
    truth: Mapping[str, str],
    unseen: Sequence[str],
    verdicts: Sequence[Verdict],
    announced_at: Mapping[int, int],
    exemplars: Mapping[int, Iterable[str]],
    drifted_at: Mapping[int, int] = {},
    heirs: Mapping[int, tuple[int, int]] = {},
) -> Answers:
    """Answers from what was emitted.

    Args:
        truth: True class of each item id.
        unseen: The classes the trainer did not know; what else occurs in `truth` or as a verdict it knew.
        verdicts: In stream order, ids distinct.
        announced_at: By cluster, the seq of the item at which it was announced. A cluster that items were answered
            with before that, or without, was announced with the first of these.
        exemplars: By cluster, ids of some of its items.
        drifted_at: By cluster, the seq of the item at which it was told to be a drift.
        heirs: By cluster, what it was merged into, and the seq of the item at which it was.
    """
    known = sorted({*truth.values(), *(v.label for v in verdicts if v.label is not None)} - {*unseen})
    index = {label: n for n, label in enumerate((*known, *unseen))}
    place = {v.id: n for n, v in enumerate(verdicts)}
    assert len(place) == len(verdicts), "ids must be distinct"
    first = {v.cluster_id: n for n, v in reversed(list(enumerate(verdicts))) if v.cluster_id is not None}
    seqs = [v.seq for v in verdicts]

    def place_of(seq: int) -> int:
        return int(np.searchsorted(seqs, seq))

    def shown(cluster: int) -> tuple[int, ...]:
        return tuple(sorted({place[id] for id in exemplars.get(cluster, ()) if id in place}))

    at = first | {
        cluster: min(place_of(seq), first.get(cluster, len(verdicts)))
        for cluster, seq in announced_at.items()
    }
    retracted = {cluster: _retracted(cluster, drifted_at, heirs) for cluster in at}
    return Answers(
        known=tuple(known),
        unseen=tuple(unseen),
        y=np.array([index[truth[v.id]] for v in verdicts], dtype=np.int64),
        label=np.array(
            [index[v.label] if v.verdict is VerdictKind.KNOWN and v.label else NO_LABEL for v in verdicts],
            dtype=np.int64,
        ),
        cluster=np.array([v.cluster_id or NO_CLUSTER for v in verdicts], dtype=np.int64),
        novelty=np.array([v.novelty for v in verdicts], dtype=np.float64),
        announced=tuple(
            Announcement(
                cluster=cluster,
                at=at[cluster],
                exemplars=shown(cluster),
                retracted_at=None if seq is None else place_of(seq),
            )
            for cluster, seq in sorted(retracted.items(), key=lambda entry: (at[entry[0]], entry[0]))
        ),
        drifts=tuple(
            Drift(cluster=cluster, at=place_of(seq), exemplars=shown(cluster))
            for cluster, seq in sorted(drifted_at.items(), key=lambda entry: (entry[1], entry[0]))
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What events said of clusters; the fields are arguments of `read_answers`."""

    announced_at: Mapping[int, int]
    exemplars: Mapping[int, Iterable[str]]
    drifted_at: Mapping[int, int]
    heirs: Mapping[int, tuple[int, int]]


def told(events: Iterable[ClusterEvent]) -> Told:
    """By cluster, when it was announced, told to be a drift or merged, and all exemplars it was ever shown with."""
    announced_at: dict[int, int] = {}
    exemplars: dict[int, set[str]] = {}
    drifted_at: dict[int, int] = {}
    heirs: dict[int, tuple[int, int]] = {}
    for event in events:
        own = event.cluster
        exemplars.setdefault(own.id, set()).update(own.exemplars)
        if event.kind in (EventKind.EMERGED, EventKind.SPLIT):
            announced_at.setdefault(own.id, event.seq)
        elif event.kind is EventKind.DRIFTED:
            drifted_at.setdefault(own.id, event.seq)
        elif event.kind is EventKind.MERGED and event.other_id is not None:
            heirs[own.id] = event.other_id, event.seq
    return Told(announced_at=announced_at, exemplars=exemplars, drifted_at=drifted_at, heirs=heirs)


def _retracted(
    cluster: int, drifted_at: Mapping[int, int], heirs: Mapping[int, tuple[int, int]]
) -> int | None:
    """The seq from which on a cluster, or what took it in, is told to be a drift; None if it never is."""
    latest = 0
    while cluster not in drifted_at:
        if cluster not in heirs:
            return None
        cluster, merged = heirs[cluster]
        latest = max(latest, merged)
    return max(latest, drifted_at[cluster])
