"""The state of a stream as readers see it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from service.clustering import snapshot
from service.clustering.chronicle import Mark
from service.clustering.engine import Engine
from service.decisions import Decided
from service.records import Cluster, VerdictKind


@dataclass(frozen=True, kw_only=True)
class StreamView:
    """The durable state as readers see it.

    `history` and `marks` are the chronicle's (`service.clustering.chronicle`). `stale`: the stream is not served now,
    so there may be newer items.
    """

    seq: int
    known_counts: dict[str, int]
    verdict_counts: dict[str, int]
    clusters: tuple[Cluster, ...]
    history: Mapping[str, NDArray[Any]]
    marks: tuple[Mark, ...]
    decisions: tuple[Decided, ...]
    state_hash: str | None
    stale: bool = False


def view_of(engine: Engine, *, with_hash: bool = False) -> StreamView:
    """What an engine shows now; the hash takes a copy of all its state."""
    return StreamView(
        seq=engine.seq,
        known_counts=dict(zip(engine.labels, engine.known_counts.tolist(), strict=True)),
        verdict_counts={kind.value: engine.verdict_counts[kind] for kind in VerdictKind},
        clusters=engine.clusters(),
        history=engine.chronicle.state(),
        marks=tuple(engine.chronicle.marks),
        decisions=engine.decisions,
        state_hash=snapshot.digest(engine) if with_hash else None,
    )
