"""One group of the discovery benchmark: train its splits, choose the peers' settings, send streams to everybody.

    design split ──► cell ──► shorter streams ──► each peer's best settings
    reported split, training seed ──► cell ──► items one by one
                                            └─► stream seed ──► firstseen, its variants, every peer ──► a run each
                                            └─► null stream, likewise

A *run* is a flat record of one stream and one method; `discovery_tables.py` makes rows of them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.discovery_cells import VARIANTS, Cell, labels_of, trained
from benchmarks.discovery_choice import LENGTH, PATIENCE, Design, answers_of, choose, time_for
from benchmarks.discovery_entries import ENTRIES, Entry, Settings
from benchmarks.discovery_peers import Steps, TooSlow
from benchmarks.discovery_suite import Group, splits_of
from model.config import TrainConfig
from model.configs import named_config
from service.evaluation.labelled_stream import Stream
from service.evaluation.replay import Steps as Replayable
from service.scoring.gate import auroc
from service.scoring.measures import measure

OURS = "firstseen"
DESIGN_TRAINING = 0
"""Training seed of design splits; reported ones have others."""
_DESIGN_STREAM = 1000

Run = dict[str, Any]

_FIGURES = (
    *("items", "known_items", "known_accuracy", "fnew", "mnew", "err", "auroc", "fpr95", "macro_f1"),
    *(
        "classes_unseen",
        "classes_found",
        "clusters_announced",
        "false_clusters",
        "corrected",
        "drifts_told",
        "unseen_told_as_drift",
        "id_switches",
        "accuracy",
        "nmi",
    ),
    *("oracle_accuracy", "oracle_nmi", "oracle_f1_any_gate"),
)


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What does not depend on the group.

    Attributes:
        data_dir: Where data sets lie.
        cache: The folder of trained cells.
        streams: Streams of each reported cell.
        limit_s: Longest time of a peer for 10,000 items of design streams; on reported ones, PATIENCE times as long.
        entries: The peers.
        encoder: Of sentences: a name or a folder; None is that of the configuration.
        device: What trainings run on. On the processor they repeat exactly, and only there is what is kept from
            another run of the benchmark found again.
        progress: Told what is being done.
    """

    data_dir: Path | None
    cache: Path
    streams: int = 3
    limit_s: float = 120.0
    entries: tuple[Entry, ...] = ENTRIES
    encoder: str | None = None
    device: str = "cpu"
    progress: Callable[[str], None] = lambda _: None


@dataclass(frozen=True, kw_only=True)
class GroupRuns:
    """All runs of a group.

    Attributes:
        items: A record of each cell: how items are told apart one by one.
        runs: A record of each stream and method.
        nulls: The same of streams without anything new.
        settings: By peer, what was chosen; None where it was too slow.
        splits: By kind, the unseen classes of each split.
    """

    items: tuple[Run, ...]
    runs: tuple[Run, ...]
    nulls: tuple[Run, ...]
    settings: Mapping[str, Settings | None]
    splits: Mapping[str, tuple[tuple[str, ...], ...]]


def run_group(group: Group, setup: Setup) -> GroupRuns:
    """Do all of it.

    Raises:
        DataError, ConfigError, TrainingError, BundleError: A cell cannot be had; the message says what to do.
    """
    base = base_of(group, setup)
    reported, design = splits_of(group, labels_of(base, data_dir=setup.data_dir))
    chosen = _choices(group, base, design, setup) if group.streams else {}
    items: list[Run] = []
    runs: list[Run] = []
    nulls: list[Run] = []
    kinds = [(False, runs), (True, nulls)] if group.nulls else [(False, runs)]
    for n, split in enumerate(reported):
        for seed in group.seeds:
            cell = _cell(group, base, split, seed, setup)
            at = {"group": group.name, "split": n, "training": seed}
            items.append({**at, **item_figures(cell, group.apart), **cell.made})
            if not group.streams:
                continue
            for stream in range(setup.streams):
                for is_null, into in kinds:
                    sent = cell.stream(
                        seed=stream, length=group.length, arriving=group.arriving, null=is_null
                    )
                    for method, run in _answers_of_all(cell, sent, chosen, setup, is_null=is_null):
                        into.append({**at, "stream": stream, "method": method, **run})
    return GroupRuns(
        items=tuple(items),
        runs=tuple(runs),
        nulls=tuple(nulls),
        settings=chosen,
        splits={"reported": reported, "design": design},
    )


