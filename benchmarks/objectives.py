"""Which objective, with or without two views, meets classes best that training has not seen?

    python -m benchmarks.objectives [--quick] [--json FILE]

Digits, so that it takes minutes: for every split (classes held out, seed) one training of each objective, with
and without the auxiliary. Each net is measured at several shares of its schedule and in several layers, by AUROC of
the bundle's score (held-out items against fresh known ones) and by k-means told the number of held-out classes.
Two kinds of split, since they ask for different things: with eight known classes the new ones mostly need to be
told from these, with five most of the work is to tell them from each other.

The choice by left-out known classes (`model/leave_out.py`) is then made for some of the splits, and its winner is
looked up among the measured: what did choosing gain over the default, and what would hindsight have gained?

The weight and temperature of the auxiliary and the strength of its views were set on other splits: 3 and 7, 4 and
9, even and odd digits, 0 to 4.
"""

import argparse
import dataclasses
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.report import Row, log, machine, parser, publish
from model.auxiliary import AUXILIARIES
from model.candidates import around
from model.choice import Met, named
from model.config import TrainConfig
from model.datasets import LabelledData, load_dataset
from model.datasets.split import split
from model.leave_out import STOPS, Fold, choose, jury_of, measure
from model.networks import Embedder
from model.objectives import OBJECTIVES
from model.train import train

LAYERS = ("", "penultimate", "output", "pooled", "penultimate+output", "pooled+penultimate")
GATES = ("", "mahalanobis", "nearest-neighbour", "nearest-neighbour+relative-mahalanobis")
"""Joined by +; the empty one is what is shipped, all layers and the default gate."""

Where = tuple[float, str, str]
"""Share of the schedule, layers, gate."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What is measured.

    Attributes:
        pairs: two classes held out of ten, for each.
        fives: five classes held out of ten, for each.
        seeds: each with every split.
        objectives: each without and with the auxiliary.
        chosen: how many of the splits, the first ones, a choice is made for, among these.
        epochs: None is the default.
    """

    pairs: tuple[tuple[str, ...], ...] = (("1", "5"), ("2", "8"), ("0", "6"))
    fives: tuple[tuple[str, ...], ...] = (("0", "3", "5", "6", "9"), ("1", "2", "6", "7", "8"))
    seeds: tuple[int, ...] = (0, 1)
    objectives: tuple[str, ...] = tuple(OBJECTIVES)
    chosen: int = 6
    epochs: int | None = None


