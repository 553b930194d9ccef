"""What must hold of a stream at rest, as pure functions of what was read; what does not hold is told, not raised.

    names      every key of the stream is one that keys.py lists, of its type; those that must be there are
    head       its figures fit each other
    owner      the epoch is `<epoch> <owner>`, and a lease is that owner's
    log        entries follow each other without hole or overlap, each with the checksum it was written with
    ids        every verdict that is stored is the verdict of the item that has this place in the log

`Findings` collects: a check has failed when anything is wrong, each fault is told until there are too many of a kind.
"""

import hashlib
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from service.state.batches import LogRecord, read_entry
from service.state.errors import LogCorrupt
from service.state.keys import Keys
from service.state.reading import Cut, Entry
from service.state.snapshots import CHUNK_BYTES, Description

TOLD: Final = 5
"""Faults of one check that are told in full."""


class Outcome(StrEnum):
    """Of one check. `WARNING`: nothing is lost, but somebody should know; `SKIPPED`: another check had to hold."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One named check, and what to say of it: the faults, or else what was found in order."""

    name: str
    outcome: Outcome
    details: tuple[str, ...]


class Findings:
    """The checks made so far, in order."""

    def __init__(self) -> None:
        self._outcomes: dict[str, Outcome] = {}
        self._said: dict[str, list[str]] = {}
        self._faults: dict[str, int] = {}

    def passed(self, name: str, summary: str) -> None:
        """The check was made; it holds unless something was found before or is found later."""
        self._outcomes.setdefault(name, Outcome.OK)
        if self._outcomes[name] is Outcome.OK:
            self._said[name] = [summary]

    def failed(self, name: str, fault: str) -> None:
        """Something is wrong."""
        if self._outcomes.get(name) is not Outcome.FAILED:
            self._outcomes[name], self._said[name] = Outcome.FAILED, []
        self._faults[name] = self._faults.get(name, 0) + 1
        if self._faults[name] <= TOLD:
            self._said[name].append(fault)

    def warned(self, name: str, warning: str) -> None:
        """Something should be known."""
        if self._outcomes.get(name, Outcome.OK) is Outcome.OK:
            self._outcomes[name], self._said[name] = Outcome.WARNING, []
        self._said[name].append(warning)

    def skipped(self, name: str, reason: str) -> None:
        """The check could not be made."""
        if name not in self._outcomes:
            self._outcomes[name], self._said[name] = Outcome.SKIPPED, [reason]

    def has_failed(self, *names: str) -> bool:
        """Whether one of these, or without names any, has failed."""
        return any(self._outcomes.get(name) is Outcome.FAILED for name in names or self._outcomes)

    def checks(self) -> tuple[Check, ...]:
        """All of them."""
        return tuple(
            Check(name=name, outcome=outcome, details=(*self._said[name], *self._rest(name)))
            for name, outcome in self._outcomes.items()
        )

    def _rest(self, name: str) -> tuple[str, ...]:
        more = self._faults.get(name, 0) - TOLD
        return (f"and {more} more",) if more > 0 else ()


@dataclass(frozen=True, kw_only=True)
class Head:
    """The head, read; see keys.py."""

    seq: int
    horizon: int
    idgen: int
    gen: int
    trimmed: int
    events: int
    cur: Description | None
    prev: Description | None
    saving: tuple[int, int] | None

    @property
    def live_ids(self) -> tuple[int, ...]:
        """The generations of ids that are kept, the older first."""
        return tuple(g for g in (self.idgen - 1, self.idgen) if g >= 0)

    @property
    def snapshots(self) -> tuple[Description, ...]:
        """Those that are kept, the older first."""
        return tuple(d for d in (self.prev, self.cur) if d is not None)