def base_of(group: Group, setup: Setup) -> TrainConfig:
    """The configuration that a group's splits and training seeds are put into.

    The encoder is an affair of groups of sentences; the device is one of all.
    """
    named = named_config(group.config)
    encoder = {} if setup.encoder is None or named.network != "sentence" else {"encoder": setup.encoder}
    return replace(named, **{"threads": 1, "device": setup.device, **group.changes, **encoder})


def config_of(group: Group, base: TrainConfig, split: Sequence[str], seed: int) -> TrainConfig:
    """The training of one split with one seed."""
    return replace(base, hold_out=(*split, *group.apart), seed=seed)


def item_figures(cell: Cell, apart: Sequence[str]) -> dict[str, float | None]:
    """How the bundle's known gate tells fresh items from unseen ones, each by itself.

    Args:
        cell: Has the gate and the items.
        apart: Classes whose AUROC is one of its own.
    """
    nearest, p = cell.p(cell.z_pool)
    novelty = 1.0 - p
    known = [n for n, label in enumerate(cell.pool) if label in cell.labels]
    new = [n for n, label in enumerate(cell.pool) if label in cell.unseen]
    out = [n for n, label in enumerate(cell.pool) if label in apart]
    right = [cell.labels[k] == cell.pool[n] for n, k in zip(known, nearest[known].tolist(), strict=True)]
    return {
        "item_accuracy": sum(right) / len(right) if right else None,
        "item_auroc": auroc(novelty[known], novelty[new]),
        "oos_auroc": auroc(novelty[known], novelty[out]),
    }


def stream_figures(engine: Replayable, cell: Cell, stream: Stream, *, ceilings: bool) -> Run:
    """What a run's record holds of a stream.

    Raises:
        TooSlow: The peer's time was up.
    """
    answers = answers_of(engine, cell, stream)
    z = cell.z_pool[stream.rows]
    scored = measure(answers, {"embedding": z, "cluster space": cell.space(z)} if ceilings else None)
    found = [c for c in scored.classes if c.delay_items is not None]
    return {
        **{name: getattr(scored.measures, name) for name in _FIGURES},
        "delays": [c.delay_items for c in found],
        "fragments": [len(c.clusters) for c in found],
    }


def _choices(
    group: Group, base: TrainConfig, design: Sequence[tuple[str, ...]], setup: Setup
) -> dict[str, Settings | None]:
    cells = [_cell(group, base, split, DESIGN_TRAINING, setup) for split in design]
    designs = [
        Design(
            cell=cell,
            stream=cell.stream(
                seed=_DESIGN_STREAM + n, length=min(group.length, LENGTH), arriving=group.arriving
            ),
        )
        for n, cell in enumerate(cells)
    ]
    found = {}
    for entry in setup.entries:
        if entry.is_installed():
            setup.progress(f"{group.name}: settings of {entry.name}")
            found[entry.name] = choose(entry, designs, limit_s=setup.limit_s)
    return found


def _cell(group: Group, base: TrainConfig, split: tuple[str, ...], seed: int, setup: Setup) -> Cell:
    config = config_of(group, base, split, seed)
    setup.progress(f"{group.name}: without {', '.join(split[:6])}, training {seed}")
    return trained(config, data_dir=setup.data_dir, cache=setup.cache, apart=group.apart)


def _answers_of_all(
    cell: Cell, stream: Stream, chosen: Mapping[str, Settings | None], setup: Setup, *, is_null: bool
) -> Iterator[tuple[str, Run]]:
    """A run of each variant of ours and of each peer that has settings; a peer that is too slow has none."""
    for variant, changes in VARIANTS.items():
        yield (
            variant,
            stream_figures(cell.engine(**changes), cell, stream, ceilings=not is_null and not changes),
        )
    for entry in setup.entries:
        settings = chosen.get(entry.name)
        if settings is None:
            continue
        setup.progress(f"  {entry.name}")
        try:
            limit_s = PATIENCE * time_for(stream, setup.limit_s)
            steps = Steps(cell, entry.make(cell, settings), limit_s=limit_s)
            yield entry.name, stream_figures(steps, cell, stream, ceilings=False)
        except TooSlow:
            setup.progress(f"  {entry.name} took too long")
