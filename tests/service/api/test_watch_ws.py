"""`WS /watch`: the clusters as they are, then what happens to them."""

import asyncio
import json
from pathlib import Path
from socket import create_connection
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Origin

from service.settings import Settings
from tests.service import digits
from tests.service.inside import Inside, running
from tests.service.waiting import soon

LINES = {"content-type": "application/x-ndjson"}


async def test_events(tmp_path: Path) -> None:
    """A watcher sees none at first, then each cluster emerge, at the place /clusters tells; at the end 1012."""
    with running(Settings.read({}, data_dir=tmp_path), digits.bundle()) as service:
        async with connect(f"{service.ws_url}/watch", proxy=None) as socket:
            hello = json.loads(await socket.recv())
            items = list(digits.stream_items())
            async with httpx.AsyncClient(base_url=service.url, timeout=60) as http:
                for at in range(0, len(items), 256):
                    await http.post("/classify", json={"items": items[at : at + 256]})
                listed = (await http.get("/clusters")).json()
            announced = [c for c in listed["clusters"] if c["emerged_seq"] is not None]
            emerged: dict[int, dict[str, Any]] = {}
            async with asyncio.timeout(60):
                while not {c["id"] for c in announced} <= emerged.keys():
                    message = json.loads(await socket.recv())
                    if message["event"] in ("emerged", "split"):
                        emerged[message["cluster"]["id"]] = message

            assert ("hello", []) == (hello["type"], hello["clusters"])
            assert announced
            for cluster in announced:
                assert cluster["emerged_seq"] == emerged[cluster["id"]]["seq"]
                assert emerged[cluster["id"]]["cluster"].keys() == cluster.keys()

        async with connect(f"{service.ws_url}/watch", proxy=None) as again:
            hello = json.loads(await again.recv())
            assert listed["clusters"] == hello["clusters"]
            service.server.should_exit = True
            await again.wait_closed()
            assert 1012 == again.close_code


@pytest.mark.parametrize("path", ["/stream", "/watch"])
async def test_foreign_origin(service: Inside, path: str) -> None:
    """A page of another site is closed with 4403; one of the service's own is greeted."""
    theirs, ours = Origin("http://evil.example"), Origin(service.url)
    async with connect(f"{service.ws_url}{path}", proxy=None, origin=theirs) as socket:
        await socket.wait_closed()
        assert 4403 == socket.close_code
    async with connect(f"{service.ws_url}{path}", proxy=None, origin=ours) as socket:
        assert json.loads(await socket.recv())["type"] in ("welcome", "hello")


async def test_one_bound_on_all_that_stays_open(tmp_path: Path) -> None:
    """/stream, /watch and streams of lines share it: over it is 1013 or 503, and what closes makes room."""
    settings = Settings.read({}, data_dir=tmp_path, ws_connections=1)
    with running(settings, digits.bundle()) as service:
        used = service.app.state.context.sockets
        for path in ("/stream", "/watch"):
            async with connect(f"{service.ws_url}{path}", proxy=None) as socket:
                assert json.loads(await socket.recv())["type"] in ("welcome", "hello")
                for other in ("/stream", "/watch"):
                    async with connect(f"{service.ws_url}{other}", proxy=None) as refused:
                        await refused.wait_closed()
                        assert 1013 == refused.close_code
                async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
                    answer = await http.post(f"{service.url}/classify", content=b"\n", headers=LINES)
                assert (503, "/problems/overloaded") == (answer.status_code, answer.json()["type"])
            await soon(lambda: not used.used, "the place is free again")
        with create_connection(("127.0.0.1", service.port), timeout=20) as raw:
            head = "POST /classify HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n"
            raw.sendall(f"{head}content-type: {LINES['content-type']}\r\n\r\n".encode())
            await soon(lambda: used.used, "the lines have the place")
            async with connect(f"{service.ws_url}/stream", proxy=None) as refused:
                await refused.wait_closed()
                assert 1013 == refused.close_code
        await soon(lambda: not used.used, "the place is free again")
