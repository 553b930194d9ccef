"""A cell: a trained embedding, its known classes, and the fresh and unseen items that streams are drawn from.

    TrainConfig ─► model.export.run ─► bundle ─┐
                                               ├─► Cell ─► streams ─► engine and peers, on the same embeddings
    data set, the bundle's own split ──────────┘

What the trainer and the engine look like from here is in this file and in discovery_drift.py, and nowhere else in the
discovery benchmark: a peer
sees arrays, the gate that the service has, and the cluster space. A trained cell is kept in a folder, under a name that
its configuration decides, so that a second run does not train.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import log
from model.bundle import Bundle, KnownArrays, NetworkSpec, read_bundle
from model.config import TrainConfig
from model.datasets import LabelledData, load_dataset
from model.datasets.split import split
from model.export import chosen, subset
from model.export import run as train_bundle
from model.inputs import scale
from model.networks import Embedder, build_network, embed_items, load_embedder
from model.train import known_classes
from service.clustering.engine import ClusterSpace, Engine
from service.clustering.known import KnownGate
from service.clustering.params import EngineParams
from service.clustering.stream_gate import StreamGate
from service.evaluation.labelled_stream import Stream, draw, fitted
from service.evaluation.replay import Steps
from service.evaluation.schedule import Schedule, standard
from service.pipeline.starting import starting_params
from service.records import Float32s, Float64s, Int64s
from service.settings import Settings

VARIANTS: dict[str, dict[str, Any]] = {
    "firstseen": {},
    "firstseen, item gate alone": {"gates": "items"},
    "firstseen, stream gate alone": {"gates": "stream"},
}
"""The engine as it ships, and with parameters changed to see what a part of it is worth."""

_EMBEDDINGS = "embeddings.npz"
_BUNDLE = "bundle"


@dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """A frozen embedding, and everything that may be known of it before a stream begins.

    Attributes:
        name: For people.
        labels: The K known classes.
        unseen: The classes that training has not seen.
        z_fit, y_fit: float32 (N, D) and int64 (N,): known items that were trained on.
        z_pool: float32 (P, D): items that played no part, known and unseen ones; streams are drawn from these.
        pool: (P,) their classes.
        known: The arrays that the service would read from a bundle.
        params: What the service would set out with.
        made: When it was trained and how long that took: "seconds"; empty where it was not.
    """

    name: str
    labels: tuple[str, ...]
    unseen: tuple[str, ...]
    z_fit: Float32s
    y_fit: Int64s
    z_pool: Float32s
    pool: tuple[str, ...]
    known: KnownArrays
    params: EngineParams
    made: dict[str, float] = field(default_factory=dict)

    def p(self, z: Float32s) -> tuple[Int64s, Float64s]:
        """The known gate as the service decides by it: the nearest class, int64 (B,), and p, float64 (B,).

        p is the share of held-out items that fit their best class as badly, so a rate of these is refused, and not
        less: it is what the engine says of an item before it has seen any.
        """
        known, ranked = self._gates
        said = known.decide(z)
        nothing_kept = np.empty((len(z), 0), dtype=np.float16)
        return said.nearest, ranked.judge(said.p, nothing_kept).p

    @cached_property
    def _gates(self) -> tuple[KnownGate, StreamGate]:
        """The engine's two, the second without a fit."""
        return KnownGate(self.known), StreamGate(self.known, self.params.known_error_rate)

    def space(self, z: Float32s) -> Float64s:
        """Where the clusterer works: float32 (B, D) to float64 (B, C); known classes have radius 1 there."""
        return ClusterSpace(self.known).project(z)

    def engine(self, **changes: Any) -> Steps:  # noqa: ANN401 - parameters of the engine, by name
        """Firstseen as it ships, or with other parameters."""
        return Engine(self.known, self.labels, self.params.with_changes(**changes))

    def stream(self, *, seed: int, length: int, arriving: int | None = None, null: bool = False) -> Stream:
        """A stream of pool items, the standard one: the first new class at 20 %, the second at 50 %.

        Args:
            seed: Decides which classes arrive, which items come, and their order.
            length: Items, or fewer where the pool has not enough known ones.
            arriving: How many of the unseen classes come, at random; None is all.
            null: Nothing new comes.
        """
        unseen = () if null else self.order(seed)[:arriving]
        return self.drawn(Schedule(length=length) if null else standard(unseen, length=length), seed=seed)

    def order(self, seed: int) -> tuple[str, ...]:
        """The unseen classes in the order in which they arrive in a stream."""
        order = np.random.default_rng([seed, 7]).permutation(len(self.unseen))
        return tuple(self.unseen[n] for n in order.tolist())

    def drawn(self, schedule: Schedule, *, seed: int) -> Stream:
        """A stream of pool items by any schedule, shortened where the pool has not enough known items."""
        known = sum(label in self.labels for label in self.pool)
        return draw(fitted(schedule, known), self.pool, known=self.labels, seed=seed)


def params_of(known: KnownArrays, *, known_error_rate: float, cluster_radius: float) -> EngineParams:
    """What the service sets out with where nobody has set anything."""
    return starting_params(
        Settings.read({}), known, known_error_rate=known_error_rate, cluster_radius=cluster_radius
    )


