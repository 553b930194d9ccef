"""Speed is measured at the number of micro-clusters that it is said to be measured at."""

import numpy as np
import pytest

from benchmarks.clusterer_speed import SpeedSizes, flatness, parameters_for, speed, speed_row
from benchmarks.clusterers import Ours
from benchmarks.streams import blobs

TINY = SpeedSizes(
    dimensions=(2, 3),
    micro_clusters=(20,),
    streams=("filaments", "blobs"),
    budget_s=0.001,
    rounds=1,
    warm_up_visits=3,
    calls=3,
    flat_d=2,
    flat_micro_clusters=20,
    flat_marks=(5000, 10_000),
)


@pytest.mark.long
def test_every_stream_and_size_has_a_row_and_all_figures_are_there() -> None:
    """In the order of the sizes; figures of speed and bytes are above nothing."""
    said: list[str] = []
    rows = speed(TINY, progress=said.append)

    assert [("filaments", 2), ("filaments", 3), ("blobs", 2), ("blobs", 3)] == [
        (row["stream"], row["d"]) for row in rows
    ]
    assert len(said) == 4
    for row in rows:
        figures = {
            name: value for name, value in row.items() if name.endswith(("_s", "_us", "_bytes", "ratio"))
        }
        assert len(figures) == 14
        assert all(value > 0 for value in figures.values()), row


@pytest.mark.parametrize("name", TINY.streams)
def test_the_micro_clusters_are_there(name: str) -> None:
    """About as many as asked for, each visited as often as said, and an item is in one or more."""
    row = speed_row(TINY, name, d=2, M=100)

    assert row["M"] == 100
    assert 75 <= row["present"] <= 130
    assert row["visits"] == 3.0
    assert 1.0 <= row["near"] < 4.0


def test_a_warm_up_that_takes_too_long_is_cut_short_but_not_below_two_visits() -> None:
    """So that a large size ends, and is still that size."""
    sizes = SpeedSizes(budget_s=0.001, rounds=1, calls=1, warm_up_visits=40, warm_up_s=0.0)
    row = speed_row(sizes, "blobs", d=2, M=500)

    assert 2.0 <= row["visits"] < 40.0
    assert row["present"] >= 450


@pytest.mark.parametrize("M", [10, 300])
def test_micro_clusters_stay_and_stay_strong_under_its_parameters(M: int) -> None:
    """Visited at random forty times each, none is forgotten, and nearly all are strong."""
    x = blobs(d=8, micro_clusters=M, items=40 * M, seed=0).x
    ours = Ours(parameters_for(M))
    ours.learn_many(x)
    weights = ours.learnt().weights

    assert len(ours) >= M
    assert np.mean(weights >= parameters_for(M).minimum_weight) > 0.9


def test_flatness_has_a_row_for_each_mark() -> None:
    """With what an item costs there, and how many micro-clusters there are: also those from nowhere."""
    rows = flatness(TINY)

    assert [5000, 10_000] == [row["items_learnt"] for row in rows]
    assert all(row["us_per_item"] > 0 and row["M"] > 20 for row in rows)
    assert rows[0]["seconds_so_far"] <= rows[1]["seconds_so_far"]


def test_marks_that_are_not_reached_in_time_are_left_out() -> None:
    """The first block may still be learnt."""
    sizes = SpeedSizes(flat_d=2, flat_micro_clusters=20, flat_marks=(5000, 10_000_000), flat_limit_s=0.0)

    assert [5000] == [row["items_learnt"] for row in flatness(sizes)]
