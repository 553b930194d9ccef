"""How well was a stream discovered? The few figures that the demo shows, by the definitions of all the others."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from service.records import Bools, Verdict
from service.scoring.answers import read_answers
from service.scoring.clusters import ClassScore, classes, judge


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamScore:
    """How a stream fared.

    Attributes:
        items: Items in the stream.
        known_accuracy: Share of the items of known classes that got their own class as verdict.
        known_called_new: Share of them that got none.
        unseen_caught: Share of the items of unseen classes that were not taken for a known class.
        clusters_found: Unseen classes that were found (see clusters.py).
        clusters_announced: Clusters announced.
        false_clusters: Those of them that are false.
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
    exemplars: Mapping[int, Iterable[str]],
) -> StreamScore:
    """Score a stream; the arguments are those of `read_answers`, and a share of nothing is 0."""
    answers = read_answers(truth, unseen, verdicts, announced_at, exemplars)
    clusters = judge(answers)
    own = classes(answers, clusters)
    is_unseen, is_taken = answers.is_unseen, answers.is_taken
    return StreamScore(
        items=len(answers),
        known_accuracy=_share(answers.is_right, ~is_unseen),
        known_called_new=_share(~is_taken, ~is_unseen),
        unseen_caught=_share(~is_taken, is_unseen),
        clusters_found=sum(c.delay_items is not None for c in own),
        clusters_announced=len(clusters),
        false_clusters=sum(not c.is_right for c in clusters),
        classes={c.label: c for c in own},
    )


def _share(what: Bools, of: Bools) -> float:
    return float(what[of].mean()) if of.any() else 0.0
