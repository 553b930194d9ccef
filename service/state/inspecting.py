"""Is what an archive holds a stream? Asked of the whole file before any of it is written anywhere.

archive.py vouches for the frames; here: their order, a head that fits itself, a log without hole whose every checksum
is right, ids of the two generations that the head names, in order, and snapshots whose every chunk is there and right.
What the entries of the log mean is for `verify` to say, which has the bundle.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from service.state.archive import (
    ArchiveUnreadable,
    Chunk,
    DlqPage,
    End,
    EventsPage,
    Frame,
    HooksPage,
    IdsPage,
    LogPage,
    PayloadsPage,
    Start,
    count,
    read_frames,
)
from service.state.checks import Findings, Head, LogWalk, head_faults, parse_head
from service.state.event_checks import check_events
from service.state.events import StoredEvent, is_event_id
from service.state.keys import Keys
from service.state.packing import seq_of_verdict
from service.state.snapshots import BadSnapshot, join

_ORDER = (Start, LogPage, IdsPage, Chunk, DlqPage, EventsPage, PayloadsPage, HooksPage, End)


@dataclass(frozen=True, kw_only=True)
class Inspected:
    """An archive that is known to be right; `inspect` makes it. start: its first frame."""

    file: BinaryIO
    size: int
    start: Start
    head: Head


def inspect(file: BinaryIO) -> Inspected:
    """Read all of an archive, which is open at its start and can seek.

    Raises:
        ArchiveUnreadable: It does not hold one whole stream; the message says where, and what is wrong.
    """
    frames = read_frames(file)
    _, start = next(frames)
    if not isinstance(start, Start):
        raise ArchiveUnreadable("The file does not begin with a frame `start`.")
    try:
        Keys(start.stream, start.bundle)
        head = parse_head({name.encode(): value for name, value in start.head.items()})
    except ValueError as error:
        raise ArchiveUnreadable(f"The head in the file cannot be one: {error}.") from None
    faults = head_faults(head)
    if faults or head.saving or start.epoch < 1:
        raise ArchiveUnreadable(
            f"The head in the file cannot be one: {'; '.join(faults) or 'a save under way'}."
        )
    _Inspection(head).run(frames)
    return Inspected(file=file, size=file.tell(), start=start, head=head)


class _Inspection:
    """Of one file, frame by frame."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._found = Findings()
        self._walk = LogWalk(self._found, head.trimmed)
        self._ids_at: tuple[int, int, bytes] = (-1, -1, b"")
        self._awaited = [(d, n) for d in head.snapshots for n in range(d.chunks)]
        self._chunks: list[bytes | None] = []
        self._name = b""
        self._payload = b""
        self._field: tuple[str, bytes] = ("", b"")
        self._events: list[StoredEvent] = []
        self._counts = End()

    def run(self, frames: Iterator[tuple[int, Frame]]) -> None:
        rank = 1
        for offset, frame in frames:
            if _ORDER.index(type(frame)) < rank:
                raise ArchiveUnreadable(f"The frame at byte {offset} is out of order.")
            rank = _ORDER.index(type(frame))
            fault = self._fault(frame)
            if fault is not None:
                raise ArchiveUnreadable(f"The frame at byte {offset} does not fit: {fault}.")
            count(self._counts, frame)

    def _fault(self, frame: Frame) -> str | None:
        """What is wrong with a frame."""
        if isinstance(frame, LogPage):
            return self._log(frame)
        if isinstance(frame, IdsPage):
            return self._ids(frame)
        if isinstance(frame, Chunk):
            return self._chunk(frame)
        if isinstance(frame, DlqPage):
            names = [name for name, _ in frame.fields]
            if names != sorted(set(names)) or not names or names[0] <= self._name:
                return "items set aside are not in order"
            self._name = names[-1]
            return None
        if isinstance(frame, EventsPage):
            self._events += [StoredEvent(id=id, number=n, data=data) for id, n, data in frame.events]
            wrong = next((id for id, _, _ in frame.events if not is_event_id(id)), None)
            return None if wrong is None else f"{wrong!r} is no id of an event"
        if isinstance(frame, PayloadsPage):
            ids = [id for id, _ in frame.fields]
            if ids != sorted(set(ids)) or not ids or ids[0] <= self._payload:
                return "payloads are not in order"
            self._payload = ids[-1]
            return None
        if isinstance(frame, HooksPage):
            hooks = [(frame.kind, name) for name, _ in frame.fields]
            if hooks != sorted(set(hooks)) or not hooks or hooks[0] <= self._field:
                return "webhooks are not in order"
            self._field = hooks[-1]
            return None
        return self._end(frame)

    def _log(self, page: LogPage) -> str | None:
        for first_seq, fields in page.entries:
            self._walk.step((b"%d-1" % first_seq, {name.encode(): value for name, value in fields.items()}))
        return None if self._walk.is_whole else self._found.checks()[0].details[0]

    def _ids(self, page: IdsPage) -> str | None:
        H, generation = self._head.horizon, page.generation
        if generation not in self._head.live_ids:
            return f"ids of generation {generation}"
        for item_id, verdict in page.verdicts:
            seq = seq_of_verdict(verdict)
            if seq is None or not (generation - 1) * H < seq < min((generation + 1) * H, self._head.seq):
                return f"id {item_id!r} has a verdict of seq {seq} in generation {generation}"
            at = (generation, seq, item_id)
            if at <= self._ids_at:
                return f"id {item_id!r} is not in order"
            self._ids_at = at
        return None

    def _chunk(self, chunk: Chunk) -> str | None:
        if not self._awaited or (chunk.generation, chunk.n) != (
            self._awaited[0][0].generation,
            self._awaited[0][1],
        ):
            return f"chunk {chunk.n} of snapshot {chunk.generation} is out of order"
        description, n = self._awaited.pop(0)
        self._chunks.append(chunk.data)
        if n == description.chunks - 1:
            try:
                join(description, self._chunks)
            except BadSnapshot as bad:
                return str(bad)
            self._chunks = []
        return None

    def _end(self, end: Frame) -> str | None:
        self._walk.end(self._head.seq)
        if not self._walk.is_whole:
            return self._found.checks()[0].details[0]
        check_events(self._found, self._events, None, self._head)
        if self._found.has_failed("events"):
            return f"of events, {self._found.checks()[0].details[0]}"
        if self._awaited:
            return f"chunk {self._awaited[0][1]} of snapshot {self._awaited[0][0].generation} is missing"
        return None if end == self._counts else f"it counts {end}, and there are {self._counts}"
