"""Does firstseen know the known, catch the new, and cry wolf never? On real data, beside its peers.

    python -m benchmarks.discovery [--quick] [--only NAME ...] [--data FOLDER] [--cache FOLDER] [--json FILE]
    python -m benchmarks.discovery --merge FILE ... [--json FILE]

    cells       each data set is trained with some classes left out (discovery_suite.py: which, and the goals), then
                streams of items that no training saw go through firstseen and through every peer, on the same
                embeddings; streams without anything new, too (discovery_runs.py)
    RandomRBF   the stream in streamndr's README, on raw numbers (discovery_rbf.py)
    intents     grouping a backlog: CLINC150 by DeepAligned's protocol (discovery_intents.py)
    nulls       some of the cells again, with streams in which known classes change and nothing is new, ...
    shares      ... and with new classes of 10, 5, 2 and 1 % (discovery_schedules.py)

What the columns mean stands in service/scoring and discovery_tables.py; who the peers are in discovery_peers.py and
discovery_entries.py. `--only` takes beginnings of names ("MNIST", "RandomRBF"). A training is kept in the cache folder,
so what was trained once is not trained again. `--quick` is digits alone, no download, a minute. All of it takes hours
on one thread, half of them to train, and most of the others for the peers to try their settings; so parts may run in
processes of their own, each with `--only` and `--json`, and `--merge` makes one report of theirs.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from threadpoolctl import threadpool_limits

from benchmarks.discovery_cells import encoded_intents
from benchmarks.discovery_choice import ITEMS
from benchmarks.discovery_entries import ENTRIES
from benchmarks.discovery_intents import intents
from benchmarks.discovery_rbf import PUBLISHED, rbf
from benchmarks.discovery_report import (
    INTENTS,
    RBF,
    Incompatible,
    Report,
    completed,
    empty_report,
    group_report,
    merged,
    tables,
)
from benchmarks.discovery_runs import Setup, run_group
from benchmarks.discovery_schedules import KINDS, runs_of
from benchmarks.discovery_suite import GROUPS, QUICK, Group
from benchmarks.report import log, parser, publish
from model.config import DEVICES


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
        "--limit", type=float, default=120.0, metavar="S", help=f"seconds a peer may take for {ITEMS:,} items"
    )
    options.add_argument(
        "--encoder", metavar="NAME", help="of sentences: a name, or a folder, in place of the usual"
    )
    options.add_argument("--device", choices=DEVICES, default=DEVICES[0], help="what trainings run on")
    options.add_argument(
        "--merge",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="measure nothing: print the tables of these reports together",
    )
    given = options.parse_args(arguments)
    if given.merge:
        try:
            report = merged([json.loads(file.read_text(encoding="utf-8")) for file in given.merge])
        except (OSError, Incompatible) as error:
            options.error(str(error))
    else:
        setup = Setup(
            data_dir=given.data,
            cache=given.cache,
            streams=1 if given.quick else given.streams,
            limit_s=given.limit,
            entries=ENTRIES[:1] if given.quick else ENTRIES,
            encoder=given.encoder,
            device=given.device,
            progress=log,
        )
        report = measure(QUICK if given.quick else GROUPS, setup, only=given.only, quick=given.quick)
    publish(report, list(tables(report)), given.json)


def measure(
    groups: Sequence[Group], setup: Setup, *, only: Sequence[str] | None = None, quick: bool = False
) -> Report:
    """All of it, as the report that `--json` writes; what is not asked for is empty."""

    def is_wanted(name: str) -> bool:
        return only is None or any(name.startswith(beginning) for beginning in only)

    wanted = [group for group in groups if is_wanted(group.name)]
    report = empty_report(wanted, setup)
    with threadpool_limits(limits=1):
        for group in wanted:
            report["groups"][group.name] = group_report(group, run_group(group, setup))
        if is_wanted(RBF):
            report["rbf"] = [*rbf(progress=log, peers=not quick), *PUBLISHED]
        if is_wanted(INTENTS) and not quick:
            log("intents: encode")
            z, y = encoded_intents(setup.data_dir, setup.cache, encoder=setup.encoder)
            report["intents"] = intents(z, y, progress=log)
        kinds = [kind for kind in KINDS if is_wanted(kind) and not quick]
        report["schedules"] |= runs_of(kinds, groups, setup)
    return completed(report)


if __name__ == "__main__":
    main()
