"""What does a cluster stand for, was it right to announce it, and which classes were found?

The items of a cluster are those that were answered with it and those it was shown with (its exemplars), each once.
Announcing it was, by the first line that fits,

    empty     it has no item: nobody can tell what it is
    known     half of its items or more are of known classes, all these together
    early     the class that most of its unseen items have had not come yet, or none of the exemplars it was
              announced with is of that class: then it was about something else
    right     otherwise; it stands for that class

and all but the last are *false* clusters: a person was called for nothing. Several right clusters of one class are
fragments of it, and none of them is false. A class is **found** when one of them has `FEWEST_ITEMS` items of the
class or more: an engine that makes a cluster of every item has found nothing. Its **delay** counts the items of
the class up to that announcement, that item included.

**Drifts.** A cluster may be told to be a known class that drifted, at once or after it was announced as new. Taking an
announcement back mends nothing that was wrong with it: a false cluster stays false, and is also counted as
*corrected* where its items are known ones. But it undoes what was right: a right cluster that was retracted stands
for no class any more, its items are in no right cluster, and a class that has no other is not found. Else an engine
could announce everything and take back what it is not sure of. A cluster told to be a drift, less than half of whose
items are of known classes, is an *unseen class told as a drift*.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from service.records import Int64s
from service.scoring.answers import Announcement, Answers, Drift
from service.scoring.gate import auroc

FEWEST_ITEMS = 5
"""Items of a class in one cluster, for the class to count as found."""

Judgement = Literal["right", "known", "early", "empty"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterScore:
    """One announced cluster.

    Attributes:
        cluster: Its id.
        announced_at: Place of the item it was announced with.
        judgement: right; or known, early or empty, which are false.
        stands_for: The class that most of its items have, or None if it has none.
        items: Its items, exemplars included.
        own_items: Those of the class that it stands for.
        purity: The second over the first; None if it has none.
        retracted_at: Place at which it was told to be a drift after all, or None.
    """

    cluster: int
    announced_at: int
    judgement: Judgement
    stands_for: str | None
    items: int
    own_items: int
    purity: float | None
    retracted_at: int | None = None

    @property
    def is_right(self) -> bool:
        """Whether it is no false cluster."""
        return self.judgement == "right"

    @property
    def stands(self) -> bool:
        """Whether it is right, and nobody was told otherwise since."""
        return self.is_right and self.retracted_at is None

    @property
    def is_corrected(self) -> bool:
        """Whether it is false, of known items, and was told to be a drift in the end."""
        return self.judgement == "known" and self.retracted_at is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftScore:
    """One cluster that was told to be a drift.

    Attributes:
        cluster: Its id.
        told_at: Place of the item it was told with.
        mostly: The class that most of its items have, or None if it has none.
        items: Its items, exemplars included.
        is_unseen: Whether less than half of them are of known classes.
    """

    cluster: int
    told_at: int
    mostly: str | None
    items: int
    is_unseen: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassScore:
    """How one unseen class fared.

    Attributes:
        label: The class.
        items: Its items in the stream.
        first_at: Place of the first one, or None if it never came.
        clusters: Ids of the clusters that stand for it and were not retracted, in order of announcement.
        found_at: Place at which the first of them that has enough items was announced, or None.
        delay_items: Items of the class up to there, that item included; None if it was not found.
        caught: Share of its items that were not taken for a known class.
        in_cluster: Share of its items whose verdict was a cluster that stands for it.
        taken_for: The known class that most of its items were taken for, or None.
        taken_share: Share of its items that were.
        auroc: Of novelty, its items against all known ones; None if either are none.
    """

    label: str
    items: int
    first_at: int | None
    clusters: tuple[int, ...]
    found_at: int | None
    delay_items: int | None
    caught: float
    in_cluster: float
    taken_for: str | None
    taken_share: float
    auroc: float | None


def judge(answers: Answers) -> tuple[ClusterScore, ...]:
    """All clusters, in order of announcement."""
    return tuple(_judged(answers, announcement) for announcement in answers.announced)


def classes(answers: Answers, clusters: tuple[ClusterScore, ...]) -> tuple[ClassScore, ...]:
    """All unseen classes, those that never came included."""
    return tuple(_class_score(answers, label, clusters) for label in answers.unseen)


def judge_drifts(answers: Answers) -> tuple[DriftScore, ...]:
    """All clusters that were told to be a drift, in order."""
    found = []
    for drift in answers.drifts:
        counts = _counts(answers, drift)
        items, of_known = int(counts.sum()), int(counts[: len(answers.known)].sum())
        found.append(
            DriftScore(
                cluster=drift.cluster,
                told_at=drift.at,
                mostly=(*answers.known, *answers.unseen)[int(counts.argmax())] if items else None,
                items=items,
                is_unseen=2 * of_known < items,
            )
        )
    return tuple(found)


def _counts(answers: Answers, cluster: Announcement | Drift) -> Int64s:
    """int64 (K + U,): a cluster's items by class."""
    places = np.flatnonzero(answers.cluster == cluster.cluster)
    places = np.union1d(places, np.array(cluster.exemplars, dtype=np.int64))
    return np.bincount(answers.y[places], minlength=len(answers.known) + len(answers.unseen))


