"""Parts that were measured apart are one report, with what is of all of them made anew."""

from typing import Any

import pytest

from benchmarks.discovery_report import Incompatible, Report, completed, empty_report, merged, tables
from benchmarks.discovery_runs import OURS, Setup
from benchmarks.discovery_suite import Group

SHARES = ("known_accuracy", "fnew", "mnew", "err", "nmi", "accuracy", "oracle_accuracy", "macro_f1", "auroc")


def run(**changes: Any) -> dict[str, Any]:
    """A null stream of 50,000 items with a false cluster."""
    counts = {"items": 50_000, "classes_unseen": 0, "classes_found": 0, "false_clusters": 1}
    return {"method": OURS, **dict.fromkeys(SHARES), **counts, "delays": [], "fragments": [], **changes}


def part(name: str, *, streams: int = 3, **changes: Any) -> Report:
    """A report of one group."""
    group = Group(name=name, config="digits", reported=(("3",),), design=())
    setup = Setup(data_dir=None, cache=None, streams=streams, entries=())  # type: ignore[arg-type]
    own = {"rows": [], "items": {"cells": 1}, "goals": [{"where": name}], "nulls": [run()]}
    return completed({**empty_report([group], setup), "groups": {name: own}, **changes})


def rbf(*found: tuple[str, float]) -> list[dict[str, Any]]:
    return [{"method": method, "err_flag": err} for method, err in found]


def test_groups_of_all_reports_are_in_one() -> None:
    """In the order of the files, with their goals and sizes."""
    both = merged([part("a"), part("b")])

    assert ["a", "b"] == list(both["groups"]) == [group["name"] for group in both["sizes"]["groups"]]
    assert ["a", "b", "null streams of all"] == [goal["where"] for goal in both["goals"]]
    assert len(both["machines"]) == 2


def test_null_streams_are_counted_over_all_parts() -> None:
    """Not taken from one of them: two false clusters in 100,000 items, one goal."""
    both = merged([part("a"), part("b")])

    assert (2, 2.0) == (both["nulls"][0]["false_clusters"], both["nulls"][0]["false_per_100k"])
    assert 1 == sum(goal["where"] == "null streams of all" for goal in both["goals"])


def test_one_report_stays_as_it_is() -> None:
    """But for the list of machines."""
    alone = part("a", rbf=rbf((OURS, 0.2)))

    assert {**alone, "machines": [alone["machine"]]} == merged([alone])


def test_parts_that_are_no_groups_come_along() -> None:
    """From the report that has them, with their tables and goals."""
    both = merged(
        [part("a"), part("b", rbf=rbf((f"{OURS} at 0.05", 0.2), (f"{OURS} at 0.02", 0.1), ("x", 0.3)))]
    )
    goal = next(goal for goal in both["goals"] if goal["where"] == "RandomRBF")

    assert (0.2, 0.3, "x") == (goal["firstseen"], goal["best peer"], goal["which"])
    assert any("RandomRBF" in title for title, _ in tables(both))


def test_what_was_measured_twice_is_refused() -> None:
    """Nobody can tell which of the two counts."""
    with pytest.raises(Incompatible, match="groups, a is in two"):
        merged([part("a"), part("a")])
    with pytest.raises(Incompatible, match="parts, rbf is in two"):
        merged([part("a", rbf=rbf((OURS, 0.2))), part("b", rbf=rbf((OURS, 0.2)))])


def test_other_sizes_are_refused() -> None:
    """A mean over two streams beside one over three."""
    with pytest.raises(Incompatible, match=r"streams \(2, 3\)"):
        merged([part("a", streams=2), part("b")])
