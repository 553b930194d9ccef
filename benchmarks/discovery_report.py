"""The report of the discovery benchmark: what `--json` writes, the tables made of it, and several reports as one.

    groups       by name: splits, settings, rows, items, goals, and the runs behind them
    rbf          rows of RandomRBF
    intents      a row of each seed and method
    schedules    by kind (nulls, shares), a run of each schedule, stream and variant of ours
    nulls        a row of each method, over the null streams of all groups   ─┐ made of the others, and made anew
    goals        a row of each goal                                          ─┘ when reports are merged

Groups do not depend on each other, so they may be measured in several processes, or on several days; what is of all
of them together is a function of the runs that each report keeps.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.discovery_intents import GOALS as INTENT_GOALS
from benchmarks.discovery_intents import OURS as OUR_GROUPING
from benchmarks.discovery_intents import mean_rows
from benchmarks.discovery_rbf import GOAL as RBF_GOAL
from benchmarks.discovery_runs import OURS, GroupRuns, Setup
from benchmarks.discovery_schedules import KINDS, NULLS, SHARES
from benchmarks.discovery_schedules import rows as schedule_rows
from benchmarks.discovery_suite import Group
from benchmarks.discovery_tables import (
    by_method,
    goal_row,
    goal_rows,
    item_row,
    null_goal,
    null_row,
    stream_row,
)
from benchmarks.report import Row, machine

RBF, INTENTS = "RandomRBF", "intents"
PACKAGES = ("firstseen", "numpy", "torch", "scikit-learn", "river", "streamndr", "clusopt-core")

Report = dict[str, Any]

_SIZES = ("streams", "limit_s")
_COLUMNS = (
    *(
        "method",
        "streams",
        "macro_f1",
        "macro_f1_sd",
        "auroc",
        "auroc_sd",
        "known_accuracy",
        "found",
        "delay",
    ),
    *("fragments", "false_a_stream", "fnew", "mnew", "err", "nmi"),
)


class Incompatible(ValueError):
    """Reports cannot be one. The message says why."""


def empty_report(groups: Sequence[Group], setup: Setup) -> Report:
    """A report in which nothing has been measured yet."""
    return {
        "question": "Does firstseen know the known, catch the new, and cry wolf never?",
        "machine": machine(PACKAGES),
        "sizes": {"streams": setup.streams, "limit_s": setup.limit_s, "groups": [asdict(g) for g in groups]},
        "not_installed": {entry.name: entry.how for entry in setup.entries if not entry.is_installed()},
        "groups": {},
        "rbf": [],
        "intents": [],
        "schedules": {kind: [] for kind in KINDS},
        "nulls": [],
        "goals": [],
    }


def group_report(group: Group, found: GroupRuns) -> Report:
    """Rows, goals and runs of one group."""
    rows = [stream_row(method, runs) for method, runs in by_method(found.runs).items()]
    items = item_row(found.items)
    return {
        "splits": found.splits,
        "settings": found.settings,
        "rows": rows,
        "items": items,
        "goals": goal_rows(group, rows, items),
        "runs": list(found.runs),
        "nulls": list(found.nulls),
        "cells": list(found.items),
    }


def completed(report: Report) -> Report:
    """The report with what is of all of it: null streams, and goals."""
    groups: list[Report] = list(report["groups"].values())
    nulls = null_rows(run for group in groups for run in group["nulls"])
    goals: list[Row] = [goal for group in groups for goal in group["goals"]]
    if nulls:
        goals.append(null_goal(nulls))
    if report["rbf"]:
        ours, *others = report["rbf"]
        peers = [row for row in others if not str(row["method"]).startswith(OURS)]
        goals.append(goal_row(RBF, RBF_GOAL, ours[RBF_GOAL.figure], peers))
    if report["intents"]:
        found = next(row for row in mean_rows(report["intents"]) if row["method"] == OUR_GROUPING)
        goals += [goal_row(INTENTS, goal, found[goal.figure], ()) for goal in INTENT_GOALS]
    return {**report, "nulls": nulls, "goals": goals}


def merged(reports: Sequence[Report]) -> Report:
    """Several reports as one: all of their groups, and what is of all together made anew.

    Args:
        reports: At least one, as `--json` wrote them; the machine is the first one's, those of all are `machines`.

    Raises:
        Incompatible: Something is in two of them, or they were measured with other sizes; the message says which.
    """
    first = reports[0]
    found: Report = {**first, "machines": [report["machine"] for report in reports]}
    for key in _SIZES:
        values = {report["sizes"][key] for report in reports}
        if len(values) > 1:
            raise Incompatible(
                f"The reports differ in {key} ({', '.join(map(str, sorted(values)))}): measure them with the same."
            )
    groups: list[Report] = [group for report in reports for group in report["sizes"]["groups"]]
    found["sizes"] = {**first["sizes"], "groups": groups}
    found["not_installed"] = _joined("not_installed", reports)
    _check_apart("groups", [name for report in reports for name in report["groups"]])
    found["groups"] = _joined("groups", reports)
    for key in ("rbf", "intents"):
        _check_apart("parts", [key for report in reports if report[key]])
        found[key] = [row for report in reports for row in report[key]]
    found["schedules"] = {}
    for kind in KINDS:
        _check_apart("schedules", [kind for report in reports if report["schedules"][kind]])
        found["schedules"][kind] = [run for report in reports for run in report["schedules"][kind]]
    return completed(found)


def null_rows(nulls: Iterable[Row]) -> list[Row]:
    """A row of each method over the runs of null streams."""
    return [null_row(method, runs) for method, runs in by_method(nulls).items()]


def tables(report: Report) -> Iterator[tuple[str, list[Row]]]:
    """Title and rows of each table, in as many columns as a screen takes."""
    for name, group in report["groups"].items():
        if group["rows"]:
            yield (
                f"{name}: mean over splits, trainings and streams (`_sd`: their standard deviation)",
                [{column: row[column] for column in _COLUMNS} for row in group["rows"]],
            )
        yield f"{name}: items one by one, by the bundle's gate", [group["items"]]
    for title, key in (
        ("Streams without anything new, of all groups", "nulls"),
        ("RandomRBF of streamndr's README, seed 42; flag: an outlier counts as found", "rbf"),
        ("CLINC150, 75 % of intents known, a tenth of their labels; mean over seeds", "intents"),
    ):
        if report[key]:
            yield title, mean_rows(report[key]) if key == "intents" else report[key]
    for kind, title in (
        (NULLS, "Nothing new, and known classes change; all cells together, our gates together and alone"),
        (SHARES, "Two new classes with a smaller share; our gates together and alone"),
    ):
        if report["schedules"][kind]:
            yield title, schedule_rows(kind, report["schedules"][kind])
    if report["goals"]:
        yield "Goals (ratio: firstseen to the best peer in this run)", report["goals"]
    if report["not_installed"]:
        missing = [{"peer": name, "install": how} for name, how in report["not_installed"].items()]
        yield "Not installed here, so not measured", missing


def _joined(key: str, reports: Iterable[Report]) -> Report:
    """The mappings at a key as one."""
    return {name: value for report in reports for name, value in report[key].items()}


def _check_apart(what: str, names: Sequence[str]) -> None:
    twice: Mapping[str, None] = {name: None for name in names if names.count(name) > 1}
    if twice:
        raise Incompatible(f"Of the {what}, {', '.join(twice)} is in two reports: merge each once.")
