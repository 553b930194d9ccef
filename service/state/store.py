"""One stream's durable state: a log of batches, the verdicts by id, and snapshots that shorten the log.

    acquire ─► epoch      from now on every write carries the token `<epoch> <owner>`
    load, replay          snapshot of the current generation, then the log behind it
    lookup ─► append      per batch: drop repeats, one Function call, then acknowledge
    save_snapshot         now and then
    renew ... release     the lease tells others that we live; the *token* is what keeps them and us apart

Safety rests on the token and on the seq alone: each write is one Function that checks both, so an owner that
slept through its lease, a command that arrives late, or a resend after a lost reply can neither write twice
nor out of order. No clock is read; the lease runs on the server's.

An item's **seq** is its place in the stream, from 0. A batch takes `count` of them; a human decision is a
batch of one. The entry of a batch is found by its first seq, so "was it written?" is a look-up, not a guess.

Reference for fencing tokens: M. Kleppmann, "How to do distributed locking", 2016.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

from service.state.batches import (
    Append,
    LogRecord,
    checksums,
    duplicates,
    fields_beside,
    id_field,
    read_entry,
    refuse_repeats,
    verdict_fields,
)
from service.state.dead_letters import DeadLetterBox
from service.state.durability import Durability
from service.state.errors import (
    BundleMismatch,
    Fenced,
    SaveOvertaken,
    SequenceConflict,
    SnapshotCorrupt,
    StoreMisconfigured,
)
from service.state.events import EventBox
from service.state.hand import HandBox
from service.state.hook_box import HookBox
from service.state.keys import MOST_STREAMS, STREAMS, Keys, log_from
from service.state.new_ids import NewIds
from service.state.payloads import PayloadBox
from service.state.refusals import error_of
from service.state.snapshots import BadSnapshot, Description, chunk_count, cut, join
from service.state.wire import Refusal, ServerInfo, Wire, connect

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["Append", "Loaded", "LogRecord", "ServerInfo", "Sizes", "StreamStore", "connect"]

_OWNER: Final = re.compile(r"[\x21-\x7e]{1,128}")
_DEFAULT_DURABILITY: Final = Durability()
_PAGE: Final = 4096  # items a reply: what an item takes is bounded, how many an entry has is not told before
_MGET: Final = 8  # chunks a reply: 2 MiB


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """Where to start from.

    snapshot: the blob, None before the first one; snapshot_seq: the first item that it does not contain;
    next_seq: the seq after the last durable item; log_seq: where the log begins; warnings: what could not be used.
    """

    snapshot: bytes | None
    snapshot_seq: int
    next_seq: int
    warnings: tuple[str, ...] = ()
    log_seq: int = 0


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """For metrics. ids: remembered for dedup; snapshot_*: of the current generation, 0 before the first."""

    seq: int
    epoch: int
    log_entries: int
    ids: int
    snapshot_generation: int
    snapshot_seq: int
    snapshot_bytes: int


class StreamStore:
    """The durable state of one stream, read and written by one owner at a time.

    client: from `connect` (a client that retries by itself is refused); owner: printable ASCII without spaces, unique
    per process *run*; lease_ms: how long the stream stays ours without `renew`; horizon: items whose ids are surely
    remembered, fixed when the stream is made; allow_unsafe: settings of Redis that can lose acknowledged items become
    warnings; durability: when a write counts as done (durability.py).

    Every method may raise StoreUnavailable (wait, call again with the same arguments), and StoreMisconfigured when
    Redis denies access. Methods that write raise Fenced when the stream has another owner.
    """

    def __init__(
        self,
        client: "Redis",
        *,
        stream: str,
        bundle_id: str,
        owner: str,
        lease_ms: int = 5000,
        horizon: int = 1_000_000,
        allow_unsafe: bool = False,
        durability: Durability = _DEFAULT_DURABILITY,
    ) -> None:
        if not _OWNER.fullmatch(owner):
            raise ValueError(f"owner {owner!r}: give 1 to 128 printable ASCII characters without spaces")
        if lease_ms < 1 or horizon < 1:
            raise ValueError(f"lease_ms {lease_ms} and horizon {horizon} must be at least 1")
        retry = client.get_retry()
        if retry is None or retry.get_retries() != 0:
            raise ValueError("the client repeats writes by itself; make it with service.state.store.connect")
        self._wire = Wire(client)
        self.keys = self._keys = Keys(stream, bundle_id)
        self._owner = owner
        self._lease_ms = lease_ms
        self._horizon = horizon
        self._allow_unsafe = allow_unsafe
        self.durability = durability
        self._epoch = 0  # 0: not the owner
        self._fenced: Fenced | None = None  # who took it from us
        self._seq = 0  # the log goes at least so far
        self._idgen = 0  # the newest generation of ids that we know of
        self._bad_generation: int | None = None
        self.new_ids = NewIds(self._wire, self._keys, horizon)
        self.dead_letters = DeadLetterBox(self._wire, self._keys, self._commit, self._token)
        self.events = EventBox(self._wire, self._keys)
        self.payloads = PayloadBox(self._wire, self._keys, self._call, self._token)
        self.hooks = HookBox(self._wire, self._keys, self._commit, self._token)
        self.hand = HandBox(self._wire, self._keys, self._call, self._token, owner)

    async def open(self) -> ServerInfo:
        """Check the server, load the Function library, check the bundle. Writes no key.

        Raises StoreMisconfigured (eviction, AOF or fsync could lose acknowledged items) and BundleMismatch.
        """
        info = await self.check()
        await self._wire.load_library()
        stored = await self._wire.command("GET", self._keys.bundle)
        if stored is not None and stored.decode() != self._keys.bundle_id:
            self._mismatch(stored.decode())
        return info

    async def check(self) -> ServerInfo:
        """Whether the server is set up so that what is acknowledged stays. Raises StoreMisconfigured."""
        info, unsafe = await self._wire.inspect(self.durability)
        if unsafe and not self._allow_unsafe:
            raise StoreMisconfigured("; ".join(unsafe))
        return info

    async def acquire(self, *, steal: bool = False) -> int:
        """Become the owner; returns the new epoch. Every older token is dead from this moment.

        steal takes a living lease (for an operator, or where a lock elsewhere proves the owner dead). Raises
        LeaseHeld, BundleMismatch, StreamsFull, StoreMisconfigured (another horizon). Can be made again.
        """
        self._epoch = 0
        self.new_ids.end()
        keys = self._keys
        epoch, seq, saving = await self._commit(
            "fs1_acquire",
            [keys.bundle, keys.epoch, keys.lease, keys.head, STREAMS],
            *(keys.bundle_id, self._owner, self._lease_ms, self._horizon, int(steal)),
            *(keys.stream, MOST_STREAMS),
        )
        self._epoch, self._fenced, self._seq = int(epoch), None, int(seq)
        self._idgen = int(seq) // self._horizon
        self.new_ids.begin(int(seq))
        if saving:
            await self._abandon(saving)
        return self._epoch

    async def renew(self) -> None:
        """Lengthen the lease by lease_ms from now. One that ran out but went to nobody is taken again.

        Raises SequenceConflict when the log ends before what was confirmed: the server lost it, or a replica that
        lagged has taken over. Waits for replicas as an append does, so that their absence is seen on a quiet stream.
        """
        keys = [self._keys.epoch, self._keys.lease, self._keys.head]
        await self._commit("fs1_renew", keys, self._token(), self._owner, self._lease_ms, self._seq)

    async def release(self) -> None:
        """Let the next owner in at once. Does nothing when the stream is not ours any more."""
        if self._epoch:
            token, self._epoch = self._token(), 0
            self.new_ids.end()
            await self._call("fs1_release", [self._keys.epoch, self._keys.lease], token)

    async def lookup(self, ids: Sequence[str]) -> list[bytes | None]:
        """The stored verdict of each id, None where there is none. One round trip; needs no ownership.

        Raises Fenced where the stream was ours and is not any more: what another owner has written may not be as
        durable yet as an answer promises.
        """
        if not ids:
            return []
        fields = list(map(id_field, ids))
        while True:
            before = self._idgen - 1
            token, seq, *found = await self._wire.call(
                "fs1_lookup",
                [self._keys.epoch, self._keys.head, *(self._keys.ids(before + n) for n in range(3))],
                before,
                self._horizon,
                *fields,
            )
            if self._epoch and token != self._token().encode():
                self._lose((token or b"0 nobody").decode())
            self._idgen = int(seq) // self._horizon
            if found:
                return cast(
                    "list[bytes | None]", found[0]
                )  # else another owner has moved on by generations since we last looked: look there

    async def append(self, batch: Append) -> bool:
        """Write one batch: entry, verdicts, events, payloads and seq together, durable when this returns.

        Returns True when it was written now, False when the very same batch was there already. Raises Fenced,
        SequenceConflict (it does not start at the next seq, or differs from what is there), DuplicateIds.
        """
        if not 1 <= batch.count <= self._horizon:
            raise ValueError(f"a batch of {batch.count} items; append 1 to {self._horizon}, the horizon")
        refuse_repeats(batch.verdicts)
        keys, generation = self._keys, (batch.first_seq + batch.count - 1) // self._horizon
        ids, fields = map(keys.ids, range(generation, generation - 3, -1)), verdict_fields(batch.verdicts)
        self.new_ids.note(fields[::2], generation)
        try:
            written = await self._commit(
                "fs1_commit",
                [keys.epoch, keys.head, keys.log, *ids, keys.events, keys.payloads],
                *(self._token(), batch.first_seq, batch.count, generation),
                *(checksums(batch, fields), batch.payload, *fields_beside(batch), *fields),
            )
        except Refusal as refusal:
            if refusal.word != "DUPLICATE":
                raise
            repeated = [batch.verdicts[int(position)][0] for position in refusal.rest.split()]
            raise duplicates(
                repeated, "have a verdict already; look them up and send the batch without them"
            ) from None
        except SequenceConflict as conflict:
            raise SequenceConflict(
                f"batch at seq {batch.first_seq} does not continue the log, which goes on at "
                f"{conflict.expected}; load and replay again",
                expected=conflict.expected,
                got=batch.first_seq,
            ) from None
        self._idgen, self._seq = generation, batch.first_seq + batch.count
        self.new_ids.went_on(generation)
        return bool(written)

    async def load(self) -> Loaded:
        """The newest snapshot that is intact, and how far the log goes. Needs no ownership.

        A bad current generation falls back to the one before, or, before there is a second one, to the whole log.
        Raises SnapshotCorrupt when nothing is left that the log continues.
        """
        head = await self._head()
        seq, trimmed = int(head.get(b"seq", 0)), int(head.get(b"trimmed", 0))
        self._bad_generation = None
        warnings: list[str] = []
        for name in (b"cur", b"prev"):
            if name not in head:
                continue
            description = Description.parse(head[name])
            try:
                blob = await self._blob(description)
            except BadSnapshot as bad:
                warnings.append(str(bad))
                if name == b"cur":
                    self._bad_generation = description.generation
            else:
                at = description.seq
                return Loaded(
                    snapshot=blob, snapshot_seq=at, next_seq=seq, warnings=(*warnings,), log_seq=trimmed
                )
        if warnings and (b"prev" in head or trimmed > 0):
            raise SnapshotCorrupt(
                f"no snapshot of stream {self._keys.stream} is intact ({'; '.join(warnings)}) and the "
                f"log starts at seq {trimmed}; restore Redis from a backup, or start under another stream name"
            )
        return Loaded(snapshot=None, snapshot_seq=0, next_seq=seq, warnings=tuple(warnings))

    async def replay(self, loaded: Loaded) -> AsyncIterator[LogRecord]:
        """The log from `loaded.snapshot_seq` up to `loaded.next_seq`, in order and complete.

        Raises SequenceConflict at a gap and LogCorrupt at an entry that is not what was written.
        """
        async for page in self.replay_pages(loaded):
            for record in page:
                yield record

    async def replay_pages(self, loaded: Loaded) -> AsyncIterator[list[LogRecord]]:
        """The same by the page, so that many entries can be replayed at once; what a page holds is bounded."""
        expected = loaded.snapshot_seq
        while expected < loaded.next_seq:
            start, end = log_from(expected), log_from(min(expected + _PAGE, loaded.next_seq))
            page = await self._wire.command("XRANGE", self._keys.log, start, end)
            records: list[LogRecord] = []
            for entry, fields in page or await self._wire.command(
                "XRANGE", self._keys.log, start, "+", "COUNT", 1
            ):
                record = read_entry(entry, fields)
                if record.first_seq != expected:
                    self._gap(expected, min(record.first_seq, loaded.next_seq))
                records.append(record)
                expected += record.count
            if not records:
                self._gap(expected, loaded.next_seq)
            yield records

    async def move(self, keys: Sequence[str], *args: str | int) -> None:
        """Give the stream another bundle, atomically; see moving.py."""
        await self._commit("fs1_move", keys, self._token(), *args)

    async def save_snapshot(self, blob: bytes, *, seq: int) -> None:
        """Keep `blob` as the state before item `seq`, in a new generation; trim the log behind the older one.

        seq ends a batch. Nothing changes for readers until the last step, which is atomic; what an interrupted save
        leaves is dropped by the next one, or owner. Raises Fenced, SequenceConflict (seq is inside a batch, not
        durable yet, or before the current snapshot).
        """
        keys, token = self._keys, self._token()
        count = chunk_count(blob)
        control = [keys.epoch, keys.head]
        head, generation = await self._begin_save(seq, count)
        for n in range(count):
            await self._call(
                "fs1_put_chunk", [*control, keys.chunk(generation, n)], token, generation, cut(blob, n)
            )
        goes = self._leaving(head)
        bad = "" if self._bad_generation is None else self._bad_generation
        await self._call(
            "fs1_flip_snapshot",
            [
                *(*control, keys.log, *keys.chunks(generation, count)),
                *(keys.chunks(goes.generation, goes.chunks) if goes else ()),
            ],
            *(token, generation, Description.of(blob, generation=generation, seq=seq).format(), count),
            *(goes.generation if goes else "", bad),
        )
        self._bad_generation = None
        while await self._call("fs1_trim", [*control, keys.log], token):
            pass

    async def _begin_save(self, seq: int, count: int) -> tuple[dict[bytes, bytes], int]:
        """The head as it was before, and the new generation. What an interrupted save left is dropped; a save whose
        beginning was given up and arrives only now, between our look and our own beginning, is such a one, too.
        """
        keys = self._keys
        for is_last in (False, False, True):
            head = await self._head()
            if b"saving" in head:
                await self._abandon(head[b"saving"])
            try:
                begun = await self._call(
                    "fs1_begin_snapshot", [keys.epoch, keys.head, keys.log], self._token(), seq, count
                )
                return head, int(begun)
            except SaveOvertaken:
                if is_last:
                    raise
            except SequenceConflict as conflict:
                raise SequenceConflict(
                    f"a snapshot at seq {seq} is inside a batch, not durable yet or before the current one; "
                    f"the log goes on at {conflict.expected}",
                    expected=conflict.expected,
                    got=seq,
                ) from None
        raise AssertionError("the last try returns or raises")

    async def info(self) -> Sizes:
        """Sizes for metrics, in two round trips. Needs no ownership."""
        head = await self._head()
        seq = int(head.get(b"seq", 0))
        generation = seq // self._horizon
        epoch, entries, *ids = await self._wire.commands(
            ["GET", self._keys.epoch],
            ["XLEN", self._keys.log],
            *(["HLEN", self._keys.ids(g)] for g in (generation, generation - 1)),
        )
        current = Description.parse(head[b"cur"]) if b"cur" in head else None
        return Sizes(
            seq=seq,
            epoch=int(epoch.split()[0]) if epoch else 0,
            log_entries=entries,
            ids=sum(ids),
            snapshot_generation=current.generation if current else 0,
            snapshot_seq=current.seq if current else 0,
            snapshot_bytes=current.size if current else 0,
        )

    def _lose(self, token: str) -> NoReturn:
        """The stream is not ours any more."""
        ours, self._epoch = self._epoch, 0
        self.new_ids.end()
        epoch, _, owner = token.partition(" ")
        fenced = Fenced(
            f"stream {self._keys.stream} is owned by {owner} with epoch {epoch}, ours was {ours}: "
            "drop what is in memory and step down",
            ours=ours,
            current=int(epoch),
        )
        self._fenced = self._fenced or fenced  # the first to hear it knew whose it was
        raise self._fenced.with_traceback(None) from None

    def _token(self) -> str:
        if self._fenced is not None and not self._epoch:
            raise self._fenced.with_traceback(None)  # it holds nothing of what was in hand before
        if not self._epoch:
            raise Fenced("this store does not own the stream; call acquire first", ours=0, current=0)
        return f"{self._epoch} {self._owner}"

    def _leaving(self, head: Mapping[bytes, bytes]) -> Description | None:
        """The snapshot that the next flip drops: the one before the previous, or a current one known to be bad."""
        if b"cur" in head:
            current = Description.parse(head[b"cur"])
            if current.generation == self._bad_generation:
                return current
        return Description.parse(head[b"prev"]) if b"prev" in head else None

    async def _abandon(self, saving: bytes) -> None:
        generation, count = (int(part) for part in saving.split())
        keys = [self._keys.epoch, self._keys.head, *self._keys.chunks(generation, count)]
        await self._call("fs1_abandon_snapshot", keys, self._token(), generation)

    async def _head(self) -> dict[bytes, bytes]:
        head: dict[bytes, bytes] = await self._wire.command("HGETALL", self._keys.head)
        return head

    async def _blob(self, description: Description) -> bytes:
        names = self._keys.chunks(description.generation, description.chunks)
        chunks: list[bytes | None] = []
        for i in range(0, len(names), _MGET):
            chunks += await self._wire.command("MGET", *names[i : i + _MGET])
        return join(description, chunks)

    def _gap(self, expected: int, got: int) -> NoReturn:
        raise SequenceConflict(
            f"the log of stream {self._keys.stream} has a hole: items {expected} to {got - 1} are missing; "
            "restore Redis from a backup, or start under another stream name",
            expected=expected,
            got=got,
        )

    def _mismatch(self, stored: str) -> NoReturn:
        raise BundleMismatch(
            f"stream {self._keys.stream} holds state of bundle {stored}, and this is bundle "
            f"{self._keys.bundle_id}: serve that bundle, or choose another stream name; or `firstseen upgrade` it",
            stored=stored,
            offered=self._keys.bundle_id,
        )

    async def _commit(self, function: str, keys: Sequence[str], *args: str | bytes | int) -> Any:  # noqa: ANN401 - a reply is what the function makes it
        """`_call`, done when the write is as durable as was promised."""
        replicas = self.durability.awaited_replicas
        return await self._translated(self._wire.commit(function, keys, *args, replicas=replicas))

    async def _call(self, function: str, keys: Sequence[str], *args: str | bytes | int) -> Any:  # noqa: ANN401 - as above
        """One Function."""
        return await self._translated(self._wire.call(function, keys, *args))

    async def _translated(self, reply: Awaitable[Any]) -> Any:  # noqa: ANN401 - as above
        """The reply of a Function; refusals as our errors, except DUPLICATE, which `append` puts into words."""
        try:
            return await reply
        except Refusal as refusal:
            if refusal.word == "FENCED":
                self._lose(refusal.rest)
            if refusal.word == "BUNDLE":
                self._mismatch(refusal.rest)
            raise error_of(refusal, stream=self._keys.stream, horizon=self._horizon) from None
