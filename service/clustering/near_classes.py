"""Known classes near an item, for an explanation: those of the bundle, and those that people made of clusters.

Both are told by their Mahalanobis distance, which is one unit; their p-values are what the gates go by, and each is
among the class's own (known.py, promoted.py). A class may be near as the bundle's and by a cluster that was linked to
it: it is told once, as the nearer. The first is the one that the gates name, which is mostly the nearest; then those of
the bundle stand in the gate's order, and a class that people made before the first of them that lies farther away.
"""

from collections.abc import Sequence

import numpy as np

from service.clustering.explanation import NearClass
from service.clustering.promoted import Promoted
from service.records import Float32s


def made_near(promoted: Promoted, z: Float32s, labels: Sequence[str], most: int) -> list[list[NearClass]]:
    """For each item the nearest classes that people made, nearest first, by the nearest prototype of each.

    Args:
        promoted: The prototypes.
        z: float32 (B, D) embeddings, finite.
        labels: Of all classes.
        most: How many to tell of an item.
    """
    found: list[list[NearClass]] = [[] for _ in range(len(z))]
    if not len(promoted):
        return found
    away, distance = promoted.away(z)
    made = list(promoted.prototypes.items())
    for n, row in enumerate(away):
        near: dict[int, int] = {}
        for place in np.argsort(row, kind="stable").tolist():
            near.setdefault(made[place][1][0], place)  # the nearest of each class
            if len(near) == most:
                break
        found[n] = [
            NearClass(
                label=labels[label],
                p=float(promoted.p_of(z[n : n + 1], place)[0]),
                score=None,
                distance=float(distance[n, place]),
                by_cluster=made[place][0],
            )
            for label, place in near.items()
        ]
    return found


def merged(
    own: Sequence[NearClass], made: Sequence[NearClass], taken: int, most: int
) -> tuple[NearClass, ...]:
    """Both together, each class once.

    Args:
        own: The bundle's, in the gate's order.
        made: Those that people made.
        taken: The cluster whose prototype took the item, which goes first; or NO_CLUSTER, and `own[0]` does.
        most: How many to tell of.
    """
    first = next((one for one in made if one.by_cluster == taken), own[0])
    rest = [one for one in own if one is not first]
    for one in sorted((one for one in made if one is not first), key=lambda one: one.distance):
        behind = next((n for n, other in enumerate(rest) if other.distance > one.distance), len(rest))
        rest.insert(behind, one)
    found = {first.label: first}
    for one in rest:
        found.setdefault(one.label, one)
    return tuple(found.values())[:most]
