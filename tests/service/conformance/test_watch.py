"""`/watch`: a greeting, and nothing that a watcher could do."""

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


async def test_a_frame_that_is_too_large(server: Server) -> None:
    """1009, as everywhere."""
    async with server.stream() as (_, welcome), server.socket("/watch") as watcher:
        await watcher.socket.send(" " * (welcome["max_bytes"] + 1))

        assert 1009 == (await watcher.hear_out())[0]
