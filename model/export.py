"""The whole road from a configuration to a bundle on disk.

    load ─► subsample ─► split ─► (choose ─►) (rehearse ─► simulate ─►) train ─► embed ─► calibrate ─► evaluate
         ─► card ─► (graph ─►) write

`run` is what `firstseen train` calls. `build_contents` is its middle without the disk: the same
configuration and data give contents with the same bytes, and so a bundle with the same id.
"""

from collections.abc import Sequence
from dataclasses import replace as replace_fields
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.bundle import (
    BundleContents,
    CalibrationSpec,
    Golden,
    Manifest,
    check_destination,
    write_bundle,
)
from model.calibrate import CLUSTER_RADIUS, calibrated, check_count
from model.card import write_card
from model.choice import Choice
from model.config import ConfigError, TrainConfig
from model.datasets import LabelledData, load_dataset
from model.datasets.split import Split, split
from model.evaluate import evaluate
from model.inputs import scale
from model.leave_out import choose
from model.networks import embed_items
from model.onnx_graph import export_onnx
from model.rehearse import Expected, Rehearsal, Simulate, rehearse
from model.train import Progress, Trained, known_classes, repeatable, train

_GOLDEN_ITEMS = 8
_FOLD_EFFORT = 0.5  # runs that only compare candidates may be shorter than the one that is kept


def run(
    config: TrainConfig,
    *,
    data_dir: Path | None,
    out: Path,
    progress: Progress,
    created: datetime,
    replace: bool = False,
    candidates: Sequence[TrainConfig] = (),
    simulate: Simulate | None = None,
    graph: bool = False,
) -> Manifest:
    """Train and write a bundle.

    Args:
        config: the run.
        data_dir: where downloaded data sets lie; digits needs none.
        out: the folder to write.
        progress: told of each stage: "load", "choose", "rehearse", "simulate", "train", "calibrate", "evaluate",
            "graph", "write".
        created: the time to put in the manifest, with a time zone.
        replace: whether a bundle already at `out` may be replaced.
        candidates: runs to choose from by leaving known classes out, the asked one first, all on the data,
            split and seed of `config` (see `model.candidates`); none makes `config` itself.
        simulate: runs rehearsals as streams, for the figures to expect; None leaves them out.
        graph: whether the bundle gets an `embedder.onnx`, where that can be made (`model/onnx_graph.py`); a few
            seconds more.

    Returns:
        The manifest written.

    Raises:
        ConfigError, DataError, TrainingError: the run cannot be as asked; the message says what to change.
        BundleError: `out` cannot be written.
    """
    check_destination(out, replace=replace)
    progress("load", 0, 1, config.dataset)
    whole = load_dataset(
        config.dataset,
        data_dir=data_dir,
        label=config.label,
        text=config.text,
        categories=config.categories,
        drop=config.drop,
        image_size=config.image_size,
        beside=config.beside,
    )
    data = subsample(whole, config.max_items, seed=config.seed)
    parts = split(data, config.hold_out, seed=config.seed)
    config = config.settled(len(parts.fit))
    known = len(np.unique(data.y[parts.calibrate]))
    check_count(len(parts.calibrate), config.known_error_rate, classes=known)
    aside = len(np.unique(data.y[parts.aside]))
    progress("load", 1, 1, f"{len(data.y)} items" + (f", {aside} classes too small to know" if aside else ""))
    choice = None
    if candidates:
        choice = choose(candidates, data, parts.fit, progress, effort=_FOLD_EFFORT)
        config = choice.winner
    rehearsal, expected = None, None
    if config.rehearse:
        rehearsal = rehearse(config, data, parts.fit, progress, spare=parts.calibrate)
        if simulate is not None and rehearsal.folds:
            progress("simulate", 0, 1, f"{len(rehearsal.folds)} folds")
            expected = simulate(rehearsal, config.known_error_rate)
            progress("simulate", 1, 1, expected.note)
    trained = train(config, data, parts, progress)
    contents = build_contents(
        config, data, parts, trained, progress, choice=choice, rehearsal=rehearsal, expected=expected
    )
    if graph:
        contents = _with_graph(contents, data, parts, trained, progress)
    progress("write", 0, 1, str(out))
    manifest = write_bundle(out, contents, created=created, replace=replace)
    progress("write", 1, 1, manifest.bundle_id)
    return manifest


def _with_graph(
    contents: BundleContents, data: LabelledData, parts: Split, trained: Trained, progress: Progress
) -> BundleContents:
    """Add the embedder as an ONNX graph, compared with the net on the golden items; or say why there is none."""
    progress("graph", 0, 1, "embedder.onnx")
    compared = np.asarray(scale(data.x[parts.fresh[:_GOLDEN_ITEMS]], data.input))
    exported = export_onnx(trained.embedder, data.input, compared)
    progress("graph", 1, 1, exported.note)
    return replace_fields(contents, onnx=exported.onnx)


def subsample(data: LabelledData, max_items: int | None, *, seed: int) -> LabelledData:
    """Keep a random share of every class, in the order of the data set.

    Args:
        data: the whole.
        max_items: how many items to keep in all, about; every class keeps its share, rounded up. None is all.
        seed: decides which.

    Returns:
        `data` itself when nothing is left out.

    Raises:
        ConfigError: fewer items than classes are asked for.
    """
    if max_items is None or max_items >= len(data.y):
        return data
    return subset(data, chosen(data, max_items, seed=seed))


