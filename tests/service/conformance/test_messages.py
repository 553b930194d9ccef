"""`/stream`, message by message: what is said is answered as the page says."""

from typing import Any

import pytest

from tests.service.conformance.talker import JSON, MSGPACK, Server

END = {"type": "end"}


async def test_the_welcome_comes_first(server: Server) -> None:
    """What is served, and what may be sent: something at once, and always a frame."""
    async with server.stream() as (talker, welcome):
        assert [welcome] == talker.heard
        assert 1 <= welcome["least_credits"] <= welcome["credits"]
        assert welcome["max_items"] >= 1
        assert welcome["durability"] in ("fsync", "relaxed", "replicated")


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([], None),
        (["graphql-ws"], None),
        ([JSON], JSON),
        ([MSGPACK], MSGPACK),
        (["graphql-ws", MSGPACK, JSON], MSGPACK),
    ],
)
async def test_the_subprotocol(url: str, offered: list[str], chosen: str | None) -> None:
    """The first of the client's that is known; JSON where there is none."""
    async with Server(url, None).socket("/stream", subprotocols=offered) as talker:
        welcome = await talker.hear()

        assert chosen == talker.socket.subprotocol
        assert "welcome" == welcome["type"]


async def test_verdicts_and_acks(server: Server) -> None:
    """One verdict an item, in order of position and under its id; then an ack that all are durable."""
    async with server.stream() as (talker, welcome):
        items = server.items(min(20, welcome["credits"]))
        n = len(items)
        await talker.say_items(items)
        await talker.hear_until("ack", durable=n)

        assert list(range(n)) == [result["position"] for result in talker.results]
        assert [item["id"] for item in items] == [result["id"] for result in talker.results]
        assert n == talker.heard[-1]["accepted"]
        assert welcome["durability"] == talker.heard[-1]["durability"]
        for result in talker.results:
            assert (result["verdict"] == "known") == (result["label"] is not None)
            assert (result["verdict"] == "cluster") == (result["cluster_id"] is not None)


async def test_places_in_the_stream_grow(server: Server) -> None:
    """New items come after all that is durable, in order."""
    async with server.stream() as (talker, welcome):
        await talker.say_items(server.items(5))
        await talker.hear_until("ack", durable=5)
        places = [result["seq"] for result in talker.results]

        assert places == sorted(set(places))
        assert places[0] > welcome["last_durable_seq"]


async def test_an_item_without_an_id(server: Server) -> None:
    """It gets one that no client can give; sent again it is another item."""
    async with server.stream() as (talker, _):
        await talker.say_items(server.items(2, without_id=True))
        await talker.hear_until("ack", durable=2)
        first, second = talker.results

        assert first["id"].startswith("~")
        assert first["id"] != second["id"]


async def test_many_frames(server: Server) -> None:
    """Within credit, all goes on: positions without a gap, acks that only grow, credit that is never taken back."""
    async with server.stream() as (talker, welcome):
        size = min(welcome["least_credits"], welcome["max_items"], 50)
        sent, limit, durable = 0, welcome["credits"], 0
        for _ in range(20):
            while sent + size > limit:
                ack = await talker.hear_until("ack")
                assert ack["accepted"] <= sent
                assert durable <= ack["durable"] <= ack["accepted"]
                assert limit <= ack["accepted"] + ack["credits"]
                durable, limit = ack["durable"], ack["accepted"] + ack["credits"]
            await talker.say_items(server.items(size))
            sent += size
        await talker.say(END)

        assert 1000 == (await talker.hear_out())[0]
        assert list(range(sent)) == [result["position"] for result in talker.results]
        assert (sent, sent) == (talker.heard[-1]["accepted"], talker.heard[-1]["durable"])


async def test_durable_before_it_is_acknowledged(server: Server) -> None:
    """No ack counts an item whose verdict or nack was not sent before it."""
    async with server.stream() as (talker, _):
        for _ in range(3):
            await talker.say_items([*server.items(3), {"x": None}])
        await talker.hear_until("ack", durable=12)

        answered: set[int] = set()
        for message in talker.heard:
            answered |= {result["position"] for result in message.get("results", [])}
            answered |= {message["position"]} if message["type"] == "nack" else set()
            assert message["type"] != "ack" or set(range(message["durable"])) <= answered


