"""What is announced when nothing is new but things change, and how rare may a new class be?

The tables of the other groups are about streams in which the known classes stay as they are. Here a few cells get other
schedules (service/evaluation/schedule.py), the same for firstseen, for its item gate alone and for its stream gate
alone.

    nulls   nothing new comes
        null            nothing happens at all
        shares drift    every other known class gets rarer from 20 to 80 % of the stream, down to LOW of its weight
        shares jump     the same at once, half-way
        half gone       every other known class stops, half-way
        two left        all known classes but two do
        noise, ...      all known items change, more and more from 30 to 80 % of the stream: each drift that such items
                        can have (service/evaluation/drift.py), embedded anew
    shares  two new classes come, at 20 % and at 50 % of the stream, each with that share of the items from then on

What is told of a drift (`drifted`) is no cluster, and false clusters that were told to be one in the end are counted as
`corrected` besides. `fnew_late` is the share of known items called new in the second half of the stream: what a change
does to the operator's rate. No item comes twice, so a stream ends where no known item is left that may come.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from benchmarks.discovery_cells import VARIANTS, Cell, labels_of, trained
from benchmarks.discovery_drift import DriftingItems
from benchmarks.discovery_runs import Run, Setup, base_of, config_of
from benchmarks.discovery_suite import Group, splits_of
from benchmarks.report import Row
from model.config import TrainConfig
from service.evaluation.labelled_stream import Stream
from service.evaluation.replay import answered
from service.evaluation.schedule import Arrival, Drift, Schedule, Shift
from service.records import Float32s
from service.scoring.answers import Answers
from service.scoring.measures import measure

NULLS, SHARES = "nulls", "shares"
KINDS = (NULLS, SHARES)
"""Names of the parts, for `--only`."""

CASES = (
    "MNIST, 3 and 7 unseen",
    "MNIST, 5 unseen",
    "Fashion-MNIST, 5 unseen",
    "CLINC150, 25 % unseen",
)
"""Groups whose first reported split, in its first training, is sent: images, with a stream gate, and texts, without."""

LOW = 0.2
"""Weight of a known class that got rare."""
MOST_CLASSES = 20
"""Known classes from which on two of them have too few items for half a stream."""
STRENGTHS: Mapping[str, float] = {
    "noise": 0.3,
    "brightness": 0.3,
    "words": 0.3,
    "vocabulary": 0.3,
    "missing": 0.2,
}
"""Of each kind of drift, at its end: an image with it can still be read, a text lacks every third word or has another
for it."""
RARE = (0.1, 0.05, 0.02, 0.01)
"""Shares of a new class."""
ARRIVING = 2

_FIGURES = (
    *(
        "items",
        "known_items",
        "known_accuracy",
        "fnew",
        "auroc",
        "macro_f1",
        "classes_unseen",
        "classes_found",
    ),
    *("clusters_announced", "false_clusters", "corrected", "drifts_told", "unseen_told_as_drift"),
)
_MEANS = ("fnew", "fnew_late", "auroc", "macro_f1")
_COUNTS = ("false_clusters", "corrected", "drifts_told", "unseen_told_as_drift")


def nulls(labels: Sequence[str], kinds: Sequence[str], *, length: int) -> dict[str, Schedule]:
    """By name, the schedules of streams without anything new.

    Args:
        labels: The known classes.
        kinds: The drifts that their items can have.
        length: Items of a stream.
    """

    def at(part: float) -> int:
        return round(part * length)

    half = ((at(0.5) - 1, 1.0), (at(0.5), 0.0))
    every_other, but_two = labels[1::2], labels[2:]

    def shifted(those: Sequence[str], weight: tuple[tuple[int, float], ...]) -> Schedule:
        return Schedule(length=length, shifts=tuple(Shift(label=label, weight=weight) for label in those))

    found = {
        "null": Schedule(length=length),
        "shares drift": shifted(every_other, ((at(0.2), 1.0), (at(0.8), LOW))),
        "shares jump": shifted(every_other, ((at(0.5) - 1, 1.0), (at(0.5), LOW))),
        "half gone": shifted(every_other, half),
    }
    if 2 < len(labels) <= MOST_CLASSES:
        found["two left"] = shifted(but_two, half)
    for kind in kinds:
        strength = ((at(0.3), 0.0), (at(0.8), STRENGTHS[kind]))
        found[kind] = Schedule(length=length, drifts=(Drift(kind=kind, strength=strength),))
    return found


def shares(unseen: Sequence[str], *, length: int) -> dict[str, Schedule]:
    """By name, the schedules of streams in which two new classes come, the first two of these."""

    def rare(share: float) -> Schedule:
        return Schedule(
            length=length,
            arrivals=tuple(
                Arrival(label=label, share=share, spans=((round(start * length), length),))
                for label, start in zip(unseen[:ARRIVING], (0.2, 0.5), strict=False)
            ),
        )

    return {f"{share:.0%} each": rare(share) for share in RARE}


def runs_of(
    kinds: Sequence[str], groups: Sequence[Group], setup: Setup, *, cases: Sequence[str] = CASES
) -> dict[str, list[Run]]:
    """By kind of schedules, a run of each case, schedule, stream and variant.

    Args:
        kinds: Of KINDS.
        groups: Have the cases.
        setup: Peers play no part.
        cases: Names of groups.

    Raises:
        DataError, ConfigError, TrainingError, BundleError: A cell cannot be had; the message says what to do.
    """
    found: dict[str, list[Run]] = {kind: [] for kind in kinds}
    for group in (group for group in groups if group.name in cases):
        base = base_of(group, setup)
        reported, _ = splits_of(group, labels_of(base, data_dir=setup.data_dir))
        config = config_of(group, base, reported[0], group.seeds[0])
        cell = trained(config, data_dir=setup.data_dir, cache=setup.cache, apart=group.apart)
        for kind in kinds:
            found[kind] += [{"group": group.name, **run} for run in _runs(kind, cell, config, group, setup)]
    return found


def rows(kind: str, runs: Sequence[Run]) -> list[Row]:
    """A row of each schedule and method: of nulls over all cells, of shares for each cell by itself."""
    found: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        where = () if kind == NULLS else (run["group"],)
        found.setdefault((*where, run["schedule"], run["method"]), []).append(run)
    return [{**dict(zip(_keys(kind), key, strict=True)), **_row(kind, own)} for key, own in found.items()]


def _keys(kind: str) -> tuple[str, ...]:
    return ("schedule", "method") if kind == NULLS else ("group", "schedule", "method")


def _row(kind: str, runs: Sequence[Run]) -> Row:
    items = sum(run["items"] for run in runs)
    row: Row = {"streams": len(runs), "items": items}
    row |= {name: sum(run[name] for run in runs) for name in _COUNTS}
    row["false_per_100k"] = 100_000 * row["false_clusters"] / items if items else None
    for name in _MEANS[:2] if kind == NULLS else _MEANS:
        there = [run[name] for run in runs if run[name] is not None]
        row[name] = float(np.mean(there)) if there else None
    if kind == SHARES:
        came = sum(run["classes_unseen"] for run in runs)
        delays = [delay for run in runs for delay in run["delays"]]
        row["found"] = sum(run["classes_found"] for run in runs) / came if came else None
        row["delay"] = float(np.median(delays)) if delays else None
    return row


def _runs(kind: str, cell: Cell, config: TrainConfig, group: Group, setup: Setup) -> Iterator[Run]:
    for name, seed, stream, z in _streams(kind, cell, config, group, setup):
        setup.progress(f"{group.name}: {name}, stream {seed}")
        arriving = tuple(arrival.label for arrival in stream.schedule.arrivals if arrival.label is not None)
        for method, changes in VARIANTS.items():
            answers = answered(cell.engine(**changes), stream, z, unseen=arriving)
            yield {"schedule": name, "stream": seed, "method": method, **_figures(answers)}


def _streams(
    kind: str, cell: Cell, config: TrainConfig, group: Group, setup: Setup
) -> Iterator[tuple[str, int, Stream, Float32s]]:
    """Name of the schedule, seed, stream and its embeddings."""
    items = DriftingItems(config, data_dir=setup.data_dir, cache=setup.cache) if kind == NULLS else None
    for seed in range(setup.streams):
        if items is None:
            schedules = shares(cell.order(seed), length=group.length)
        else:
            schedules = nulls(cell.labels, items.kinds, length=group.length)
        for name, schedule in schedules.items():
            stream = cell.drawn(schedule, seed=seed)
            if items is not None and schedule.drifts:
                yield name, seed, stream, items.embed(stream, seed=seed)
            else:
                yield name, seed, stream, cell.z_pool[stream.rows]


def _figures(answers: Answers) -> Run:
    scored = measure(answers)
    late = ~answers.is_unseen
    late[: len(answers) // 2] = False
    return {
        **{name: getattr(scored.measures, name) for name in _FIGURES},
        "fnew_late": float((~answers.is_taken[late]).mean()) if late.any() else None,
        "delays": [c.delay_items for c in scored.classes if c.delay_items is not None],
    }
