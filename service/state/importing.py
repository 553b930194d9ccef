"""A file of `archive.py` into an empty stream, so that at every instant there is either the whole stream or none.

    read the whole file         nothing is written before all of it is known to be right
    lease                       the stream is taken, as an owner would; the service waits for it
    write  fs:{stream}:+<t>:... under names that nobody reads, new ones for every import
    adopt                       one Function: names as they should be, bundle and epoch; the lease ends

Killed before the last step, an import leaves names with a `+`, which are no stream, and a lease that runs out; the
next import clears them. Killed after it, it is done. Should it sleep through its lease, the last step is refused, and
what it writes late goes to its own names. The epoch becomes one more than the exported one, so that no token of before
the export is ever good again.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from service.state.archive import (
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
    read_frames,
)
from service.state.errors import LeaseHeld, StoreError
from service.state.inspecting import Inspected
from service.state.keys import STREAMS, Keys, log_entry
from service.state.reading import StreamReader
from service.state.wire import Refusal, Wire

LEASE_MS: Final = 15_000
_FIELDS: Final = 500

Progress = Callable[[str, int, int, str], None]
"""stage, done, total, note."""

Command = tuple[str | bytes | int, ...]
"""A write; its second part is the key as it will be called."""


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What the stream holds now. exported_as: the name it had in the file."""

    stream: str
    exported_as: str
    bundle_id: str
    seq: int
    epoch: int
    counts: End


class StreamNotEmpty(StoreError):
    """There is something under the stream's name already; nothing was written."""


class NotImported(StoreError):
    """The import was overtaken; the stream is as it was."""