async def test_a_nack(server: Server) -> None:
    """A bad item is nacked in its position, with its id where that can be read; the others get verdicts."""
    async with server.stream() as (talker, _):
        good, other = server.items(2)
        await talker.say_items(
            [good, {"id": "bad", "x": {"no": "such"}}, {"id": 5, "x": good["x"]}, "?", other]
        )
        await talker.hear_until("ack", durable=5)

        assert [0, 4] == [result["position"] for result in talker.results]
        assert [(1, "bad"), (2, None), (3, None)] == sorted(
            ((nack["position"], nack["id"]) for nack in talker.all("nack")), key=lambda pair: pair[0]
        )
        assert {422} == {nack["problem"]["status"] for nack in talker.all("nack")}
        assert {"/problems/invalid-item"} == {nack["problem"]["type"] for nack in talker.all("nack")}


async def test_nothing_but_bad_items(server: Server) -> None:
    """They are answered: an ack says so, and gives their credit back."""
    async with server.stream() as (talker, welcome):
        await talker.say_items([{"x": None}] * 3)
        ack = await talker.hear_until("ack", durable=3)

        assert 3 == len(talker.all("nack"))
        assert ack["credits"] >= welcome["least_credits"]
        assert [] == talker.results


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"type": "no such"},
        {"type": "items"},
        {"type": "items", "items": 5},
        {"type": "items", "items": [], "more": 1},
        {"type": "end", "now": True},
        {"type": "welcome"},
        {"type": "batch", "dtype": "float64", "n": 1, "x": ""},
        [],
        None,
        "items",
    ],
)
async def test_what_is_no_message(server: Server, message: object) -> None:
    """It is ignored with an error, takes no position and no credit, and the connection goes on."""
    async with server.stream() as (talker, _):
        await talker.say(message)
        error = await talker.hear()
        await talker.say_items(server.items(1))
        await talker.hear_until("ack", durable=1, accepted=1)

        assert ("error", 400) == (error["type"], error["problem"]["status"])
        assert [0] == [result["position"] for result in talker.results]


@pytest.mark.parametrize(
    "damaged", [b"", b"\xc1", b"\x00\xff", b"{" * 1000, b"\x91" * 100_000, b"[" * 100_000]
)
async def test_what_cannot_be_decoded(server: Server, damaged: bytes) -> None:
    """The same."""
    frame = damaged if server.subprotocol == MSGPACK else damaged.decode("latin-1")
    async with server.stream() as (talker, _):
        await talker.socket.send(frame)
        error = await talker.hear()
        await talker.say_items(server.items(1))
        await talker.hear_until("ack", durable=1)

        assert ("error", 400) == (error["type"], error["problem"]["status"])


async def test_the_other_kind_of_frame(server: Server) -> None:
    """Text for binary, and binary for text: the right kind is named."""
    async with server.stream() as (talker, _):
        frame = talker.encoded(END)
        await talker.socket.send(frame.encode() if isinstance(frame, str) else "end")
        error = await talker.hear()

        assert "error" == error["type"]
        assert ("binary" if server.subprotocol == MSGPACK else "text") in error["problem"]["detail"]


async def test_no_items(server: Server) -> None:
    """A frame without items is nothing."""
    async with server.stream() as (talker, _):
        await talker.say_items([])
        await talker.say(END)

        assert 1000 == (await talker.hear_out())[0]
        assert 1 == len(talker.heard)


async def test_a_message_in_fragments(server: Server) -> None:
    """It is one message."""
    async with server.stream() as (talker, _):
        frame: Any = talker.encoded({"type": "items", "items": server.items(3)})
        await talker.socket.send(frame[at : at + 7] for at in range(0, len(frame), 7))
        await talker.hear_until("ack", durable=3)

        assert 3 == len(talker.results)


async def test_end(server: Server) -> None:
    """What waits is answered, then 1000; what comes after `end` is not read."""
    async with server.stream() as (talker, _):
        await talker.say_items(server.items(7))
        await talker.say(END)
        await talker.say_items(server.items(1))
        await talker.say({"type": "no such"})
        code, _ = await talker.hear_out()

        assert 1000 == code
        assert list(range(7)) == [result["position"] for result in talker.results]
        assert "ack" == talker.heard[-1]["type"]
        assert [] == talker.all("error")


async def test_end_of_nothing(server: Server) -> None:
    """1000 at once."""
    async with server.stream() as (talker, _):
        await talker.say(END)

        assert 1000 == (await talker.hear_out())[0]


async def test_ping(server: Server) -> None:
    """A client's ping is answered, with what it said."""
    async with server.stream() as (talker, _):
        await (await talker.socket.ping(b"are you there?"))
