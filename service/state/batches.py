"""A batch on its way into the log and out of it: checksums that make a resend recognisable and rot visible.

An entry carries 32 bytes of checksum. The first 16 cover what the entry itself holds (first seq, count,
payload) and are checked at every read. The other 16 cover the ids and verdicts, which are stored beside the
log; both together say whether a batch that arrives for a seq already taken *is* the one that took it. Pure:
no Redis here.
"""

import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from service.state.errors import DuplicateIds, LogCorrupt
from service.state.keys import MOST_EVENTS

_SUM_BYTES: Final = 16


@dataclass(frozen=True, kw_only=True)
class Append:
    """One batch. payload: opaque bytes of the log entry; verdicts: (id, verdict bytes) of the items with an
    id; events: what became of clusters by it (events.py), in order; keep: (id, value) of the payloads that are kept
    from now on, forget: the ids of those that are not any more (payloads.py).

    first_seq: seq of the first item; count: 1 .. horizon items.
    """

    first_seq: int
    count: int
    payload: bytes
    verdicts: Sequence[tuple[str, bytes]]
    events: Sequence[bytes] = ()
    keep: Sequence[tuple[str, bytes]] = ()
    forget: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class LogRecord:
    """One entry of the log, as it was appended."""

    first_seq: int
    count: int
    payload: bytes


def id_field(item_id: str) -> bytes:
    """An item id as a field of the ids hash; a lone surrogate, which JSON can carry, keeps its own bytes."""
    return item_id.encode("utf-8", "surrogatepass")


def verdict_fields(verdicts: Sequence[tuple[str, bytes]]) -> list[bytes]:
    """Ids and verdicts in turn, as the ids hash takes them."""
    return [part for item_id, verdict in verdicts for part in (id_field(item_id), verdict)]


def fields_beside(batch: Append) -> list[bytes | int]:
    """Events and payloads, each kind after its number, as the Function takes them."""
    kept, forgotten = verdict_fields(batch.keep), map(id_field, batch.forget)
    events: list[bytes | int] = [MOST_EVENTS, len(batch.events), *batch.events]
    return [*events, len(batch.keep), *kept, len(batch.forget), *forgotten]


def checksums(batch: Append, fields: Sequence[bytes] | None = None) -> bytes:
    """32 bytes blake2b: of the record, then of its verdicts. `fields`: their `verdict_fields`, where known."""
    if fields is None:
        fields = verdict_fields(batch.verdicts)
    return _record_sum(batch.first_seq, batch.count, batch.payload) + _verdicts_sum(fields)


def _record_sum(first_seq: int, count: int, payload: bytes) -> bytes:
    return hashlib.blake2b(b"%d %d " % (first_seq, count) + payload, digest_size=_SUM_BYTES).digest()


def _verdicts_sum(fields: Sequence[bytes]) -> bytes:
    """Of all lengths, then of all that is so long: no boundary can move unseen."""
    lengths = struct.pack(f"<{len(fields)}I", *map(len, fields))
    return hashlib.blake2b(lengths + b"".join(fields), digest_size=_SUM_BYTES).digest()


def read_entry(entry: bytes, fields: Mapping[bytes, bytes]) -> LogRecord:
    """Check one entry of XRANGE, `<first seq>-1` and its fields, and read it. Raises LogCorrupt."""
    first_seq = int(entry.partition(b"-")[0])
    try:
        record = LogRecord(first_seq=first_seq, count=int(fields[b"n"]), payload=fields[b"p"])
        checksum = fields[b"s"]
    except (KeyError, ValueError) as error:
        raise LogCorrupt(
            f"log entry {entry.decode()} lacks a field ({error}); restore Redis from a backup"
        ) from error
    if checksum[:_SUM_BYTES] != _record_sum(first_seq, record.count, record.payload):
        raise LogCorrupt(f"log entry {entry.decode()} has a wrong checksum; restore Redis from a backup")
    return record


def refuse_repeats(verdicts: Sequence[tuple[str, bytes]]) -> None:
    """Raise DuplicateIds when an id occurs twice in one batch."""
    if len({item_id for item_id, _ in verdicts}) == len(verdicts):
        return
    seen: set[str] = set()
    repeated = []
    for item_id, _ in verdicts:
        if item_id in seen:
            repeated.append(item_id)
        seen.add(item_id)
    raise duplicates(repeated, "occur more than once in the batch; send each id once")


def duplicates(ids: Sequence[str], advice: str) -> DuplicateIds:
    """The error for these ids, naming the first five."""
    shown = ", ".join(repr(item_id) for item_id in ids[:5]) + (", ..." if len(ids) > 5 else "")
    return DuplicateIds(f"{len(ids)} ids ({shown}) {advice}", ids=ids)
