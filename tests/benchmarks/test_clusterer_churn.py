"""Only a known thing under a new name counts as churn."""

import dataclasses
from collections.abc import Callable

import numpy as np

from benchmarks.clusterer_churn import FORGETS, ChurnSizes, cases, checkpoints, churn, compare
from benchmarks.clusterer_grids import ENTRIES, Entry, facts_of
from benchmarks.streams import Float64s, Int64s, Topics, topics


def ints(*values: int) -> Int64s:
    return np.array(values, dtype=np.int64)


STREAM = Topics(
    x=np.zeros((1000, 1)),
    y=np.zeros(1000, dtype=np.int64),
    lives=np.array([[0, 1000], [0, 550], [450, 1000]]),
    probes=np.zeros((4, 1)),
    probes_y=ints(0, 0, 1, 2),
)
"""A topic that is always there (two probes), one that ends at 550, one that begins at 450."""


def found(before: Int64s, now: Int64s, *, begin: int) -> tuple[int, int, int]:
    """(kept, changed, without) between `begin` and 100 items later."""
    checkpoint = compare(STREAM, before, now, begin=begin, every=100, settled=100)
    return checkpoint.kept, checkpoint.changed, checkpoint.without


def test_another_id_for_a_topic_that_goes_on_is_churn() -> None:
    """Each probe counts once."""
    assert (3, 0, 0) == found(ints(1, 1, 2, -1), ints(1, 1, 2, -1), begin=400)
    assert (2, 1, 0) == found(ints(1, 1, 2, -1), ints(1, 3, 2, -1), begin=400)


def test_a_topic_that_ends_or_has_just_begun_does_not_count() -> None:
    """From 500 to 600 the second ends, and the third is 50 items old; from 550 on it is old enough."""
    assert (2, 0, 0) == found(ints(1, 1, 2, 2), ints(1, 1, 7, 8), begin=500)
    assert (2, 1, 0) == found(ints(1, 1, 2, 2), ints(1, 1, 7, 8), begin=550)


def test_no_answer_is_no_change_but_is_counted() -> None:
    """At either end."""
    assert (1, 0, 2) == found(ints(1, -1, 2, -1), ints(1, 1, -1, -1), begin=400)


class Renaming:
    """Knows the class of a probe (its first coordinate) and adds something that depends on what it has learnt."""

    def __init__(self, name: Callable[[int], int]) -> None:
        self.name = name
        self.learnt = 0

    def learn_many(self, x: Float64s) -> None:
        self.learnt += len(x)

    def predict_many(self, x: Float64s) -> Int64s:
        return x[:, 0].astype(np.int64) + 1000 * self.name(self.learnt)


def entry(name: Callable[[int], int], called: str = "fake") -> Entry:
    return Entry(name=called, module="service", make=lambda *_: Renaming(name), grid={})


def shares(name: Callable[[int], int]) -> list[float]:
    """Share of changed answers at each checkpoint of 1,000 items."""
    stream = topics(items=1000, seed=0)
    stream = dataclasses.replace(stream, probes=stream.probes_y[:, None].astype(np.float64))
    course = checkpoints(ChurnSizes(settled=50), entry(name), facts_of(stream.x, 12), {}, stream)
    return [c.changed / (c.kept + c.changed) for c in course if c.kept + c.changed]


def test_steady_ids_have_no_churn_and_new_ones_at_every_checkpoint_have_nothing_else() -> None:
    """One renaming in midstream is one bad checkpoint."""
    assert {0.0} == set(shares(lambda _: 0))
    assert {1.0} == set(shares(lambda learnt: learnt))
    assert sum(shares(lambda learnt: int(learnt >= 500))) == 1.0


def test_a_row_tells_mean_and_worst_and_the_course_every_checkpoint() -> None:
    """For those that have settings, in their order."""
    known = {"steady": {}, "other": {}}
    both = (entry(lambda _: 0, "steady"), entry(lambda _: 0, "without"), entry(lambda n: n, "other"))
    rows, courses = churn(ChurnSizes(items=1000, settled=50, seeds=2, entries=both), known)

    assert ["steady", "other"] == [row["clusterer"] for row in rows] == list(courses)
    assert [(0.0, 0.0, 1.0), (1.0, 1.0, 1.0)] == [
        (row["churn"], row["worst"], row["answered"]) for row in rows
    ]
    assert [point["items"] for point in courses["other"]] == list(range(200, 1001, 100))


def test_dbstreams_are_measured_once_more_as_ones_that_forget() -> None:
    """With nothing but another fading."""
    settings = {entry.name: {"radius": 0.5, "fading": 1e-4} for entry in ENTRIES[:3]}

    assert [
        ("firstseen DBSTREAM", 1e-4),
        ("firstseen DBSTREAM, forgets", FORGETS),
        ("river DBSTREAM", 1e-4),
        ("river DBSTREAM, forgets", FORGETS),
        ("river DenStream", 1e-4),
    ] == [(name, chosen["fading"]) for name, _, chosen in cases(ENTRIES[:3], settings)]


def test_ours_keeps_its_ids_while_topics_come_and_go() -> None:
    """River numbers its clusters anew whenever one has gone."""
    settings = {entry.name: {"radius": 0.6, "intersection": 0.05, "fading": 5e-4} for entry in ENTRIES[:2]}
    rows, _ = churn(ChurnSizes(items=3000, seeds=1, entries=ENTRIES[:2]), settings)
    by_name = {row["clusterer"]: row for row in rows}

    assert by_name["firstseen DBSTREAM, forgets"]["churn"] < 0.01
    assert by_name["firstseen DBSTREAM, forgets"]["answered"] > 0.95
    assert by_name["river DBSTREAM, forgets"]["churn"] > 0.03
