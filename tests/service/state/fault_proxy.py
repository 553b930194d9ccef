"""A proxy between a client and Redis that hurts one chosen command.

It speaks enough RESP2 to know where a command and its reply end, so a fault falls on exactly one of them:

    drop_reply     the server executes, the client sees the connection close
    cut_reply      the server executes, the client gets half of the reply, then the connection closes
    drop_request   the server never hears of it, the connection closes
    hold_request   the connection closes at once, and the server executes it when `release_held` is called
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Self

Fault = Literal["drop_reply", "cut_reply", "drop_request", "hold_request"]


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """One RESP2 value as it came. Raises IncompleteReadError at the end of the stream."""
    line = await reader.readuntil(b"\r\n")
    size = int(line[1:-2]) if line[:1] in b"*$" else -1
    if line[:1] == b"$" and size >= 0:
        return line + await reader.readexactly(size + 2)
    if line[:1] == b"*":
        return line + b"".join([await read_frame(reader) for _ in range(size)])
    return line


class FaultProxy:
    """Listens on `path`, talks to the server on `server`; `arm` chooses the next victim."""

    def __init__(self, path: Path, server: Path) -> None:
        self.path = path
        self.hits = 0
        self._server = server
        self._victim: Callable[[bytes], bool] | None = None
        self._fault: Fault = "drop_reply"
        self._held: list[bytes] = []
        self._listener: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def arm(self, needle: bytes, fault: Fault, *, skip: int = 0) -> None:
        """Apply `fault` once, to the command after `skip` others that contains `needle`."""
        left = skip

        def victim(command: bytes) -> bool:
            nonlocal left
            if needle not in command:
                return False
            left -= 1
            return left < 0

        self._victim, self._fault = victim, fault

    async def release_held(self) -> list[bytes]:
        """Let the server execute what was held; its replies, which nobody waits for any more."""
        reader, writer = await asyncio.open_unix_connection(self._server)
        replies = []
        for command in self._held:
            writer.write(command)
            replies.append(await read_frame(reader))
        self._held.clear()
        writer.close()
        await writer.wait_closed()
        return replies

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_unix_server(self._accept, self.path)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._listener is not None
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._listener.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(self._server)
        try:
            while True:
                command = await read_frame(reader)
                hit = self._victim is not None and self._victim(command)
                if hit:
                    self._victim = None
                    self.hits += 1
                    if self._fault == "hold_request":
                        self._held.append(command)
                    if self._fault in ("hold_request", "drop_request"):
                        return
                server_writer.write(command)
                reply = await read_frame(server_reader)
                if hit:
                    if self._fault == "cut_reply":
                        writer.write(reply[: len(reply) // 2])
                        await writer.drain()
                    return
                writer.write(reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # either side has gone
        finally:
            for end in (writer, server_writer):
                end.close()
