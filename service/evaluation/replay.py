"""A labelled stream through an engine, as if it were live: every item is decided before it is learnt.

    schedule, seed ─► stream ─► embed ─► answered(engine) ─► measures ─► Report

Prequential evaluation (Gama, Sebastião & Rodrigues 2013): no item is judged by a state that has seen it. The engine
gets embeddings, ids and times and never a label; truth meets verdicts only after the last one was emitted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from service.clustering.engine import Engine, StepResult
from service.clustering.stream_gate import constants
from service.evaluation.labelled_stream import Stream
from service.events import ClusterEvent
from service.records import Float32s, Float64s, Verdict
from service.report.pictures import pictures
from service.report.records import Run
from service.scoring.answers import Answers, read_answers, told
from service.scoring.measures import measure

BATCH = 64
"""Items a step. An engine's answers depend on it only in when the stream gate is fitted: between two steps."""

Tell = Callable[[int], None]
"""Told how many items are done."""


class Steps(Protocol):
    """What can be replayed: the engine, or any peer that answers items with verdicts and events."""

    def step(self, z: Float32s, ids: tuple[str, ...], t: Float64s) -> StepResult:
        """Decide and learn a batch: float32 (B, D), B ids, float64 (B,) seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Emitted:
    """Everything an engine said of a stream, in order, and why fits of its stream gate failed."""

    verdicts: tuple[Verdict, ...]
    events: tuple[ClusterEvent, ...]
    failures: tuple[str, ...] = ()


def run(
    engine: Steps,
    z: Float32s,
    ids: Sequence[str],
    t: Float64s | None = None,
    *,
    batch: int = BATCH,
    tell: Tell = lambda _: None,
) -> Emitted:
    """Send a stream through an engine.

    Whatever an engine does beside its steps, such as refitting between batches, is done here and nowhere else.

    Args:
        engine: In its first state.
        z: float32 (N, D) embeddings in order.
        ids: N distinct ids.
        t: float64 (N,) seconds since 1970; None is a second an item.
        batch: Items a step.
        tell: Told how many items are done, after each step.
    """
    times = np.arange(len(z), dtype=np.float64) if t is None else t
    verdicts: list[Verdict] = []
    events: list[ClusterEvent] = []
    failures: list[str] = []
    not_before = 0
    for start in range(0, len(z), batch):
        part = slice(start, start + batch)
        if isinstance(engine, Engine) and engine.is_fit_due and engine.seq >= not_before:
            job = engine.fit_job()
            try:  # live, a fit is made beside the stream, and one that fails is treated so, too (fits.py)
                fit = engine.stream.solve(job)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told in the report
                failures.append(f"{type(error).__name__}: {error}")
                not_before = engine.seq + constants.EVERY
            else:
                events += engine.refit(fit).events
        result = engine.step(z[part], tuple(ids[part]), times[part])
        verdicts += result.verdicts
        events += result.events
        tell(len(verdicts))
    return Emitted(verdicts=tuple(verdicts), events=tuple(events), failures=tuple(failures))


def answered(
    engine: Steps,
    stream: Stream,
    z: Float32s,
    *,
    unseen: Sequence[str],
    batch: int = BATCH,
    tell: Tell = lambda _: None,
) -> Answers:
    """Send a labelled stream through an engine, and put what it said beside the truth.

    Args:
        engine: In its first state.
        stream: What to send.
        z: float32 (N, D) the embeddings of its items.
        unseen: Classes the engine does not know, in order of arrival.
        batch: Items a step.
        tell: Told how many items are done.
    """
    return beside_truth(stream, run(engine, z, _ids(stream), batch=batch, tell=tell), unseen)


def _ids(stream: Stream) -> tuple[str, ...]:
    return tuple(f"item-{row}" for row in stream.rows.tolist())


def beside_truth(stream: Stream, emitted: Emitted, unseen: Sequence[str]) -> Answers:
    """Put what an engine said of a stream beside the truth; arguments as of `answered`."""
    ids, said = _ids(stream), told(emitted.events)
    return read_answers(
        dict(zip(ids, stream.truth, strict=True)),
        unseen,
        emitted.verdicts,
        said.announced_at,
        said.exemplars,
        said.drifted_at,
        said.heirs,
    )


def replay(
    engine: Steps,
    stream: Stream,
    z: Float32s,
    *,
    unseen: Sequence[str],
    seed: int,
    spaces: Mapping[str, NDArray[np.floating[Any]]] | None = None,
    batch: int = BATCH,
    tell: Tell = lambda _: None,
) -> Run:
    """Send a labelled stream through an engine, and measure what came of it.

    Args:
        engine: In its first state.
        stream: What to send.
        z: float32 (N, D) the embeddings of its items.
        unseen: Classes the engine does not know, in order of arrival.
        seed: The stream's; also that of the oracle.
        spaces: By name, more embeddings of the same items in which the oracle may look for its ceiling.
        batch: Items a step.
        tell: Told how many items are done.
    """
    emitted = run(engine, z, _ids(stream), batch=batch, tell=tell)
    answers = beside_truth(stream, emitted, unseen)
    scored = measure(answers, {"embedding": z, **(spaces or {})}, seed=seed)
    return Run(
        seed=seed,
        schedule=stream.schedule,
        notes=notes_of(stream, unseen, failures=emitted.failures),
        measures=scored.measures,
        classes=scored.classes,
        clusters=scored.clusters,
        drifts=scored.drifts,
        ceilings=scored.ceilings,
        pictures=pictures(answers, scored.clusters, z),
    )


def notes_of(stream: Stream, unseen: Sequence[str] = (), *, failures: Sequence[str] = ()) -> tuple[str, ...]:
    """What did not go as the schedule says, or as a fit should."""
    notes = [
        f"Class {label} ran out of items at item {at:,}: from there on it is missing."
        for label, at in sorted(stream.ran_out.items(), key=lambda entry: entry[1])
    ]
    came = set(stream.truth)
    notes += [
        f"No item of the unseen class {label} came: give it an arrival, a larger share, or a longer stream."
        for label in unseen
        if label not in came
    ]
    if failures:
        notes.append(
            f"Fits of the stream gate that failed: {len(failures):,}. The fit before was used in their place, or none. "
            f"The last error was {failures[-1][:200]}."
        )
    if len(stream) < stream.schedule.length:
        notes.append(
            f"The stream ends at item {len(stream):,} of {stream.schedule.length:,}: no known item was left."
        )
    return tuple(notes)
