"""`/watch`: a greeting, and nothing that a watcher could do."""

import httpx
import pytest

from tests.service.conformance.talker import Server


async def test_the_hello_comes_first(server: Server) -> None:
    """The clusters as they are, and as of which place."""
    async with server.socket("/watch") as watcher:
        hello = await watcher.hear()

        assert "hello" == hello["type"]
        assert hello["seq"] >= 0


async def test_what_a_watcher_says_is_not_read(server: Server) -> None:
    """Whatever it is, the socket stays open, and a ping is answered."""
    async with server.socket("/watch") as watcher:
        await watcher.hear()
        await watcher.say({"type": "items", "items": [{}]})
        await watcher.socket.send("?")
        await watcher.socket.send(b"\xff")
        await (await watcher.socket.ping())

        assert watcher.socket.close_code is None
        assert 1 == len(watcher.heard)


async def test_what_is_decided_is_told(server: Server) -> None:
    """A cluster that is given a name, and loses it again: an event each, with the number of the decision."""
    async with (
        server.socket("/watch") as watcher,
        httpx.AsyncClient(headers=server.headers, timeout=60) as http,
    ):
        hello = await watcher.hear()
        if not hello["clusters"]:
            pytest.skip("the server has no cluster; send it some items of a class that it does not know")
        cluster = hello["clusters"][-1]
        address = f"{server.url}/clusters/{cluster['id']}"
        named = await http.post(f"{address}/name", json={"label": "conformance"})
        if named.status_code in (401, 403):
            pytest.skip("the key of CONFORMANCE_KEY may not decide")
        undone = await http.post(f"{address}/undo", json={"decision": named.json()["decision"]})
        events = [
            await watcher.hear_until("event", decision=answer.raise_for_status().json()["decision"])
            for answer in (named, undone)
        ]

        assert [("named", "conformance"), ("undone", cluster["name"])] == [
            (event["event"], event["cluster"]["name"]) for event in events
        ]
        assert [cluster["id"]] * 2 == [event["cluster"]["id"] for event in events]


async def test_a_frame_that_is_too_large(server: Server) -> None:
    """1009, as everywhere."""
    async with server.stream() as (_, welcome), server.socket("/watch") as watcher:
        await watcher.socket.send(" " * (welcome["max_bytes"] + 1))

        assert 1009 == (await watcher.hear_out())[0]
