"""How a stream stands at its head, from what Redis holds, without owning it: the engine, and every verdict of the log.

    older snapshot (or nothing) ─► the log, entry by entry ─► the engine at the head
                                        └► told of each batch and its verdicts

The log begins at the older snapshot, so its verdicts come out anew, to the bit, those of items without an id, too.
A replay that answers otherwise than the log holds is an error, as everywhere.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from model.bundle import KnownArrays
from service.clustering import snapshot
from service.clustering.engine import Engine
from service.clustering.params import EngineParams
from service.pipeline.recovery import ReplayMismatch, replay_entry
from service.records import NO_CLUSTER, Observed, Verdict
from service.state.batches import LogRecord
from service.state.checks import Findings, Head, LogWalk, head_faults, owner_faults, parse_head
from service.state.errors import StoreError
from service.state.packing import Entry, EntryUnreadable, unpack_entry
from service.state.reading import Cut, StreamReader
from service.state.snapshots import BadSnapshot, Description, join

TRIES: Final = 5
"""How often a stream that was saved under the reader is read anew."""

Progress = Callable[[str, int, int, str], None]
"""stage, done, total, note."""

Told = Callable[[Observed, tuple[Verdict, ...]], None]
"""Told of each batch, in order, and of the verdicts it got."""


class NotReadable(StoreError):
    """The stream is damaged, or never stood still for long enough."""


def head_of(reader: StreamReader, cut: Cut) -> Head:
    """The head of a cut. Raises NotReadable."""
    try:
        head = parse_head(cut.head)
    except ValueError as error:
        raise damaged(reader, str(error)) from None
    if faults := [*head_faults(head), *owner_faults(cut)]:
        raise damaged(reader, "; ".join(faults))
    return head


async def start_of(
    reader: StreamReader, description: Description | None, known: KnownArrays, labels: tuple[str, ...]
) -> Engine | None:
    """The engine of a snapshot; None where there is none yet. Raises NotReadable."""
    if description is None:
        return None
    chunks = [chunk async for _, chunk in reader.chunks(description)]
    try:
        return snapshot.load(join(description, chunks), known, labels)
    except (BadSnapshot, snapshot.SnapshotUnreadable) as error:
        raise damaged(reader, str(error)) from None


async def walk(
    reader: StreamReader,
    head: Head,
    start: int,
    each: Callable[[int, Entry], None],
    progress: Progress,
    stage: str = "log",
) -> None:
    """Go along the log from seq `start` to the head; `each` gets (first seq, entry), in a thread.

    Raises:
        NotReadable: It has a hole, or an entry that cannot be read.
    """
    findings = Findings()
    walking = LogWalk(findings, start)
    total = head.seq - start
    async for page in reader.log(start, head.seq):
        records = [record for entry in page if (record := walking.step(entry)) is not None]
        if not walking.is_whole:
            break

        try:
            await asyncio.to_thread(_each, records, each)
        except EntryUnreadable as error:
            raise damaged(reader, str(error)) from None
        progress(stage, walking.expected - start, total, "items")
    if walking.is_whole:
        walking.end(head.seq)
    if not walking.is_whole:
        raise damaged(reader, findings.checks()[0].details[0])


def _each(records: Sequence[LogRecord], each: Callable[[int, Entry], None]) -> None:
    for record in records:
        each(record.first_seq, unpack_entry(record.payload, first_seq=record.first_seq))


async def stand(
    reader: StreamReader,
    head: Head,
    known: KnownArrays,
    labels: tuple[str, ...],
    *,
    told: Told,
    progress: Progress,
) -> Engine:
    """The engine at the head.

    Args:
        reader: Of the stream.
        head: Of the cut that is read.
        known: Arrays of the stream's bundle.
        labels: Its class names.
        told: Of each batch of the log.
        progress: Told how far it is.

    Raises:
        NotReadable: The stream is damaged, empty, or moved under the reader.
        ReplayMismatch: The log does not lead to what it holds.
    """
    engine = await start_of(reader, head.prev, known, labels)

    def each(_: int, entry: Entry) -> None:
        nonlocal engine
        if engine is None:
            if not isinstance(entry, EngineParams):
                raise damaged(reader, "the log does not begin with the stream's parameters")
            engine = Engine(known, labels, entry)
        step(engine, entry, told)

    await walk(reader, head, head.trimmed, each, progress)
    if engine is None:
        raise NotReadable(f"Stream {reader.keys.stream} is empty: nothing has been sent to it yet.")
    return engine


def step(engine: Engine, entry: Entry, told: Told) -> None:
    """Make the step of one entry; raises ReplayMismatch where it comes out otherwise."""
    if not isinstance(entry, tuple):
        replay_entry(engine, entry)
        return
    batch, clusters = entry[0], np.maximum(entry[1], NO_CLUSTER)
    verdicts = engine.apply(batch).verdicts
    if [verdict.cluster_id or NO_CLUSTER for verdict in verdicts] != clusters.tolist():
        raise ReplayMismatch(
            f"Replaying the batch at seq {batch.first_seq} gave other clusters than the log holds. "
            "This is a bug in firstseen."
        )
    told(batch, verdicts)


def damaged(reader: StreamReader, fault: str) -> NotReadable:
    """The error for a stream that is not whole."""
    return NotReadable(
        f"Stream {reader.keys.stream} is damaged: {fault}. `firstseen state verify` tells all of it."
    )
