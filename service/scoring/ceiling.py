"""What could the best clusterer have made of the same embedding? k-means that is told k, and all items at once.

The unseen items of the stream are parted by k-means with the true number of classes, best of ten starts: offline,
after the fact, with a perfect gate and no item lost to a delay. No online method may be expected to do better, so a
low figure here is the embedding's, and what lies between it and the stream's figure is the clusterer's and the
gate's. Which of the two, macro-F1 tells:

    f1_this_gate   known items as they were answered, unseen ones that were not taken for known by k-means: what
                   the clusterer cost
    f1_any_gate    the same with all unseen items by k-means: what the gate cost, besides

`model/evaluate.py` makes the same partition for the card, and neither may import the other; they must agree, which
`tests/service/scoring/test_ceiling.py` holds.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

from service.records import NO_CLUSTER, Int64s
from service.scoring.answers import Answers
from service.scoring.matching import macro_f1
from service.scoring.partition import compare

_STARTS = 10
_SEEDS = 2**32
"""k-means takes no others; streams do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ceiling:
    """The oracle's figures in one space.

    Attributes:
        space: The name of the space.
        accuracy, nmi, ari: Of its partition of the unseen items (see partition.py).
        f1_this_gate, f1_any_gate: See above.
    """

    space: str
    accuracy: float | None
    nmi: float | None
    ari: float | None
    f1_this_gate: float | None
    f1_any_gate: float | None


NO_CEILING = Ceiling(space="none", accuracy=None, nmi=None, ari=None, f1_this_gate=None, f1_any_gate=None)
"""Of a stream without unseen items."""


def ceilings(
    answers: Answers, spaces: Mapping[str, NDArray[np.floating[Any]]], *, seed: int
) -> tuple[Ceiling, ...]:
    """The ceiling in each space, best accuracy first; none for a stream without unseen items.

    Args:
        answers: The stream.
        spaces: By name, float (N, D) the same items in the order of the stream.
        seed: Of k-means.
    """
    if not answers.is_unseen.any():
        return ()
    found = [_ceiling(answers, name, points, seed) for name, points in spaces.items()]
    return tuple(sorted(found, key=lambda c: -(c.accuracy or 0.0)))


def oracle_clusters(points: NDArray[np.floating[Any]], k: int, *, seed: int) -> Int64s:
    """k-means told k, best of ten starts: (U, D) -> int64 (U,) clusters from 1."""
    with threadpool_limits(limits=1):  # partial sums of several threads may be added in any order
        found = KMeans(n_clusters=k, n_init=_STARTS, random_state=seed % _SEEDS).fit_predict(points)
    return np.asarray(found, dtype=np.int64) + 1


def _ceiling(answers: Answers, name: str, points: NDArray[np.floating[Any]], seed: int) -> Ceiling:
    unseen = answers.is_unseen
    y = answers.y[unseen]
    found = oracle_clusters(points[unseen], len(np.unique(y)), seed=seed)
    partition = compare(y, found)
    cluster = np.full(len(answers), NO_CLUSTER, dtype=np.int64)
    cluster[unseen] = found
    any_gate = dataclasses.replace(answers, cluster=cluster, label=np.where(unseen, -1, answers.label))
    this_gate = dataclasses.replace(answers, cluster=np.where(answers.is_taken, NO_CLUSTER, cluster))
    return Ceiling(
        space=name,
        accuracy=partition.accuracy,
        nmi=partition.nmi,
        ari=partition.ari,
        f1_this_gate=macro_f1(this_gate).all,
        f1_any_gate=macro_f1(any_gate).all,
    )
