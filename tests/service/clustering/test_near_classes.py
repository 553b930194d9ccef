"""Known classes near an item: those that people made are told beside the bundle's, each once."""

import numpy as np

from service.clustering.explanation import NearClass
from service.clustering.near_classes import made_near, merged
from service.clustering.promoted import Promoted
from service.records import NO_CLUSTER
from tests.service.clustering.overlapping import APART, FAR, LABELS, K, engine, overlapping


def near(label: str, distance: float, by: int | None = None) -> NearClass:
    return NearClass(label=label, p=0.5, score=None if by else 1.0, distance=distance, by_cluster=by)


OWN = (near("a", 2.0), near("b", 4.0), near("c", 3.0))


def test_the_gate_s_order_stays_and_others_go_between() -> None:
    """Before the first that lies farther away, but never before the one that the gates name."""
    made = [near("new", 1.0, 7), near("far", 9.0, 8), near("mid", 3.5, 9)]

    assert ["a", "new", "mid", "b", "c"] == [one.label for one in merged(OWN, made, NO_CLUSTER, 5)]


def test_who_took_the_item_is_first() -> None:
    """Also where a class of the bundle is nearer."""
    made = [near("far", 9.0, 8)]

    assert ["far", "a", "b"] == [one.label for one in merged(OWN, made, 8, 3)]


def test_a_class_is_told_once() -> None:
    """As the nearer; a cluster that was linked to a class may be that."""
    found = merged(OWN, [near("b", 1.0, 7), near("c", 5.0, 8)], NO_CLUSTER, 5)

    assert [("a", None), ("b", 7), ("c", None)] == [(one.label, one.by_cluster) for one in found]


def test_of_a_class_the_nearest_prototype_counts() -> None:
    """Two classes of three clusters; distances and p-values are those that `taken` gives."""
    own = Promoted(overlapping().known, engine().gate, engine().space)
    rng = np.random.default_rng(0)
    for cluster, (which, label) in enumerate(((APART, K), (FAR, K + 1), (0, K + 1)), 1):
        own.put(cluster, label, own.made_of(overlapping().items(rng, np.full(60, which))))
    z = overlapping().items(rng, np.array([APART, FAR] * 10))
    taken = own.taken(z, np.ones(20, dtype=np.bool_), 0.02)
    for n, found in enumerate(made_near(own, z, (*LABELS, "new", "far"), 5)):
        assert {"new", "far"} == {one.label for one in found}
        assert ("new", "far")[n % 2] == found[0].label
        if taken.cluster[n] != NO_CLUSTER:
            assert (taken.cluster[n], taken.p[n], taken.distance[n]) == (
                found[0].by_cluster,
                found[0].p,
                found[0].distance,
            )


def test_nobody_made_a_class() -> None:
    """None is told."""
    own = Promoted(overlapping().known, engine().gate, engine().space)

    assert [[], []] == made_near(
        own, overlapping().items(np.random.default_rng(0), np.zeros(2, int)), LABELS, 5
    )
