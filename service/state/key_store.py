"""API keys and tickets as they are kept in Redis. Nothing here is a secret: only digests of them.

Keys are one hash for all streams, `fs:keys` (see keys.py), some fields a key:

    <id>            the record, JSON (service/access/rights.py), all but what follows
    <id>:revoked    when it was revoked, seconds since 1970; a field of its own, so that no rewrite of the record
                    (a rotation that runs at the same time) can take it back
    <id>:used       when it was last used, to the minute
    <family>:made   how many streams its family has created

A record that cannot be read (of a later firstseen, or damaged) opens nothing, and still counts as a key: where there
is one, the service is not open. At most `MOST_KEYS` records; with more, `add` says so.

A ticket is a string of its own, `fs:ticket:<digest>`, that expires by itself; taking it is one GETDEL, so whichever
replica is asked first has it, and nobody has it twice. How many there are is bounded by who gives them
(service/api/tickets.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from service.access.rights import MOST_KEYS, Key, Scope
from service.state.errors import StoreError
from service.state.keys import API_KEYS, ticket_key
from service.state.wire import Wire

_REVOKED: Final = ":revoked"
_USED: Final = ":used"
_MADE: Final = ":made"


class KeysFull(StoreError):
    """There are as many keys as there may be."""


@dataclass(frozen=True, kw_only=True)
class StoredKeys:
    """All of the hash. keys, used: by id; made: by family; unreadable: ids whose record cannot be read."""

    keys: Mapping[str, Key]
    used: Mapping[str, float]
    made: Mapping[str, int]
    unreadable: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.keys) + len(self.unreadable)


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """What a ticket opens. key: id of the key that it was given to; None: of nobody, when no key was needed."""

    key: str | None
    scope: Scope
    stream: str


class _Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    family: str
    digest: bytes
    scopes: frozenset[Scope]
    streams: tuple[str, ...]
    created: float
    expires: float | None = None
    items_per_s: float | None = None
    burst: int | None = None
    connections: int | None = None
    new_streams: int | None = None
    note: str = ""


_FIELDS: Final = _Record.__struct_fields__


class KeyStore:
    """The hash and the tickets. Every method may raise StoreUnavailable: call again with the same arguments."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._seen: tuple[Mapping[bytes, bytes], StoredKeys] | None = None

    async def load(self) -> StoredKeys:
        """All keys. What did not change since the last time is not read again."""
        reply: Mapping[bytes, bytes] = await self._wire.command("HGETALL", API_KEYS)
        if self._seen is None or self._seen[0] != reply:
            fields = {name.decode(errors="replace"): value for name, value in reply.items()}
            self._seen = reply, _read(fields)
        return self._seen[1]

    async def add(self, key: Key) -> None:
        """Keep a new key. Raises KeysFull."""
        stored = await self.load()
        if len(stored) >= MOST_KEYS:
            raise KeysFull(
                f"There are {len(stored)} keys, which is the most; drop old ones with `firstseen keys revoke --forget`."
            )
        there = stored.keys.keys() | set(stored.unreadable)
        stale = [f"{id}{_USED}" for id in stored.used if id not in there]
        if stale:  # of a key that was forgotten while somebody still used it
            await self._wire.command("HDEL", API_KEYS, *stale)
        if not await self._wire.command("HSETNX", API_KEYS, key.id, _packed(key)):
            raise StoreError(f"There is a key {key.id} already; try again.")

    async def rotate(self, old: Key, *, expires: float, new: Key) -> None:
        """Keep a new key and let the old one expire, at one instant. Raises KeysFull."""
        if len(await self.load()) >= MOST_KEYS:
            await self.add(new)  # says that it is full
        await self._wire.transaction(
            ["HSET", API_KEYS, new.id, _packed(new)],
            ["HSET", API_KEYS, old.id, _packed(replace(old, expires=expires))],
        )

    async def revoke(self, id: str, t: float) -> None:
        """Let a key end now; the record stays. Done twice, the first time counts."""
        await self._wire.command("HSETNX", API_KEYS, f"{id}{_REVOKED}", repr(t))

    async def forget(self, id: str) -> None:
        """Drop all there is of a key."""
        await self._wire.command(
            "HDEL", API_KEYS, id, *(f"{id}{suffix}" for suffix in (_REVOKED, _USED, _MADE))
        )

    async def touch(self, used: Mapping[str, float]) -> None:
        """Note when keys were last used."""
        if used:
            pairs = [part for id, t in used.items() for part in (f"{id}{_USED}", str(int(t)))]
            await self._wire.command("HSET", API_KEYS, *pairs)

    async def count_stream(self, family: str) -> int:
        """Note that a family has created one more stream; how many that makes."""
        return int(await self._wire.command("HINCRBY", API_KEYS, f"{family}{_MADE}", 1))

    async def put_ticket(self, digest: bytes, ticket: Ticket, *, ttl_ms: int) -> None:
        """Keep a ticket for so long."""
        await self._wire.command("SET", ticket_key(digest), msgspec.json.encode(ticket), "PX", ttl_ms, "NX")

    async def take_ticket(self, digest: bytes) -> Ticket | None:
        """A ticket, to whoever asks first; None: there is none, it expired, or somebody had it."""
        stored = await self._wire.command("GETDEL", ticket_key(digest))
        if stored is None:
            return None
        try:
            return msgspec.json.decode(stored, type=Ticket)
        except msgspec.DecodeError:  # of another version: it opens nothing here
            return None


def _packed(key: Key) -> bytes:
    return msgspec.json.encode(_Record(**{name: getattr(key, name) for name in _FIELDS}))


def _read(fields: Mapping[str, bytes]) -> StoredKeys:
    keys: dict[str, Key] = {}
    unreadable = []
    for id, value in fields.items():
        if ":" in id:
            continue
        try:
            record = msgspec.json.decode(value, type=_Record)
        except msgspec.DecodeError:
            unreadable.append(id)
            continue
        revoked = fields.get(f"{id}{_REVOKED}")
        known = {name: getattr(record, name) for name in _FIELDS}
        keys[id] = Key(id=id, revoked=None if revoked is None else _number(revoked), **known)
    return StoredKeys(
        keys=keys,
        used=_with_suffix(fields, _USED),
        made={id: int(n) for id, n in _with_suffix(fields, _MADE).items()},
        unreadable=tuple(unreadable),
    )


def _with_suffix(fields: Mapping[str, bytes], suffix: str) -> dict[str, float]:
    return {
        name.removesuffix(suffix): _number(value) for name, value in fields.items() if name.endswith(suffix)
    }


def _number(text: bytes) -> float:
    """A number of ours; 0 where somebody else wrote another thing: long ago."""
    try:
        return float(text)
    except ValueError:
        return 0.0


def ids_like(stored: StoredKeys, id: str) -> Sequence[str]:
    """Ids that begin so: what a person may have meant."""
    return [each for each in (*stored.keys, *stored.unreadable) if id and each.startswith(id)]
