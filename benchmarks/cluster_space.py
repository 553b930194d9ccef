"""How many dimensions should the clusterer work in, and with what radius?

    python -m benchmarks.cluster_space [--quick] [--json FILE]

One training for each pair of held-out digits; then the same stream of embeddings (two thirds of the fresh known
digits, then the rest among the unseen ones) goes through the engine once for each setting of C, r and alpha. What ships
is the first row: the C of `model/config.py`, the radius that the trainer's rehearsal found for the bundle
(`model/rehearse.py`), which is another for each training, and the alpha of `service/clustering/params.py`. All of it is
about digits, and picking the best row is picking on these pairs: a sweep informs, it does not prove.
"""

import argparse
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.report import Row, machine, parser, publish
from benchmarks.training import train_digits
from model.bundle import Bundle, KnownArrays, read_bundle
from model.calibrate import clustered_numbers, fit
from model.config import TrainConfig
from model.datasets import LabelledData, load_dataset
from model.datasets.split import Split, split
from model.inputs import scale
from model.networks import embed_items, load_embedder
from model.scores import layer_slices
from model.train import known_classes
from service.clustering.engine import Engine
from service.clustering.params import EngineParams
from service.records import Float32s, Int64s
from service.scoring import StreamScore, score

Setting = tuple[int, float | None, float]
"""(C, r, alpha); r None is the bundle's own radius."""

SHIPPED: Setting = (TrainConfig().cluster_dim, None, EngineParams().intersection_factor)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What is measured: trainings as (seed, held-out pair), settings as (C, r, alpha)."""

    trainings: tuple[tuple[int, tuple[str, str]], ...] = (
        (0, ("3", "7")),
        (1, ("3", "7")),
        (0, ("1", "5")),
        (1, ("2", "8")),
        (2, ("4", "9")),
        (3, ("0", "6")),
    )
    settings: tuple[Setting, ...] = (
        SHIPPED,
        (64, 1.7, 0.3),
        (64, 2.1, 0.3),
        (16, 1.1, 0.3),
        (16, 1.4, 0.3),
        (16, 1.7, 0.3),
        (8, 1.4, 0.3),
        (8, 1.7, 0.3),
        (8, 2.0, 0.3),
    )
    epochs: int | None = None


QUICK = Sizes(trainings=((0, ("3", "7")),))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    options: argparse.Namespace = parser(__doc__.splitlines()[0]).parse_args(arguments)
    report = measure(QUICK if options.quick else Sizes())
    publish(
        report, [("Settings of the clusterer, over all held-out classes", report["settings"])], options.json
    )


def measure(sizes: Sizes) -> dict[str, Any]:
    """All of it, as the report that `--json` writes."""
    found: dict[Setting, list[tuple[StreamScore, float]]] = {s: [] for s in sizes.settings}
    data = load_dataset("digits", data_dir=None)
    for seed, pair in sizes.trainings:
        with tempfile.TemporaryDirectory() as scratch:
            out = Path(scratch) / "bundle"
            train_digits(out, hold_out=pair, seed=seed, epochs=sizes.epochs)
            bundle = read_bundle(out)
        parts = split(data, pair, seed=seed)
        for setting in sizes.settings:
            found[setting].append(replay(bundle, data, parts, pair, setting=setting, seed=seed))
    return {
        "question": "How many dimensions should the clusterer work in, and with what radius?",
        "machine": machine(["firstseen", "numpy", "torch"]),
        "sizes": asdict(sizes),
        "settings": [_row(setting, results) for setting, results in found.items()],
    }


def replay(
    bundle: Bundle,
    data: LabelledData,
    parts: Split,
    pair: tuple[str, str],
    *,
    setting: Setting,
    seed: int,
) -> tuple[StreamScore, float]:
    """The stream's score under one (C, r, alpha), and the purity of what was answered with a cluster."""
    C, radius, alpha = setting
    embedder = load_embedder(bundle)

    def embed(rows: np.ndarray) -> np.ndarray:
        return embed_items(embedder, scale(data.x[rows], data.input))

    _, y_fit = known_classes(data, parts.fit)
    known = in_space(bundle, embed(parts.fit), y_fit, C=C)
    engine = Engine(known, bundle.manifest.labels, params_of(bundle, radius=radius, alpha=alpha))
    order = np.random.default_rng(seed)
    fresh = order.permutation(parts.fresh)
    first, rest = np.split(fresh, [len(fresh) * 2 // 3])
    rows = np.concatenate([first, order.permutation(np.concatenate([rest, parts.unseen]))])
    ids = tuple(str(row) for row in rows.tolist())
    truth = {id: data.labels[int(data.y[row])] for id, row in zip(ids, rows.tolist(), strict=True)}
    result = engine.step(embed(rows), ids, np.zeros(len(ids)))
    clusters = engine.clusters()
    announced = {c.id: c.emerged_seq for c in clusters if c.emerged_seq is not None}
    members: dict[int, Counter[str]] = {}
    for verdict in result.verdicts:
        if verdict.cluster_id is not None:
            members.setdefault(verdict.cluster_id, Counter())[truth[verdict.id]] += 1
    total = sum(m.total() for m in members.values())
    pure = sum(max(m.values()) for m in members.values()) / total if total else 0.0
    exemplars = {c.id: c.exemplars for c in clusters}
    return score(truth, pair, result.verdicts, announced, exemplars), pure


def in_space(bundle: Bundle, z_fit: Float32s, y_fit: Int64s, *, C: int) -> KnownArrays:
    """The bundle's arrays with a cluster space of another dimension, made as the trainer makes it.

    Args:
        bundle: Says of which layers.
        z_fit: float32 (N, D) embeddings of its fitting items.
        y_fit: int64 (N,) their classes.
        C: The dimension.
    """
    clustered = clustered_numbers(layer_slices(bundle.manifest.embedding))
    geometry = fit(z_fit, y_fit, cluster_dim=C, clustered=clustered)
    return replace(
        bundle.known, cluster_mean=geometry.cluster_mean, cluster_projection=geometry.cluster_projection
    )


def params_of(bundle: Bundle, *, radius: float | None, alpha: float) -> EngineParams:
    """The engine's parameters; a radius of None is the bundle's own."""
    calibration = bundle.manifest.calibration
    return EngineParams(
        known_error_rate=calibration.known_error_rate,
        clustering_threshold=calibration.cluster_radius if radius is None else radius,
        intersection_factor=alpha,
    )


def _row(setting: Setting, results: Sequence[tuple[StreamScore, float]]) -> Row:
    classes = [own for result, _ in results for own in result.classes.values()]
    delays = [own.delay_items for own in classes if own.delay_items is not None]
    hits = [own for own in classes if own.delay_items is not None]
    return {
        "C": setting[0],
        "r": "the bundle's" if setting[1] is None else f"{setting[1]:g}",
        "alpha": setting[2],
        "found": len(hits),
        "classes": len(classes),
        "clusters_a_class": round(sum(len(own.clusters) for own in hits) / len(hits), 2) if hits else None,
        "false": sum(result.false_clusters for result, _ in results),
        "delay_median": median(delays) if delays else None,
        "in_cluster": round(float(np.mean([own.in_cluster for own in classes])), 3),
        "purity": round(float(np.mean([pure for _, pure in results])), 3),
    }


if __name__ == "__main__":
    main()
