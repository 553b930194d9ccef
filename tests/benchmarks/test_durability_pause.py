"""A server is watched from a process of its own."""

import tempfile
from pathlib import Path

from benchmarks.durability_pause import watched
from service.state.embedded import EmbeddedServer
from service.state.store import connect


async def test_a_pause_is_seen() -> None:
    """A server that was told to pause for 0.2 s did not answer for about so long; a free one answers at once."""
    with tempfile.TemporaryDirectory(prefix="fs-") as folder:
        async with EmbeddedServer(Path(folder)) as server:
            client = connect(server.socket)
            async with watched(server.socket) as free:
                for _ in range(300):
                    await client.ping()
            async with watched(server.socket) as held:
                await client.execute_command("CLIENT", "PAUSE", "200", "ALL")
                await client.ping()  # answered when the pause is over
            await client.aclose()

    assert free.pings > 1
    assert 0 < free.p99_ms <= free.longest_ms
    assert held.longest_ms > 100
