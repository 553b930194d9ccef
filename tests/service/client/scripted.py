"""A server that speaks the protocol of `WS /stream` and fails as it is told."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from websockets.asyncio.server import ServerConnection, serve

OUTLIER = {
    "verdict": "outlier",
    "label": None,
    "cluster_id": None,
    "novelty": 0.99,
    "nearest": "8",
    "distance": 9.0,
}
"""A verdict, but for whose it is."""

Handler = Callable[[ServerConnection], Awaitable[None]]


def http(url: str) -> str:
    """The address of the service that has this socket."""
    return url.replace("ws://", "http://").removesuffix("/stream")


class Server:
    """Speaks the protocol; `cut_after` frames it goes without a word, on the first so many connections.

    It takes raw numbers of any width, or of one only, and says an `error` to others.
    """

    def __init__(
        self,
        *,
        credit: int = 100,
        max_items: int = 100,
        max_bytes: int = 1 << 20,
        cuts: int = 0,
        cut_after: int = 1,
        width: int | None = None,
    ) -> None:
        self._credit = credit
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._cuts = cuts
        self._cut_after = cut_after
        self._width = width
        self.frames: list[list[str]] = []
        self.kinds: list[str] = []
        self.connections = 0
        self.counted: dict[str, int] = {}

    async def __call__(self, socket: ServerConnection) -> None:
        self.connections += 1
        welcome = {
            "type": "welcome",
            "credits": self._credit,
            "max_items": self._max_items,
            "max_bytes": self._max_bytes,
        }
        await socket.send(json.dumps(welcome))
        accepted = frames = 0
        async for frame in socket:
            message = json.loads(frame)
            if message["type"] == "end":
                return
            if message["type"] == "batch" and self._width not in (None, message["n"]):
                problem = {
                    "type": "/problems/invalid-body",
                    "title": "",
                    "status": 400,
                    "detail": "the width",
                }
                await socket.send(json.dumps({"type": "error", "problem": problem}))
                continue
            ids = message["ids"] if message["type"] == "batch" else [raw["id"] for raw in message["items"]]
            self.kinds.append(message["type"])
            assert len(ids) <= self._max_items
            assert len(frame.encode()) <= self._max_bytes
            self.frames.append(ids)
            frames += 1
            if self._cuts and frames >= self._cut_after:
                self._cuts -= 1
                for id in ids:  # durable, though nobody hears of it
                    self.counted.setdefault(id, len(self.counted))
                socket.transport.abort()
                return
            results = [
                {
                    **OUTLIER,
                    "position": accepted + n,
                    "id": id,
                    "seq": self.counted.setdefault(id, len(self.counted)),
                }
                for n, id in enumerate(ids)
            ]
            accepted += len(ids)
            await socket.send(json.dumps({"type": "verdicts", "results": results}))
            ack = {"type": "ack", "accepted": accepted, "durable": accepted, "credits": self._credit}
            await socket.send(json.dumps(ack))


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    async with serve(handler, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/stream"