def parse_head(fields: Mapping[bytes, bytes]) -> Head:
    """The head as figures. Raises ValueError naming the field that is none."""

    def number(name: bytes) -> int:
        value = fields.get(name)
        if value is None or not (value.isdigit() and len(value) <= 16):
            raise ValueError(f"{name.decode()} is {_shown(value)}, not a count")
        return int(value)

    def described(name: bytes) -> Description | None:
        if name not in fields:
            return None
        try:
            return Description.parse(fields[name])
        except ValueError:
            raise ValueError(f"{name.decode()} is {_shown(fields[name])}, not a snapshot") from None

    saving = fields.get(b"saving")
    parts = saving.split() if saving else []
    if saving is not None and (len(parts) != 2 or not all(part.isdigit() for part in parts)):
        raise ValueError(f"saving is {_shown(saving)}, not a generation and a number of chunks")
    return Head(
        seq=number(b"seq"),
        horizon=number(b"horizon"),
        idgen=number(b"idgen"),
        gen=number(b"gen"),
        trimmed=number(b"trimmed"),
        events=number(b"events") if b"events" in fields else 0,  # a stream of before there were any
        cur=described(b"cur"),
        prev=described(b"prev"),
        saving=(int(parts[0]), int(parts[1])) if parts else None,
    )


