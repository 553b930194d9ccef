"""`firstseen replay`: a bundle, a labelled data set and a schedule to a report, over several seeds.

    bundle, data ─► pool ─► (a seed: stream ─► embed ─► engine ─► measures) ... ─► Report

**Nothing that the trainer used is replayed.** Where the data is what the bundle was trained on, its own split says
what it was fitted and calibrated with (`model/datasets/split.py`), and only the rest goes into the pool. That it is
the same data is seen from its content: the bundle's golden inputs are the first fresh items of that split. Data
under the name that the bundle was trained on and with other content is refused, for then nobody can tell what was used.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from model.bundle import Bundle, read_bundle
from model.config import ConfigError
from model.datasets import DataError, LabelledData, is_file, is_folder, load_dataset
from model.datasets.split import split
from model.export import chosen, subset
from model.inputs import InputSpec, InvalidInput, Payloads, decode_item, scale
from model.manifest import escaped
from service.cli.progress import ReportsProgress
from service.clustering.cluster_space import ClusterSpace
from service.clustering.engine import Engine
from service.clustering.kernels.warm_up import are_kept, warm_up
from service.embedding import Embedder
from service.errors import FirstseenError
from service.evaluation.drift import transforms_of
from service.evaluation.labelled_stream import Stream, draw, fitted
from service.evaluation.replay import BATCH, replay
from service.evaluation.schedule import InvalidSchedule, Schedule, read_schedule, standard
from service.evaluation.trained_on import TrainedOn, trained_on
from service.pipeline.starting import starting_params
from service.records import Float32s, Int64s
from service.report.records import Report, Run, summarize
from service.settings import Settings

LENGTH = 10_000
"""Items of a standard stream, as long as the data has so many."""

_AT_ONCE = 512


class InvalidReplay(FirstseenError):
    """A replay cannot be as asked. The message says what to change; names from bundle and data are escaped in it."""

    def __init__(self, message: str) -> None:
        super().__init__(escaped(message))


@dataclass(frozen=True, kw_only=True, slots=True)
class BacktestConfig:
    """The options of `firstseen replay`.

    Attributes:
        bundle: What to replay with.
        data: A data set as `model.datasets.load_dataset` takes it; None is the one the bundle was trained on.
        data_dir: The folder of downloaded data sets.
        label: The column that holds the class, for data that has columns; None is the bundle's.
        text: The column that holds the text, likewise.
        unseen: The new classes in order of arrival; None is all that the data has and the bundle does not know.
        schedule: A schedule, JSON or TOML; None is the standard one.
        length: Items of the standard schedule.
        share: Share of each new class in it.
        null: Whether to leave the new classes out.
        seeds: How many streams.
        seed: Of the first one.
    """

    bundle: Path
    data: str | None = None
    data_dir: Path | None = None
    label: str | None = None
    text: str | None = None
    unseen: tuple[str, ...] | None = None
    schedule: Path | None = None
    length: int | None = None
    share: float | None = None
    null: bool = False
    seeds: int = 1
    seed: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Pool:
    """The items that may be replayed: `rows` of the data, their classes, the new classes, and notes on them."""

    rows: Int64s
    labels: tuple[str, ...]
    unseen: tuple[str, ...]
    notes: tuple[str, ...]


def backtest(config: BacktestConfig, settings: Settings, progress: ReportsProgress) -> Report:
    """Replay, a stream a seed.

    Raises:
        InvalidReplay, InvalidSchedule, InvalidSetting: It cannot be as asked; the message says what to change.
        BundleError, DataError: Bundle or data cannot be read.
    """
    if config.null and config.unseen:
        raise InvalidReplay(
            "A null stream has nothing new, so no class can be named as unseen for it: leave --unseen or --null out."
        )
    progress("load", 0, 1, str(config.bundle))
    bundle = read_bundle(config.bundle)
    data = _load(config, bundle)
    pool = pool_of(bundle, data, config.unseen, is_named_so=_is_named_so(config, bundle))
    if config.null:
        pool = _without_new(pool)
    progress("load", 1, 1, f"{len(pool.rows):,} items to draw from")
    schedule, notes = _schedule(config, bundle, pool)
    manifest = bundle.manifest
    params = starting_params(
        settings,
        bundle.known,
        known_error_rate=manifest.calibration.known_error_rate,
        cluster_radius=manifest.calibration.cluster_radius,
    )
    if not are_kept():
        progress("compile", 0, 1, "the clusterer, once for this machine")
        warm_up()
        progress("compile", 1, 1, "the clusterer, once for this machine")
    embeddings = Embeddings(bundle, data, Embedder(bundle, device=settings.device, threads=settings.threads))
    space = ClusterSpace(bundle.known)
    runs: list[Run] = []
    for seed in range(config.seed, config.seed + config.seeds):
        stream = draw(schedule, pool.labels, known=manifest.labels, seed=seed)
        stage, total = f"seed {seed}", len(stream)
        progress(stage, 0, total, "embedding")
        z = embeddings.of(stream, pool.rows[stream.rows], seed=seed)

        def tell(done: int, stage: str = stage, total: int = total) -> None:
            progress(stage, done, total, "replaying" if done < total else "measuring")

        run = replay(
            Engine(bundle.known, manifest.labels, params),
            stream,
            z,
            unseen=pool.unseen,
            seed=seed,
            spaces={"cluster space": space.project(z)},
            batch=BATCH,
            tell=tell,
        )
        runs.append(run)
        progress(stage, total, total, _in_short(run))
    return Report(
        firstseen=version("firstseen"),
        bundle_id=manifest.bundle_id,
        dataset=data.name,
        known=manifest.labels,
        unseen=pool.unseen,
        parameters=asdict(params),
        notes=(*pool.notes, *notes),
        runs=tuple(runs),
        summary=summarize(runs),
    )


def pool_of(
    bundle: Bundle, data: LabelledData, unseen: Sequence[str] | None, *, is_named_so: bool = False
) -> Pool:
    """What of a data set may be replayed.

    Args:
        bundle: Knows its classes, and what it was trained with.
        data: The data set, whole.
        unseen: The new classes in order of arrival; None is all that the bundle does not know.
        is_named_so: Whether the bundle was trained on data of this name.

    Raises:
        InvalidReplay: A class is not as stated, or what was trained on cannot be told.
    """
    known = set(bundle.manifest.labels)
    strangers = [label for label in data.labels if label not in known]
    wanted = tuple(strangers) if unseen is None else tuple(unseen)
    _check_unseen(wanted, known, data)
    if not known & set(data.labels):
        raise InvalidReplay(
            f"{data.name} has no class that the bundle knows ({_listed(bundle.manifest.labels)}): its classes are "
            f"{_listed(data.labels)}. Give --data with the classes that the bundle was trained on."
        )
    used = _used(bundle, data)
    if used is None and is_named_so:
        raise InvalidReplay(
            f"The bundle was trained on {data.name}, and the items under that name are others now: what it was fitted "
            "with cannot be told from what is fresh. Restore the data, train again, or give other --data."
        )
    is_free = np.ones(len(data.y), dtype=np.bool_)
    notes = []
    if used is None:
        notes.append("The bundle was trained on other data, so all items of its classes are replayed.")
    else:
        is_free[used] = False
    labels = np.asarray(data.labels, dtype=np.object_)[data.y]
    rows = np.flatnonzero(
        is_free & np.isin(data.y, [data.labels.index(c) for c in {*wanted, *known} & {*data.labels}])
    )
    left = [label for label in strangers if label not in wanted]
    if left:
        notes.append(f"Classes that are neither known nor named as unseen were left out: {_listed(left)}.")
    return Pool(rows=rows, labels=tuple(labels[rows].tolist()), unseen=wanted, notes=tuple(notes))


def _load(config: BacktestConfig, bundle: Bundle) -> LabelledData:
    """The one place where data comes from, and is seen to fit the bundle."""
    trained = _trained_on(bundle)
    name = config.data or trained.dataset
    if name is None:
        raise InvalidReplay(
            "The bundle does not say what it was trained on: name a labelled data set with --data."
        )
    path = Path(name)
    is_same, is_rows = _is_named_so(config, bundle), is_file(path) and path.suffix.lower() != ".npz"
    # Another file of rows has the same columns, unless told.
    columns = trained if is_same or is_rows else TrainedOn()
    data = load_dataset(
        name,
        data_dir=config.data_dir,
        label=config.label or columns.label,
        text=config.text or columns.text,
        categories=columns.categories or (),
        drop=columns.drop or (),
        image_size=trained.image_size if is_same or is_folder(path) else None,
        beside=trained.beside if is_same else None,
    )
    wanted = bundle.manifest.input
    if data.input.kind != wanted.kind:
        raise InvalidReplay(
            f"The items of {data.name} are {data.input.summary()}, and the bundle takes {wanted.summary()}: give "
            "--data with such items, or another bundle."
        )
    if data.input != wanted:
        _check_each(data, wanted)
    return data


def _check_each(data: LabelledData, wanted: InputSpec) -> None:
    """Another data set of the same kind: does the bundle take its items?"""
    for row, value in enumerate(data.x):
        try:
            decode_item(data.input.raw_item(value), wanted)
        except InvalidInput as problem:
            raise InvalidReplay(
                f"Item {row} of {data.name} is not one that the bundle takes: {problem} Give --data with such items, "
                "or another bundle."
            ) from None


def _is_named_so(config: BacktestConfig, bundle: Bundle) -> bool:
    return config.data is None or config.data == _trained_on(bundle).dataset


def _trained_on(bundle: Bundle) -> TrainedOn:
    return trained_on(bundle.manifest.config, bundle=bundle.path)


def _used(bundle: Bundle, data: LabelledData) -> Int64s | None:
    """The rows that the bundle was fitted and calibrated with; None where it was trained on other data."""
    trained = _trained_on(bundle)
    if trained.seed is None or trained.hold_out is None:
        return None
    try:
        rows = chosen(data, trained.max_items, seed=trained.seed)
        parts = split(subset(data, rows), trained.hold_out, seed=trained.seed)
    except (ConfigError, DataError):
        return None  # classes or sizes are not those it was trained on
    golden = bundle.golden.items
    first = rows[parts.fresh[: len(golden)]]
    if tuple(data.input.raw_item(value) for value in data.x[first]) != tuple(golden):
        return None
    return np.asarray(rows[np.concatenate([parts.fit, parts.calibrate])], dtype=np.int64)


def _check_unseen(wanted: Sequence[str], known: set[str], data: LabelledData) -> None:
    for label in wanted:
        if label in known:
            raise InvalidReplay(
                f"The bundle was trained on the class {label!r}, so it is not unseen. Train one without it "
                f"(firstseen train ... --hold-out {label}), or name others with --unseen."
            )
        if label not in data.labels:
            raise InvalidReplay(
                f"{data.name} has no class {label!r}. Those it has and the bundle does not know: "
                f"{_listed([c for c in data.labels if c not in known]) or 'none'}."
            )
    if len(set(wanted)) < len(wanted):
        raise InvalidReplay("--unseen names a class twice: name each once, in order of arrival.")


def _without_new(pool: Pool) -> Pool:
    keep = np.array([label not in pool.unseen for label in pool.labels], dtype=np.bool_)
    labels = tuple(label for label in pool.labels if label not in pool.unseen)
    return Pool(rows=pool.rows[keep], labels=labels, unseen=(), notes=pool.notes)


def _schedule(config: BacktestConfig, bundle: Bundle, pool: Pool) -> tuple[Schedule, list[str]]:
    """The schedule with names, as long as the pool allows, and what there is to say of that."""
    if config.schedule is not None:
        if config.length is not None or config.share is not None:
            raise InvalidSchedule(
                "A schedule of your own has its length and its shares: leave --length and --share out."
            )
        wanted = read_schedule(config.schedule)
        wanted = wanted.null() if config.null else wanted.named(pool.unseen)
    else:
        wanted = standard(pool.unseen, length=config.length or LENGTH, share=config.share)
    kinds = transforms_of(bundle.manifest.input)
    for drift in wanted.drifts:
        if drift.kind not in kinds:
            raise InvalidSchedule(
                f"No drift is called {drift.kind!r} for such items; choose one of {', '.join(kinds)}."
            )
    known = sum(label in bundle.manifest.labels for label in pool.labels)
    schedule = fitted(wanted, known)
    if schedule.length == wanted.length:
        return schedule, []
    return schedule, [
        f"The schedule was shortened from {wanted.length:,} to {schedule.length:,} items, all places in proportion: "
        f"there are {known:,} fresh items of known classes, and none comes twice."
    ]


class Embeddings:
    """Embeddings of a data set, each item embedded once for all seeds; items that drift, each time."""

    def __init__(self, bundle: Bundle, data: LabelledData, embedder: Embedder) -> None:
        self._spec = bundle.manifest.input
        self._data = data
        self._embedder = embedder
        self._z = np.empty((len(data.y), embedder.dim), dtype=np.float32)
        self._has = np.zeros(len(data.y), dtype=np.bool_)

    def of(self, stream: Stream, rows: Int64s, *, seed: int) -> Float32s:
        """Those of a stream: float32 (N, D), `rows` being where its items are in the data."""
        missing = rows[~self._has[rows]]
        for start in range(0, len(missing), _AT_ONCE):
            part = missing[start : start + _AT_ONCE]
            self._z[part] = self._embedder.embed(list(self._payloads(part)))
        self._has[missing] = True
        z = self._z[rows]
        is_moved = np.zeros(len(rows), dtype=np.bool_)
        for strength in stream.drift.values():
            is_moved |= strength != 0.0
        moved = np.flatnonzero(is_moved)
        rng = np.random.default_rng([seed, 2])
        transforms = transforms_of(self._spec)
        for start in range(0, len(moved), _AT_ONCE):
            chunk = moved[start : start + _AT_ONCE]
            x = self._payloads(rows[chunk])
            for kind, strength in stream.drift.items():
                x = transforms[kind](x, strength[chunk], rng)
            z[chunk] = self._embedder.embed(list(x))
        return z

    def _payloads(self, rows: Int64s) -> Payloads:
        data = self._data
        if data.input == self._spec:
            return scale(data.x[rows], self._spec)
        return [decode_item(data.input.raw_item(value), self._spec) for value in data.x[rows]]


def _in_short(run: Run) -> str:
    own = run.measures
    found = f"{own.classes_found} of {own.classes_unseen} found, " if own.classes_unseen else ""
    return f"{found}{own.false_clusters} false"


def _listed(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - 12} more" if len(labels) > 12 else ""
    return ", ".join(labels[:12]) + more
