"""One stream in one file: what an export writes and an import reads. No pickle, no keys of Redis, no time of writing.

    offset  size  content
    0       4     magic "FSAR"
    4       4     format version, uint32 little-endian
    8       ...   frames, each:

        | size of the data, uint32 little-endian | 16 bytes blake2b | data: MessagePack, a map with "frame" |

The checksum of a frame covers the one before it (zeros before the first), its size and its data, so a frame that is
changed, dropped, repeated or moved is found at its place; a file that is cut has no last frame. In this order:

    start    stream, bundle, epoch, head       what kind of stream; head is a map of the fields of `head`
    log      entries [[first seq, fields], ...]    from `trimmed` on, ascending; fields as in Redis: n, p, s, e
    ids      generation, verdicts [[id, verdict], ...]   the older generation first; ascending by place, then id
    chunk    generation, n, data               of the older snapshot, then of the newer; with its own checksum
    dlq      fields [[name, value], ...]       items set aside, ascending by name
    events   events [[id, number, JSON], ...]  what became of clusters, oldest first
    payloads fields [[id, value], ...]         of clusters' members, ascending by id
    hooks    kind, fields [[name, value], ...] `hook`: the webhooks; `pending`: what they are still to be told
    end      entries, ids, chunks, dlq, events, payloads, hooks     how many there were

Version 1 had neither events nor payloads nor hooks, and is read as a stream without them. Webhooks come with their
secrets, and items with what they looked like: a file is as worth guarding as the store.

Equal states give equal files. Lease and owner are left out, as is a save under way: they belong to a process. Ids,
names, values and payloads are bytes, as in Redis. Frames are of a few hundred kilobytes, so writer and reader need no
more memory than one of them (a frame of one batch of the largest size may have some tens of megabytes).
"""

import hashlib
import struct
from collections.abc import Iterator
from typing import BinaryIO, Final, Literal

import msgspec

from service.state.errors import StoreError

MAGIC: Final = b"FSAR"
VERSION: Final = 2
_READ: Final = (1, 2)
PAGE_BYTES: Final = 256 * 1024
"""A page of log entries, ids or items set aside ends when it has so many bytes."""

HookKind = Literal["hook", "pending"]
HOOK_KINDS: Final[tuple[HookKind, ...]] = ("hook", "pending")

_LARGEST: Final = 1 << 30
_SUM_BYTES: Final = 16
_HEAD: Final = struct.Struct("<4sI")
_SIZE: Final = struct.Struct("<I")


class ArchiveUnreadable(StoreError):
    """A file that is not, or not wholly, what an export wrote."""


class Start(msgspec.Struct, tag="start", tag_field="frame", forbid_unknown_fields=True, kw_only=True):
    """The first frame."""

    stream: str
    bundle: str
    epoch: int
    head: dict[str, bytes]


class LogPage(msgspec.Struct, tag="log", tag_field="frame", forbid_unknown_fields=True, kw_only=True):
    """Entries of the log."""

    entries: list[tuple[int, dict[str, bytes]]]


class IdsPage(msgspec.Struct, tag="ids", tag_field="frame", forbid_unknown_fields=True, kw_only=True):
    """Ids with their verdicts."""

    generation: int
    verdicts: list[tuple[bytes, bytes]]


class Chunk(msgspec.Struct, tag="chunk", tag_field="frame", forbid_unknown_fields=True, kw_only=True):
    """A chunk of a snapshot."""

    generation: int
    n: int
    data: bytes


class DlqPage(msgspec.Struct, tag="dlq", tag_field="frame", forbid_unknown_fields=True, kw_only=True):
    """Items set aside."""

    fields: list[tuple[bytes, bytes]]


class EventsPage(msgspec.Struct, tag="events", tag_field="frame", forbid_unknown_fields=True, kw_only=True):
    """Events of the outbox: id, number, data."""

    events: list[tuple[str, int, bytes]]


class PayloadsPage(
    msgspec.Struct, tag="payloads", tag_field="frame", forbid_unknown_fields=True, kw_only=True
):
    """Payloads of clusters' members."""

    fields: list[tuple[bytes, bytes]]


