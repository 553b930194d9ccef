"""Clusters lie where their items are, those of clusters that they took in included."""

import numpy as np

from service.overview.map_view import discs, heirs, known_discs, owners, sparklines
from service.overview.ring import CLUSTER, KNOWN, OUTLIER, POINT, Points
from service.records import Cluster, ClusterState
from tests.service import told


def cluster(id: int, *, merged_into: int | None = None, variant_of: str | None = None) -> Cluster:
    state = ClusterState.GONE if merged_into else ClusterState.ESTABLISHED
    return told.cluster(id=id, state=state, merged_into=merged_into, variant_of=variant_of)


def points(*rows: tuple[int, int, float]) -> Points:
    """(kind, of, x) a row, in places 10, 11, ..."""
    made = np.zeros(len(rows), dtype=POINT)
    made["seq"] = np.arange(10, 10 + len(rows))
    made["kind"], made["of"], made["x"] = zip(*rows, strict=True) if rows else ([], [], [])
    return made


def test_a_chain_of_merges_is_followed_to_its_end() -> None:
    """1 went into 2, and 2 into 3, which is forgotten or not."""
    known = [cluster(1, merged_into=2), cluster(2, merged_into=3), cluster(3), cluster(4)]

    assert {1: 3, 2: 3} == heirs(known)
    assert {1: 2} == heirs([cluster(1, merged_into=2)])
    assert {} == heirs([])


def test_a_circle_of_merges_ends_too() -> None:
    """There is none; a page must not hang on one."""
    assert {1, 2} == set(heirs([cluster(1, merged_into=2), cluster(2, merged_into=1)]))


def test_items_belong_to_the_heir() -> None:
    """Those of known classes and outliers to none."""
    found = owners(points((CLUSTER, 1, 0), (KNOWN, 1, 0), (OUTLIER, 0, 0), (CLUSTER, 5, 0)), {1: 3})

    assert [3, 0, 0, 5] == found.tolist()


def test_a_cluster_lies_in_the_middle_of_its_items() -> None:
    """Of those that have a place; without any it has none."""
    made = points(
        (CLUSTER, 1, 0.1), (CLUSTER, 2, 0.7), (CLUSTER, 1, 0.3), (CLUSTER, 1, 0.2), (CLUSTER, 9, np.nan)
    )
    found = discs(made, owners(made, {}), [1, 2, 3, 9])

    assert {1, 2} == set(found)
    np.testing.assert_allclose([0.2, 0.0, 0.1], found[1], atol=1e-6)
    np.testing.assert_allclose([0.7, 0.0, 0.0], found[2], atol=1e-6)


def test_a_promoted_class_lies_where_its_items_are() -> None:
    """By its place among the labels."""
    found = known_discs(points((KNOWN, 8, 0.5), (CLUSTER, 8, 0.1), (KNOWN, 0, 0.9)), [8, 9])

    assert {8} == set(found)
    np.testing.assert_allclose([0.5, 0.0, 0.0], found[8], atol=1e-6)


def test_a_sparkline_counts_every_item_of_the_runs_once() -> None:
    """Equal runs that end with the latest item."""
    made = points(*[(CLUSTER, 1 + n % 2, 0.0) for n in range(100)])
    found = sparklines(made, owners(made, {}), [2, 1, 7], bins=8, most_items=80)

    assert 110 == found.to_seq
    assert 30 == found.from_seq
    assert [[5] * 8, [5] * 8, [0] * 8] == found.counts.tolist()


def test_a_short_stream_fills_the_last_runs() -> None:
    """And none at all makes empty ones."""
    made = points((CLUSTER, 1, 0.0), (CLUSTER, 1, 0.0))
    found = sparklines(made, owners(made, {}), [1], bins=4, most_items=100)

    assert [[0, 0, 1, 1]] == found.counts.tolist()
    assert [[0, 0]] == sparklines(points(), owners(points(), {}), [1], bins=2, most_items=100).counts.tolist()
