"""From the bytes of a POST to its items: limits on size, time and number, and no more objects than needed."""

import asyncio
import json
import tracemalloc
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from service.api.bodies import read_each, receive_body, split_items
from service.api.budget import Budget
from service.errors import (
    BodyTooLarge,
    BodyTooSlow,
    InvalidBody,
    NotReady,
    Overloaded,
    UnsupportedMediaType,
)
from service.intake import Refused
from service.records import Item
from tests.service import digits
from tests.service.waiting import soon

SPEC = digits.bundle().manifest.input
X = [0.0] * 64
JSON = (b"content-type", b"application/json")


def request(chunks: Iterator[bytes], *headers: tuple[bytes, bytes]) -> Request:
    """A POST whose body comes in chunks and, when those run out, never ends."""

    async def receive() -> Message:
        for chunk in chunks:
            return {"type": "http.request", "body": chunk, "more_body": chunk != b""}
        await asyncio.Event().wait()
        raise AssertionError

    return Request({"type": "http", "method": "POST", "headers": list(headers)}, receive)


async def received(
    chunks: list[bytes], *headers: tuple[bytes, bytes], budget: Budget, limit: int = 10, timeout_s: float = 20
) -> bytes:
    with budget.share() as share:
        body = await receive_body(request(iter(chunks), *headers), share, limit=limit, timeout_s=timeout_s)
        assert len(body) == budget.used
        return bytes(body)


@pytest.fixture
def budget() -> Iterator[Budget]:
    """Nothing of it is held when the test ends."""
    budget = Budget(12, when_full="full")
    yield budget
    assert 0 == budget.used


class TestReceive:
    async def test_whole(self, budget: Budget) -> None:
        """Chunks are joined, and counted while the body is held."""
        assert b"abcdef" == await received([b"abc", b"def", b""], JSON, budget=budget)

    async def test_too_large(self, budget: Budget) -> None:
        """The chunk that is over the limit is the last one read."""
        with pytest.raises(BodyTooLarge, match="over 10 bytes"):
            await received([b"x" * 10, b"x"], JSON, budget=budget)

    async def test_declared_too_large(self, budget: Budget) -> None:
        """A length over the limit is refused before a byte is read."""
        with pytest.raises(BodyTooLarge):
            await received([], JSON, (b"content-length", b"11"), budget=budget)

    async def test_all_together(self, budget: Budget) -> None:
        """Bodies within their own limits are refused when all together are over theirs, until one is done."""
        with budget.share() as others:
            others.take(8)
            with pytest.raises(Overloaded, match="full"):
                await receive_body(request(iter([b"abc", b"de"]), JSON), others, limit=10, timeout_s=20)

        assert b"abcde" == await received([b"abc", b"de", b""], JSON, budget=budget)

    async def test_too_slow(self, budget: Budget) -> None:
        """A body that does not come in time is refused with the time."""
        with pytest.raises(BodyTooSlow, match=r"within 0\.01 s"):
            await received([b"abc"], JSON, budget=budget, timeout_s=0.01)

    async def test_stopped(self, budget: Budget) -> None:
        """A server that stops and cancels the request has it answered: not ready, nothing was counted."""
        waiting = asyncio.create_task(received([b"abc"], JSON, budget=budget))
        await soon(lambda: budget.used > 0, "a piece of the body has come")
        waiting.cancel()
        with pytest.raises(NotReady, match="none of it was counted"):
            await waiting

    @pytest.mark.parametrize(
        "header", [(b"x", b"y"), (b"content-type", b""), (b"content-type", b"text/plain")]
    )
    async def test_media_type(self, budget: Budget, header: tuple[bytes, bytes]) -> None:
        """JSON must be said to be JSON: what a form or a script of another site may send unasked is not read."""
        with pytest.raises(UnsupportedMediaType, match="send JSON with 'content-type: application/json'"):
            await received([b"{}", b""], header, budget=budget)

    async def test_media_type_with_charset(self, budget: Budget) -> None:
        """Parameters and case do not matter."""
        header = (b"content-type", b"Application/JSON; charset=utf-8")

        assert b"{}" == await received([b"{}", b""], header, budget=budget)


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
        """One item too many is refused with the number, whatever the items are."""
        with pytest.raises(BodyTooLarge, match=r"^3 items in one request; send at most 2,"):
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