class HooksPage(msgspec.Struct, tag="hooks", tag_field="frame", forbid_unknown_fields=True, kw_only=True):
    """Webhooks, or what they are still to be told."""

    kind: HookKind
    fields: list[tuple[bytes, bytes]]


class End(msgspec.Struct, tag="end", tag_field="frame", forbid_unknown_fields=True, kw_only=True):
    """The last frame."""

    entries: int = 0
    ids: int = 0
    chunks: int = 0
    dlq: int = 0
    events: int = 0
    payloads: int = 0
    hooks: int = 0


Frame = Start | LogPage | IdsPage | Chunk | DlqPage | EventsPage | PayloadsPage | HooksPage | End


class Writer:
    """Writes frames one after the other; counts what the last one has to say.

    Args:
        file: Open for writing, at its start.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sum = bytes(_SUM_BYTES)
        self.counts = End()
        file.write(_HEAD.pack(MAGIC, VERSION))

    def write(self, frame: Frame) -> None:
        """Add a frame."""
        data = msgspec.msgpack.encode(frame)
        self._sum = _chained(self._sum, data)
        self._file.write(_SIZE.pack(len(data)) + self._sum + data)
        count(self.counts, frame)

    def end(self) -> None:
        """Add the last one."""
        self.write(self.counts)


def count(counts: End, frame: Frame) -> None:
    """Add what a frame holds."""
    if isinstance(frame, LogPage):
        counts.entries += len(frame.entries)
    elif isinstance(frame, IdsPage):
        counts.ids += len(frame.verdicts)
    elif isinstance(frame, Chunk):
        counts.chunks += 1
    elif isinstance(frame, DlqPage):
        counts.dlq += len(frame.fields)
    elif isinstance(frame, EventsPage):
        counts.events += len(frame.events)
    elif isinstance(frame, PayloadsPage):
        counts.payloads += len(frame.fields)
    elif isinstance(frame, HooksPage):
        counts.hooks += len(frame.fields)


def read_frames(file: BinaryIO) -> Iterator[tuple[int, Frame]]:
    """(offset, frame) of every frame, each checked before it is given, the last one included.

    Raises:
        ArchiveUnreadable: Not an archive, of a later version, cut, or damaged; the message says where.
    """
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size or head[:4] != MAGIC:
        raise ArchiveUnreadable("This is no file of `firstseen state export`: it does not start with FSAR.")
    version = _HEAD.unpack(head)[1]
    if version not in _READ:
        raise ArchiveUnreadable(
            f"The file has format version {version}, and this firstseen reads {VERSION}. Import it with the release "
            "that wrote it, or a later one."
        )
    checksum, offset = bytes(_SUM_BYTES), _HEAD.size
    while True:
        intro = file.read(_SIZE.size + _SUM_BYTES)
        size = _SIZE.unpack_from(intro)[0] if len(intro) == _SIZE.size + _SUM_BYTES else 0
        if size > _LARGEST:
            raise ArchiveUnreadable(f"The file is damaged at byte {offset}: a frame of {size} bytes.")
        data = file.read(size)
        if len(intro) < _SIZE.size + _SUM_BYTES or len(data) < size:
            raise ArchiveUnreadable(
                f"The file is cut: the frame at byte {offset} is not complete. Copy it again."
            )
        checksum = _chained(checksum, data)
        if checksum != intro[_SIZE.size :]:
            raise ArchiveUnreadable(f"The file is damaged: the frame at byte {offset} has a wrong checksum.")
        try:
            frame: Frame = msgspec.msgpack.decode(data, type=Frame)
        except msgspec.DecodeError as error:
            raise ArchiveUnreadable(
                f"The frame at byte {offset} is not one of format version {VERSION} ({error})."
            ) from None
        yield offset, frame
        offset += len(intro) + size
        if isinstance(frame, End):
            if file.read(1):
                raise ArchiveUnreadable(f"The file goes on after its end, at byte {offset}.")
            return


def _chained(before: bytes, data: bytes) -> bytes:
    return hashlib.blake2b(before + _SIZE.pack(len(data)) + data, digest_size=_SUM_BYTES).digest()
