"""`batch` and raw numbers: the fast way means the same as the slow one."""

import base64
import struct
from typing import Any

import pytest

from tests.service.conformance.talker import MSGPACK, Message, Server, Talker


def flat(x: Any) -> list[float]:
    """The numbers of an item."""
    return [number for part in x for number in flat(part)] if isinstance(x, list) else [x]


def packed(server: Server, dtype: str, rows: int, **changed: Any) -> Message:
    """A batch of the example, so many times; its numbers rounded, so that they are the same in every type."""
    numbers = rounded(server) * rows
    x = bytes(numbers) if dtype == "uint8" else struct.pack(f"<{len(numbers)}f", *numbers)
    message = {"type": "batch", "dtype": dtype, "n": server.size, "x": x} | changed
    if server.subprotocol != MSGPACK:
        message["x"] = base64.b64encode(message["x"]).decode()
    return message


def rounded(server: Server) -> list[int]:
    numbers = [round(number) for number in flat(server.input["example"])]
    if not all(0 <= number <= 255 for number in numbers):
        pytest.skip("the example of the server's input does not fit into bytes")
    return numbers


def looks(talker: Talker) -> set[tuple[Any, ...]]:
    """All that a verdict says of the item alone, to a few digits."""
    return {(result["nearest"], f"{result['distance']:.4g}") for result in talker.results}


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
async def test_a_batch_is_its_items(server: Server, dtype: str) -> None:
    """In order, under their ids, with the verdicts that the numbers have as a list."""
    ids = [item["id"] for item in server.items(5)]
    async with server.stream() as (talker, _):
        await talker.say(packed(server, dtype, 5, ids=ids))
        await talker.say_items([item | {"x": rounded(server)} for item in server.items(1)])
        await talker.hear_until("ack", durable=6)

        assert list(range(6)) == [result["position"] for result in talker.results]
        assert ids == [result["id"] for result in talker.results[:5]]
        assert 1 == len(looks(talker))


@pytest.mark.parametrize("changed", [{}, {"ids": None}, {"ids": [None, None]}])
async def test_a_batch_without_ids(server: Server, changed: dict[str, Any]) -> None:
    """Each item gets one of the service's."""
    async with server.stream() as (talker, _):
        await talker.say(packed(server, "uint8", 2, **changed))
        await talker.hear_until("ack", durable=2)

        assert all(result["id"].startswith("~") for result in talker.results)


async def test_an_empty_batch(server: Server) -> None:
    """It is nothing."""
    async with server.stream() as (talker, _):
        await talker.say(packed(server, "uint8", 0, ids=[]))
        await talker.say({"type": "end"})

        assert 1000 == (await talker.hear_out())[0]


async def test_a_bad_row(server: Server) -> None:
    """NaN in one row, an id that cannot be in another: each is nacked alone."""
    n = server.size
    values = [float("nan"), *rounded(server)[1:], *rounded(server) * 2]
    message = packed(server, "float32", 3, ids=["nan", "~mine", server.items(1)[0]["id"]])
    x = struct.pack(f"<{3 * n}f", *values)
    message["x"] = x if server.subprotocol == MSGPACK else base64.b64encode(x).decode()
    async with server.stream() as (talker, _):
        await talker.say(message)
        await talker.hear_until("ack", durable=3)

        assert [2] == [result["position"] for result in talker.results]
        assert [(0, "nan"), (1, None)] == [(nack["position"], nack["id"]) for nack in talker.all("nack")]


@pytest.mark.parametrize(
    "changed", [{"n": 1}, {"n": 10**6}, {"n": 0}, {"ids": ["a"]}, {"ids": ["a"] * 3}, {"dtype": "int8"}]
)
async def test_a_batch_that_does_not_fit_together(server: Server, changed: dict[str, Any]) -> None:
    """It is ignored as a whole, with an error; the connection goes on."""
    async with server.stream() as (talker, _):
        await talker.say(packed(server, "uint8", 2) | changed)
        error = await talker.hear()
        await talker.say(packed(server, "uint8", 1))
        await talker.hear_until("ack", accepted=1, durable=1)

        assert ("error", 400) == (error["type"], error["problem"]["status"])


async def test_half_a_row(server: Server) -> None:
    """A buffer that is no whole number of items is ignored."""
    async with server.stream() as (talker, _):
        await talker.say(packed(server, "uint8", 2, x=bytes(2 * server.size - 1)))

        assert "error" == (await talker.hear())["type"]


async def test_raw_numbers_in_items(url: str) -> None:
    """In MessagePack x may be bytes: of n they are uint8, of 4n float32, of another length a nack."""
    server = Server(url, MSGPACK)
    numbers = rounded(server)
    forms = [bytes(numbers), struct.pack(f"<{len(numbers)}f", *numbers), numbers, bytes(len(numbers) + 1)]
    async with server.stream() as (talker, _):
        await talker.say_items([item | {"x": x} for item, x in zip(server.items(4), forms, strict=True)])
        await talker.hear_until("ack", durable=4)

        assert [0, 1, 2] == [result["position"] for result in talker.results]
        assert [3] == [nack["position"] for nack in talker.all("nack")]
        assert 1 == len(looks(talker))
