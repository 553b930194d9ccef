"""From runs to rows: means and spread over splits, trainings and streams, beside the goals.

macro_f1, auroc, ...   mean over runs; `..._sd`, their standard deviation: over splits, trainings and streams at once
found                  unseen classes found, of all that came, over all runs
delay                  items of a class until it was found, median over all classes found
fragments              clusters that stand for a found class, mean over these
false_a_stream         false clusters a stream, mean
false_per_100k         false clusters for 100,000 items, over all null streams
"""

import statistics
from collections.abc import Iterable, Sequence

from benchmarks.discovery_runs import OURS, Run
from benchmarks.discovery_suite import NULL_GOAL, Goal, Group
from benchmarks.report import Row

_MEANS = ("macro_f1", "auroc", "known_accuracy", "fnew", "mnew", "err", "nmi", "accuracy", "oracle_accuracy")
_SPREADS = ("macro_f1", "auroc")
_ITEMS = ("item_accuracy", "item_auroc", "oos_auroc")


def stream_row(method: str, runs: Sequence[Run]) -> Row:
    """The row of a method: its runs in one group, at least one."""
    row: Row = {"method": method, "streams": len(runs)}
    for name in _MEANS:
        row[name] = _mean(run[name] for run in runs)
        if name in _SPREADS:
            row[f"{name}_sd"] = _spread([run[name] for run in runs])
    came = sum(run["classes_unseen"] for run in runs)
    delays = [delay for run in runs for delay in run["delays"]]
    fragments = [count for run in runs for count in run["fragments"]]
    row["found"] = sum(run["classes_found"] for run in runs) / came if came else None
    row["classes"] = came
    row["delay"] = float(statistics.median(delays)) if delays else None
    row["fragments"] = _mean(fragments)
    row["false_a_stream"] = _mean(run["false_clusters"] for run in runs)
    return row


def null_row(method: str, runs: Sequence[Run]) -> Row:
    """The row of a method on streams without anything new."""
    items, false = sum(run["items"] for run in runs), sum(run["false_clusters"] for run in runs)
    return {
        "method": method,
        "streams": len(runs),
        "items": items,
        "false_clusters": false,
        "false_per_100k": 100_000 * false / items if items else None,
        "fnew": _mean(run["fnew"] for run in runs),
    }


def item_row(items: Sequence[Run]) -> Row:
    """How a group's cells tell items apart one by one."""
    row: Row = {"cells": len(items)}
    for name in _ITEMS:
        row[name] = _mean(record[name] for record in items)
        row[f"{name}_sd"] = _spread([record[name] for record in items])
    row["training_s"] = _mean(record.get("seconds") for record in items)
    return row


def by_method(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """Runs by method, in the order in which methods first occur."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(run["method"], []).append(run)
    return found


def goal_rows(group: Group, rows: Sequence[Row], items: Row) -> list[Row]:
    """Each goal of a group beside what was reached, and the best peer.

    Args:
        group: Has the goals.
        rows: Of the group's methods; none where it has no streams.
        items: The group's row of items.
    """
    ours = next((row for row in rows if row["method"] == OURS), {})
    peers = [row for row in rows if not str(row["method"]).startswith(OURS)]
    return [goal_row(group.name, goal, {**items, **ours}.get(goal.figure), peers) for goal in group.goals]


def goal_row(where: str, goal: Goal, found: float | None, peers: Sequence[Row]) -> Row:
    """One goal: what was reached, the best peer's, and ours over theirs."""
    theirs = [(row[goal.figure], row["method"]) for row in peers if row.get(goal.figure) is not None]
    pick = max if goal.sense == "at least" else min
    best, who = pick(theirs, key=lambda one: one[0]) if theirs else (None, "-")
    return {
        "where": where,
        "figure": goal.figure,
        "goal": f"{goal.sense} {goal.value:g}",
        "firstseen": found,
        "met": "yes" if goal.is_met(found) else "no",
        "best peer": best,
        "which": who,
        "ratio": found / best if found is not None and best else None,
    }


def null_goal(rows: Sequence[Row]) -> Row:
    """The goal of all null streams together."""
    ours = next((row for row in rows if row["method"] == OURS), {})
    peers = [row for row in rows if not str(row["method"]).startswith(OURS)]
    return goal_row("null streams of all", NULL_GOAL, ours.get(NULL_GOAL.figure), peers)


def _mean(values: Iterable[float | None]) -> float | None:
    there = [float(value) for value in values if value is not None]
    return statistics.fmean(there) if there else None


def _spread(values: Iterable[float | None]) -> float | None:
    there = [float(value) for value in values if value is not None]
    return statistics.stdev(there) if len(there) > 1 else None
