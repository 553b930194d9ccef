"""A store in memory for the tests of the pipeline: the rules of the real one, and failures to order.

`Shared` is what Redis would hold; several `FakeStore`s on one of it are several processes. The rules that the
pipeline relies on are kept: a fencing epoch, a lease, one log without gaps, a resend that is recognised, ids
that have one verdict. `store.fails("append", error)` lets the next append raise before it does anything,
`after=True` once it is done (a lost reply); `store.holds("lookup")` keeps the call waiting.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from model.inputs import Payload
from service.state.dead_letters import MOST, DeadLetter, pack_letter, unpack_letter
from service.state.durability import Durability
from service.state.errors import (
    DeadLettersFull,
    DuplicateIds,
    Fenced,
    LeaseHeld,
    SequenceConflict,
    StoreUnavailable,
)
from service.state.hand import Note
from service.state.payloads import unpack_payload
from service.state.store import Append, Loaded, LogRecord, ServerInfo


def away(*, outcome_unknown: bool = True) -> StoreUnavailable:
    return StoreUnavailable("Redis does not answer (test)", outcome_unknown=outcome_unknown)


@dataclass
class Shared:
    """What is durable."""

    log: list[Append] = field(default_factory=list)
    ids: dict[str, bytes] = field(default_factory=dict)
    snapshots: list[tuple[int, bytes]] = field(default_factory=list)
    epoch: int = 0
    lease: str | None = None
    letters: dict[str, bytes] = field(default_factory=dict)
    most_letters: int = MOST
    hand: Note | None = None
    payloads: dict[str, bytes] = field(default_factory=dict)

    @property
    def seq(self) -> int:
        return sum(batch.count for batch in self.log)

    @property
    def boundaries(self) -> set[int]:
        return {batch.first_seq for batch in self.log} | {self.seq}


class FakeStore:
    """One process's view of it."""

    def __init__(self, shared: Shared, owner: str = "me", *, warnings: tuple[str, ...] = ()) -> None:
        self.shared = shared
        self.owner = owner
        self.epoch = 0
        self.durability = Durability()
        self.calls: list[str] = []
        self.offered: list[Append] = []
        self.warnings = warnings
        self._failures: dict[str, deque[tuple[Exception, bool]]] = defaultdict(deque)
        self._held: dict[str, asyncio.Event] = {}
        self.new_ids = FakeNewIds()
        self.dead_letters = FakeDeadLetters(self)
        self.hand = FakeHand(self)
        self.payloads = FakePayloads(self)
        self.events: Any = None  # what is read of the outbox, the real store's tests see to

    def fails(self, method: str, error: Exception, *, times: int = 1, after: bool = False) -> None:
        self._failures[method].extend([(error, after)] * times)

    def holds(self, method: str) -> asyncio.Event:
        """Calls of the method wait until the event is set."""
        return self._held.setdefault(method, asyncio.Event())

    async def enter(self, method: str) -> Exception | None:
        """Raise what was ordered, or return what shall be raised afterwards."""
        self.calls.append(method)
        if method in self._held:
            await self._held[method].wait()
        if not self._failures[method]:
            return None
        error, after = self._failures[method].popleft()
        if not after:
            raise error
        return error

    def check_owner(self) -> None:
        if not self.epoch or self.epoch != self.shared.epoch:
            ours, self.epoch = self.epoch, 0
            raise Fenced("the stream is owned by another", ours=ours, current=self.shared.epoch)

    async def open(self) -> ServerInfo:
        after = await self.enter("open")
        if after:
            raise after
        return ServerInfo(name="fake", version="1", warnings=self.warnings)

    async def check(self) -> ServerInfo:
        after = await self.enter("check")
        if after:
            raise after
        return ServerInfo(name="fake", version="1", warnings=self.warnings)

    async def acquire(self, *, steal: bool = False) -> int:
        after = await self.enter("acquire")
        if self.shared.lease not in (None, self.owner) and not steal:
            raise LeaseHeld("held", owner=str(self.shared.lease), remaining_ms=5)
        self.shared.epoch += 1
        self.epoch, self.shared.lease = self.shared.epoch, self.owner
        if after:
            raise after
        return self.epoch

    async def renew(self) -> None:
        await self.enter("renew")
        self.check_owner()

    async def release(self) -> None:
        await self.enter("release")
        if self.epoch == self.shared.epoch:
            self.shared.lease = None
        self.epoch = 0

    async def lookup(self, ids: Sequence[str]) -> list[bytes | None]:
        await self.enter("lookup")
        return [self.shared.ids.get(id) for id in ids]

    async def append(self, batch: Append) -> bool:
        self.offered.append(batch)
        after = await self.enter("append")
        self.check_owner()
        is_new = batch not in self.shared.log
        if is_new:
            if batch.first_seq != self.shared.seq:
                raise SequenceConflict("not next", expected=self.shared.seq, got=batch.first_seq)
            repeated = [id for id, _ in batch.verdicts if id in self.shared.ids]
            if repeated or len(dict(batch.verdicts)) < len(batch.verdicts):
                raise DuplicateIds("repeated", ids=repeated)
            self.shared.log.append(batch)
            self.shared.ids |= dict(batch.verdicts)
            for id in batch.forget:
                self.shared.payloads.pop(id, None)
            self.shared.payloads |= dict(batch.keep)
        if after:
            raise after
        return is_new

    async def load(self) -> Loaded:
        await self.enter("load")
        seq, blob = self.shared.snapshots[-1] if self.shared.snapshots else (0, None)
        return Loaded(snapshot=blob, snapshot_seq=seq, next_seq=self.shared.seq)

    async def replay(self, loaded: Loaded) -> AsyncIterator[LogRecord]:
        for batch in self.shared.log:
            if loaded.snapshot_seq <= batch.first_seq < loaded.next_seq:
                await self.enter("replay")
                yield LogRecord(first_seq=batch.first_seq, count=batch.count, payload=batch.payload)

    async def replay_pages(self, loaded: Loaded) -> AsyncIterator[list[LogRecord]]:
        async for record in self.replay(loaded):
            yield [record]

    async def save_snapshot(self, blob: bytes, *, seq: int) -> None:
        await self.enter("save_snapshot")
        self.check_owner()
        assert seq in self.shared.boundaries
        self.shared.snapshots.append((seq, blob))


