"""From the bytes of a POST to its body: limits on size and time, whatever it is compressed with."""

import asyncio
import gzip
import zlib
from collections.abc import Callable, Iterator

import pytest
from starlette.requests import Request
from starlette.types import Message

from service.api.bodies import receive_body
from service.api.budget import Budget
from service.api.compression import zstd
from service.api.formats.head import Head
from service.errors import (
    BodyTooLarge,
    BodyTooSlow,
    InvalidBody,
    InvalidHeader,
    NotReady,
    Overloaded,
    UnsupportedEncoding,
)
from tests.service.waiting import soon

PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstd.compress,
}


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
        body = await receive_body(
            request(iter(chunks), *headers), Head.of(headers), share, limit=limit, timeout_s=timeout_s
        )
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
        assert b"abcdef" == await received([b"abc", b"def", b""], budget=budget)

    async def test_too_large(self, budget: Budget) -> None:
        """The chunk that is over the limit is the last one read."""
        with pytest.raises(BodyTooLarge, match="over 10 bytes"):
            await received([b"x" * 10, b"x"], budget=budget)

    async def test_declared_too_large(self, budget: Budget) -> None:
        """A length over the limit is refused before a byte is read."""
        with pytest.raises(BodyTooLarge):
            await received([], (b"content-length", b"11"), budget=budget)

    async def test_all_together(self, budget: Budget) -> None:
        """Bodies within their own limits are refused when all together are over theirs, until one is done."""
        with budget.share() as others:
            others.take(8)
            with pytest.raises(Overloaded, match="full"):
                await receive_body(request(iter([b"abc", b"de"])), Head({}), others, limit=10, timeout_s=20)

        assert b"abcde" == await received([b"abc", b"de", b""], budget=budget)

    async def test_too_slow(self, budget: Budget) -> None:
        """A body that does not come in time is refused with the time."""
        with pytest.raises(BodyTooSlow, match=r"within 0\.01 s"):
            await received([b"abc"], budget=budget, timeout_s=0.01)

    async def test_stopped(self, budget: Budget) -> None:
        """A server that stops and cancels the request has it answered: not ready, nothing was counted."""
        waiting = asyncio.create_task(received([b"abc"], budget=budget))
        await soon(lambda: budget.used > 0, "a piece of the body has come")
        waiting.cancel()
        with pytest.raises(NotReady, match="none of it was counted"):
            await waiting

    @pytest.mark.parametrize("length", ["", "-1", "1e3", "9" * 30])
    async def test_declared_nonsense(self, budget: Budget, length: str) -> None:
        """A length that is no number is refused."""
        with pytest.raises(InvalidHeader, match="Content-Length"):
            await received([b"a", b""], (b"content-length", length.encode()), budget=budget)


class TestCompressed:
    @pytest.mark.parametrize("name", PACKED)
    async def test_whole(self, budget: Budget, name: str) -> None:
        """What counts is what it is decompressed, also where that is less than what was sent."""
        data = PACKED[name](b"abcdefghij")
        chunks = [data[at : at + 3] for at in range(0, len(data), 3)]
        headers = [(b"content-encoding", name.encode()), (b"content-length", str(len(data)).encode())]

        assert b"abcdefghij" == await received([*chunks, b""], *headers, budget=budget)

    @pytest.mark.parametrize("name", PACKED)
    async def test_bomb(self, budget: Budget, name: str) -> None:
        """A small body that becomes a large one is cut off at the limit."""
        with pytest.raises(BodyTooLarge, match="over 10 bytes when it is decompressed"):
            await received(
                [PACKED[name](bytes(1000)), b""], (b"content-encoding", name.encode()), budget=budget
            )

    async def test_cut(self, budget: Budget) -> None:
        """A body that ends too early is not taken for a whole one."""
        with pytest.raises(InvalidBody, match="ends before its gzip does"):
            await received([gzip.compress(b"abc")[:-4], b""], (b"content-encoding", b"gzip"), budget=budget)

    @pytest.mark.parametrize("name", [b"br", b"gzip, gzip", b"compress"])
    async def test_other(self, budget: Budget, name: bytes) -> None:
        """Other compressions, and two of them, are refused with those that are read."""
        with pytest.raises(UnsupportedEncoding, match="zstd, gzip, deflate"):
            await received([b"a", b""], (b"content-encoding", name), budget=budget)
