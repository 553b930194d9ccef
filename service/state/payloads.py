"""What the members of clusters looked like when they came in: their payloads, so that a person can look at a cluster.

One hash a stream (`payloads`, see keys.py), a field an item. They are written and forgotten by the Function that writes
the batch (`Append.keep`, `Append.forget`): what is acknowledged has its payload, and a crash leaves none behind that
nobody knows of. They are no part of the state that is replayed: each may be missing, because it was too large, since
there was no room, or because a person wanted it forgotten.

A value is a MessagePack map, no pickle: a text, or raw little-endian float32 and a shape.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from model.inputs import Payload
from service.state.batches import id_field
from service.state.keys import Keys
from service.state.wire import Wire

_MGET: Final = 64  # payloads a reply
_LENGTHS: Final = 500  # lengths a round trip
_HDEL: Final = 500  # fields a call


class _Array(msgspec.Struct, tag="f4", tag_field="kind"):
    data: bytes
    shape: tuple[int, ...]


class _Text(msgspec.Struct, tag="text", tag_field="kind"):
    text: str


Packed = _Array | _Text
"""A payload as a value that MessagePack can carry."""


def packed(x: Payload) -> Packed:
    """A payload on its way into the store."""
    if isinstance(x, str):
        return _Text(x.encode("utf-8", "replace").decode())  # a lone surrogate has no bytes
    return _Array(x.astype("<f4").tobytes(), x.shape)


def unpacked(stored: Packed) -> Payload:
    """What `packed` was given. Raises ValueError where its bytes are not those of its shape."""
    if isinstance(stored, _Text):
        return stored.text
    return np.frombuffer(stored.data, dtype="<f4").reshape(stored.shape).astype(np.float32)


def pack_payload(x: Payload) -> bytes:
    """A value of the hash."""
    return msgspec.msgpack.encode(packed(x))


def unpack_payload(data: bytes) -> Payload | None:
    """What `pack_payload` was given; None for what cannot be read."""
    try:
        return unpacked(msgspec.msgpack.decode(data, type=Packed))
    except (msgspec.DecodeError, ValueError):
        return None


class PayloadBox:
    """The hash of one stream. Made by StreamStore, whose errors its methods raise; `forget` needs ownership."""

    def __init__(
        self, wire: Wire, keys: Keys, call: Callable[..., Awaitable[Any]], token: Callable[[], str]
    ) -> None:
        self._wire = wire
        self._keys = keys
        self._call = call
        self._token = token

    async def sizes(self) -> dict[str, int]:
        """Bytes of each value, by id. Needs no ownership."""
        key = self._keys.payloads
        fields = sorted(await self._wire.command("HKEYS", key))
        found: dict[str, int] = {}
        for at in range(0, len(fields), _LENGTHS):
            some = fields[at : at + _LENGTHS]
            lengths = await self._wire.commands(*(["HSTRLEN", key, field] for field in some))
            found |= {
                field.decode("utf-8", "surrogatepass"): int(length)
                for field, length in zip(some, lengths, strict=True)
            }
        return found

    async def get(self, ids: Sequence[str]) -> dict[str, Payload]:
        """The payloads of these ids, without those that are not there. Needs no ownership."""
        found: dict[str, Payload] = {}
        for at in range(0, len(ids), _MGET):
            some = ids[at : at + _MGET]
            values = await self._wire.command("HMGET", self._keys.payloads, *map(id_field, some))
            for id, data in zip(some, values, strict=True):
                x = None if data is None else unpack_payload(data)
                if x is not None:
                    found[id] = x
        return found

    async def forget(self, ids: Sequence[str]) -> int:
        """Forget payloads; how many there were."""
        forgotten = 0
        for at in range(0, len(ids), _HDEL):
            fields = [id_field(id) for id in ids[at : at + _HDEL]]
            keys = [self._keys.epoch, self._keys.payloads]
            forgotten += int(await self._call("fs1_forget_payloads", keys, self._token(), *fields))
        return forgotten