class FakeNewIds:
    """Knows of none that it is new, unless told `knows`: then of those that are not among `known`."""

    def __init__(self) -> None:
        self.knows = False
        self.known: set[str] = set()

    def are_new(self, ids: Sequence[str]) -> bool:
        return not ids or (self.knows and self.known.isdisjoint(ids))

    async def read(self) -> None:
        await asyncio.Event().wait()


class FakeDeadLetters:
    """Its dead letters."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store

    async def put(self, letter: DeadLetter) -> None:
        after = await self._store.enter("quarantine")
        self._store.check_owner()
        shared = self._store.shared
        if letter.id not in shared.letters and len(shared.letters) >= shared.most_letters:
            raise DeadLettersFull("full")
        shared.letters[letter.id] = pack_letter(letter)
        if after:
            raise after

    async def drop(self, ids: Sequence[str]) -> int:
        after = await self._store.enter("drop_letters")
        self._store.check_owner()
        dropped = sum(self._store.shared.letters.pop(id, None) is not None for id in ids)
        if after:
            raise after
        return dropped

    async def ids(self) -> list[str]:
        await self._store.enter("letter_ids")
        return sorted(self._store.shared.letters)

    async def get(self, ids: Sequence[str]) -> list[DeadLetter]:
        await self._store.enter("letters")
        letters = self._store.shared.letters
        return [unpack_letter(id, letters[id]) for id in ids if id in letters]


class FakeHand:
    """Its note of what is in hand."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store
        self.owner = store.owner

    async def get(self) -> Note | None:
        await self._store.enter("get_hand")
        return self._store.shared.hand

    async def put(self, note: Note | None) -> None:
        after = await self._store.enter("set_hand")
        self._store.check_owner()
        self._store.shared.hand = note
        if after:
            raise after


class FakePayloads:
    """What its members looked like."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store

    async def sizes(self) -> dict[str, int]:
        await self._store.enter("payload_sizes")
        return {id: len(data) for id, data in self._store.shared.payloads.items()}

    async def get(self, ids: Sequence[str]) -> dict[str, Payload]:
        await self._store.enter("payloads")
        found = {id: unpack_payload(self._store.shared.payloads.get(id, b"")) for id in ids}
        return {id: x for id, x in found.items() if x is not None}

    async def forget(self, ids: Sequence[str]) -> int:
        await self._store.enter("forget_payloads")
        self._store.check_owner()
        return sum(self._store.shared.payloads.pop(id, None) is not None for id in ids)
