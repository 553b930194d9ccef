"""Rows are means of runs, and a goal stands beside what was reached and what the best peer reached."""

from typing import Any

import pytest

from benchmarks.discovery_runs import OURS
from benchmarks.discovery_suite import GROUPS, Goal, Group, Random
from benchmarks.discovery_tables import (
    by_method,
    goal_row,
    goal_rows,
    item_row,
    null_goal,
    null_row,
    stream_row,
)


def run(**changes: Any) -> dict[str, Any]:
    """One stream: two classes came, one was found after 30 items, by two clusters."""
    shares = dict.fromkeys(
        ("known_accuracy", "fnew", "mnew", "err", "nmi", "accuracy", "oracle_accuracy"), 0.5
    )
    return {
        "method": OURS,
        "items": 1000,
        **shares,
        "macro_f1": 0.8,
        "auroc": 0.9,
        "classes_unseen": 2,
        "classes_found": 1,
        "false_clusters": 0,
        "delays": [30],
        "fragments": [2],
        **changes,
    }


def test_a_row_is_the_mean_of_its_runs_with_its_spread() -> None:
    """The sample's standard deviation."""
    row = stream_row(OURS, [run(macro_f1=0.7), run(macro_f1=0.9)])

    assert row["macro_f1"] == pytest.approx(0.8)
    assert row["macro_f1_sd"] == pytest.approx(0.1 * 2**0.5)
    assert row["streams"] == 2


def test_one_run_has_no_spread_and_a_missing_figure_is_left_out() -> None:
    """A stream without a new class has no AUROC."""
    assert stream_row(OURS, [run()])["auroc_sd"] is None
    assert stream_row(OURS, [run(auroc=None), run(auroc=0.6)])["auroc"] == 0.6


def test_classes_and_delays_are_counted_over_all_runs() -> None:
    """Not averaged stream by stream: a stream where nothing was found has no delay."""
    row = stream_row(
        OURS,
        [
            run(classes_found=0, delays=[], fragments=[]),
            run(classes_found=2, delays=[10, 50], fragments=[1, 3], false_clusters=3),
        ],
    )

    assert (0.5, 4) == (row["found"], row["classes"])
    assert (30.0, 2.0, 1.5) == (row["delay"], row["fragments"], row["false_a_stream"])


def test_nothing_found_has_no_delay() -> None:
    """And no fragments; that is not 0."""
    row = stream_row(OURS, [run(classes_found=0, delays=[], fragments=[])])

    assert (row["delay"], row["fragments"]) == (None, None)


def test_false_clusters_of_null_streams_are_counted_for_a_hundred_thousand_items() -> None:
    """Over all streams together."""
    row = null_row(OURS, [run(items=30_000, false_clusters=1), run(items=20_000)])

    assert (50_000, 2.0) == (row["items"], row["false_per_100k"])


def test_runs_are_grouped_in_the_order_in_which_methods_come() -> None:
    """Ours stays first."""
    grouped = by_method([run(), run(method="a"), run(), run(method="b")])

    assert [(OURS, 2), ("a", 1), ("b", 1)] == [(name, len(runs)) for name, runs in grouped.items()]


def group(*goals: Goal) -> Group:
    return Group(
        name="g",
        config="digits",
        reported=Random(unseen=1, count=1),
        design=Random(unseen=1, count=1),
        goals=goals,
    )


def test_a_goal_stands_beside_the_best_peer() -> None:
    """The largest where much is good, the smallest where little is; variants of ours are no peers."""
    rows = [
        {"method": OURS, "macro_f1": 0.9, "delay": 20.0},
        {"method": f"{OURS}, item gate alone", "macro_f1": 1.0, "delay": 1.0},
        {"method": "a", "macro_f1": 0.6, "delay": 40.0},
        {"method": "b", "macro_f1": 0.5, "delay": None},
    ]
    goals = (
        Goal(figure="macro_f1", sense="at least", value=0.95),
        Goal(figure="delay", sense="at most", value=25),
    )
    f1, delay = goal_rows(group(*goals), rows, {})

    assert ("no", 0.6, "a") == (f1["met"], f1["best peer"], f1["which"])
    assert f1["ratio"] == pytest.approx(1.5)
    assert ("yes", 40.0, 0.5) == (delay["met"], delay["best peer"], delay["ratio"])


def test_figures_of_items_can_be_goals_too() -> None:
    """Where there are no streams there is no row of ours, and no peer."""
    items = item_row([{"item_accuracy": 0.9, "item_auroc": 0.99, "oos_auroc": None, "seconds": 60.0}])
    (row,) = goal_rows(group(Goal(figure="item_auroc", sense="at least", value=0.98)), [], items)

    assert ("yes", 0.99, None, "-") == (row["met"], row["firstseen"], row["best peer"], row["which"])
    assert items["oos_auroc"] is None


def test_every_goal_is_of_a_figure_that_there_is() -> None:
    """One that is misspelt would be missed for ever, and nobody would see why."""
    items = item_row([{"item_accuracy": 0.9, "item_auroc": 0.99, "oos_auroc": 0.9, "seconds": 60.0}])
    row = {**items, **stream_row(OURS, [run()])}

    assert {goal.figure for own in GROUPS for goal in own.goals} <= set(row)


def test_a_figure_that_is_missing_is_no_success() -> None:
    """It is shown as missing."""
    row = goal_row("g", Goal(figure="delay", sense="at most", value=15), None, ())

    assert ("no", None, None) == (row["met"], row["firstseen"], row["ratio"])


def test_all_null_streams_have_one_goal() -> None:
    """One false cluster for 100,000 items."""
    rows = [null_row(OURS, [run(items=100_000, false_clusters=1)]), null_row("a", [run(false_clusters=2)])]
    row = null_goal(rows)

    assert ("yes", 1.0, 200.0) == (row["met"], row["firstseen"], row["best peer"])
