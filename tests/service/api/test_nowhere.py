"""A WebSocket to a path that is none."""

import json

import pytest
from websockets.asyncio.client import connect

from tests.service.inside import Inside


@pytest.mark.parametrize("path", ["/", "/nope", "/classify", "/stream/"])
async def test_it_is_told_so(service: Inside, path: str) -> None:
    """By a problem, and a close that says the same; that is no matter of keys."""
    async with connect(f"{service.ws_url}{path}", proxy=None) as socket:
        said = json.loads(await socket.recv())
        await socket.wait_closed()

    assert ("error", "/problems/unknown-path") == (said["type"], said["problem"]["type"])
    assert 1008 == socket.close_code
    assert "/stream takes items" in str(socket.close_reason)