def chosen(data: LabelledData, max_items: int | None, *, seed: int) -> NDArray[np.int64]:
    """Return which items `subsample` keeps: int64 positions, ascending.

    Raises:
        ConfigError: fewer items than classes are asked for.
    """
    if max_items is None or max_items >= len(data.y):
        return np.arange(len(data.y))
    if max_items < len(data.labels):
        raise ConfigError(
            f"max_items is {max_items}, fewer than the {len(data.labels)} classes; keep many items of each"
        )
    kept = []
    for k in range(len(data.labels)):
        items = np.flatnonzero(data.y == k)
        share = -(-len(items) * max_items // len(data.y))
        kept.append(np.random.default_rng([seed, k]).choice(items, size=share, replace=False))
    return np.sort(np.concatenate(kept))


def subset(data: LabelledData, rows: NDArray[np.int64]) -> LabelledData:
    """Return the items at `rows`, int64 (n,), which have some of every class; `data` itself when they are all."""
    if len(rows) == len(data.y):
        return data
    return LabelledData(
        name=data.name,
        input=data.input,
        x=data.x[rows],
        y=data.y[rows],
        labels=data.labels,
        source=f"{data.source}; a random {len(rows)} of its {len(data.y)} items",
    )


def build_contents(
    config: TrainConfig,
    data: LabelledData,
    parts: Split,
    trained: Trained,
    progress: Progress,
    *,
    choice: Choice | None = None,
    rehearsal: Rehearsal | None = None,
    expected: Expected | None = None,
) -> BundleContents:
    """Calibrate, evaluate and describe a trained embedder.

    Args:
        config: the run.
        data: the whole data set, raw values.
        parts: the split that `trained` was fitted with.
        trained: of `model.train.train`.
        progress: told of "calibrate" and "evaluate".
        choice: how the run was chosen, for card and metrics; None where it was made as asked.
        rehearsal: gives the radius, for the calibration, and the card its reason; None where none was made.
        expected: what its folds came to as streams, for card and metrics; None where they were not run.

    Returns:
        All that a bundle holds.

    Raises:
        DataError: too few items to calibrate with, or embeddings that do not differ.
    """

    def embed(items: NDArray[np.int64]) -> NDArray[np.float32]:
        return embed_items(trained.embedder, scale(data.x[items], data.input))

    progress("calibrate", 0, 1, f"{len(parts.calibrate)} items")
    with repeatable(config.seed, config.threads, device="cpu"):
        z_fit, z_cal, z_fresh, z_unseen = map(embed, (parts.fit, parts.calibrate, parts.fresh, parts.unseen))
        first = parts.fresh[:_GOLDEN_ITEMS]
        raw_items = tuple(data.input.raw_item(value) for value in data.x[first])
        golden = Golden(items=raw_items, embeddings=embed(first))
    _, y_fit = known_classes(data, parts.fit)
    _, y_cal = known_classes(data, parts.calibrate)
    _, y_fresh = known_classes(data, parts.fresh)
    unseen_labels, y_unseen = known_classes(data, parts.unseen)
    found = calibrated(
        config,
        trained.embedder,
        z_fit=z_fit,
        y_fit=y_fit,
        z_cal=z_cal,
        y_cal=y_cal,
        known_error_rate=config.known_error_rate,
    )
    known, pooled = found.known, found.pooled
    calibration = CalibrationSpec(
        scores=known.gate.specs,
        known_error_rate=config.known_error_rate,
        cluster_dim=known.cluster_projection.shape[1],
        cluster_radius=CLUSTER_RADIUS if rehearsal is None else rehearsal.radius,
        stream_dim=known.stream_projection.shape[1],
        pooled_labels=tuple(trained.labels[k] for k in pooled),
    )
    progress("calibrate", 1, 1, f"{len(pooled)} of {len(trained.labels)} classes pooled")
    progress("evaluate", 0, 1, f"{len(parts.fresh)} fresh, {len(parts.unseen)} unseen items")
    metrics = evaluate(
        known,
        z_fresh=z_fresh,
        y_fresh=y_fresh,
        z_unseen=z_unseen,
        y_unseen=y_unseen,
        unseen_labels=unseen_labels,
        known_error_rate=config.known_error_rate,
        seed=config.seed,
    )
    if choice is not None and choice.expected is not None:
        metrics["left_out_auroc"] = choice.expected.auroc
        metrics["left_out_cluster_accuracy"] = choice.expected.cluster_accuracy
    if expected is not None:
        metrics |= expected.figures
    progress("evaluate", 1, 1, f"known accuracy {metrics['known_accuracy']:.3f}")
    return BundleContents(
        input=data.input,
        network=trained.network,
        embedding=found.embedding,
        labels=trained.labels,
        calibration=calibration,
        config=config.as_json(),
        metrics=metrics,
        weights={name: tensor.numpy() for name, tensor in trained.embedder.net.state_dict().items()},
        known=known,
        golden=golden,
        files=trained.embedder.net.files(),
        card=write_card(
            config,
            data=data,
            split=parts,
            labels=trained.labels,
            embedding=found.embedding,
            calibration=calibration,
            metrics=metrics,
            choice=choice,
            rehearsal=rehearsal,
            expected=expected,
        ),
    )
