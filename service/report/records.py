"""What a replay reports, as frozen values; their JSON is the report's JSON, key for field.

`to_json` and `from_json` are inverse to each other, so a page can be drawn from a report that was kept. docs/replay.md
describes every key. `VERSION` changes when a key changes its meaning or goes; keys may be added.
"""

import math
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import msgspec

from service.errors import FirstseenError
from service.evaluation.schedule import Schedule
from service.scoring.ceiling import Ceiling
from service.scoring.clusters import ClassScore, ClusterScore, DriftScore
from service.scoring.measures import Measures

VERSION = 2

_LEAF_LIST = re.compile(rb"\[\n[^\[\]{}\"]*\]")
"""A list of numbers, as it is indented: a thousand of them are one line of the file, not a thousand."""


class UnreadableReport(FirstseenError):
    """A file is no report of this version. The message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeline:
    """The stream in bins of consecutive items.

    Attributes:
        edges: Where each bin starts, and the end of the last.
        answers: By kind of answer (see pictures.py), items in each bin.
        unseen: By unseen class, its items in each bin.
    """

    edges: tuple[int, ...]
    answers: Mapping[str, tuple[int, ...]]
    unseen: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Histogram:
    """Items by novelty: `edges` in novelty, one more than there are bins, and how many items each bin has."""

    edges: tuple[float, ...]
    known: tuple[int, ...]
    unseen: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Confusion:
    """What the items of each class were answered with.

    Attributes:
        rows: Answers: clusters by id, "other clusters", "outlier", "known class".
        columns: Classes: the unseen ones, then the known ones, all in one where they are many.
        counts: Items, row by row.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plane:
    """Some unseen items from above: the two leading principal directions of their embeddings.

    Attributes:
        x, y: Coordinates.
        label: Class of each, an index into the report's `unseen`.
        answer: Cluster id of each, 0 for outlier, -1 for taken for a known class.
        explained: Share of the variance along x and along y.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    label: tuple[int, ...]
    answer: tuple[int, ...]
    explained: tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pictures:
    """What the figures of one run show; `roc` is (known called new, unseen called new) at every threshold."""

    timeline: Timeline
    roc: tuple[tuple[float, float], ...]
    histogram: Histogram
    confusion: Confusion
    plane: Plane | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One stream.

    Attributes:
        seed: Decides which items it holds, and their order.
        schedule: As it was drawn, after it was fitted to the data.
        notes: What a reader should know of it, such as a class that ran out.
        measures: All figures.
        classes: By unseen class.
        clusters: Every cluster that was announced, in order.
        drifts: Every cluster that was told to be a known class that drifted, in order.
        ceilings: What k-means that is told k makes of the unseen items, best space first.
        pictures: For the figures.
    """

    seed: int
    schedule: Schedule
    notes: tuple[str, ...]
    measures: Measures
    classes: tuple[ClassScore, ...]
    clusters: tuple[ClusterScore, ...]
    drifts: tuple[DriftScore, ...]
    ceilings: tuple[Ceiling, ...]
    pictures: Pictures


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """A measure over the runs that have it: mean, sample standard deviation (0 of one run), extremes, how many."""

    mean: float
    sd: float
    least: float
    most: float
    runs: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """A replay.

    Attributes:
        version: `VERSION`.
        firstseen: The release that made it.
        bundle_id: What was replayed with ...
        dataset: ... and on what.
        known: Classes the bundle knows.
        unseen: Classes it does not, in order of arrival.
        parameters: The engine's.
        notes: What a reader should know of the data.
        runs: One a seed.
        summary: By measure, over the runs.
    """

    version: int = VERSION
    firstseen: str
    bundle_id: str
    dataset: str
    known: tuple[str, ...]
    unseen: tuple[str, ...]
    parameters: Mapping[str, int | float | str | bool]
    notes: tuple[str, ...]
    runs: tuple[Run, ...]
    summary: Mapping[str, Spread]


def summarize(runs: Sequence[Run]) -> dict[str, Spread]:
    """Every measure over the runs in which there was something to measure."""
    tables = [asdict(run.measures) for run in runs]
    columns = {
        name: [t[name] for t in tables if t[name] is not None] for name in (tables[0] if tables else ())
    }
    return {
        name: Spread(
            mean=statistics.fmean(values),
            sd=statistics.stdev(values) if len(values) > 1 else 0.0,
            least=float(min(values)),
            most=float(max(values)),
            runs=len(values),
        )
        for name, values in columns.items()
        if values
    }


def to_json(report: Report) -> bytes:
    """For people and programs: UTF-8, two spaces of indent, a final newline."""
    raw = msgspec.json.format(msgspec.json.encode(_rounded(msgspec.to_builtins(report))), indent=2)
    return _LEAF_LIST.sub(lambda found: b" ".join(found[0].split()), raw) + b"\n"


def from_json(raw: bytes) -> Report:
    """Read what `to_json` wrote.

    Raises:
        UnreadableReport: It is none, or of another version.
    """
    try:
        document = msgspec.json.decode(raw)
        version = document.get("version") if isinstance(document, dict) else None
        if version != VERSION:
            raise UnreadableReport(
                f"It is a report of version {version!r}, and {VERSION} is read: replay the stream again."
            )
        return msgspec.convert(document, Report)
    except msgspec.MsgspecError as error:
        raise UnreadableReport(f"It is no report of a replay: {error}.") from error


def _rounded(value: object) -> object:
    """Six digits behind the point are more than any of these figures has; a file of them is half as long."""
    if isinstance(value, float):
        assert math.isfinite(value), "what cannot be measured is None"
        return round(value, 6)
    if isinstance(value, dict):
        return {key: _rounded(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(v) for v in value]
    return value
