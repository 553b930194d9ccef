"""After a cut: what is sent again under the same ids is answered once, and as before."""

import asyncio
from typing import Any

import pytest

from tests.service.conformance.talker import Item, Server


async def stream_with_cuts(server: Server, items: list[Item], cuts: int) -> dict[str, list[dict[str, Any]]]:
    """Send all items, and lose the connection so many times on the way; every answer, by id."""
    answers: dict[str, list[dict[str, Any]]] = {item["id"]: [] for item in items}
    for turn in range(cuts + 1):
        waiting = [item for item in items if not answers[item["id"]]]
        async with server.stream() as (talker, welcome):
            size = min(welcome["least_credits"], welcome["max_items"], 16)
            sent, limit = 0, welcome["credits"]
            for at in range(0, len(waiting), size):
                part = waiting[at : at + size]
                while sent + len(part) > limit:
                    ack = await talker.hear_until("ack")
                    limit = ack["accepted"] + ack["credits"]
                await talker.say_items(part)
                sent += len(part)
                if turn < cuts and at >= len(waiting) // 3:
                    break
            if turn < cuts:
                await talker.hear_until("verdicts")
                talker.cut()
            else:
                await talker.say({"type": "end"})
                assert 1000 == (await talker.hear_out())[0]
            for result in talker.results:
                answers[result["id"]].append(result)
    return answers


@pytest.mark.parametrize("cuts", [1, 3])
async def test_nothing_is_lost_and_nothing_counts_twice(server: Server, cuts: int) -> None:
    """Every item has one verdict, at a place of its own; sent once more, it is the same."""
    items = server.items(100)

    answers = await stream_with_cuts(server, items, cuts)
    again = await stream_with_cuts(server, items, 0)

    assert [1] * 100 == [len(found) for found in answers.values()]
    assert 100 == len({found[0]["seq"] for found in answers.values()})
    for id, (first,) in answers.items():
        (second,) = again[id]
        assert first | {"position": 0} == second | {"position": 0}


async def test_cut_before_any_answer(server: Server) -> None:
    """Items that the server may or may not have decided: sent again, each counts once."""
    items = server.items(30)
    async with server.stream() as (talker, _):
        await talker.say_items(items)
        talker.cut()

    answers = await stream_with_cuts(server, items, 0)

    assert 30 == len({found[0]["seq"] for found in answers.values()})


async def test_the_same_id_twice(server: Server) -> None:
    """In one frame, and in two: one verdict, in every position."""
    (item,) = server.items(1)
    async with server.stream() as (talker, _):
        await talker.say_items([item, item])
        await talker.say_items([item])
        await talker.hear_until("ack", durable=3)

        assert [0, 1, 2] == [result["position"] for result in talker.results]
        assert 1 == len({result["seq"] for result in talker.results})


async def test_many_at_once(server: Server) -> None:
    """Ten clients that send the same items get the same verdicts."""
    items = server.items(40)

    everyone = await asyncio.gather(*(stream_with_cuts(server, items, 0) for _ in range(10)))

    for answers in everyone[1:]:
        assert everyone[0] == answers
