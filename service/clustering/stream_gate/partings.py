"""Partings: which cluster is two classes?

The clusterer joins what a chain of overlapping balls connects, and two new classes can be so connected before anybody
has seen that they are two. In the window they are apart: two heaps with a valley between them (joins.py has the
picture). So the items of a cluster are divided in two by 2-means, in coordinates in which known classes are round, and
the cluster is two if there is a valley along the direction that tells the halves apart best.

2-means finds two halves in anything, and in many dimensions a valley, too: the items it has seen lie nearer their own
mean. So it sees every other item, and the rest tell whether there is a valley.
"""

import numpy as np
from scipy.linalg import solve_triangular

from service.clustering.stream_gate import constants
from service.clustering.stream_gate.joins import Within
from service.clustering.stream_gate.records import FitJob
from service.records import Bools, Float32s, Float64s, Int64s

_ROUNDS = 20


def find_partings(job: FitJob, window: Float32s, within: Within, usual: float) -> Int64s:
    """Which of the refreshed clusters is two: int64 (p, 2), each micro-cluster that leaves as (cluster, its birth).

    They are of one cluster and become one; the heavier half of the window's items stays.

    Args:
        job: what is fitted.
        window: float32 (n, F), the job's features.
        within: of `within_classes`.
        usual: of `usual_distance`.
    """
    for cluster in sorted(job.refreshed):
        own = np.flatnonzero((job.clusters == cluster) & (job.births != 0))
        side = two_sides(window[own].astype(np.float64), within, usual)
        if side is None:
            continue
        births, place = np.unique(job.births[own], return_inverse=True)
        share = np.bincount(place, side) / np.bincount(
            place
        )  # of each micro-cluster's items, on the second side
        leaves = share > 0.5 if side.mean() <= 0.5 else share < 0.5
        if leaves.any() and not leaves.all():
            return np.stack([np.full(int(leaves.sum()), cluster), births[leaves]], axis=1).astype(np.int64)
    return np.empty((0, 2), dtype=np.int64)


def two_sides(x: Float64s, within: Within, usual: float) -> Bools | None:
    """On which side of the valley each item lies, bool (n,); None where there is none.

    Args:
        x: float64 (n, F).
        within: of `within_classes`.
        usual: how far the halves are apart at least, squared.
    """
    if len(x) < 4 * constants.FEWEST_AT_A_PEAK:
        return None
    y = whitened(x, within)
    a, b = _two_means(y[::2])
    axis = b - a
    apart = float(axis @ axis)
    if apart <= max(usual, 0.0):
        return None
    t = (y - a) @ axis / apart
    unseen = t[1::2]
    at_least = min(int((np.abs(unseen - end) < constants.BAND).sum()) for end in (0.0, 1.0))
    between = int((np.abs(unseen - 0.5) < constants.BAND).sum())
    if at_least < constants.FEWEST_AT_A_PEAK or between > constants.VALLEY * at_least:
        return None
    return np.asarray(t > 0.5, dtype=np.bool_)


def whitened(x: Float64s, within: Within) -> Float64s:
    """Coordinates in which known classes are round: float64 (n, F) to the same."""
    factor, is_lower = within
    return np.asarray(solve_triangular(factor, x.T, lower=is_lower, trans="N" if is_lower else "T").T)


def usual_distance(items: Float32s, labels: Int64s, within: Within) -> float:
    """Squared distance of a known class to the nearest other, whitened; the median over classes.

    Args:
        items: float32 (N, F), of two classes or more, or none is usual.
        labels: int64 (N,) their classes.
        within: of `within_classes`.
    """
    x = whitened(items.astype(np.float64), within)
    means = np.stack([x[labels == k].mean(axis=0) for k in np.unique(labels)])
    apart = np.square(means[:, None] - means[None]).sum(axis=2)
    np.fill_diagonal(apart, np.inf)
    return float(np.median(apart.min(axis=1)))


def _two_means(y: Float64s) -> tuple[Float64s, Float64s]:
    """The two means, float64 (F,), from halves along the first principal direction."""
    centred = y - y.mean(axis=0)
    is_second = centred @ np.linalg.svd(centred, full_matrices=False)[2][0] > 0.0
    for _ in range(_ROUNDS):
        if is_second.all() or not is_second.any():
            break
        a, b = y[~is_second].mean(axis=0), y[is_second].mean(axis=0)
        again = np.square(y - b).sum(axis=1) < np.square(y - a).sum(axis=1)
        if (again == is_second).all():
            return a, b
        is_second = again
    if is_second.all() or not is_second.any():
        return y.mean(axis=0), y.mean(axis=0)
    return y[~is_second].mean(axis=0), y[is_second].mean(axis=0)
