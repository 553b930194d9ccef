"""What a cluster could be split into: a partition of its micro-clusters, shown before anybody decides.

Ward's method on the centres of the strong micro-clusters, weighted (Ward 1963, "Hierarchical grouping to optimize an
objective function", JASA 58): two groups of weight a and b, whose means are d apart, cost a b / (a + b) d^2 to merge,
and the cheapest are merged until one is left. A cluster that is really k has a jump in what that costs between k and
k - 1 groups; of 2 to MOST_PARTS the k with the largest jump is shown. A weak micro-cluster goes with the nearest.

A person decides whether there is anything to it, by looking at the members of each part; so the best partition is shown
even where it is a poor one.
"""

from typing import TYPE_CHECKING

import numpy as np

from service.clustering.kinship import Life, heir
from service.clustering.micro_clusters import MicroClusters
from service.decisions import Part, SplitPreview
from service.errors import CannotDecide, UnknownCluster
from service.records import ANNOUNCED, NO_CLUSTER, Float64s, Int64s

if TYPE_CHECKING:
    from service.clustering.engine import Engine

MOST_PARTS = 4
"""Parts that a cluster is shown in."""

MOST_EXEMPLARS = 8
"""Members that are told of each part."""

_MOST_GROUPED = 96
"""Micro-clusters that are grouped, the heaviest; the others go with the nearest of these."""


def preview(engine: "Engine", cluster: int) -> SplitPreview:
    """What a cluster could be split into; one part where it has but one micro-cluster. Changes nothing.

    Raises:
        UnknownCluster, CannotDecide: It cannot be split.
    """
    life = engine.lives.get(cluster)
    if life is None:
        raise UnknownCluster(f"There is no cluster {cluster}; GET /clusters lists those there are.")
    if life.state not in ANNOUNCED:
        own = heir(engine.lives, cluster)
        where = f" It went into cluster {own}." if own not in (NO_CLUSTER, cluster) else ""
        raise CannotDecide(
            f"Cluster {cluster} is {life.state.value}: only one that is announced can be split.{where}"
        )
    db = engine.clusterer
    if not isinstance(db, MicroClusters):
        raise CannotDecide("The clusters of this stream are river's, which lets nobody split them.")
    rows = db.rows_of(cluster)
    if not len(rows):
        return SplitPreview(cluster=cluster, seq=engine.seq, parts=())
    births, centers, weights = db.births(rows), db.centers(rows), db.weights(rows)
    heavy = np.flatnonzero(db.strong(rows)) if db.strong(rows).any() else np.arange(len(rows))
    heavy = np.sort(heavy[np.argsort(-weights[heavy], kind="stable")[:_MOST_GROUPED]])
    of = np.zeros(len(rows), dtype=np.int64)
    grouped = parted(centers[heavy], weights[heavy])
    for row in range(len(rows)):
        of[row] = grouped[int(np.square(centers[heavy] - centers[row]).sum(axis=1).argmin())]
    mass = np.bincount(of, weights)
    order = np.argsort(-mass, kind="stable").tolist()
    counts = dict(zip(births.tolist(), db.counts(rows).tolist(), strict=True))
    return SplitPreview(
        cluster=cluster,
        seq=engine.seq,
        parts=tuple(_part(life, births[of == part].tolist(), counts) for part in order),
    )


def _part(life: Life, births: list[int], counts: dict[int, int]) -> Part:
    own = set(births)
    ids = [member.id for member in life.members if member.birth in own]
    return Part(
        births=tuple(births),
        items=sum(counts[birth] for birth in births),
        exemplars=tuple(ids[-MOST_EXEMPLARS:]),
    )


def parted(centers: Float64s, weights: Float64s) -> Int64s:
    """int64 (m,): which group each centre is in, numbered in order of the first one in it.

    Args:
        centers: float64 (m, C), m at least 1.
        weights: float64 (m,), positive.
    """
    m = len(centers)
    means, mass = centers.copy(), weights.copy()
    of = np.arange(m)
    alive = np.ones(m, dtype=np.bool_)
    kept: dict[int, Int64s] = {}
    costs: dict[int, float] = {}  # of merging k groups to k - 1
    for k in range(m, 1, -1):
        if k <= MOST_PARTS:
            kept[k] = of.copy()
        here = np.flatnonzero(alive)
        apart = np.square(means[here, None, :] - means[None, here, :]).sum(axis=-1)
        cost = apart * (mass[here, None] * mass[None, here]) / (mass[here, None] + mass[None, here])
        cost[np.tril_indices(len(here))] = np.inf
        i, j = divmod(int(cost.argmin()), len(here))
        costs[k] = float(cost[i, j])
        one, other = int(here[i]), int(here[j])
        total = mass[one] + mass[other]
        means[one] = (mass[one] * means[one] + mass[other] * means[other]) / total
        mass[one] = total
        alive[other] = False
        of[of == other] = one
    if not kept:
        return np.zeros(m, dtype=np.int64)
    best = max(kept, key=lambda k: (costs[k] / max(costs.get(k + 1, costs[k]), 1e-12), -k))
    _, first, place = np.unique(kept[best], return_index=True, return_inverse=True)
    parts: Int64s = np.argsort(np.argsort(first))[place].astype(np.int64)
    return parts
