"""Cluster ids outlive regrouping."""

import itertools
import tracemalloc

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.clustering.lineage import Matched, match, parted, united_parts
from service.records import NO_CLUSTER


def matched(
    before: list[int], parts: list[int], weights: list[float] | None = None, announced: tuple[int, ...] = ()
) -> Matched:
    return match(
        np.array(before, dtype=np.int64),
        np.array(parts, dtype=np.int64),
        np.array(weights or [1.0] * len(before), dtype=np.float64),
        next_id=10,
        announced=announced,
    )


def test_nothing_gives_nothing() -> None:
    """No micro-clusters, no ids."""
    found = matched([], [])

    assert [] == found.cluster_of.tolist()
    assert 10 == found.next_id


def test_a_part_without_history_is_born() -> None:
    """New ids are given in order of the parts' age."""
    found = matched([0, 0, 0], [0, 1, 0])

    assert [10, 11, 10] == found.cluster_of.tolist()
    assert (10, 11) == found.born


def test_an_id_stays_while_its_micro_clusters_change() -> None:
    """A part that has some of the old micro-clusters and some new ones keeps the old id."""
    found = matched([5, 5, 0, 0], [0, -1, 0, 0])

    assert [5, 5, 5, 5] == found.cluster_of.tolist()
    assert () == found.born


def test_the_heavier_side_of_a_split_keeps_the_id() -> None:
    """The other gets a new one and knows where it came from."""
    found = matched([5, 5, 5], [0, 1, 1], [1.0, 2.0, 3.0])

    assert [10, 5, 5] == found.cluster_of.tolist()
    assert ((10, 5),) == found.split


def test_the_heavier_side_of_a_merge_keeps_its_id() -> None:
    """The other ends, and says in what; a sleeping micro-cluster of it moves along."""
    found = matched([5, 6, 5], [0, 0, -1], [1.0, 2.0, 1.0])

    assert [6, 6, 6] == found.cluster_of.tolist()
    assert ((5, 6),) == found.merged


def test_what_people_know_is_not_swallowed_by_what_they_do_not() -> None:
    """In a merge an announced cluster keeps its id over a heavier candidate."""
    found = matched([5, 6], [0, 0], [1.0, 2.0], announced=(5,))

    assert ((6, 5),) == found.merged


def test_ties_go_to_the_smaller_id_and_the_older_part() -> None:
    """Nothing is left to chance."""
    assert ((6, 5),) == matched([5, 6], [0, 0]).merged
    assert [5, 10] == matched([5, 5], [0, 1]).cluster_of.tolist()


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-1, 3), st.floats(0.1, 9)), max_size=12))
def test_every_strong_micro_cluster_has_one_id_and_every_id_one_part(
    rows: list[tuple[int, int, float]],
) -> None:
    """Parts and ids are one to one; ids only grow; a weak micro-cluster remembers, or follows a merge."""
    parts = [part for _, part, _ in rows]
    renumber = {old: new for new, old in enumerate(dict.fromkeys(p for p in parts if p >= 0))}
    parts = [renumber.get(part, -1) for part in parts]
    before = [cluster for cluster, _, _ in rows]
    found = matched(before, parts, [weight for *_, weight in rows])
    ids = found.cluster_of.tolist()
    pairs = {(part, id) for part, id in zip(parts, ids, strict=True) if part >= 0}

    assert len({part for part, _ in pairs}) == len(pairs) == len({id for _, id in pairs})
    assert NO_CLUSTER not in {id for _, id in pairs}
    assert found.next_id == 10 + len(found.born) + len(found.split)
    ended = dict(found.merged)
    for old, part, new in zip(before, parts, ids, strict=True):
        if part < 0:
            assert ended.get(old, old) == new


def test_who_loses_its_heaviest_part_keeps_another() -> None:
    """An id lives on while a part of its cluster does that nobody else keeps: no merge and no new id."""
    found = match(np.array([5, 5, 5, 6]), np.array([0, 0, 1, 0]), np.array([2.0, 1.0, 2.0, 9.0]), next_id=10)

    assert [6, 6, 5, 6] == found.cluster_of.tolist()
    assert ((), (), ()) == (found.born, found.split, found.merged)


# Clusters that stay one


def test_what_is_united_does_not_split() -> None:
    """Its parts are one, and what meets any of them meets all."""
    found = match(
        np.array([5, 5, 6, 0]), np.array([0, 1, 1, 2]), np.ones(4), next_id=10, announced={5}, united={5}
    )

    assert [5, 5, 5, 10] == found.cluster_of.tolist()
    assert ((), ((6, 5),)) == (found.split, found.merged)


def test_two_united_clusters_that_meet_are_one() -> None:
    """With all the parts of both."""
    parts = united_parts(np.array([5, 5, 6, 6]), np.array([0, 1, 1, 2]), [5, 6])

    assert [0, 0, 0, 0] == parts.tolist()


def test_a_united_cluster_may_merge_into_another() -> None:
    """A heavier one takes all of it in."""
    found = match(
        np.array([5, 5, 6]),
        np.array([0, 1, 1]),
        np.array([1.0, 1.0, 9.0]),
        next_id=10,
        announced={5, 6},
        united={5},
    )

    assert [6, 6, 6] == found.cluster_of.tolist()
    assert ((5, 6),) == found.merged


ROWS = st.lists(st.tuples(st.integers(0, 4), st.integers(-1, 5)), max_size=14)


