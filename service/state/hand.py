"""The note by which an owner's heir knows that he did not leave in order, and what he had in hand.

It is one short string, there from the first batch on and gone after an orderly stop (`hand`, see keys.py). What it
means is decided in `service.pipeline.wary`. MessagePack, no pickle.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from service.state.keys import Keys
from service.state.wire import Wire


class Deaths(msgspec.Struct, frozen=True, array_like=True):
    """How often the process ended while an item was in hand: with others, and alone."""

    in_company: int
    alone: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """What an owner writes down for his heir.

    Attributes:
        owner: Who wrote it, unique per process run.
        t: When he took over, seconds since 1970 (UTC).
        unclean: How many owners in a row, before him, did not leave in order.
        seq: Where the stream stood when he took `items` in hand: further on, and they are durable.
        items: What he is about to step, by name (`service.pipeline.wary.name_of`); empty while nothing is in doubt.
        deaths: What earlier owners died of, perhaps.
    """

    owner: str
    t: float
    unclean: int = 0
    seq: int = 0
    items: tuple[str, ...] = ()
    deaths: dict[str, Deaths]


def pack_note(note: Note) -> bytes:
    """A note as bytes."""
    return msgspec.msgpack.encode(note)


def unpack_note(data: bytes) -> Note:
    """What `pack_note` was given; for what cannot be read, the note of nobody, which says only that there was one."""
    try:
        return msgspec.msgpack.decode(data, type=Note)
    except msgspec.DecodeError:
        return Note(owner="?", t=0.0, deaths={})


class HandBox:
    """The note of one stream. Made by StreamStore, whose errors its methods raise; `put` needs ownership.

    owner: who writes through this store.
    """

    def __init__(
        self,
        wire: Wire,
        keys: Keys,
        call: Callable[..., Awaitable[Any]],
        token: Callable[[], str],
        owner: str,
    ) -> None:
        self._wire = wire
        self._keys = keys
        self._call = call
        self._token = token
        self.owner = owner

    async def get(self) -> Note | None:
        """The note that is there; None when the last owner left in order, or there was none."""
        data = await self._wire.command("GET", self._keys.hand)
        return None if data is None else unpack_note(data)

    async def put(self, note: Note | None) -> None:
        """Write a note in place of the one before; None: the owner leaves in order."""
        data = b"" if note is None else pack_note(note)
        await self._call("fs1_set_hand", [self._keys.epoch, self._keys.hand], self._token(), data)
