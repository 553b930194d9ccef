"""A stream as it stands in Redis, read page by page, without owning it and without writing anything.

What is read is a **cut**: the head as it was at one instant, and below its seq everything that the head speaks of.
The log only grows and a stored verdict never changes, so a stream may be read while it is served; what came after the
cut is left out. Three things do change under a reader: a save begins or ends, ids of a generation are forgotten, the
log is trimmed. All of them move the head (`Cut.is_same_place`); who then misses something starts over from a new cut.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from service.state.events import StoredEvent, read_event
from service.state.keys import STREAM_NAMES, Keys, log_from, stream_of
from service.state.snapshots import Description
from service.state.wire import Wire

_ENTRIES: Final = 64
_FIELDS: Final = 1000
_CHUNKS: Final = 8
_MOVES: Final = (b"cur", b"prev", b"gen", b"saving", b"idgen", b"trimmed")

Entry = tuple[bytes, Mapping[bytes, bytes]]
"""One entry of the log, its id and its fields."""

Command = list[str | bytes | int]


@dataclass(frozen=True, kw_only=True)
class Cut:
    """One instant. Each of `bundle`, `epoch`, `lease` is None, and `head` empty, where the key is not there.

    kept: the bundle that the stream was of before the last upgrade; None where there was none.
    """

    bundle: bytes | None
    epoch: bytes | None
    lease: bytes | None
    head: Mapping[bytes, bytes]
    kept: str | None = None

    def is_same_place(self, later: "Cut") -> bool:
        """Whether all that this cut speaks of was still there at the later one."""
        return all(self.head.get(name) == later.head.get(name) for name in _MOVES)

    def has_same_ids(self, later: "Cut") -> bool:
        """Whether no id was forgotten between this cut and the later one: all that changes below a cut, but the log."""
        return self.head.get(b"idgen") == later.head.get(b"idgen")


class StreamReader:
    """Reads one stream. Every method may raise StoreUnavailable and StoreMisconfigured."""

    def __init__(self, wire: Wire, keys: Keys) -> None:
        self._wire = wire
        self.keys = keys

    async def cut(self) -> Cut:
        """What decides, all at one instant."""
        keys = self.keys
        bundle, epoch, lease, head, kept = await self._wire.transaction(
            ["GET", keys.bundle],
            ["GET", keys.epoch],
            ["GET", keys.lease],
            ["HGETALL", keys.head],
            ["GET", keys.kept],
        )
        before = None if kept is None else text(kept).partition(" ")[0]
        return Cut(bundle=bundle, epoch=epoch, lease=lease, head=head, kept=before)

    async def of_wrong_type(self) -> list[tuple[str, str]]:
        """(key, its type) of what `cut` could not read."""
        keys = self.keys
        wanted = {keys.bundle: "string", keys.epoch: "string", keys.lease: "string", keys.head: "hash"}
        types = await self._wire.commands(*(["TYPE", key] for key in wanted))
        pairs = zip(wanted.items(), map(text, types), strict=True)
        return [(key, found) for (key, kind), found in pairs if found not in (kind, "none")]

    async def names(self) -> dict[str, str]:
        """Every key of the stream -> its type, in order."""
        return dict(sorted([pair async for pair in self._names(self.keys.every)]))

    async def staged(self) -> list[str]:
        """The keys that imports have under way, or left."""
        return sorted([name async for name, _ in self._names(self.keys.every_staged)])

    async def _names(self, pattern: str) -> AsyncIterator[tuple[str, str]]:
        async for page in scan(self._wire, pattern):
            asked: list[Command] = [["TYPE", key] for key in page]
            types = await self._wire.commands(*asked) if page else []
            for key, kind in zip(page, types, strict=True):
                if (name := text(kind)) != "none":  # gone since
                    yield text(key), name

    async def log(self, start: int, stop: int) -> AsyncIterator[list[Entry]]:
        """The entries from seq `start` up to `stop`, a page at a time, unchecked."""
        at: str | bytes = log_from(start)
        while True:
            page: list[Entry] = await self._wire.command(
                "XRANGE", self.keys.log, at, log_from(stop), "COUNT", _ENTRIES
            )
            if page:
                yield page
            if len(page) < _ENTRIES:
                return
            at = b"(" + page[-1][0]

    async def last_entry(self) -> Entry | None:
        """The newest entry of the log."""
        found: list[Entry] = await self._wire.command("XREVRANGE", self.keys.log, "+", "-", "COUNT", 1)
        return found[0] if found else None

    async def verdicts(self, wanted: Sequence[tuple[int, Sequence[bytes]]]) -> list[list[bytes | None]]:
        """The stored verdicts of ids, for each (generation, ids), in one round trip."""
        asked: list[Command] = [
            ["HMGET", self.keys.ids(generation), *ids] for generation, ids in wanted if ids
        ]
        replies = iter(await self._wire.commands(*asked) if asked else [])
        return [next(replies) if ids else [] for _, ids in wanted]

    async def count(self, generations: Iterable[int]) -> list[int]:
        """How many ids each generation holds."""
        asked: list[Command] = [["HLEN", self.keys.ids(generation)] for generation in generations]
        return await self._wire.commands(*asked) if asked else []

    async def all_verdicts(self, generation: int) -> AsyncIterator[list[tuple[bytes, bytes]]]:
        """All ids of a generation with their verdicts, in no order; some may come twice."""
        async for page in self._fields(self.keys.ids(generation)):
            yield page

    async def dead_letters(self) -> AsyncIterator[list[tuple[bytes, bytes]]]:
        """All of `dlq`, likewise."""
        async for page in self._fields(self.keys.dead_letters):
            yield page

    async def payloads(self) -> AsyncIterator[list[tuple[bytes, bytes]]]:
        """All of `payloads`, likewise."""
        async for page in self._fields(self.keys.payloads):
            yield page

    async def payload_ids(self) -> list[bytes]:
        """The ids in `payloads`, in no order."""
        found: list[bytes] = await self._wire.command("HKEYS", self.keys.payloads)
        return found

    async def payloads_of(self, ids: Iterable[bytes]) -> list[bytes | None]:
        """The payloads of some ids, in one round trip."""
        fields = list(ids)
        found: list[bytes | None] = (
            await self._wire.command("HMGET", self.keys.payloads, *fields) if fields else []
        )
        return found

    async def _fields(self, key: str) -> AsyncIterator[list[tuple[bytes, bytes]]]:
        cursor = 0
        while True:
            cursor, page = await self._wire.command("HSCAN", key, cursor, "COUNT", _FIELDS)
            if page:
                yield list(page.items())
            if not int(cursor):
                return

    async def events(self) -> AsyncIterator[StoredEvent]:
        """All of the outbox, oldest first."""
        at: str | bytes = "-"
        while True:
            page: list[Entry] = await self._wire.command(
                "XRANGE", self.keys.events, at, "+", "COUNT", _ENTRIES
            )
            for entry in page:
                yield read_event(*entry)
            if len(page) < _ENTRIES:
                return
            at = b"(" + page[-1][0]

    async def hooks(self, kind: Literal["hook", "pending"]) -> dict[bytes, bytes]:
        """The webhooks, or what they are still to be told."""
        key = self.keys.hooks if kind == "hook" else self.keys.pending
        found: dict[bytes, bytes] = await self._wire.command("HGETALL", key)
        return found

    async def chunks(self, description: Description) -> AsyncIterator[tuple[int, bytes | None]]:
        """The chunks of a snapshot, in order, as they are stored; None where there is none."""
        names = self.keys.chunks(description.generation, description.chunks)
        for first in range(0, len(names), _CHUNKS):
            page = await self._wire.command("MGET", *names[first : first + _CHUNKS])
            for n, chunk in enumerate(page, first):
                yield n, chunk


async def streams(wire: Wire) -> dict[str, str]:
    """All streams of this Redis -> the bundle each belongs to."""
    found: dict[str, str] = {}
    async for page in scan(wire, STREAM_NAMES):
        if page:
            for key, bundle in zip(page, await wire.command("MGET", *page), strict=True):
                found[stream_of(text(key))] = text(bundle or b"")
    return dict(sorted(found.items()))


async def scan(wire: Wire, pattern: str) -> AsyncIterator[list[bytes]]:
    """Pages of the keys that match; some may come twice."""
    cursor = 0
    while True:
        cursor, page = await wire.command("SCAN", cursor, "MATCH", pattern, "COUNT", _FIELDS)
        yield page
        if not int(cursor):
            return


def text(name: bytes | str) -> str:
    """A name as Redis gives it; bytes that are no text are shown as such."""
    return name if isinstance(name, str) else name.decode("utf-8", "backslashreplace")