def head_faults(head: Head) -> list[str]:
    """What of the head contradicts itself."""
    newest = max(head.seq - 1, 0) // head.horizon if head.horizon else 0
    kept = {"cur": head.cur, "prev": head.prev}
    rules = {
        "horizon is 0: no id could be remembered": head.horizon >= 1,
        f"idgen is {head.idgen}, but item {head.seq - 1} belongs to {newest}": head.idgen == newest,
        "there is a previous snapshot and no current one": head.cur is not None or head.prev is None,
        f"trimmed is {head.trimmed}, but the log may be trimmed to the older snapshot only": head.trimmed
        == (head.prev.seq if head.prev else 0),
    }
    for name, found in kept.items():
        if found is not None:
            rules |= {
                f"{name} stands at seq {found.seq}, beyond the head at {head.seq}": found.seq <= head.seq,
                f"{name} has generation {found.generation}, and only {head.gen} were handed out": 1
                <= found.generation
                <= head.gen,
                f"{name} has {found.size} bytes in {found.chunks} chunks": found.chunks
                == -(-found.size // CHUNK_BYTES),
            }
    if head.cur is not None and head.prev is not None:
        rules["prev is not older than cur"] = (
            head.prev.generation < head.cur.generation and head.prev.seq <= head.cur.seq
        )
    if head.saving is not None:
        rules[f"the save under way has generation {head.saving[0]}, not {head.gen}, the last handed out"] = (
            head.saving[0] == head.gen
        )
    return [fault for fault, holds in rules.items() if not holds]


def owner_faults(cut: Cut) -> list[str]:
    """What is wrong with epoch and lease."""
    if cut.epoch is None:
        return ["there is no epoch"]
    epoch, _, owner = cut.epoch.partition(b" ")
    if not epoch.isdigit() or not owner or int(epoch) < 1:
        return [f"the epoch is {_shown(cut.epoch)}, not a number and an owner"]
    if cut.lease is not None and cut.lease != owner:
        return [f"the lease is that of {_shown(cut.lease)}, but the epoch that of {_shown(owner)}"]
    return []


def check_names(
    found: Findings,
    keys: Keys,
    names: Mapping[str, str],
    head: Head,
    *,
    is_owned: bool,
    left: str | None = None,
) -> bool:
    """Are these the keys of a stream with this head? Missing chunks are told where snapshots are read.

    Args:
        found: Where faults go.
        keys: Of the stream.
        names: The keys that there are -> their types.
        head: The stream's.
        is_owned: Whether a lease lives, so that a save may be going on.
        left: The bundle whose state an upgrade left for one step back; it is not looked at.

    Returns:
        Whether all are of their types, so that they can be read.
    """
    must = {keys.bundle: "string", keys.epoch: "string", keys.head: "hash"}
    if head.seq > head.trimmed:
        must[keys.log] = "stream"
    may = {
        keys.lease: "string",
        keys.kept: "string",
        keys.log: "stream",
        keys.dead_letters: "hash",
        keys.hand: "string",
    }
    may |= {
        keys.events: "stream",
        keys.payloads: "hash",
        keys.hooks: "hash",
        keys.pending: "hash",
        keys.deliveries: "stream",
    }
    may |= {keys.ids(generation): "hash" for generation in head.live_ids}
    kept = {description.generation: description.chunks for description in head.snapshots}
    staged = 0
    unfinished = 0
    can_be_read = True
    for key in must.keys() - names.keys():
        found.failed("keys", f"{key} is missing")
    for key, kind in names.items():
        place = keys.place_of_chunk(key)
        if left is not None and left != keys.bundle_id and key.startswith(f"{keys.shared}{left}:"):
            continue
        if keys.is_staged(key):
            staged += 1
        elif place is not None and place[1] < kept.get(place[0], 0):
            if kind != "string":
                can_be_read = False
                found.failed("keys", f"{key} is a {kind}, not a string")
        elif place is not None and head.saving is not None and place[0] == head.saving[0]:
            unfinished += 1
        elif place is not None:
            found.failed("keys", f"{key} belongs to no snapshot")
        elif (wanted := must.get(key) or may.get(key)) is None:
            generation = keys.generation_of_ids(key)
            why = "firstseen has no such key" if generation is None else "these ids should be forgotten"
            found.failed("keys", f"{key} should not be there: {why}")
        elif kind != wanted:
            can_be_read = False
            found.failed("keys", f"{key} is a {kind}, not a {wanted}")
    found.passed("keys", f"{len(names)} keys, each of its type and none unknown")
    if head.saving is not None and not is_owned:
        found.warned(
            "leftovers",
            f"a save was interrupted: {unfinished} chunks of snapshot {head.saving[0]} lie about. The next start of "
            "the service, or `firstseen state snapshot`, clears them",
        )
    if staged:
        found.warned(
            "leftovers",
            f"an import has not ended, or an upgrade: it left {staged} keys {keys.every_staged}. They are no part of "
            "the stream; `firstseen state import` into this stream, or its next upgrade, clears them",
        )
    found.passed("leftovers", "none" if head.saving is None else "none; a snapshot is being saved")
    return can_be_read


class LogWalk:
    """Goes along the log, entry by entry, from the place that it is complete from."""

    def __init__(self, found: Findings, start: int) -> None:
        self._found = found
        self.expected = start
        self.entries = 0
        self.is_whole = True

    def step(self, entry: Entry) -> LogRecord | None:
        """The record, if it is what was written. A hole or an overlap is told, and the walk goes on behind it."""
        name, fields = entry
        try:
            record = read_entry(name, fields)
        except LogCorrupt as corrupt:
            self._fault(str(corrupt).partition(";")[0])
            first, count = int(name.partition(b"-")[0]), fields.get(b"n", b"")
            self._expect(first)
            self.expected = first + (int(count) if count.isdigit() and len(count) < 10 else 1)
            return None
        self._expect(record.first_seq)
        if record.count < 1 or not fields.get(b"e", b"").isdigit() or name.partition(b"-")[2] != b"1":
            self._fault(f"log entry {name.decode()} is not one that firstseen writes")
        self.expected = record.first_seq + record.count
        self.entries += 1
        return record

    def end(self, seq: int) -> None:
        """The walk has come to the head."""
        self._expect(seq, "the head")

    def _expect(self, seq: int, what: str = "the next entry") -> None:
        if seq > self.expected:
            self._fault(f"items {self.expected} to {seq - 1} are missing from the log")
        elif seq < self.expected:
            self._fault(f"{what} stands at seq {seq}, but the log goes on at {self.expected}")

    def _fault(self, fault: str) -> None:
        self.is_whole = False
        self._found.failed("log", fault)


class Places:
    """Which id has which place in the log: 8 bytes an item, however long the ids are."""

    def __init__(self, start: int) -> None:
        self._start = start
        self._marks = array("Q")

    def put(self, first_seq: int, ids: tuple[bytes, ...] | None, count: int) -> None:
        """An entry's ids; no ids: no items. None: they cannot be read."""
        gap = first_seq - self._start - len(self._marks)
        if gap < 0:  # an entry over another: the log is broken, and says so elsewhere
            return
        self._marks.extend([_UNREADABLE] * max(gap, 0))
        if ids is None:
            self._marks.extend([_UNREADABLE] * count)
        else:
            self._marks.extend([*map(_mark, ids), *[_NO_ITEM] * (count - len(ids))])

    def is_at(self, seq: int, item_id: bytes) -> bool:
        """Whether this item may have this place: it has it, or nobody knows any more who has."""
        at = seq - self._start
        if not 0 <= at < len(self._marks):
            return True
        return self._marks[at] in (_UNREADABLE, _mark(item_id))


_NO_ITEM: Final = 0
_UNREADABLE: Final = 1


def _mark(item_id: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(item_id, digest_size=8).digest(), "little") | 2


def _shown(value: bytes | None) -> str:
    return "missing" if value is None else repr(value.decode("utf-8", "backslashreplace"))