def _judged(answers: Answers, announcement: Announcement) -> ClusterScore:
    counts = _counts(answers, announcement)
    items, of_known = int(counts.sum()), int(counts[: len(answers.known)].sum())
    judgement: Judgement = "right"
    if not items:
        judgement = "empty"
    elif 2 * of_known >= items:
        judgement = "known"
    among = (
        counts if judgement == "known" else np.where(np.arange(len(counts)) < len(answers.known), 0, counts)
    )
    most = int(among.argmax())
    if judgement == "right" and not _was_about(answers.y, most, announcement):
        judgement = "early"
    is_empty = judgement == "empty"
    return ClusterScore(
        cluster=announcement.cluster,
        announced_at=announcement.at,
        judgement=judgement,
        stands_for=None if is_empty else (*answers.known, *answers.unseen)[most],
        items=items,
        own_items=0 if is_empty else int(counts[most]),
        purity=None if is_empty else float(counts[most] / items),
        retracted_at=announcement.retracted_at,
    )


def _class_score(answers: Answers, label: str, clusters: tuple[ClusterScore, ...]) -> ClassScore:
    own = answers.of(label)
    right = [c for c in clusters if c.stands and c.stands_for == label]
    found_at = next((c.announced_at for c in right if c.own_items >= FEWEST_ITEMS), None)
    places = np.flatnonzero(own)
    is_in = np.isin(answers.cluster[own], [c.cluster for c in right])
    taken = np.bincount(answers.label[own & answers.is_taken], minlength=len(answers.known) + 1)
    return ClassScore(
        label=label,
        items=len(places),
        first_at=int(places[0]) if len(places) else None,
        clusters=tuple(c.cluster for c in right),
        found_at=found_at,
        delay_items=None if found_at is None else int((places <= found_at).sum()),
        caught=float((~answers.is_taken[own]).mean()) if len(places) else 0.0,
        in_cluster=float(is_in.mean()) if len(places) else 0.0,
        taken_for=answers.known[int(taken.argmax())] if taken.any() else None,
        taken_share=float(taken.max() / len(places)) if len(places) else 0.0,
        auroc=auroc(answers.novelty[~answers.is_unseen], answers.novelty[own]),
    )


def _was_about(y: Int64s, k: int, announcement: Announcement) -> bool:
    """Whether class k, which has an item, can have been the reason to announce."""
    shown = [place for place in announcement.exemplars if place <= announcement.at]
    has_come = int((y == k).argmax()) <= announcement.at
    return has_come and (not shown or any(y[place] == k for place in shown))
