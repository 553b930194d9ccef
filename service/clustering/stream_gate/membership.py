"""Memberships: which items are an announced cluster's?

    items of the cluster in the window ──┐
                                         ├─► logistic regression ─► l_c(x) = log odds that an item at x is of cluster c
    held-out items, other clusters ──────┘

The items of the cluster have the mass they have in the window, the known ones the rest: the odds are those of the next
item of the stream. Items that went to the clusterer although the stream gate finds them usual (r below 1) are left out:
they are what known classes leak into it.

A linear function goes on for ever, but a cluster claims nothing out of its reach: beyond it, the odds are no better
than -(distance from the centre over the reach) squared. A membership is one row of float32,

    [ weights (F) | intercept (1) | centre (F) | squared reach (1), above 0 ]
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from service.clustering.logistic import fit_logistic, log_odds
from service.clustering.stream_gate import constants
from service.clustering.stream_gate.records import FitJob, StreamFit, membership_width
from service.records import NO_CLUSTER, Float16s, Float32s, Float64s, Int64s


def fit_membership(
    job: FitJob, window: Float32s, held_out: Float32s, known: Float64s, cluster: int, weights: Float32s
) -> Float32s:
    """Cluster against known classes and the other clusters.

    Args:
        job: what to fit.
        window: float32 (n, F), the job's features.
        held_out: float32 (N, F).
        known: float64 (N,), weights of these, 1 in all.
        cluster: whose.
        weights: float32 (F + 1,) of log r.

    Returns:
        float32 (2 (F + 1),).
    """
    n, F = window.shape
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
    earlier = job.earlier.get(cluster)
    odds = fit_logistic(
        x,
        positive,
        mass,
        penalty=constants.MEMBER_PENALTY,
        start=None if earlier is None else earlier[: F + 1].astype(np.float64),
    )
    centre = window[sure].astype(np.float64).mean(axis=0)
    reach = max(constants.REACH * squared_reach(window[sure], centre), constants.LEAST_REACH)
    return np.concatenate([odds, centre, [reach]]).astype(np.float32)


def squared_reach(items: Float32s, centre: Float64s) -> float:
    """Squared distance from the centre within which NEAR_SHARE of the items lie."""
    return float(np.quantile(np.square(items - centre).sum(axis=1), constants.NEAR_SHARE))


def membership_odds(features: Float16s, row: Float32s) -> Float64s:
    """float64 (B,): l_c.

    Args:
        features: float16 (B, F).
        row: float32 (2 (F + 1),), a membership.
    """
    F = features.shape[1]
    odds = log_odds(features, row[None, : F + 1])[:, 0]
    centre, reach = row[F + 1 : -1].astype(np.float64), float(row[-1])
    away = np.square(features.astype(np.float64) - centre).sum(axis=1)
    return np.where(away <= reach, odds, np.minimum(odds, -away / reach))


@dataclass(frozen=True, kw_only=True, slots=True)
class Memberships:
    """All that are used now: never changed, but put in place of each other.

    Attributes:
        rows: float32 (m, 2 (F + 1)), m at most MOST_MEMBERSHIPS.
        clusters: int64 (m,), whose, the longest unfitted first.
    """

    rows: Float32s
    clusters: Int64s

    @classmethod
    def none(cls, F: int) -> "Memberships":
        """No cluster has one."""
        return cls(
            rows=np.empty((0, membership_width(F)), dtype=np.float32), clusters=np.empty(0, dtype=np.int64)
        )

    def __len__(self) -> int:
        return len(self.clusters)

    def of(self, cluster: int) -> Float32s | None:
        """float32 (2 (F + 1),): that of a cluster, None if it has none."""
        place = np.flatnonzero(self.clusters == cluster)
        return self.rows[place[0]] if len(place) else None

    def after(self, fit: StreamFit, goes_by: Callable[[int], int]) -> "Memberships":
        """Those of a fit in place of their clusters' own; and clusters that came to an end have none, or hand it on.

        Args:
            fit: the latest.
            goes_by: gives the announced cluster that one goes by now, itself mostly, NO_CLUSTER for none.
        """
        fitted = dict(zip(self.clusters.tolist(), self.rows, strict=True))
        for cluster, row in zip(fit.clusters.tolist(), fit.members, strict=True):
            fitted.pop(cluster, None)
            fitted[cluster] = row
        kept: dict[int, Float32s] = {}
        for cluster, row in fitted.items():
            now = goes_by(cluster)
            # Its own membership comes before one it inherits.
            if now != NO_CLUSTER and (now == cluster or now not in kept):
                kept[now] = row
        latest = list(kept.items())[-constants.MOST_MEMBERSHIPS :]
        return Memberships(
            rows=np.array([row for _, row in latest], dtype=np.float32).reshape(-1, self.rows.shape[1]),
            clusters=np.array([cluster for cluster, _ in latest], dtype=np.int64),
        )
