"""Is a stream's state whole? Every invariant of the store, and a replay of the log, on a stream at rest or served.

    keys, head, owner            as they should be, and of this bundle
    snapshots                    both: every chunk, the whole, and what is in it
    log                          no hole, no overlap, every checksum, every entry readable
    replay                       the older snapshot and the log make the newer one, byte for byte; one state at the head
    verdicts                     every id of the log has, once, exactly the verdict that its item gets again
    events                       the outbox holds what became of clusters, each once
    payloads                     those that are kept are of members of clusters
    ids                          no verdict without an item; none twice; as many as the horizon allows

Reads in pages and holds, besides two engines and their snapshots, 8 bytes an item of the log. While the stream is
served it verifies up to the head that it read first, and starts over when a snapshot or a generation of ids was
turned meanwhile *and* something seemed wrong (see reading.py).
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from model.bundle import KnownArrays
from service.records import NO_CLUSTER, Int64s, Observed, Verdict, VerdictKind, auto_id
from service.state.batches import Append, LogRecord, checksums, id_field
from service.state.checks import (
    Check,
    Findings,
    Head,
    LogWalk,
    Outcome,
    Places,
    check_names,
    head_faults,
    owner_faults,
    parse_head,
)
from service.state.errors import StoreError
from service.state.event_checks import check_events
from service.state.packing import EntryUnreadable, unpack_entry, unpack_verdict
from service.state.reading import Cut, Entry, StreamReader
from service.state.shadow import Shadows, Unpacked
from service.state.snapshots import BadSnapshot, Description, join

_TRIES: Final = 5

Progress = Callable[[str, int, int, str], None]
"""stage, done, total, note."""


@dataclass(frozen=True, kw_only=True)
class Verified:
    """The result. state_hash: of the state at the head, None where no replay led to it; seq: of the head."""

    stream: str
    bundle_id: str
    seq: int
    state_hash: str | None
    checks: tuple[Check, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong; warnings do not count."""
        return all(check.outcome in (Outcome.OK, Outcome.WARNING) for check in self.checks)


class StreamMoves(StoreError):
    """A stream that is served turned its snapshots faster than they could be read."""


async def verify(
    reader: StreamReader, known: KnownArrays, labels: tuple[str, ...], progress: Progress
) -> Verified:
    """Check all there is to check.

    Args:
        reader: Of the stream, under the bundle that is to be its own.
        known: Arrays of that bundle.
        labels: Its class names.
        progress: Told how far it is.

    Raises:
        StoreUnavailable, StoreMisconfigured: Redis could not be read.
        StreamMoves: The stream is served, and never stood still for long enough.
    """
    if wrong := await reader.of_wrong_type():
        return _unreadable(reader, wrong)
    for _ in range(_TRIES):
        audit = _Audit(reader, known, labels, progress)
        cut = await reader.cut()
        verified = await audit.run(cut)
        if verified.is_sound or cut.is_same_place(await reader.cut()):
            return verified
    raise StreamMoves(
        f"Stream {reader.keys.stream} was saved {_TRIES} times while it was read; verify it when less arrives, raise "
        "FIRSTSEEN_SNAPSHOT_EVERY_ITEMS, or stop the service."
    )


def _unreadable(reader: StreamReader, wrong: Sequence[tuple[str, str]]) -> Verified:
    """Nothing else can be said where the head is not even a head."""
    found = Findings()
    for key, kind in wrong:
        found.failed("keys", f"{key} is a {kind}, which it never is")
    return Verified(
        stream=reader.keys.stream,
        bundle_id=reader.keys.bundle_id,
        seq=0,
        state_hash=None,
        checks=found.checks(),
    )


