"""Variant or new: what is missing since a cluster came tells."""

import numpy as np
import pytest

from service.clustering.variants import SPAN, Answer, Cores, judged

USUAL = [50, 50, 50, 50, 400]
"""Of four classes 50 core items each, among 400 items."""


def test_a_class_that_comes_in_addition_is_new() -> None:
    """A tenth of the stream is new, and the known classes go on among each other as before."""
    since = [45, 45, 45, 45, 400]

    assert judged(USUAL, since, 40).answer is Answer.NEW


def test_a_class_that_is_missing_since_has_drifted() -> None:
    """Its items are as many as would have come of class 2, and of class 2 none comes."""
    found = judged(USUAL, [50, 50, 0, 50, 400], 60)

    assert (Answer.DRIFT, 2) == (found.answer, found.drifted)


def test_two_classes_may_drift_together() -> None:
    """What both miss is counted together; the one that misses most names it."""
    found = judged([50, 50, 50, 50, 50, 500], [50, 4, 50, 0, 50, 500], 60)

    assert (Answer.DRIFT, 3) == (found.answer, found.drifted)


def test_if_all_are_missing_all_have_drifted() -> None:
    """Whatever was known is gone from where it was."""
    assert judged(USUAL, [0, 1, 0, 0, 1100], 900).answer is Answer.DRIFT


def test_new_classes_may_make_up_most_of_a_stream() -> None:
    """A quarter of the known items still comes, of each class in proportion."""
    assert judged(USUAL, [12, 13, 12, 13, 400], 150).answer is Answer.NEW


def test_what_is_missing_must_be_enough_to_have_become_the_cluster() -> None:
    """A small class that stops explains no cluster of hundreds."""
    rare = [50, 50, 50, 12, 400]

    assert judged(rare, [50, 50, 50, 0, 400], 60).answer is Answer.NEW
    assert judged(rare, [50, 50, 50, 0, 400], 20).answer is Answer.DRIFT


def test_a_class_that_became_rarer_has_not_drifted() -> None:
    """Label shift: more than half of what was expected still comes."""
    assert judged(USUAL, [60, 60, 30, 60, 400], 40).answer is Answer.NEW


def test_a_few_items_tell_nothing() -> None:
    """That none of a class is among ten items happens by chance."""
    assert judged(USUAL, [2, 2, 0, 1, 10], 3).answer is Answer.NEW


def test_a_burst_of_new_items_alone_is_no_drift() -> None:
    """Before many known items should have come, their absence means nothing."""
    assert judged(USUAL, [0, 0, 0, 0, 12], 12).answer is Answer.NEW
    assert judged(USUAL, [0, 0, 0, 0, 990], 990).answer is Answer.NEW
    assert judged(USUAL, [0, 0, 0, 0, 1010], 1010).answer is Answer.DRIFT


def test_a_cluster_that_is_not_small_any_more_is_no_single_class() -> None:
    """Classes come and go in a long time."""
    assert judged(USUAL, [50, 50, 0, 50, 400], 61).answer is Answer.NEW


@pytest.mark.parametrize(
    ("before", "since"),
    [([0, 0, 0], [0, 0, 0]), ([0, 0, 9], [0, 0, 9]), ([5, 5, 20], [0, 0, 0]), ([5, 20], [0, 0])],
)
def test_without_anything_to_compare_it_is_new(before: list[int], since: list[int]) -> None:
    """At the very beginning of a stream, and with no items since."""
    assert judged(before, since, 0).answer is Answer.NEW


def test_new_classes_are_rarely_taken_for_a_drift() -> None:
    """Streams of ten known classes with a tenth of new items, judged at every item: in one of a hundred, if at all."""
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(200):
        cores = Cores.of(10)
        for core in rng.integers(-10, 10, 2 * SPAN):
            cores.count([max(int(core), -1)])
        usual, at_birth, items = cores.usual(), list(cores.counts), 0
        for _ in range(300):
            is_new = rng.random() < 0.1
            items += is_new
            cores.count([-1 if is_new else max(int(rng.integers(-10, 10)), -1)])
            since = [now - then for now, then in zip(cores.counts, at_birth, strict=True)]
            if items >= 8 and judged(usual, since, items).answer is Answer.DRIFT:
                wrong += 1
                break

    assert wrong <= 4


@pytest.mark.parametrize(
    "sizes", [[3 * SPAN], [1, SPAN - 1, SPAN, 1, SPAN - 1], [SPAN + 1, 2 * SPAN - 1], [7] * 429]
)
def test_cores_counted_at_once_are_those_counted_one_by_one(sizes: list[int]) -> None:
    """Counts and marks are the same however the items are cut."""
    rng = np.random.default_rng(0)
    cores = rng.integers(-1, 3, sum(sizes)).tolist()
    one_by_one, at_once = Cores.of(3), Cores.of(3)
    for core in cores:
        one_by_one.count([core])
    at = 0
    for size in sizes:
        at_once.count(cores[at : at + size])
        at += size

    assert one_by_one == at_once


def test_cores_remember_one_to_two_spans() -> None:
    """What was long ago is not usual any more, and no more than two marks are kept."""
    cores = Cores.of(2)
    for n in range(3 * SPAN):
        cores.count([0 if n < SPAN else 1])
        assert min(n + 1, SPAN) <= cores.usual()[-1] <= n + 1
        assert len(cores.marks) <= 2
        assert cores.usual()[-1] <= 2 * SPAN

    assert cores.usual()[0] == 0
    assert cores.usual()[1] >= SPAN
    assert cores.counts == [SPAN, 2 * SPAN, 3 * SPAN]


def test_the_class_that_drifted_is_named_and_no_larger_one_that_ebbs() -> None:
    """A big class at 60 % misses more items than a small one that is all but gone; the small one is named."""
    found = judged([1000, 40, 40, 1100], [600, 2, 40, 1100], 10)

    assert Answer.DRIFT is found.answer
    assert 1 == found.drifted
    assert found.missing is not None
    assert (24.0, 2) == (found.missing.expected, found.missing.seen)
