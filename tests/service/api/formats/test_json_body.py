"""JSON to items: limits on their number and their values, and no more objects than needed."""

import asyncio
import json
import tracemalloc

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.formats.head import Head, Limits
from service.api.formats.json_body import read_each, read_json, split_items
from service.errors import BodyTooLarge, ClientError, InvalidBody
from service.ingest.intake import Refused
from service.records import Item
from tests.service import digits

SPEC = digits.bundle().manifest.input
X = [0.0] * 64
LIMITS = Limits(max_bytes=1 << 20, max_items=8, max_pixels=10_000)


class TestSplit:
    def test_single(self) -> None:
        """One item on its own is the body."""
        body = bytearray(b' {"id": "a", "x": []}')

        assert ([msgspec.Raw(body)], True) == split_items(body, max_items=1)

    @given(items=st.lists(st.recursive(st.none() | st.text() | st.integers(0, 9), st.lists, max_leaves=5)))
    def test_as_the_standard_library_has_it(self, items: list[object]) -> None:
        """Each piece is one item's JSON, in order."""
        raws, is_single = split_items(bytearray(json.dumps({"items": items}).encode()), max_items=len(items))

        assert not is_single
        assert items == [json.loads(bytes(raw)) for raw in raws]

    def test_counted_first(self) -> None:
        """One item too many is refused with the number that may be, whatever the items are."""
        with pytest.raises(BodyTooLarge, match="More than 2 items in one request: send at most 2,"):
            split_items(bytearray(b'{"items": [1, [], {}]}'), max_items=2)


class TestRead:
    async def test_each(self) -> None:
        """Good and bad items in their places."""
        raws = [{"id": "a", "x": X}, 5, {"id": "b"}, {"id": "c", "x": X}]
        read = await read_each([msgspec.Raw(json.dumps(raw).encode()) for raw in raws], SPEC)

        assert [Item, Refused, Refused, Item] == [type(one) for one in read]
        assert ["a", None, "b", "c"] == [one.id for one in read]

    @pytest.mark.parametrize("text", [b'{"id": "\xff", "x": []}', b'{"x": [1e999]}'])
    async def test_not_json_after_all(self, text: bytes) -> None:
        """What only decoding finds, a bad byte or a number without bounds, is a fault of the body."""
        with pytest.raises(InvalidBody, match="not JSON"):
            await read_each([msgspec.Raw(text)], SPEC)

    async def test_too_many_values_are_not_decoded(self) -> None:
        """A million lists in an item are refused by their number, in little more memory than their text."""
        raw = msgspec.Raw(b'{"id": "a", "x": [' + b"[]," * 1_000_000 + b"[]]}")
        tracemalloc.start()
        try:
            read = await read_each([raw], SPEC)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

        assert isinstance(read[0], Refused)
        assert "far too many values: send 64 numbers" in str(read[0].error)
        assert peak < 2 * len(bytes(raw))

    async def test_too_many_fields_are_not_decoded(self) -> None:
        """A million fields that no item has are refused by their number, be they of the body or of an item in it."""
        fields = b"{" + b",".join(b'"%x":0' % n for n in range(1_000_000)) + b"}"
        for body in (fields, b'{"items": [' + fields + b"]}"):
            tracemalloc.start()
            try:
                read, _ = await read_json(bytearray(body), Head({}), SPEC, LIMITS)
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

            assert "far too many values" in str(read[0].error)
            assert peak < 4 * len(body)

    async def test_refused_items_are_let_go(self) -> None:
        """A thousand refused items of a thousand lists each hold little more than what is said about them."""
        raw = msgspec.Raw(b'{"id": "a", "x": [' + b"[]," * 1000 + b"[]]}")
        await read_each([raw], SPEC)
        tracemalloc.start()
        try:
            read = await read_each([raw] * 1000, SPEC)
            held, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert [Refused] * 1000 == [type(one) for one in read]
        assert held < 2_000_000
        assert peak < 3_000_000

    async def test_others_have_their_turn(self) -> None:
        """While many items are read, other tasks run."""
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        running = asyncio.create_task(other())
        padded = msgspec.Raw(json.dumps({"x": X}).encode() + b" " * 300_000)
        await read_each([padded] * 5, SPEC)
        running.cancel()

        assert 5 == turns


class TestAnything:
    @given(body=st.binary(max_size=200))
    async def test_bytes(self, body: bytes) -> None:
        """Whatever comes, it is read, or refused as the client's mistake."""
        await read_or_refused(bytearray(body))

    @given(
        item=st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
            lambda inner: (
                st.lists(inner) | st.dictionaries(st.sampled_from(["id", "x", "image", "y"]), inner)
            ),
        ),
        is_single=st.booleans(),
    )
    async def test_values(self, item: object, is_single: bool) -> None:
        """So is any JSON: one result an item."""
        body = item if is_single else {"items": [item, item]}
        found = await read_or_refused(bytearray(json.dumps(body).encode()))

        assert found is None or len(found) in ((1,) if is_single else (2,)) or isinstance(item, dict)

    @pytest.mark.parametrize("opening", [b"[", b'{"x":', b'{"items":['])
    async def test_nested(self, opening: bytes) -> None:
        """Ten thousand levels are refused, and no stack overflows."""
        with pytest.raises(InvalidBody, match="nested too deep"):
            await read_json(bytearray(opening * 10_000), Head({}), SPEC, LIMITS)

    async def test_nested_in_an_item(self) -> None:
        """Also where only an item is."""
        body = b'{"items": [{"x": ' + b"[" * 10_000 + b"]" * 10_000 + b"}]}"
        with pytest.raises(InvalidBody, match="nested too deep"):
            await read_json(bytearray(body), Head({}), SPEC, LIMITS)


async def read_or_refused(body: bytearray) -> list[object] | None:
    try:
        found, _ = await read_json(body, Head({}), SPEC, LIMITS)
    except ClientError:
        return None
    return [*found]
