"""What a cluster could be split into: a clustering of its members, shown before anybody decides.

Ward's method (Ward 1963, "Hierarchical grouping to optimize an objective function", JASA 58) on the members that are
remembered, in coordinates in which the classes there are are round (promoted.py): what parts those, parts the new ones
best. Of 2 to MOST_SHOWN parts those are shown whose silhouette is the largest (Rousseeuw 1987, J. Comput. Appl. Math.
20):

    s_i = (b_i - a_i) / max(a_i, b_i)       a: mean distance to its own part, b: to the nearest other; their mean counts

A group too small to be a class of its own is no part: it goes with the nearest that is.

A person decides whether there is anything to it, by looking at the members of each part; so the best partition is shown
even where it is a poor one. No number of it does: silhouettes of one class and of two overlap.
"""

from typing import TYPE_CHECKING

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist, squareform

from service.clustering.dividing import division, items_of
from service.clustering.kinship import heir
from service.clustering.micro_clusters import MicroClusters
from service.clustering.promoted import FEWEST_MEMBERS
from service.decisions import Part, SplitPreview
from service.errors import CannotDecide, UnknownCluster
from service.records import ANNOUNCED, NO_CLUSTER, Float64s, Int64s

if TYPE_CHECKING:
    from service.clustering.engine import Engine

MOST_SHOWN = 4
"""Parts that a cluster is shown in."""

_MOST_GROUPS = 12
"""Groups that the tree is cut into: parts, and a few that are too small to be any."""


def preview(engine: "Engine", cluster: int) -> SplitPreview:
    """What a cluster could be split into; one part where all its members are alike. Changes nothing.

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
    if not len(life.members):
        return SplitPreview(cluster=cluster, seq=engine.seq, parts=())
    of = parted(engine.gates.promoted.rounded(life.members.z))
    seqs = np.array([member.seq for member in life.members], dtype=np.int64)
    parts = [
        tuple(seqs[of == part].tolist()) for part in np.argsort(-np.bincount(of), kind="stable").tolist()
    ]
    items = items_of(engine, division(engine, life, parts))
    return SplitPreview(
        cluster=cluster,
        seq=engine.seq,
        parts=tuple(Part(members=own, items=n) for own, n in zip(parts, items, strict=True)),
    )


def parted(x: Float64s) -> Int64s:
    """int64 (n,): which part each member is in, numbered in order of the first one in it.

    Args:
        x: float64 (n, d), n at least 1.
    """
    apart = pdist(x)
    if len(x) < 2 or not apart.any():
        return np.zeros(len(x), dtype=np.int64)
    tree, distances = linkage(x, "ward"), squareform(apart)
    cuts: dict[int, Int64s] = {}  # by number of parts: the coarsest with so many
    for k in range(2, min(_MOST_GROUPS, len(x)) + 1):
        of = _without_small(distances, fcluster(tree, k, "maxclust").astype(np.int64) - 1)
        cuts.setdefault(int(of.max()) + 1, of)
    shown = [of for parts, of in cuts.items() if 1 < parts <= MOST_SHOWN]
    if not shown:
        return np.zeros(len(x), dtype=np.int64)
    found = max(shown, key=lambda of: silhouette(distances, of))
    _, first, place = np.unique(found, return_index=True, return_inverse=True)
    parts: Int64s = np.argsort(np.argsort(first))[place].astype(np.int64)
    return parts


def _without_small(distances: Float64s, of: Int64s) -> Int64s:
    """Groups 0, 1, ... with those left out that are too small; each of their members goes with the nearest other."""
    is_part = np.bincount(of) >= FEWEST_MEMBERS
    stays = np.flatnonzero(is_part[of])
    if not len(stays):
        return np.zeros(len(of), dtype=np.int64)
    nearest = stays[distances[:, stays].argmin(axis=1)]
    settled: Int64s = np.unique(np.where(is_part[of], of, of[nearest]), return_inverse=True)[1].astype(
        np.int64
    )
    return settled


def silhouette(distances: Float64s, of: Int64s) -> float:
    """How clearly a partition into two parts or more parts its members, -1 to 1; one that is alone counts 0.

    Args:
        distances: float64 (n, n).
        of: int64 (n,) the part of each, 0, 1, ...
    """
    sizes = np.bincount(of)
    total = np.stack([distances[:, of == part].sum(axis=1) for part in range(len(sizes))], axis=1)
    rows = np.arange(len(of))
    own = total[rows, of] / np.maximum(sizes[of] - 1, 1)
    others = total / sizes
    others[rows, of] = np.inf
    nearest = others.min(axis=1)
    widths = (nearest - own) / np.maximum(np.maximum(own, nearest), np.finfo(np.float64).tiny)
    return float(np.where(sizes[of] > 1, widths, 0.0).mean())
