"""Error rates of a stream with new classes, and why "outlier" is no way out of them.

With N_k items of known classes, N_u of unseen ones, N = N_k + N_u (Masud et al. 2011, "Classification and Novel
Class Detection in Concept-Drifting Data Streams under Time Constraints"):

    FP     known items whose verdict is no known class: a cluster, or outlier
    FE     known items whose verdict is another known class
    FN     unseen items whose verdict is no right cluster: a known class, outlier, or a false or retracted cluster
    Fnew = FP / N_k        Mnew = FN / N_u        Err = (FP + FN + FE) / N

An outlier is an error for both kinds of items: a known item did not get its name, and an unseen one was not found.
Calling everything an outlier gives Fnew = Mnew = Err = 1. streamndr and others count an unseen item that was
flagged, alone and for once, as found; the rates with `flag` in their names do that, to compare with theirs:

    FN'    unseen items whose verdict is a known class
    Mnew_flag = FN' / N_u        Err_flag = (FP + FN' + FE) / N
"""

from dataclasses import dataclass

import numpy as np

from service.records import Bools
from service.scoring.answers import Answers
from service.scoring.clusters import ClusterScore


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """The rates above; None where there is no item to count.

    Attributes:
        known_accuracy: 1 - (FP + FE) / N_k.
        known_confused: FE / N_k.
        fnew, mnew, err: See above.
        mnew_flag, err_flag: The same with one-item flags counted as found.
    """

    known_accuracy: float | None
    known_confused: float | None
    fnew: float | None
    mnew: float | None
    err: float | None
    mnew_flag: float | None
    err_flag: float | None


def rates(answers: Answers, clusters: tuple[ClusterScore, ...]) -> Rates:
    """Count them."""
    unseen, taken = answers.is_unseen, answers.is_taken
    fp = ~unseen & ~taken
    fe = ~unseen & taken & ~answers.is_right
    fn = unseen & ~in_right_cluster(answers, clusters)
    fn_flag = unseen & taken
    return Rates(
        known_accuracy=_share(answers.is_right, ~unseen),
        known_confused=_share(fe, ~unseen),
        fnew=_share(fp, ~unseen),
        mnew=_share(fn, unseen),
        err=_share(fp | fe | fn, unseen | ~unseen),
        mnew_flag=_share(fn_flag, unseen),
        err_flag=_share(fp | fe | fn_flag, unseen | ~unseen),
    )


def in_right_cluster(answers: Answers, clusters: tuple[ClusterScore, ...]) -> Bools:
    """Whether an item was answered with a cluster that is not false and not retracted, of whatever class: (N,)."""
    right = [c.cluster for c in clusters if c.stands]
    return np.isin(answers.cluster, right)


def _share(what: Bools, of: Bools) -> float | None:
    return float(what[of].mean()) if of.any() else None
