"""Memberships: which items are an announced cluster's?

    items of the cluster in the window ──┐
                                         ├─► logistic regression ─► l_c(x) = log odds that an item at x is of cluster c
    held-out items, other clusters ──────┘

The items of the cluster have the mass they have in the window, the known ones the rest: the odds are those of the next
item of the stream. Items that went to the clusterer although the stream gate finds them usual (r below 1) are left out:
they are what known classes leak into it.

A linear function goes on for ever, but a cluster claims nothing out of its reach: beyond it, the odds are no better
than -(distance from the centre over the reach) squared. A membership is one row of float32,

    [ weights (F) | intercept (1) | centre (F) | squared reach (1) ]
"""

import numpy as np

from service.clustering.logistic import fit_logistic, log_odds
from service.clustering.stream_gate import constants
from service.clustering.stream_gate.records import FitJob, StreamFit
from service.records import NO_CLUSTER, Float16s, Float32s, Float64s, Int64s


def membership_width(F: int) -> int:
    """How many numbers a row holds."""
    return 2 * (F + 1)


def fit_membership(
    job: FitJob,
    window: Float32s,
    held_out: Float32s,
    known: Float64s,
    cluster: int,
    weights: Float32s,
    earlier: Float32s | None,
) -> Float32s:
    """Cluster against known classes and the other clusters.

    Args:
        job: what to fit.
        window: float32 (n, F), the job's features.
        held_out: float32 (N, F).
        known: float64 (N,), weights of these, 1 in all.
        cluster: whose.
        weights: float32 (F + 1,) of log r.
        earlier: its membership so far, or None.

    Returns:
        float32 (2 (F + 1),).
    """
    n = len(window)
    own = job.clusters == cluster
    unusual = log_odds(job.features, weights[None])[:, 0] > 0.0
    sure = own & unusual
    if sure.sum() < constants.FEWEST_MEMBERS:
        sure = own
    others = (job.clusters != NO_CLUSTER) & ~own
    x = np.concatenate([held_out, window[others], window[sure]])
    positive = np.arange(len(x)) >= len(known) + others.sum()
    rest = max(n - int(own.sum()) - int(others.sum()), 1)
    mass = np.concatenate([known * rest, np.ones(int(others.sum()) + int(sure.sum()))])
    odds = fit_logistic(
        x,
        positive,
        mass,
        penalty=constants.MEMBER_PENALTY,
        start=None if earlier is None else earlier[: x.shape[1] + 1].astype(np.float64),
    )
    centre = window[sure].astype(np.float64).mean(axis=0)
    reach = constants.REACH * squared_reach(window[sure], centre)
    return np.concatenate([odds, centre, [reach]]).astype(np.float32)


def claims(features: Float16s, fit: StreamFit) -> tuple[Float64s, Int64s]:
    """float64 (B,) the largest odds, and int64 (B,) the row of the membership whose they are; there is at least one."""
    F = features.shape[1]
    odds = log_odds(features, fit.members[:, : F + 1])
    x = features.astype(np.float64)
    for row, member in enumerate(fit.members.astype(np.float64)):
        away = np.square(x - member[F + 1 : -1]).sum(axis=1)
        odds[:, row] = np.where(
            away <= member[-1], odds[:, row], np.minimum(odds[:, row], -away / member[-1])
        )
    best = odds.argmax(axis=1)
    return odds[np.arange(len(odds)), best], best


def squared_reach(items: Float32s, centre: Float64s) -> float:
    """Squared distance from the centre within which NEAR_SHARE of the items lie."""
    return float(np.quantile(np.square(items - centre).sum(axis=1), constants.NEAR_SHARE))
