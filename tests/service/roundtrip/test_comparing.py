"""Two readings side by side: answers are counted, clusters are matched by the items they share."""

from dataclasses import replace

from service.records import Cluster, ClusterState, Verdict, VerdictKind
from service.roundtrip.comparing import EXAMPLES, Comparison
from tests.service import told


def verdict(n: int, *, label: str | None = None, cluster: int | None = None) -> Verdict:
    kind = VerdictKind.KNOWN if label else VerdictKind.CLUSTER if cluster else VerdictKind.OUTLIER
    return Verdict(
        id=f"i{n}",
        seq=n,
        verdict=kind,
        label=label,
        cluster_id=cluster,
        novelty=0.5,
        nearest=label or "a",
        distance=1.0,
    )


def cluster(id: int, emerged: int | None) -> Cluster:
    return told.cluster(id=id, state=ClusterState.ESTABLISHED, name=f"name {id}", emerged_seq=emerged)


def test_the_same_answers_are_no_change() -> None:
    """A cluster is one, whatever its number."""
    comparison = Comparison()
    comparison.add(
        [verdict(0, label="a"), verdict(1, cluster=3)], [verdict(0, label="a"), verdict(1, cluster=8)]
    )
    compared = comparison.done([cluster(3, 1)], [cluster(8, 1)], since=0)

    assert (2, 2, 0, ()) == (compared.items, compared.same, compared.untold, compared.changes)
    assert not compared.differs


def test_changes_are_counted_with_some_ids_of_each() -> None:
    """The most frequent first, no more ids than are of use."""
    was = [verdict(n, label="a") for n in range(9)] + [verdict(9)]
    would = [verdict(n, label="b") for n in range(9)] + [verdict(9, label="a")]
    comparison = Comparison()
    comparison.add(was, would)
    first, second = comparison.done([], [], since=0).changes

    assert ("known: a", "known: b", 9) == (first.was, first.would, first.items)
    assert tuple(f"i{n}" for n in range(EXAMPLES)) == first.ids
    assert ("outlier", "known: a", 1, ("i9",)) == (second.was, second.would, second.items, second.ids)


def test_what_cannot_be_told_is_counted_apart() -> None:
    """It is neither the same nor a change."""
    comparison = Comparison()
    comparison.add([verdict(0, label="a")], [None])
    compared = comparison.done([], [], since=0)

    assert (1, 0, 1, ()) == (compared.items, compared.same, compared.untold, compared.changes)


def test_clusters_are_matched_by_most_items_one_to_one() -> None:
    """The second that shares items with a taken one has none."""
    comparison = Comparison()
    was = [verdict(n, cluster=1) for n in range(5)] + [verdict(n, cluster=2) for n in range(5, 8)]
    comparison.add(was, [verdict(n, cluster=7) for n in range(8)])
    compared = comparison.done([cluster(1, 10), cluster(2, 20)], [cluster(7, 14)], since=0)
    one, two = compared.clusters

    assert (1, 7, 5, 4) == (one.was, one.would, one.shared, one.delay)
    assert (2, None, 0, None) == (two.was, two.would, two.shared, two.delay)
    assert compared.differs


def test_a_cluster_that_only_the_other_has_is_told() -> None:
    """As is one of before that nothing came to, where it was announced since."""
    compared = Comparison().done([cluster(1, 5)], [cluster(1, 5), cluster(2, 50)], since=10)

    assert [(None, 2, None)] == [(match.was, match.would, match.delay) for match in compared.clusters]


def test_places_of_a_reading_that_began_elsewhere_are_shifted() -> None:
    """So that a delay is one of the stream."""
    comparison = Comparison()
    comparison.add([verdict(0, cluster=1)], [verdict(0, cluster=4)])
    (match,) = comparison.done([cluster(1, 110)], [cluster(4, 15)], since=0, shift=100).clusters

    assert 5 == match.delay
    assert match == replace(match, name="name 1")