class _Audit:
    """One attempt."""

    def __init__(
        self, reader: StreamReader, known: KnownArrays, labels: tuple[str, ...], progress: Progress
    ) -> None:
        self._reader = reader
        self._keys = reader.keys
        self._progress = progress
        self._found = Findings()
        self._shadows = Shadows(self._found, known, labels)
        self._checked = 0
        self._newest = -1  # seq of a stored verdict

    async def run(self, cut: Cut) -> Verified:
        head, state_hash = self._head(cut), None
        if head is not None:
            names = await self._reader.names()
            can_be_read = check_names(
                self._found, self._keys, names, head, is_owned=cut.lease is not None, left=cut.kept
            )
            state_hash = await self._contents(head) if can_be_read else None
        return Verified(
            stream=self._keys.stream,
            bundle_id=self._keys.bundle_id,
            seq=head.seq if head else 0,
            state_hash=None if self._found.has_failed("replay", "log", "entries") else state_hash,
            checks=self._found.checks(),
        )

    def _head(self, cut: Cut) -> Head | None:
        """The head, if anything can be checked by it."""
        found = self._found
        if cut.bundle != self._keys.bundle_id.encode():
            stored = "missing" if cut.bundle is None else cut.bundle.decode("utf-8", "backslashreplace")
            found.failed("bundle", f"the stream's bundle is {stored}, not {self._keys.bundle_id}")
            if cut.bundle is not None:  # all else is under the names of that bundle
                return None
        found.passed("bundle", self._keys.bundle_id)
        try:
            head = parse_head(cut.head)
        except ValueError as error:
            found.failed("head", str(error))
            return None
        faults = head_faults(head)
        for fault in faults:
            found.failed("head", fault)
        found.passed("head", f"seq {head.seq}, horizon {head.horizon}, log from {head.trimmed}")
        for fault in owner_faults(cut):
            found.failed("owner", fault)
        epoch = (cut.epoch or b"").decode("utf-8", "backslashreplace")
        found.passed("owner", f"epoch {epoch}, {'its lease is alive' if cut.lease else 'no lease'}")
        return head if head.horizon else None

    async def _contents(self, head: Head) -> str | None:
        """All that takes long; the hash of the state at the head."""
        await self._snapshots(head)
        places, state_hash = await self._log(head)
        await self._ids(head, places)
        await self._events(head, is_whole=state_hash is not None)
        await self._payloads(head, is_whole=state_hash is not None)
        await self._grown(head)
        letters = sum([len(page) async for page in self._reader.dead_letters()])
        self._found.passed("dlq", f"{letters} items set aside")
        return state_hash

    # Snapshots

    async def _snapshots(self, head: Head) -> None:
        for name, description in (("the older snapshot", head.prev), ("the newer snapshot", head.cur)):
            blob = None if description is None else await self._blob(description)
            if blob is not None and description is not None:
                await asyncio.to_thread(self._shadows.start_from, blob, name=name, seq=description.seq)
        if head.prev is None and head.trimmed == 0:
            self._shadows.start_from_nothing()
        told = ", ".join(f"generation {d.generation} at seq {d.seq}, {d.size} bytes" for d in head.snapshots)
        self._found.passed("snapshots", told or "none yet")

    async def _blob(self, description: Description) -> bytes | None:
        chunks = []
        async for n, chunk in self._reader.chunks(description):
            chunks.append(chunk)
            self._progress("snapshots", n + 1, description.chunks, "chunks")
        try:
            return join(description, chunks)
        except BadSnapshot as bad:
            self._found.failed("snapshots", str(bad))
            return None

    # The log, what it replays to, and the verdicts of its items

    async def _log(self, head: Head) -> tuple[Places, str | None]:
        walk, places = LogWalk(self._found, head.trimmed), Places(head.trimmed)
        async for page in self._reader.log(head.trimmed, head.seq):
            await self._page(page, head, walk, places)
            self._progress("log", walk.expected - head.trimmed, head.seq - head.trimmed, "items")
        walk.end(head.seq)
        self._found.passed(
            "log", f"{walk.entries} entries, items {head.trimmed} to {head.seq}, without a hole"
        )
        self._found.passed("entries", "every entry can be read")
        self._found.passed("verdicts", f"{self._checked} ids of the log have the verdict of their item")
        if not walk.is_whole or self._found.has_failed("entries"):
            self._found.skipped("replay", "the log is damaged")
            return places, None
        return places, await asyncio.to_thread(self._shadows.end, head.seq)

    async def _page(self, page: Sequence[Entry], head: Head, walk: LogWalk, places: Places) -> None:
        sums: list[bytes] = []
        records: list[tuple[LogRecord, Unpacked | None]] = []
        for name, fields in page:
            if (record := walk.step((name, fields))) is not None:
                records.append((record, self._unpacked(record)))
                sums.append(fields[b"s"])
        wanted = []
        for record, entry in records:
            ids = _ids_of(entry)
            places.put(record.first_seq, None if entry is None else tuple(map(id_field, ids)), record.count)
            mine = [id_field(id) for seq, id in enumerate(ids, record.first_seq) if id != auto_id(seq)]
            wanted += [(generation, mine) for generation in head.live_ids]
        stored = iter(await self._reader.verdicts(wanted))
        replies = [{generation: next(stored) for generation in head.live_ids} for _ in records]
        await asyncio.to_thread(self._entries, records, sums, replies, head, is_whole=walk.is_whole)

    def _unpacked(self, record: LogRecord) -> Unpacked | None:
        try:
            entry = unpack_entry(record.payload, first_seq=record.first_seq)
        except EntryUnreadable as error:
            self._found.failed("entries", str(error))
            return None
        items = len(_ids_of(entry)) or 1
        if items != record.count:
            self._found.failed(
                "entries",
                f"the entry at seq {record.first_seq} counts {record.count} items and holds {items}",
            )
            return None
        return entry

    def _entries(
        self,
        records: Sequence[tuple[LogRecord, Unpacked | None]],
        sums: Sequence[bytes],
        replies: Sequence[dict[int, list[bytes | None]]],
        head: Head,
        *,
        is_whole: bool,
    ) -> None:
        """Replay the entries, and hold what is stored by id against what comes out."""
        for (record, entry), written, stored in zip(records, sums, replies, strict=True):
            if entry is None:
                continue
            again = () if not is_whole else self._shadows.step(entry, record.first_seq)
            generation = (record.first_seq + record.count - 1) // head.horizon
            if not isinstance(entry, tuple) or generation not in stored:
                continue
            batch, clusters = entry[0], np.maximum(entry[1], NO_CLUSTER)
            at = [n for n, id in enumerate(batch.ids) if id != auto_id(batch.first_seq + n)]
            verdicts = [(batch.ids[n], stored[generation][k] or b"") for k, n in enumerate(at)]
            first_seq, count = record.first_seq, record.count
            whole = Append(first_seq=first_seq, count=count, payload=record.payload, verdicts=verdicts)
            is_as_written = checksums(whole) == written
            for k, n in enumerate(at):
                for other in head.live_ids:
                    if other != generation and stored[other][k] is not None:
                        self._found.failed(
                            "ids",
                            f"{batch.ids[n]!r} (seq {batch.first_seq + n}) has a verdict in generation {other}, too",
                        )
                data = stored[generation][k]
                fault = self._fault(batch, clusters, n, data, again[n] if again else None)
                if fault:
                    is_as_written = True  # or not: what is wrong is told better
                    self._found.failed("verdicts", f"{batch.ids[n]!r} (seq {batch.first_seq + n}) {fault}")
            if not is_as_written:
                self._found.failed(
                    "verdicts",
                    f"those of the entry at seq {first_seq} are not the bytes that it was written with",
                )
            self._checked += len(at)

    def _fault(
        self, batch: Observed, clusters: Int64s, n: int, data: bytes | None, again: Verdict | None
    ) -> str | None:
        """What is wrong with the verdict stored for item n of an entry."""
        if data is None:
            return "has no verdict"
        try:
            verdict = unpack_verdict(data, id=batch.ids[n], labels=self._shadows.labels)
        except EntryUnreadable:
            return "has a verdict that cannot be read"
        if verdict.seq != batch.first_seq + n:
            return f"has a verdict of seq {verdict.seq}"
        if (verdict.cluster_id or NO_CLUSTER) != clusters[n]:
            return (
                f"has cluster {verdict.cluster_id} as its verdict, and {int(clusters[n]) or None} in the log"
            )
        if again is not None and verdict != again:
            parts = [
                f"{name} {getattr(verdict, name)} and not {getattr(again, name)}"
                for name in ("verdict", "label", "novelty", "nearest", "distance")
                if getattr(verdict, name) != getattr(again, name)
            ]
            return f"has the verdict {', '.join(parts)}"
        return None

    async def _events(self, head: Head, *, is_whole: bool) -> None:
        """The outbox, up to where the head that was read first knew it."""
        stored = [event async for event in self._reader.events() if event.number <= head.events]
        again = self._shadows.told if is_whole and not self._found.has_failed("snapshots") else None
        await asyncio.to_thread(check_events, self._found, stored, again, head)

    async def _payloads(self, head: Head, *, is_whole: bool) -> None:
        """Those that are kept are of members: others were forgotten by nobody, and go with the next batch."""
        stored = [id async for page in self._reader.payloads() for id, _ in page]
        members = self._shadows.members
        if is_whole and members is not None and await self._seq() == head.seq:
            known = set(map(id_field, members))
            if strays := {id for id in stored if id not in known}:
                self._found.warned(
                    "payloads", f"{len(strays)} are of no cluster's member; the next batch forgets them"
                )
        self._found.passed("payloads", f"{len(stored)} are kept, each of a cluster's member")

    # The ids that are remembered

    async def _ids(self, head: Head, places: Places) -> None:
        counts = await self._reader.count(head.live_ids)
        if sum(counts) > 3 * head.horizon - 1 + max(0, (await self._seq()) - head.seq):  # as keys.py says
            self._found.failed(
                "ids", f"{sum(counts)} are remembered, three times the horizon of {head.horizon} or more"
            )
        done = 0
        for generation in head.live_ids:
            async for page in self._reader.all_verdicts(generation):
                newer = [g for g in head.live_ids if g > generation]
                fields = [field for field, _ in page]
                twice = await self._reader.verdicts([(g, fields) for g in newer])
                for hits, g in zip(twice, newer, strict=True):
                    for field, hit in zip(fields, hits, strict=True):
                        if hit is not None and not self._found.has_failed("ids"):
                            self._found.failed(
                                "ids", f"{_shown(field)} is in generations {generation} and {g}"
                            )
                await asyncio.to_thread(self._remembered, page, generation, head, places)
                done += len(page)
                self._progress("ids", min(done, sum(counts)), sum(counts), "ids")
        self._found.passed("ids", f"{sum(counts)} are remembered, each of an item and none twice")

    def _remembered(
        self, page: Sequence[tuple[bytes, bytes]], generation: int, head: Head, places: Places
    ) -> None:
        H = head.horizon
        for field, data in page:
            try:
                verdict = unpack_verdict(data, id=_shown(field), labels=self._shadows.labels)
            except EntryUnreadable:
                self._found.failed("ids", f"{_shown(field)} has a verdict that cannot be read")
                continue
            self._newest = max(self._newest, verdict.seq)
            if not (generation - 1) * H < verdict.seq < (generation + 1) * H:
                self._found.failed(
                    "ids",
                    f"{_shown(field)} is of seq {verdict.seq}, which is not one of generation {generation}",
                )
            elif not places.is_at(verdict.seq, field):
                self._found.failed(
                    "ids", f"{_shown(field)} has a verdict, but the item at seq {verdict.seq} is another"
                )
            elif (verdict.verdict is VerdictKind.CLUSTER) != (verdict.cluster_id is not None):
                self._found.failed(
                    "ids", f"{_shown(field)} is {verdict.verdict} of cluster {verdict.cluster_id}"
                )

    async def _grown(self, head: Head) -> None:
        """What lies beyond the head that was read first has come since: now the head is beyond it."""
        last = await self._reader.last_entry()
        seq = await self._seq()
        if last is not None and int(last[0].partition(b"-")[0]) >= max(seq, head.seq):
            self._found.failed("log", f"entry {last[0].decode()} lies beyond the head at seq {seq}")
        if self._newest >= max(seq, head.seq):
            self._found.failed("ids", f"a verdict of seq {self._newest} lies beyond the head at seq {seq}")

    async def _seq(self) -> int:
        seq = (await self._reader.cut()).head.get(b"seq", b"0")
        return int(seq) if seq.isdigit() else 0


def _ids_of(entry: Unpacked | None) -> tuple[str, ...]:
    """The ids of an entry's items; none where it holds no items."""
    return entry[0].ids if isinstance(entry, tuple) else ()


def _shown(field: bytes) -> str:
    return repr(field.decode("utf-8", "replace"))
