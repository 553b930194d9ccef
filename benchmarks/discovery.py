"""Does firstseen know the known, catch the new, and cry wolf never? On real data, beside its peers.

    python -m benchmarks.discovery [--quick] [--only NAME ...] [--data FOLDER] [--cache FOLDER] [--json FILE]

    cells       each data set is trained with some classes left out (discovery_suite.py: which, and the goals), then
                streams of items that no training saw go through firstseen and through every peer, on the same
                embeddings; streams without anything new, too (discovery_runs.py)
    RandomRBF   the stream in streamndr's README, on raw numbers (discovery_rbf.py)
    intents     grouping a backlog: CLINC150 by DeepAligned's protocol (discovery_intents.py)

What the columns mean stands in service/scoring and discovery_tables.py; who the peers are in discovery_peers.py and
discovery_entries.py. `--only` takes beginnings of names ("MNIST", "RandomRBF"). A training is kept in the cache folder,
so what was trained once is not trained again. `--quick` is digits alone, no download, a minute. All of it takes hours
on one thread, half of them to train, and most of the others for the peers to try their settings.
"""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from benchmarks.discovery_cells import encoded_intents
from benchmarks.discovery_entries import ENTRIES
from benchmarks.discovery_intents import GOALS as INTENT_GOALS
from benchmarks.discovery_intents import OURS as OUR_GROUPING
from benchmarks.discovery_intents import intents, mean_rows
from benchmarks.discovery_rbf import GOAL as RBF_GOAL
from benchmarks.discovery_rbf import PUBLISHED, rbf
from benchmarks.discovery_runs import GroupRuns, Setup, run_group
from benchmarks.discovery_suite import GROUPS, QUICK, Group
from benchmarks.discovery_tables import (
    by_method,
    goal_row,
    goal_rows,
    item_row,
    null_goal,
    null_row,
    stream_row,
)
from benchmarks.report import Row, log, machine, parser, publish

RBF, INTENTS = "RandomRBF", "intents"
PACKAGES = ("firstseen", "numpy", "torch", "scikit-learn", "river", "streamndr", "clusopt-core")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    options: argparse.ArgumentParser = parser(__doc__.splitlines()[0])
    options.add_argument("--only", nargs="+", metavar="NAME", help="groups whose names begin so")
    options.add_argument("--data", type=Path, metavar="FOLDER", help="where data sets lie or are put")
    options.add_argument(
        "--cache",
        type=Path,
        metavar="FOLDER",
        default=Path("benchmarks/results/cells"),
        help="keeps trainings",
    )
    options.add_argument("--streams", type=int, default=3, metavar="N", help="streams of each cell")
    options.add_argument(
        "--limit", type=float, default=120.0, metavar="S", help="seconds a peer may take a stream"
    )
    options.add_argument(
        "--encoder", metavar="NAME", help="of sentences: a name, or a folder, in place of the usual"
    )
    given = options.parse_args(arguments)
    setup = Setup(
        data_dir=given.data,
        cache=given.cache,
        streams=1 if given.quick else given.streams,
        limit_s=given.limit,
        entries=ENTRIES[:1] if given.quick else ENTRIES,
        changes={} if given.encoder is None else {"encoder": given.encoder},
        progress=log,
    )
    report = measure(QUICK if given.quick else GROUPS, setup, only=given.only, quick=given.quick)
    publish(report, list(tables(report)), given.json)


def measure(
    groups: Sequence[Group], setup: Setup, *, only: Sequence[str] | None = None, quick: bool = False
) -> dict[str, Any]:
    """All of it, as the report that `--json` writes; what is not asked for is empty."""

    def is_wanted(name: str) -> bool:
        return only is None or any(name.startswith(beginning) for beginning in only)

    wanted = [group for group in groups if is_wanted(group.name)]
    report: dict[str, Any] = {
        "question": "Does firstseen know the known, catch the new, and cry wolf never?",
        "machine": machine(PACKAGES),
        "sizes": {"streams": setup.streams, "limit_s": setup.limit_s, "groups": [asdict(g) for g in wanted]},
        "not_installed": {entry.name: entry.how for entry in setup.entries if not entry.is_installed()},
        "groups": {},
        "goals": [],
        "rbf": [],
        "intents": [],
    }
    with threadpool_limits(limits=1):
        found = {group.name: run_group(group, _of(setup, group)) for group in wanted}
        for group in wanted:
            report["groups"][group.name] = group_report(group, found[group.name])
            report["goals"] += report["groups"][group.name].pop("goals")
        report["nulls"] = null_rows(found.values())
        if report["nulls"]:
            report["goals"].append(null_goal(report["nulls"]))
        if is_wanted(RBF):
            report["rbf"] = [*rbf(progress=log, peers=not quick), *PUBLISHED]
            report["goals"].append(goal_row(RBF, RBF_GOAL, report["rbf"][0]["err_flag"], report["rbf"][1:]))
        if is_wanted(INTENTS) and not quick:
            log("intents: encode")
            z, y = encoded_intents(setup.data_dir, setup.cache, encoder=setup.changes.get("encoder"))
            report["intents"] = intents(z, y, progress=log)
            ours = next(row for row in mean_rows(report["intents"]) if row["method"] == OUR_GROUPING)
            report["goals"] += [goal_row(INTENTS, goal, ours[goal.figure], ()) for goal in INTENT_GOALS]
    return report


def group_report(group: Group, found: GroupRuns) -> dict[str, Any]:
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


def null_rows(found: Iterable[GroupRuns]) -> list[Row]:
    """A row of each method over the null streams of all groups."""
    nulls = [run for group in found for run in group.nulls]
    return [null_row(method, runs) for method, runs in by_method(nulls).items()]


def tables(report: dict[str, Any]) -> Iterator[tuple[str, list[Row]]]:
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
    if report["goals"]:
        yield "Goals (ratio: firstseen to the best peer in this run)", report["goals"]
    if report["not_installed"]:
        missing = [{"peer": name, "install": how} for name, how in report["not_installed"].items()]
        yield "Not installed here, so not measured", missing


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


def _of(setup: Setup, group: Group) -> Setup:
    """Changes that are about sentences are for groups of sentences."""
    return setup if group.config.endswith("minilm") else replace(setup, changes={})


if __name__ == "__main__":
    main()
