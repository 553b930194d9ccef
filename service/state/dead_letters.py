"""The items that crashed the engine, as they are kept: with why, and with what is needed to try them again.

One hash a stream (`dlq`, see keys.py), a field an item: its id, or `~<epoch>-<n>` for one that was sent without. A
value is a MessagePack map, no pickle, with the payload as in payloads.py.

It is bounded: `MOST` letters, and `MOST_BYTES` of a payload; of a larger one only its size is kept, and it cannot be
tried again from here. When it is full nothing is written, and `put` says so.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from model.inputs import Payload
from service.state.batches import id_field
from service.state.errors import DeadLettersFull
from service.state.keys import Keys
from service.state.payloads import Packed, packed, unpacked
from service.state.wire import Refusal, Wire

MOST: Final = 1000
MOST_BYTES: Final = 256 * 1024

_MGET: Final = 16  # letters a reply: 4 MiB
_HDEL: Final = 500  # fields a call


@dataclass(frozen=True, kw_only=True, eq=False)
class DeadLetter:
    """An item in quarantine.

    Attributes:
        id: The client's id, or `~<epoch>-<n>` where it gave none.
        x: The payload, float32 of the bundle's input shape or a text; None where it was too large to be kept.
        size: Bytes of the payload.
        reason: What happened: type and message of the exception, in one short line.
        t: When, seconds since 1970 (UTC).
        seq: Where the stream stood.
        attempts: How often it was in what crashed, before it was convicted last.
        version: Of firstseen.
    """

    id: str
    x: Payload | None
    size: int
    reason: str
    t: float
    seq: int
    attempts: int
    version: str


class _Stored(msgspec.Struct):
    id: str
    x: Packed | None
    size: int
    reason: str
    t: float
    seq: int
    attempts: int
    version: str


def size_of(x: Payload) -> int:
    """Bytes of a payload."""
    return len(x.encode()) if isinstance(x, str) else x.nbytes


def pack_letter(letter: DeadLetter) -> bytes:
    """A value of the hash; a payload over `MOST_BYTES` is left out."""
    x = None if letter.x is None or letter.size > MOST_BYTES else packed(letter.x)
    return msgspec.msgpack.encode(
        _Stored(
            id=letter.id,
            x=x,
            size=letter.size,
            reason=letter.reason,
            t=letter.t,
            seq=letter.seq,
            attempts=letter.attempts,
            version=letter.version,
        )
    )


def unpack_letter(id: str, data: bytes) -> DeadLetter:
    """What `pack_letter` was given. One that cannot be read says so as its reason: it can still be dropped."""
    try:
        stored = msgspec.msgpack.decode(data, type=_Stored)
        x = None if stored.x is None else unpacked(stored.x)
    except (msgspec.DecodeError, ValueError) as error:
        return DeadLetter(
            id=id,
            x=None,
            size=len(data),
            reason=f"This entry cannot be read ({error}): it is of another version of firstseen, or damaged.",
            t=0.0,
            seq=0,
            attempts=0,
            version="?",
        )
    return DeadLetter(
        id=id,
        x=x,
        size=stored.size,
        reason=stored.reason,
        t=stored.t,
        seq=stored.seq,
        attempts=stored.attempts,
        version=stored.version,
    )


class DeadLetterBox:
    """The hash of one stream. Made by StreamStore, whose errors its methods raise; those that write need ownership."""

    def __init__(
        self, wire: Wire, keys: Keys, call: Callable[..., Awaitable[Any]], token: Callable[[], str]
    ) -> None:
        self._wire = wire
        self._keys = keys
        self._call = call
        self._token = token

    async def put(self, letter: DeadLetter) -> None:
        """Keep a letter, in place of an earlier one of the same id: sending it again changes nothing.

        Raises DeadLettersFull.
        """
        try:
            await self._call(
                "fs1_quarantine",
                [self._keys.epoch, self._keys.dead_letters],
                *(self._token(), id_field(letter.id), pack_letter(letter), MOST),
            )
        except Refusal as refusal:
            if refusal.word != "FULL":
                raise
            raise DeadLettersFull(
                f"the dead-letter queue of stream {self._keys.stream} is full ({refusal.rest} items): look at them "
                "with `firstseen dlq list`, and drop what is of no use with `firstseen dlq drop`"
            ) from None

    async def drop(self, ids: Sequence[str]) -> int:
        """Forget letters; how many there were."""
        dropped = 0
        for at in range(0, len(ids), _HDEL):
            fields = [id_field(id) for id in ids[at : at + _HDEL]]
            keys = [self._keys.epoch, self._keys.dead_letters]
            dropped += int(await self._call("fs1_drop_letters", keys, self._token(), *fields))
        return dropped

    async def ids(self) -> list[str]:
        """The ids of all letters, in order of their bytes. Needs no ownership."""
        fields = await self._wire.command("HKEYS", self._keys.dead_letters)
        return [field.decode("utf-8", "surrogatepass") for field in sorted(fields)]

    async def get(self, ids: Sequence[str]) -> list[DeadLetter]:
        """The letters of these ids, without those that are not there. Needs no ownership."""
        found: list[DeadLetter] = []
        for at in range(0, len(ids), _MGET):
            some = ids[at : at + _MGET]
            values = await self._wire.command("HMGET", self._keys.dead_letters, *map(id_field, some))
            found += [
                unpack_letter(id, data) for id, data in zip(some, values, strict=True) if data is not None
            ]
        return found