def trained(config: TrainConfig, *, data_dir: Path | None, cache: Path, apart: Sequence[str] = ()) -> Cell:
    """The cell of a configuration: from the folder, or trained now and put there.

    Args:
        config: The run; its held-out classes are the unseen ones.
        data_dir: Where data sets lie.
        cache: The folder that keeps trained cells.
        apart: Held-out classes that never arrive in a stream, as CLINC's out-of-scope items.

    Raises:
        DataError, ConfigError, TrainingError, BundleError: It cannot be had.
    """
    folder = cache / key_of(config)
    if not (folder / _EMBEDDINGS).exists():
        log(f"train {config.dataset} without {', '.join(config.hold_out[:6])}: seed {config.seed}")
        begun = datetime.now(UTC)
        train_bundle(
            config,
            data_dir=data_dir,
            out=folder / _BUNDLE,
            progress=lambda *_: None,
            created=begun,
            replace=True,
        )
        _keep(folder, config, data_dir, seconds=(datetime.now(UTC) - begun).total_seconds())
    return _read(folder, config, apart)


def bundle_of(config: TrainConfig, cache: Path) -> Bundle:
    """The bundle of a cell that has been trained."""
    return read_bundle(cache / key_of(config) / _BUNDLE)


def labels_of(config: TrainConfig, *, data_dir: Path | None) -> tuple[str, ...]:
    """All classes of a configuration's data set.

    Raises:
        DataError: It cannot be had.
    """
    return load_dataset(config.dataset, data_dir=data_dir).labels


def encoded_intents(
    data_dir: Path | None, cache: Path, *, encoder: str | None = None
) -> tuple[Float32s, Int64s]:
    """CLINC150 without its out-of-scope items, through a frozen sentence encoder; kept in the folder.

    Args:
        data_dir: Where data sets lie.
        cache: The folder that keeps it.
        encoder: Name or folder; None is the usual one.

    Returns:
        float32 (22500, S) of length one, and int64 (22500,) intents from 0.

    Raises:
        DataError: The data set cannot be had.
        ValueError: The encoder cannot; the message says why.
    """
    file = cache / f"intents-{hashlib.sha256((encoder or '').encode()).hexdigest()[:16]}.npz"
    if not file.exists():
        data = load_dataset("clinc150", data_dir=data_dir)
        rows = np.flatnonzero(data.y != data.labels.index("oos"))
        options: dict[str, Any] = {} if encoder is None else {"encoder": encoder}
        net = build_network(NetworkSpec(name="sentence", options=options), data.input)
        embedder = Embedder(net, ("encoder",), "l2").eval()
        _, y = np.unique(data.y[rows], return_inverse=True)
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, z=embed_items(embedder, scale(data.x[rows], data.input)), y=y.astype(np.int64))
    with np.load(file) as kept:
        return kept["z"], kept["y"]


def key_of(config: TrainConfig) -> str:
    """The name of a configuration's folder: what it trains on, and a hash of all of it."""
    text = json.dumps(config.as_json(), sort_keys=True)
    return f"{Path(config.dataset).name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def parts_of(config: TrainConfig, data: LabelledData) -> dict[str, tuple[tuple[str, ...], Int64s, Int64s]]:
    """By part of the split that the trainer makes: its classes, its rows of `data`, and indices into the classes."""
    rows = chosen(data, config.max_items, seed=config.seed)
    small = subset(data, rows)
    parts = split(small, config.hold_out, seed=config.seed)
    found = {}
    for name in ("fit", "calibrate", "fresh", "unseen"):
        own: Int64s = getattr(parts, name)
        labels, y = known_classes(small, own) if len(own) else ((), own)
        found[name] = (labels, np.asarray(rows[own], dtype=np.int64), y)
    return found


def _keep(folder: Path, config: TrainConfig, data_dir: Path | None, *, seconds: float) -> None:
    """Embed all that a cell holds, and write it."""
    bundle = read_bundle(folder / _BUNDLE)
    data = load_dataset(config.dataset, data_dir=data_dir)
    embedder = load_embedder(bundle)
    arrays: dict[str, Any] = {"seconds": np.array(seconds)}
    for name, (labels, rows, y) in parts_of(config, data).items():
        arrays[f"{name}_z"] = embed_items(embedder, scale(data.x[rows], data.input))
        arrays[f"{name}_y"] = y
        arrays[f"{name}_labels"] = np.array(labels, dtype=np.str_)
    np.savez(folder / _EMBEDDINGS, **arrays)


def _read(folder: Path, config: TrainConfig, apart: Sequence[str]) -> Cell:
    bundle = read_bundle(folder / _BUNDLE)
    calibration = bundle.manifest.calibration
    with np.load(folder / _EMBEDDINGS) as kept:
        labels = {name: kept[f"{name}_labels"].tolist() for name in ("fresh", "unseen")}
        pool = [labels[name][k] for name in labels for k in kept[f"{name}_y"].tolist()]
        return Cell(
            name=f"{Path(config.dataset).name} without {', '.join(config.hold_out[:6])}",
            labels=bundle.manifest.labels,
            unseen=tuple(label for label in config.hold_out if label not in apart),
            z_fit=kept["fit_z"],
            y_fit=kept["fit_y"],
            z_pool=np.concatenate([kept["fresh_z"], kept["unseen_z"]]),
            pool=tuple(pool),
            known=bundle.known,
            params=params_of(
                bundle.known,
                known_error_rate=calibration.known_error_rate,
                cluster_radius=calibration.cluster_radius,
            ),
            made={"seconds": float(kept["seconds"])},
        )