@given(ROWS, st.sets(st.integers(1, 4)))
def test_united_parts_are_the_least_that_unites(rows: list[tuple[int, int]], united: set[int]) -> None:
    """Every united cluster has one part; nothing is joined but by them; parts are numbered in order of birth."""
    before = np.array([cluster for cluster, _ in rows], dtype=np.int64)
    renumber = {old: new for new, old in enumerate(dict.fromkeys(p for _, p in rows if p >= 0))}
    parts = np.array([renumber.get(part, -1) for _, part in rows], dtype=np.int64)
    found = united_parts(before, parts, united)
    literal = {part: {part} for part in renumber.values()}
    for cluster in united:
        own = set(parts[(before == cluster) & (parts >= 0)].tolist())
        joined = set().union(*(literal[p] for p in own))
        literal |= dict.fromkeys(joined, joined)

    assert ((parts < 0) == (found < 0)).all()
    for n, m in itertools.combinations(range(len(rows)), 2):
        if parts[n] >= 0 and parts[m] >= 0:
            assert (found[n] == found[m]) == (parts[m] in literal[int(parts[n])])
    first = [found.tolist().index(k) for k in range(int(found.max(initial=-1)) + 1)]
    assert first == sorted(first)
    assert united or found.tolist() == parts.tolist()


def test_the_work_is_that_of_what_meets() -> None:
    """Thousands of clusters that stay as they are take no table of all with all."""
    many = np.arange(1, 20_001)
    tracemalloc.start()
    found = match(many, many - 1, np.ones(20_000), next_id=20_001)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert many.tolist() == found.cluster_of.tolist()
    assert peak < 50_000_000


# What stays apart


def cut(
    before: list[int],
    parts: list[int],
    at: list[float],
    apart: tuple[int, ...],
    weights: list[float] | None = None,
) -> list[int]:
    centers = np.array(at, dtype=np.float64)[:, None]
    heavy = np.array(weights or [1.0] * len(before), dtype=np.float64)
    return parted(np.array(before), np.array(parts), heavy, centers, apart).tolist()


def test_a_chain_does_not_make_one_of_what_stays_apart() -> None:
    """Each keeps its own; what is new on the way goes with the nearer."""
    before, parts, at = [5, 5, 0, 0, 6, 6], [0, 0, 0, 0, 0, 0], [0.0, 1.0, 2.0, 4.0, 5.0, 6.0]
    found = cut(before, parts, at, (5, 6))

    assert [0, 0, 0, 1, 1, 1] == found
    kept = match(np.array(before), np.array(found), np.ones(6), next_id=10, announced={5, 6})
    assert [5, 5, 5, 6, 6, 6] == kept.cluster_of.tolist()
    assert ((), ()) == (kept.merged, kept.split)


def test_a_cut_that_makes_others_meet_is_followed_by_another() -> None:
    """Of two parts as heavy one is cut off, and the other, now the older, has a cluster that must not end."""
    before = [0, 1, 2, 3, 1]
    found = cut(before, [0, 1, 0, 1, 0], [0.0] * 5, (1, 2, 3))
    kept = match(np.array(before), np.array(found), np.ones(5), next_id=10, announced={1, 2, 3})

    assert [0, 1, 0, 2, 3] == found
    assert () == kept.merged


def test_others_meet_as_ever() -> None:
    """One alone, one that only strayed into the part of another, and parts that have nothing to do with it."""
    before, at = [5, 5, 6, 6, 6, 0], [0.0, 1.0, 2.0, 8.0, 9.0, 20.0]

    assert [0, 0, 0, 0, 0, 1] == cut(before, [0, 0, 0, 0, 0, 1], at, (5,))
    assert [0, 0, 0, 1, 1, -1] == cut(before, [0, 0, 0, 1, 1, -1], at, (5, 6))
    assert [0, 0, 1, 1, 1, 2] == cut(before, [0, 0, 0, 0, 0, 1], at, (5, 6))


def test_a_united_cluster_stays_apart_wherever_it_is() -> None:
    """Its lighter piece lies in another's part: no chain makes one of the two by way of that piece."""
    before, at = np.array([1, 1, 2, 2]), np.array([[0.0], [9.0], [10.0], [11.0]])
    weights = np.array([5.0, 1.0, 4.0, 4.0])
    found = parted(before, np.array([0, 1, 1, 1]), weights, at, {1, 2}, {1})
    kept = match(before, found, weights, next_id=10, announced={1, 2}, united={1})

    assert [1, 1, 2, 2] == kept.cluster_of.tolist()
    assert ((), ()) == (kept.merged, kept.split)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(-1, 3), st.floats(0, 9)), max_size=20),
    st.sets(st.integers(1, 4)),
)
def test_what_is_cut_is_a_finer_partition_in_order_of_birth(
    rows: list[tuple[int, int, float]], apart: set[int]
) -> None:
    """Nothing is joined; no two that stay apart have their heaviest part in common; none of them ends."""
    order = {part: n for n, part in enumerate(dict.fromkeys(part for _, part, _ in rows if part >= 0))}
    parts = [order.get(part, -1) for _, part, _ in rows]
    before = [cluster for cluster, _, _ in rows]
    found = cut(before, parts, [at for _, _, at in rows], tuple(sorted(apart)))

    assert [part < 0 for part in parts] == [part < 0 for part in found]
    assert all(
        parts[a] == parts[b]
        for a, b in itertools.combinations(range(len(rows)), 2)
        if found[a] == found[b] >= 0
    )
    first = list(dict.fromkeys(part for part in found if part >= 0))
    assert first == sorted(first) == list(range(len(first)))
    there = {c for c, part in zip(before, parts, strict=True) if part >= 0} & apart
    kept = match(
        np.array(before, dtype=np.int64),
        np.array(found, dtype=np.int64),
        np.ones(len(rows)),
        next_id=10,
        announced=apart,
    )
    assert not {gone for gone, _ in kept.merged} & there
