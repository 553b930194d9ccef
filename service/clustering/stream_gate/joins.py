"""Joins: which clusters are one class?

The clusterer parts what no chain of overlapping balls connects, and in many dimensions a class can fall into pieces.
If two pieces are one class, the refused items are dense between their centres, too; if they are two, there
is a valley. Seen along the direction that tells the two apart best, given how known classes vary (Fisher's
discriminant): t = 0 at one centre, 1 at the other.

    items │ ▂▆█▆▃▂     ▂▄▆▅▂           items │ ▂▆█▇▇▆▇▇▆▅▂
          └───┴───────────┴── t              └───┴──────┴── t
              0   valley  1                      0  none  1

Items between the centres are no proof by themselves: a cluster that has just taken in some items of its neighbour has
them there, and the two would be joined and parted in turn. So there must be clearly more than in a valley, by SURE
standard errors of their number (the square root: a count of independent items); and the centres must be no farther
apart than two known classes are.
"""

import math

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from model.scores.mahalanobis import SHRINKAGE
from service.clustering.stream_gate import constants
from service.clustering.stream_gate.membership import squared_reach
from service.clustering.stream_gate.records import FitJob
from service.records import NO_CLUSTER, Float32s, Float64s, Int64s

Within = tuple[Float64s, bool]
"""A Cholesky factor, for `cho_solve`."""


def within_classes(items: Float32s, labels: Int64s) -> Within:
    """The shrunk covariance within classes, factorised.

    Args:
        items: float32 (N, F).
        labels: int64 (N,) their classes.
    """
    x = items.astype(np.float64)
    for k in np.unique(labels).tolist():
        x[labels == k] -= x[labels == k].mean(axis=0)
    F = x.shape[1]
    covariance = x.T @ x / max(len(x), 1)
    trace = float(np.trace(covariance)) or float(F)
    shrunk = (1.0 - SHRINKAGE) * covariance + SHRINKAGE * trace / F * np.eye(F)
    factor, is_lower = cho_factor(shrunk)
    return factor, bool(is_lower)


def find_joins(job: FitJob, window: Float32s, within: Within, farthest: float) -> Int64s:
    """Which of the refreshed clusters are one class with an older one: int64 (j, 2), j at most 1 a fit.

    Args:
        job: what is fitted.
        window: float32 (n, F), the job's features.
        within: of `within_classes`.
        farthest: how far the centres of one class's pieces are apart at most, squared, in units of known classes.
    """
    there, counts = np.unique(job.clusters, return_counts=True)
    enough = there[(there != NO_CLUSTER) & (counts >= constants.FEWEST_MEMBERS)].tolist()
    for young in sorted(job.refreshed, reverse=True):
        for old in enough:
            if old < young and are_one(window, job, young, old, within, farthest):
                return np.array([[young, old]], dtype=np.int64)
    return np.empty((0, 2), dtype=np.int64)


def are_one(window: Float32s, job: FitJob, young: int, old: int, within: Within, farthest: float) -> bool:
    """Whether there is no valley between two clusters, each with items in the window."""
    mine, theirs = window[job.clusters == young], window[job.clusters == old]
    a, b = mine.mean(axis=0, dtype=np.float64), theirs.mean(axis=0, dtype=np.float64)
    axis = cho_solve(within, b - a)
    apart = float((b - a) @ axis)
    if apart <= 0.0:
        return True
    if apart > farthest:
        return False
    items = window[job.refused].astype(np.float64)
    away = np.minimum(np.square(items - a).sum(axis=1), np.square(items - b).sum(axis=1))
    reach = constants.REACH * max(squared_reach(mine, a), squared_reach(theirs, b))
    t = (items[away <= reach] - a) @ axis / apart
    between = int((np.abs(t - 0.5) < constants.BAND).sum())
    at_least = min(
        int((np.abs(t) < constants.BAND).sum()),
        int((np.abs(t - 1.0) < constants.BAND).sum()),
    )
    surely = between - constants.SURE * math.sqrt(between)
    return between >= constants.FEWEST_BETWEEN and surely >= constants.NO_VALLEY * at_least
