"""A proxy between a client and Redis that hurts one chosen command, or all of them.

It speaks enough RESP2 to know where a command and its reply end, so a fault falls on exactly one of them:

    drop_reply     the server executes, the client sees the connection close
    cut_reply      the server executes, the client gets half of the reply, then the connection closes
    drop_request   the server never hears of it, the connection closes
    cut_request    the server gets half of the command, then both connections close
    hold_request   the connection closes at once, and the server executes it when `release_held` is called

`on_step` sees every command three times, and decides whether its connection ends there. Whoever kills the client's
process in it has a crash point at every step of the protocol, with no hook in the product:

    client ── command ──► "asked" ──► server ── reply ──► "done" ──► client ──► "told"

A line can also be slow (`delay_s`, and `trickle` bytes at a time), silent (`freeze`), or lead to another server
(`point_to`).
"""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, Self

Fault = Literal["drop_reply", "cut_reply", "drop_request", "cut_request", "hold_request"]
Moment = Literal["asked", "done", "told"]
OnStep = Callable[[str, Moment], bool]
"""Given the kind of a command and the moment; returns whether the connection is to end there."""

_FAMILIES: Final = frozenset({"CLIENT", "CONFIG", "FUNCTION", "SCRIPT"})
_OURS: Final = re.compile(r"fs\d+_")
_TRICKLE_S: Final = 0.0005


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """One RESP2 value as it came. Raises IncompleteReadError at the end of the stream."""
    line = await reader.readuntil(b"\r\n")
    size = int(line[1:-2]) if line[:1] in b"*$" else -1
    if line[:1] == b"$" and size >= 0:
        return line + await reader.readexactly(size + 2)
    if line[:1] == b"*":
        return line + b"".join([await read_frame(reader) for _ in range(size)])
    return line


def kind_of(command: bytes) -> str:
    """What a command is for: `commit` for FCALL fs1_commit, `FUNCTION LOAD`, `HMGET`."""
    words = [word.decode(errors="replace") for word in command.split(b"\r\n", 5)[2:5:2]]
    name = words[0].upper()
    if name in ("FCALL", "FCALL_RO"):
        return _OURS.sub("", words[1])
    return f"{name} {words[1].upper()}" if name in _FAMILIES else name


class FaultProxy:
    """Listens on `path`, talks to the server on `server`; `arm` chooses the next victim.

    Its attributes may be set at any time: on_step, delay_s (before each command), trickle (bytes of a reply sent at
    once, 0 for all). `seen`: the kinds of all commands so far.
    """

    def __init__(self, path: Path, server: Path) -> None:
        self.path = path
        self.hits = 0
        self.seen: set[str] = set()
        self.on_step: OnStep | None = None
        self.delay_s = 0.0
        self.trickle = 0
        self._server = server
        self._victim: Callable[[bytes], bool] | None = None
        self._fault: Fault = "drop_reply"
        self._held: list[bytes] = []
        self._listener: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()
        self._open.set()

    @property
    def server(self) -> Path:
        """Where it leads to."""
        return self._server

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

    def freeze(self) -> None:
        """Nothing passes from now on, and no connection closes: what a broken network looks like."""
        self._open.clear()

    def thaw(self) -> None:
        """Go on where it stopped."""
        self._open.set()

    def cut(self) -> None:
        """Close all connections; new ones are taken."""
        for task in self._tasks:
            task.cancel()

    def point_to(self, server: Path) -> None:
        """Lead to another server from now on; connections to the one before close."""
        self._server = server
        self.cut()

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_unix_server(self._accept, self.path)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._listener is not None
        self._listener.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._listener.wait_closed()
        await asyncio.sleep(0)  # what was aborted above closes in the loop's next round

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        try:
            server_reader, server_writer = await asyncio.open_unix_connection(self._server)
            ends.append(server_writer)
            while await self._pass_one(reader, writer, server_reader, server_writer):
                pass
        except (asyncio.IncompleteReadError, OSError):
            pass  # either side has gone, or the server is not there
        finally:
            for end in ends:
                end.transport.abort()  # what is not sent yet is lost, too

    async def _pass_one(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        server_reader: asyncio.StreamReader,
        server_writer: asyncio.StreamWriter,
    ) -> bool:
        """One command and its reply; whether the connection lives on."""
        command = await read_frame(reader)
        kind = kind_of(command)
        self.seen.add(kind)
        fault: Fault | None = None
        if self._victim is not None and self._victim(command):
            self._victim, fault = None, self._fault
            self.hits += 1
        await self._open.wait()
        if self._ends_at(kind, "asked"):
            return False
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if fault == "hold_request":
            self._held.append(command)
        if fault in ("hold_request", "drop_request"):
            return False
        server_writer.write(command[: len(command) // 2] if fault == "cut_request" else command)
        if fault == "cut_request":
            await server_writer.drain()
            return False
        reply = await read_frame(server_reader)
        await self._open.wait()
        if self._ends_at(kind, "done"):
            return False
        if fault == "cut_reply":
            writer.write(reply[: len(reply) // 2])
            await writer.drain()
        if fault is not None:
            return False
        step = self.trickle or len(reply)
        for at in range(0, len(reply), step):
            writer.write(reply[at : at + step])
            await writer.drain()
            if self.trickle:
                await asyncio.sleep(_TRICKLE_S)
        return not self._ends_at(kind, "told")

    def _ends_at(self, kind: str, moment: Moment) -> bool:
        return self.on_step is not None and self.on_step(kind, moment)
