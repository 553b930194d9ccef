"""The least that HTTP in Python costs: a server that reads a body and sends it back, and knows nothing else.

    POST /json    FastAPI and pydantic: {"id": str, "x": [float, ...]} validated, and the same encoded again
    POST /raw     bare ASGI: the bytes

uvicorn with uvloop and httptools and without access log, as the service runs it. A process of its own:

    python -m benchmarks.bare_echo PORT
"""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

_START_S = 30.0


class Item(BaseModel):
    """What both sides send."""

    id: str
    x: list[float]


def make_app() -> Any:  # noqa: ANN401 - an ASGI application
    """Both echoes."""
    api = FastAPI()

    @api.post("/json")
    async def echo(item: Item) -> Item:
        return item

    async def app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's
        if scope["type"] != "http" or scope["path"] != "/raw":
            await api(scope, receive, send)
            return
        body, is_more = bytearray(), True
        while is_more:
            message = await receive()
            body += message.get("body", b"")
            is_more = message.get("more_body", False)
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": bytes(body)})

    return app


@asynccontextmanager
async def echoing() -> AsyncIterator[tuple[int, int]]:
    """The server as a child process: its port and pid."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "benchmarks.bare_echo", str(port))
    try:
        await until_open(port, _START_S)
        yield port, process.pid
    finally:
        process.terminate()
        await process.wait()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def until_open(port: int, within_s: float) -> None:
    """Wait until somebody listens.

    Raises:
        TimeoutError: Nobody does.
    """
    async with asyncio.timeout(within_s):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                await writer.wait_closed()
                return


if __name__ == "__main__":
    uvicorn.run(make_app(), port=int(sys.argv[1]), log_level="warning", access_log=False)
