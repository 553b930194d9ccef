"""What speaks for a candidate, in one record: the sequential test, persistence, shape, and what the stream lacks.

Only the first three decide (lifecycle.py): the test must be past its threshold, with enough items that are no repeats,
and the heap no wider than a class can be. The rest is for whoever looks at it.
"""

import math

import numpy as np

from service.clustering.emergence import log_e_detector, log_threshold, rounded
from service.clustering.kinship import Life
from service.clustering.shape import Usual
from service.records import Evidence, Float64s


def evidence_of(
    life: Life, seq: int, *, budget: float, prototypes: Float64s, usual: Usual, explained: float | None
) -> Evidence:
    """The evidence as it stands, trials being the items up to and with the one at `seq`.

    Args:
        life: the candidate.
        seq: the item at hand.
        budget: the operator's, for all candidates for ever.
        prototypes: float64 (K, C) of the known classes in cluster space.
        usual: the known classes' shapes.
        explained: Share of the recent stream that known classes explain, those that people made among them; None where
            no fit tells.
    """
    test = log_e_detector(life.starts, seq, life.p0)
    cohesion, separation = life.shape.cohesion(), None
    if life.shape.items:
        separation = float(np.sqrt(np.square(prototypes - life.shape.mean()).sum(axis=1).min()))
    return Evidence(
        trials=test.trials,
        hits=test.hits,
        repeats=life.repeats,
        p0=life.p0,
        log10_e=rounded(max(test.log_e, -1e6) / math.log(10.0)),
        log10_threshold=rounded(log_threshold(life.ordinal, budget) / math.log(10.0)),
        unexplained=None if explained is None else rounded(max(0.0, 1.0 - explained)),
        cohesion=None if cohesion is None else rounded(cohesion),
        usual_cohesion=usual.cohesion,
        separation=None if separation is None else rounded(separation),
        usual_separation=usual.separation,
    )