QUICK = Sizes(pairs=(("1", "5"),), fives=(("0", "3", "5", "6", "9"),), seeds=(0,), chosen=1, epochs=10)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One training: its run, the CPU seconds it took, and how it met the held-out classes."""

    config: TrainConfig
    seconds: float
    met: Mapping[Where, Met]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    options: argparse.Namespace = parser(__doc__.splitlines()[0]).parse_args(arguments)
    report = compare(QUICK if options.quick else Sizes())
    tables = [
        ("Objective and auxiliary; all layers, default gate, whole schedule", report["objectives"]),
        ("Share of the schedule, over all of them", report["stops"]),
        ("Layers, over all of them", report["layers"]),
        ("Gates on all layers, over all of them", report["gates"]),
        ("Chosen by left-out known classes", report["chosen"]),
    ]
    publish(report, tables, options.json)


def compare(sizes: Sizes) -> dict[str, Any]:
    """All of it, as the report that `--json` writes."""
    data = load_dataset("digits", data_dir=None)
    default = TrainConfig(threads=1)
    if sizes.epochs is not None:
        default = dataclasses.replace(default, epochs=sizes.epochs)
    splits = [(held, seed) for held in (*sizes.pairs, *sizes.fives) for seed in sizes.seeds]
    cells = []
    for held, seed in splits:
        for objective in sizes.objectives:
            for auxiliary in AUXILIARIES:
                run = dataclasses.replace(
                    default, hold_out=held, seed=seed, objective=objective, auxiliary=auxiliary
                )
                cells.append(cell(run, data))
        log(f"without {', '.join(held)}, seed {seed}: done")
    return {
        "question": "Which objective, with or without two views, meets classes best that training has not seen?",
        "machine": machine(["firstseen", "numpy", "torch"]),
        "sizes": dataclasses.asdict(sizes),
        "objectives": [
            {"objective": objective, "auxiliary": auxiliary, **_by_kind(found, (1.0, "", ""))}
            for objective in sizes.objectives
            for auxiliary in AUXILIARIES
            if (
                found := [
                    c for c in cells if (c.config.objective, c.config.auxiliary) == (objective, auxiliary)
                ]
            )
        ],
        "stops": [{"stop_at": stop, **_by_kind(cells, (stop, "", ""))} for stop in reversed(STOPS)],
        "layers": [{"layers": layers or "all", **_by_kind(cells, (1.0, layers, ""))} for layers in LAYERS],
        "gates": [{"gate": gate or "default", **_by_kind(cells, (1.0, "", gate))} for gate in GATES],
        "chosen": [_chosen(held, seed, cells, data, default) for held, seed in splits[: sizes.chosen]],
    }


def cell(run: TrainConfig, data: LabelledData) -> Cell:
    """Train once, and measure along the way."""
    parts = split(data, run.hold_out, seed=run.seed)
    jury = jury_of(data, Fold(left_out=run.hold_out, split=parts))
    at = {max(1, round(stop * run.epochs)): stop for stop in STOPS}
    met: dict[Where, Met] = {}
    measuring = 0.0

    def watch(epoch: int, embedder: Embedder) -> None:
        nonlocal measuring
        if epoch in at:
            started = time.process_time()
            whole = at[epoch] == STOPS[-1]
            wanted = (
                [(layers, "") for layers in LAYERS] + [("", gate) for gate in GATES[1:]]
                if whole
                else [("", "")]
            )
            asked = [
                dataclasses.replace(run, layers=_parts(layers), gate=_parts(gate)) for layers, gate in wanted
            ]
            found = measure(embedder.net, jury, asked)
            met.update({(at[epoch], *where): one for where, one in zip(wanted, found, strict=True)})
            measuring += time.process_time() - started

    started = time.process_time()
    train(run, data, parts, lambda *_: None, watch=watch)
    return Cell(config=run, seconds=time.process_time() - started - measuring, met=met)


def _chosen(
    held: tuple[str, ...], seed: int, cells: Iterable[Cell], data: LabelledData, default: TrainConfig
) -> Row:
    """Choose for one split, and compare on the held-out classes with the default and with hindsight."""
    asked = dataclasses.replace(default, hold_out=held, seed=seed)
    here = {c.config: c.met for c in cells if (c.config.hold_out, c.config.seed) == (held, seed)}
    candidates = [candidate for candidate in around(asked, {"layers", "gate"}) if candidate in here]
    started = time.process_time()
    choice = choose(candidates, data, split(data, held, seed=seed).fit, lambda *_: None, effort=0.5)
    took = time.process_time() - started
    tried = {config: here[config][1.0, "", ""].value for config in candidates}
    winner = dataclasses.replace(choice.winner, stop_at=1.0)
    return {
        "held_out": " ".join(held),
        "seed": seed,
        "chosen": named(winner, candidates),
        "stop_at": choice.winner.stop_at,
        "value": round(here[winner][choice.winner.stop_at, "", ""].value, 3),
        "default": round(tried[asked], 3),
        "hindsight": round(max(tried.values()), 3),
        "seconds": round(took, 1),
    }


def _parts(joined: str) -> tuple[str, ...]:
    return tuple(part for part in joined.split("+") if part)


def _by_kind(cells: Sequence[Cell], where: Where) -> Row:
    """Means over the splits of each kind."""
    row: Row = {}
    for kind, size in (("8/2", 2), ("5/5", 5)):
        met = [c.met[where] for c in cells if len(c.config.hold_out) == size and where in c.met]
        apart = [one.cluster_accuracy for one in met if one.cluster_accuracy is not None]
        row[f"AUROC {kind}"] = round(float(np.mean([one.auroc for one in met])), 4) if met else None
        row[f"sd {kind}"] = round(float(np.std([one.auroc for one in met])), 4) if met else None
        row[f"k-means {kind}"] = round(float(np.mean(apart)), 3) if apart else None
    row["seconds"] = round(float(np.mean([c.seconds for c in cells])), 1)
    return row


if __name__ == "__main__":
    main()
