"""A state as bytes: exact to the bit, and refused when anything is wrong with it."""

import hashlib
import struct
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from safetensors.numpy import save

from service.clustering.blob import SnapshotUnreadable, pack, unpack

MAGIC = b"TEST"
HEAD = 40


class Ledger(msgspec.Struct, forbid_unknown_fields=True):
    n: int
    names: dict[int, str]


LEDGER = Ledger(3, {2: "two", 1: "one"})
ARRAYS: dict[str, NDArray[Any]] = {
    "floats": np.array([[0.1, -0.0], [5e-324, 1e308]]),
    "none": np.empty((0, 7), dtype=np.int64),
    "bytes": np.arange(5, dtype=np.uint8),
}


def sealed(body: bytes, *, magic: bytes = MAGIC, version: int = 2) -> bytes:
    """Anything, with a right checksum."""
    return struct.pack("<4sI32s", magic, version, hashlib.sha256(body).digest()) + body


def read(blob: bytes) -> tuple[dict[str, NDArray[Any]], Ledger]:
    return unpack(blob, MAGIC, 2, Ledger)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.text("abcdef._", min_size=1).filter(lambda name: name != "ledger"),
        st.sampled_from(["f8", "i8", "i4", "f4", "u1"]).flatmap(
            lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=1, min_side=0, max_side=4))
        ),
        max_size=4,
    )
)
def test_what_was_packed_comes_back_to_the_bit(arrays: dict[str, NDArray[Any]]) -> None:
    """NaN, the sign of zero, empty arrays, types and shapes included; the same contents give the same bytes."""
    blob = pack(MAGIC, 2, arrays, LEDGER)
    found, ledger = read(blob)

    assert LEDGER == ledger
    assert [2, 1] == list(ledger.names)
    assert arrays.keys() == found.keys()
    for name, array in arrays.items():
        assert (array.dtype, array.shape, array.tobytes()) == (
            found[name].dtype,
            found[name].shape,
            found[name].tobytes(),
        )
    assert blob == pack(MAGIC, 2, dict(reversed(arrays.items())), LEDGER)


def test_layout_in_memory_is_no_content() -> None:
    """A transposed array is stored as what it is, not as what lies in memory."""
    array = np.arange(6.0).reshape(2, 3)

    assert pack(MAGIC, 2, {"a": array.T}, LEDGER) == pack(MAGIC, 2, {"a": array.T.copy()}, LEDGER)
    np.testing.assert_array_equal(array.T, read(pack(MAGIC, 2, {"a": array.T}, LEDGER))[0]["a"])


def test_the_head_is_as_documented() -> None:
    """Magic, version, checksum of the rest; then safetensors, whose header's length comes first."""
    blob = pack(MAGIC, 2, ARRAYS, LEDGER)

    assert (b"TEST", 2, hashlib.sha256(blob[HEAD:]).digest()) == struct.unpack("<4sI32s", blob[:HEAD])
    assert sealed(blob[HEAD:]) == blob


def test_a_cut_blob_is_refused() -> None:
    """Wherever it is cut."""
    blob = pack(MAGIC, 2, ARRAYS, LEDGER)
    for length in range(len(blob)):
        with pytest.raises(SnapshotUnreadable):
            read(blob[:length])


def test_a_blob_with_more_behind_it_is_refused() -> None:
    """It is not what was written."""
    with pytest.raises(SnapshotUnreadable, match="damaged"):
        read(pack(MAGIC, 2, ARRAYS, LEDGER) + b"\0")


def test_a_blob_with_any_byte_flipped_is_refused() -> None:
    """Every byte of it is looked at."""
    blob = pack(MAGIC, 2, ARRAYS, LEDGER)
    for place in range(len(blob)):
        for bit in (0, 7):
            flipped = bytearray(blob)
            flipped[place] ^= 1 << bit
            with pytest.raises(SnapshotUnreadable):
                read(bytes(flipped))


def test_another_version_is_refused_with_a_remedy() -> None:
    """A newer one asks for an upgrade, an older one says that it cannot be read any more."""
    body = pack(MAGIC, 2, ARRAYS, LEDGER)[HEAD:]
    with pytest.raises(
        SnapshotUnreadable, match=r"format version 3; this firstseen reads 2\. Upgrade firstseen\."
    ):
        read(sealed(body, version=3))
    with pytest.raises(SnapshotUnreadable, match=r"format version 1; .* older firstseen: start anew"):
        read(sealed(body, version=1))


def test_something_else_is_refused() -> None:
    """A blob of another kind of state, or of nobody's."""
    body = pack(MAGIC, 2, ARRAYS, LEDGER)[HEAD:]
    for blob in (sealed(body, magic=b"SETT"), bytes(100), b"PK\x03\x04" + bytes(100)):
        with pytest.raises(SnapshotUnreadable, match="does not start with TEST"):
            read(blob)


def _tensors(header: bytes, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + data


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0" * 7,
        struct.pack("<Q", 2**63) + b"{}",
        _tensors(b"not json"),
        _tensors(b"{}"),
        _tensors(b'{"ledger":{"dtype":"NONE","shape":[1],"data_offsets":[0,1]}}', b"x"),
        _tensors(b'{"ledger":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}', b"xx"),
        _tensors(b'{"ledger":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}', b"x"),
        _tensors(b'{"ledger":{"dtype":"U8","shape":[9],"data_offsets":[0,1]}}', b"x"),
        _tensors(b'{"ledger":{"dtype":"U8","shape":[1],"data_offsets":[0,9]}}', b"x"),
        save({"a": np.ones(2)}),
        save({"ledger": np.frombuffer(b"\xc1", dtype=np.uint8)}),
        save({"ledger": np.empty(0, dtype=np.uint8)}),
        save({"ledger": np.frombuffer(msgspec.msgpack.encode({"n": 1}), dtype=np.uint8)}),
        save({"ledger": np.frombuffer(msgspec.msgpack.encode({"n": "1", "names": {}}), dtype=np.uint8)}),
        save(
            {
                "ledger": np.frombuffer(
                    msgspec.msgpack.encode({"n": 1, "names": {}, "more": 1}), dtype=np.uint8
                )
            }
        ),
    ],
)
def test_a_right_checksum_makes_nothing_right(body: bytes) -> None:
    """What cannot be read is refused in one way, whatever it is."""
    with pytest.raises(SnapshotUnreadable, match="not laid out as expected"):
        read(sealed(body))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_damage_under_a_right_checksum_is_refused_or_harmless(data: st.DataObject) -> None:
    """Bytes changed by somebody who knows the checksum: something is read, or it is refused; nothing else."""
    body = bytearray(pack(MAGIC, 2, ARRAYS, LEDGER)[HEAD:])
    for place, byte in data.draw(
        st.lists(st.tuples(st.integers(0, len(body) - 1), st.integers(0, 255)), min_size=1)
    ):
        body[place] = byte
    try:
        arrays, ledger = read(sealed(bytes(body)))
    except SnapshotUnreadable:
        return

    assert isinstance(ledger, Ledger)
    assert all(isinstance(array, np.ndarray) for array in arrays.values())