async def import_stream(
    wire: Wire, archive: Inspected, *, bundle_id: str, stream: str, owner: str, token: str, progress: Progress
) -> Imported:
    """Write the stream that a file holds.

    Args:
        wire: To a Redis that has the library of functions.
        archive: The file, inspected, still open.
        bundle_id: Of the bundle that is at hand.
        stream: What the stream shall be called.
        owner: Of the lease.
        token: Unique to this import: letters and digits.
        progress: Told how far it is.

    Raises:
        ArchiveUnreadable: The file has changed since it was inspected.
        NotImported: It is of another bundle, or somebody came in between.
        StreamNotEmpty: There is such a stream, or a part of one.
        LeaseHeld: Another import, or a service, has the stream.
        StoreUnavailable, StoreMisconfigured: As everywhere. When the outcome of the last step is unknown, `firstseen
            state verify` tells whether the stream is there.
    """
    start = archive.start
    if start.bundle != bundle_id:
        raise NotImported(
            f"The file holds a stream of bundle {start.bundle}, and this is bundle {bundle_id}: give the bundle that "
            "the stream was served with."
        )
    keys = Keys(stream, bundle_id)
    writing = _Import(wire, keys, owner=owner, token=token)
    await writing.begin()
    try:
        archive.file.seek(0)
        for offset, frame in read_frames(archive.file):
            await writing.write(frame)
            progress("import", offset * 100 // archive.size, 100, "%")
        epoch = await writing.adopt(start)
        progress("import", 100, 100, "%")
    except BaseException:
        await writing.clear()
        raise
    return Imported(
        stream=keys.stream,
        exported_as=start.stream,
        bundle_id=bundle_id,
        seq=archive.head.seq,
        epoch=epoch,
        counts=writing.counts,
    )


class _Import:
    """One import into one stream."""

    def __init__(self, wire: Wire, keys: Keys, *, owner: str, token: str) -> None:
        self._wire = wire
        self._keys = keys
        self._owner = owner
        self._token = token
        self._written: dict[str, str] = {}
        self.counts = End()

    async def begin(self) -> None:
        """Take an empty stream; clear what an import that did not end has left."""
        keys, reader = self._keys, StreamReader(self._wire, self._keys)
        there = [key for key in await reader.names() if not keys.is_staged(key) and key != keys.lease]
        if there and (left := await reader.staged()):  # with a stream there, no import can end any more
            await self._wire.command("UNLINK", *left)
        if there:
            raise StreamNotEmpty(
                f"Stream {keys.stream} is not empty: there is {there[0]}"
                + (f" and {len(there) - 1} more keys" if len(there) > 1 else "")
                + ". Import under another name (--stream), or into an empty data folder or Redis."
            )
        if await self._wire.command("SET", keys.lease, self._owner, "NX", "PX", LEASE_MS) is None:
            await self._held()
        left = await reader.staged()
        if left:
            await self._wire.command("UNLINK", *left)

    async def write(self, frame: Frame) -> None:
        """Write a frame under the names of this import."""
        if isinstance(frame, End):
            self.counts = frame
        await self._send(self._commands(frame))

    def _commands(self, frame: Frame) -> list[Command]:
        keys = self._keys
        if isinstance(frame, LogPage):
            return [
                ("XADD", keys.log, log_entry(first_seq), *(part for pair in fields.items() for part in pair))
                for first_seq, fields in frame.entries
            ]
        if isinstance(frame, Chunk):
            return [("SET", keys.chunk(frame.generation, frame.n), frame.data)]
        if isinstance(frame, IdsPage):
            return _hset(keys.ids(frame.generation), frame.verdicts)
        if isinstance(frame, DlqPage):
            return _hset(keys.dead_letters, frame.fields)
        if isinstance(frame, EventsPage):
            return [("XADD", keys.events, id, "e", data, "k", number) for id, number, data in frame.events]
        if isinstance(frame, PayloadsPage):
            return _hset(keys.payloads, frame.fields)
        if isinstance(frame, HooksPage):
            return _hset(keys.hooks if frame.kind == "hook" else keys.pending, frame.fields)
        return []

    async def _send(self, commands: Sequence[Command]) -> None:
        """Writes, each to this import's name for its key; and a longer lease, while it is ours."""
        if not commands:
            return
        holder = await self._wire.command("GET", self._keys.lease)
        if holder != self._owner.encode():
            raise self._overtaken()
        staged = []
        for name, key, *rest in commands:
            self._written[str(key)] = self._keys.staged(str(key), self._token)
            staged.append((name, self._written[str(key)], *rest))
        await self._wire.commands(("PEXPIRE", self._keys.lease, LEASE_MS), *staged)

    async def adopt(self, start: Start) -> int:
        """Make it a stream; returns its epoch."""
        keys, epoch = self._keys, start.epoch + 1
        await self._send([("HSET", keys.head, *(part for pair in start.head.items() for part in pair))])
        names = [keys.lease, keys.bundle, keys.epoch, *self._written.values(), *self._written, STREAMS]
        token = f"{epoch} {self._owner}"
        try:
            await self._wire.call(
                *("fs1_adopt", names, self._owner, keys.bundle_id, token, len(self._written), keys.stream)
            )
        except Refusal as refusal:
            if refusal.word not in ("FENCED", "TAKEN", "MISSING"):
                raise
            raise self._overtaken() from None
        return epoch

    async def clear(self) -> None:
        """Take back what was written, as far as Redis answers; the next import does the rest."""
        with contextlib.suppress(StoreError):
            holder = await self._wire.command("GET", self._keys.lease)
            mine = [self._keys.lease] if holder == self._owner.encode() else []
            if left := [*self._written.values(), *mine]:
                await self._wire.command("UNLINK", *left)

    def _overtaken(self) -> NotImported:
        return NotImported(
            f"Another import, or a service, took stream {self._keys.stream} meanwhile: nothing was imported. Stop it, "
            "see what is there (`firstseen state verify`), and import again."
        )

    async def _held(self) -> None:
        owner, remaining = await self._wire.commands(["GET", self._keys.lease], ["PTTL", self._keys.lease])
        shown = owner.decode("ascii", "backslashreplace") if owner else "nobody now"
        raise LeaseHeld(
            f"Stream {self._keys.stream} is held by {shown} for {max(0, remaining)} ms more, though it is empty: an "
            "import or a service that just began, or was killed. Wait, or stop it.",
            owner=shown,
            remaining_ms=max(0, remaining),
        )


def _hset(key: str, fields: Sequence[tuple[bytes, bytes]]) -> list[Command]:
    """Few fields at a time, so that nobody waits long for Redis."""
    return [
        ("HSET", key, *(part for pair in fields[first : first + _FIELDS] for part in pair))
        for first in range(0, len(fields), _FIELDS)
    ]
