"""Flat arrays and a ledger as one versioned blob, and back, exact to the bit.

    offset  size  content
    0       4     magic: what it is the state of
    4       4     format version, uint32 little-endian
    8       32    SHA-256 of all that follows
    40      ...   safetensors: the arrays, and `ledger` (uint8: MessagePack of what is no array)

Equal contents give equal bytes. A blob that is cut, flipped, of another version or of something else is refused;
a state is never half read. The checksum tells damage, not malice: whether the arrays fit each other is for the owner
of the state to check (state_check.py).
"""

import hashlib
import struct
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

_HEAD = struct.Struct("<4sI32s")
_LEDGER = "ledger"

Ledger = TypeVar("Ledger", bound=msgspec.Struct)


class SnapshotUnreadable(ValueError):
    """A stored state that this version of firstseen cannot or must not read."""


def pack(magic: bytes, version: int, arrays: dict[str, NDArray[Any]], ledger: msgspec.Struct) -> bytes:
    """Arrays of any shape, and a ledger that MessagePack can carry, as bytes."""
    everything = {**arrays, _LEDGER: np.frombuffer(msgspec.msgpack.encode(ledger), dtype=np.uint8)}
    body = save_arrays({name: np.ascontiguousarray(array) for name, array in everything.items()})
    return _HEAD.pack(magic, version, hashlib.sha256(body).digest()) + body


def unpack(
    blob: bytes, magic: bytes, version: int, ledger: type[Ledger]
) -> tuple[dict[str, NDArray[Any]], Ledger]:
    """What `pack` was given; the arrays are read-only.

    Raises:
        SnapshotUnreadable: The blob is damaged, of another version, or not of this kind.
    """
    if len(blob) < _HEAD.size:
        raise SnapshotUnreadable(
            f"The stored state is cut: {len(blob)} bytes, at least {_HEAD.size} expected."
        )
    own, written, checksum = _HEAD.unpack_from(blob)
    if own != magic:
        raise SnapshotUnreadable(
            f"The stored state is not one of firstseen's: it does not start with {magic.decode()}."
        )
    if written != version:
        remedy = "Upgrade firstseen." if written > version else "It is from an older firstseen: start anew."
        raise SnapshotUnreadable(
            f"The stored state has format version {written}; this firstseen reads {version}. {remedy}"
        )
    body = blob[_HEAD.size :]
    if hashlib.sha256(body).digest() != checksum:
        raise SnapshotUnreadable("The stored state is damaged: its checksum does not match.")
    try:
        arrays = load_arrays(body)
        return arrays, msgspec.msgpack.decode(arrays.pop(_LEDGER).tobytes(), type=ledger)
    except Exception as error:  # what was written with a right checksum may still be anything
        raise SnapshotUnreadable(f"The stored state is not laid out as expected: {error}") from error
