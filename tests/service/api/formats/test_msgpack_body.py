"""MessagePack: as JSON, raw values as bytes, and no more memory than the body is worth."""

import contextlib
import tracemalloc
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import BodyTooLarge, InvalidBody
from service.ingest.intake import Refused
from service.records import Item
from tests.service.api.formats.sent import COLOUR, IMAGE, TEXT, VECTOR, png, read, told

MSGPACK = "application/x-msgpack"


async def sent(value: Any, spec: Any = IMAGE) -> list[Item | Refused]:
    found, _ = await read(msgspec.msgpack.encode(value), MSGPACK, spec)
    return found


async def test_raw_values_are_the_same_alone_and_together() -> None:
    """uint8 and float32; the fast way for all gives what the slow way for one gives."""
    x = np.arange(16, dtype=np.uint8)
    rows = [{"id": "a", "x": x.tobytes()}, {"id": "b", "x": x.tobytes()}]
    floats = [{"id": id, "x": x.astype("<f4").tobytes()} for id in "ab"]
    mixed = [rows[0], {"id": "b", "x": x.tolist()}]
    expected = told(await sent({"items": rows}))

    assert [Item, Item] == [type(one) for one in await sent({"items": rows})]
    assert expected == told(await sent({"items": floats}))
    assert expected == told(await sent({"items": mixed}))
    assert expected[:1] == told(await sent(rows[0]))


async def test_bytes_of_another_length() -> None:
    """Are refused alone, with the lengths that fit."""
    bad, good = await sent({"items": [{"id": "a", "x": b"abc"}, {"x": bytes(16)}]})

    assert isinstance(bad, Refused)
    assert "16 bytes of uint8 or 64 bytes of float32, little-endian; got 3" in str(bad.error)
    assert isinstance(good, Item)


async def test_bytes_for_a_text() -> None:
    """It is told what to send."""
    (bad,) = await sent({"x": b"abc"}, TEXT)

    assert "takes no raw numbers: send a text" in str(told([bad])[0][1])


async def test_a_picture() -> None:
    """As bytes, also one that is larger than any numbers could be."""
    large = np.random.default_rng(0).integers(0, 256, (100, 100), dtype=np.uint8)
    (item,) = await sent({"id": "a", "image": png(large, compress_level=0) + bytes(200_000)})

    assert isinstance(item, Item)


@pytest.mark.parametrize(
    "body", [[1, 2], None, "x", {"items": {}}, {"items": [], "x": 1}, {1: 2}, {"items": "abc"}]
)
async def test_bodies_of_no_form(body: Any) -> None:
    """A map with items, or one item: all else is refused as a whole."""
    with pytest.raises(InvalidBody, match="Send the MessagePack of"):
        await sent(body)


@pytest.mark.parametrize(
    "body", [b"", b"\xc1", b"\x81\xa1x", b"\x91" * 10_000, b"\x81\xa1x" + b"\x91" * 10_000 + b"\xc0"]
)
async def test_no_msgpack(body: bytes) -> None:
    """Cut, reserved, and nested without end."""
    with pytest.raises(InvalidBody, match=r"The body (is not MessagePack|must be a map)"):
        await read(body, MSGPACK, IMAGE)


async def test_one_item_too_many() -> None:
    """Is not even looked at."""
    with pytest.raises(BodyTooLarge, match="More than 8 items"):
        await sent({"items": [1] * 9})


async def test_a_million_lists_take_no_memory() -> None:
    """An item of one-byte lists is refused by its bytes, in little more memory than these."""
    body = b"\x81\xa1x\xdd\x00\x0f\x42\x40" + b"\x90" * 1_000_000
    tracemalloc.start()
    try:
        found, _ = await read(body, MSGPACK, IMAGE)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert "far too many bytes: send 16 numbers" in str(told(found)[0][1])
    assert peak < 5 * len(body)


@pytest.mark.parametrize("spec", [VECTOR, COLOUR])
async def test_a_million_fields_take_no_memory(spec: Any) -> None:
    """Nothing is made of fields that no item has, in the body or in one of its items."""
    count = 300_000
    fields = b"\xdf" + count.to_bytes(4) + b"".join(b"\xa4%04x\x00" % (n % 65536) for n in range(count))
    for body in (fields, msgspec.msgpack.encode({"items": [msgspec.Raw(fields)]})):
        tracemalloc.start()
        try:
            found, _ = await read(body, MSGPACK, spec)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

        assert [Refused] == [type(one) for one in found]
        assert peak < 5 * len(body)


@given(
    item=st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["id", "x", "image"]) | st.integers(0, 9), inner)
        ),
        max_leaves=8,
    ),
    spec=st.sampled_from([IMAGE, COLOUR, VECTOR, TEXT]),
)
async def test_any_values(item: Any, spec: Any) -> None:
    """One result an item, or the body is refused."""
    with contextlib.suppress(InvalidBody):
        assert 2 == len(await sent({"items": [item, item]}, spec))
