"""A stream into a file (archive.py), from a server at rest or while the stream is served.

The cut: the head is read first, and the file holds the stream as it was at that instant, for all below it stays as it
is: entries of the log up to the head's seq, verdicts of items before it, the two snapshots it names. When a snapshot or
a generation of ids is turned meanwhile, writing starts over from a new head. (Items set aside, `dlq`, and
payloads of members are no part of the log and are copied as they are found.)

Ids lie in Redis in no order; they are written in order of their items (ordered.py).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from service.state.archive import (
    HOOK_KINDS,
    PAGE_BYTES,
    Chunk,
    DlqPage,
    End,
    EventsPage,
    HooksPage,
    IdsPage,
    LogPage,
    PayloadsPage,
    Start,
    Writer,
)
from service.state.checks import Findings, Head, LogWalk, head_faults, owner_faults, parse_head
from service.state.errors import SnapshotCorrupt, StoreError
from service.state.ordered import UnreadableVerdict, ordered
from service.state.reading import Cut, StreamReader
from service.state.snapshots import BadSnapshot, Description, join

_TRIES: Final = 5

T = TypeVar("T")

Progress = Callable[[str, int, int, str], None]
"""stage, done, total, note."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What the file holds."""

    stream: str
    bundle_id: str
    seq: int
    epoch: int
    counts: End


class NotExportable(StoreError):
    """The stream is damaged, or never stood still for long enough."""


class _Moved(Exception):
    """The stream was turned under the reader."""


async def export_stream(reader: StreamReader, file: BinaryIO, folder: Path, progress: Progress) -> Exported:
    """Write the stream.

    Args:
        reader: Of the stream, which is there and of this bundle.
        file: Empty, open for writing; can seek.
        folder: For temporary files, as large as the ids are.
        progress: Told how far it is.

    Raises:
        NotExportable: See there.
        StoreUnavailable, StoreMisconfigured: Redis could not be read.
    """
    for _ in range(_TRIES):
        file.seek(0)
        file.truncate()
        cut = await reader.cut()
        try:
            return await _Export(reader, Writer(file), folder, progress).run(cut)
        except (_Moved, NotExportable, SnapshotCorrupt):
            if cut.is_same_place(await reader.cut()):
                raise
    raise NotExportable(
        f"Stream {reader.keys.stream} was saved {_TRIES} times while it was read; export it when less arrives, raise "
        "FIRSTSEEN_SNAPSHOT_EVERY_ITEMS, or stop the service."
    )


class _Export:
    """One attempt."""

    def __init__(self, reader: StreamReader, writer: Writer, folder: Path, progress: Progress) -> None:
        self._reader = reader
        self._keys = reader.keys
        self._writer = writer
        self._folder = folder
        self._progress = progress

    async def run(self, cut: Cut) -> Exported:
        try:
            head = parse_head(cut.head)
        except ValueError as error:
            raise self._damaged([str(error)]) from None
        if faults := [*head_faults(head), *owner_faults(cut)]:
            raise self._damaged(faults)
        epoch = int((cut.epoch or b"0").partition(b" ")[0])
        fields = {name.decode(): value for name, value in sorted(cut.head.items()) if name != b"saving"}
        start = Start(stream=self._keys.stream, bundle=self._keys.bundle_id, epoch=epoch, head=fields)
        self._writer.write(start)
        await self._log(head)
        for generation in head.live_ids:
            await self._ids(generation, head)
        for description in head.snapshots:
            await self._snapshot(description)
        await self._dlq()
        await self._events(head)
        await self._payloads()
        await self._hooks()
        if not cut.is_same_place(await self._reader.cut()):
            raise _Moved
        self._writer.end()
        return Exported(
            stream=start.stream, bundle_id=start.bundle, seq=head.seq, epoch=epoch, counts=self._writer.counts
        )

    async def _log(self, head: Head) -> None:
        found = Findings()
        walk = LogWalk(found, head.trimmed)
        async for page in self._reader.log(head.trimmed, head.seq):
            entries = []
            for name, fields in page:
                record = walk.step((name, fields))
                if record is not None:
                    entries.append((record.first_seq, {key.decode(): value for key, value in fields.items()}))
            for part in paged(entries, lambda entry: sum(map(len, entry[1].values()))):
                self._writer.write(LogPage(entries=part))
            self._progress("log", walk.expected - head.trimmed, head.seq - head.trimmed, "items")
        walk.end(head.seq)
        if not walk.is_whole:
            raise self._damaged(found.checks()[0].details)

    async def _ids(self, generation: int, head: Head) -> None:
        """In order of their items."""
        done = 0

        def told(rows: int, total: int) -> None:
            nonlocal done
            done += rows
            self._progress("ids", min(done, total), total, "ids")

        try:
            async with ordered(self._reader, generation, head, folder=self._folder, told=told) as verdicts:
                for part in paged(verdicts, lambda pair: len(pair[0]) + len(pair[1])):
                    self._writer.write(IdsPage(generation=generation, verdicts=part))
        except UnreadableVerdict as error:
            raise self._damaged([str(error)]) from None

    async def _snapshot(self, description: Description) -> None:
        chunks: list[bytes | None] = []
        async for n, chunk in self._reader.chunks(description):
            chunks.append(chunk)
            if chunk is not None:
                self._writer.write(Chunk(generation=description.generation, n=n, data=chunk))
            self._progress("snapshots", n + 1, description.chunks, "chunks")
        try:
            join(description, chunks)
        except BadSnapshot as bad:
            raise self._damaged([str(bad)]) from None

    async def _dlq(self) -> None:
        letters: dict[bytes, bytes] = {}
        async for page in self._reader.dead_letters():
            letters |= page
        for part in paged(sorted(letters.items()), lambda pair: len(pair[0]) + len(pair[1])):
            self._writer.write(DlqPage(fields=part))

    async def _events(self, head: Head) -> None:
        kept = [event async for event in self._reader.events() if event.number <= head.events]
        for part in paged([(e.id, e.number, e.data) for e in kept], lambda event: len(event[2])):
            self._writer.write(EventsPage(events=part))

    async def _payloads(self) -> None:
        found: dict[bytes, bytes] = {}
        async for page in self._reader.payloads():
            found |= page
        for part in paged(sorted(found.items()), lambda pair: len(pair[0]) + len(pair[1])):
            self._writer.write(PayloadsPage(fields=part))

    async def _hooks(self) -> None:
        for kind in HOOK_KINDS:
            fields = sorted((await self._reader.hooks(kind)).items())
            for part in paged(fields, lambda pair: len(pair[0]) + len(pair[1])):
                self._writer.write(HooksPage(kind=kind, fields=part))

    def _damaged(self, faults: Sequence[str]) -> NotExportable:
        return NotExportable(
            f"Stream {self._keys.stream} is damaged, so a backup of it would be, too: {'; '.join(faults)}. "
            "`firstseen state verify` tells all of it."
        )


def paged(rows: Iterable[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """The rows in pages of about PAGE_BYTES."""
    page: list[T] = []
    filled = 0
    for row in rows:
        page.append(row)
        filled += size(row)
        if filled >= PAGE_BYTES:
            yield page
            page, filled = [], 0
    if page:
        yield page
