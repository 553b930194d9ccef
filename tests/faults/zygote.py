"""Processes of the service in a tenth of a second: a process that has imported everything, and forks.

A start of `firstseen serve` costs three seconds of processor, nearly all of it imports. The zygote pays them once:

    Zygote (the test's process) ──spawn──► zygote.py: imports, loads the compiled kernels, starts no thread
                                             │ fork
                                             └──► arguments, environment, log, clock of its own; then `firstseen`

What is forked is a process like any other: it has its own sockets, event loop, threads and embedded store (tied to
it: the store's parent is the fork), and it can be killed, stopped and continued. Forking is safe since the zygote
has a single thread; it counts them before each fork. One line of JSON each way a request:

    {"spawn": {"argv": [...], "environ": {...}, "log": "...", "clock": "..."}}   -> {"pid": 4711}
    {"status": 4711}                                                            -> {"status": null, 0, 1, -9 ...}

**The clock**: `clock` names a file with one float64, seconds to add to the wall clock, which is read at each look at
it. So a test moves the clock of a running process forward and back, as an administrator or a bad NTP server does.
"""

import asyncio
import ctypes
import faulthandler
import gc
import json
import mmap
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
_LOOK_EVERY_S = 0.01
_PR_SET_PDEATHSIG = 1


class Forked:
    """A process that the zygote made; used like a subprocess.Popen."""

    def __init__(self, zygote: "Zygote", pid: int) -> None:
        self.pid = pid
        self._zygote = zygote
        self._status: int | None = None

    def poll(self) -> int | None:
        """Its exit status (minus the signal that killed it), None while it runs."""
        if self._status is None:
            self._status = self._zygote.ask({"status": self.pid})["status"]
        return self._status

    def wait(self, timeout: float | None = None) -> int:
        """The status when it ends; subprocess.TimeoutExpired if it does not."""
        deadline = time.monotonic() + (60 if timeout is None else timeout)
        while (status := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 60)
            time.sleep(_LOOK_EVERY_S)
        return status

    def send_signal(self, signum: int) -> None:
        """Send a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, signum)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


class Zygote:
    """The zygote as its user sees it. Safe to use from several threads."""

    def __init__(self) -> None:
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environ,
            cwd=ROOT,
        )
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Its process id; services are its children."""
        return self._process.pid

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """One request, one answer."""
        pipes = self._process.stdin, self._process.stdout
        assert pipes[0] is not None
        assert pipes[1] is not None
        with self._lock:
            pipes[0].write(json.dumps(request).encode() + b"\n")
            pipes[0].flush()
            line = pipes[1].readline()
        assert line, "the zygote has died"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def spawn(
        self,
        argv: Sequence[str],
        *,
        environ: Mapping[str, str],
        log: Path,
        clock: Path | None = None,
        chunk_bytes: int | None = None,
        net: str | None = None,
    ) -> Forked:
        """Run `firstseen <argv>` in a process of its own.

        clock: see above. chunk_bytes: of snapshots; None is the real size, which small streams never fill.
        net: another than the bundle's, which cannot stand one picture: `Fragile` or `Deadly` (deadly.py).
        """
        log.touch()  # whoever reads it may be faster than the fork
        request = {
            "argv": [*argv],
            "environ": dict(environ),
            "log": str(log),
            "clock": clock and str(clock),
            "chunk_bytes": chunk_bytes,
            "net": net,
        }
        return Forked(self, self.ask({"spawn": request})["pid"])

    def close(self) -> None:
        """End it. Services must have ended before."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process.wait(60)  # a busy machine does not end it at once


def set_clock(file: Path, shift_s: float) -> None:
    """Let the clocks of all processes that were given this file be so many seconds fast."""
    if file.exists():
        with file.open("r+b") as there:  # in place: it is mapped
            there.write(struct.pack("<d", shift_s))
    else:
        file.write_bytes(struct.pack("<d", shift_s))


def _shifted(file: str) -> Callable[[], float]:
    with Path(file).open("rb") as opened:
        shift = mmap.mmap(opened.fileno(), 8, prot=mmap.PROT_READ)
    real = time.time
    return lambda: real() + float(struct.unpack("<d", shift[:8])[0])


def _tell_where(*_: object) -> None:
    """What every task and thread is doing, into the log: for a test in which it does not end."""
    for task in list(asyncio.tasks._all_tasks):
        if not task.done():
            task.print_stack()
    faulthandler.dump_traceback()


def _become(request: dict[str, Any]) -> None:
    """Be the service; does not return."""
    status = 1
    try:
        ctypes.CDLL(None).prctl(
            _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0
        )  # a suite that is killed leaves nothing
        signal.signal(signal.SIGINT, signal.default_int_handler)
        nothing = os.open(os.devnull, os.O_RDONLY)
        log = os.open(request["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        for ours, standard in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(ours, standard)
        os.environ.clear()
        os.environ.update(request["environ"])
        signal.signal(signal.SIGUSR2, _tell_where)
        sys.argv = ["firstseen", *request["argv"]]
        from service import app
        from service.cli.main import main
        from service.state import snapshots
        from tests.faults import deadly

        if request["clock"] is not None:
            time.time = _shifted(request["clock"])
        if request["chunk_bytes"] is not None:
            snapshots.CHUNK_BYTES = request["chunk_bytes"]  # type: ignore[misc]  # readers take any size
        if request["net"] is not None:
            app.Embedder = getattr(deadly, request["net"])  # the product has no hook for this, and needs none
        main()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001 - as an interpreter that ends would
        sys.excepthook(*sys.exc_info())
        status = 1
    finally:
        sys.stderr.flush()
        # As at the end of an interpreter, threads that still compute are not waited for.
        os._exit(status)


def _serve() -> None:
    import service.cli.main
    import service.server
    from service.app import create_app
    from service.clustering.kernels.warm_up import warm_up
    from service.settings import Settings
    from tests.faults import deadly
    from tests.service import digits

    assert all((service.cli.main, deadly))
    warm_up()
    settings = Settings.read({}, log_level="error")
    service.server.configure_logging(settings)
    create_app(settings, digits.bundle(), on_fatal=lambda _: None)  # what it makes only once is made then
    gc.freeze()  # what a search for garbage touches would have to be copied
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the test, which ends us in order
    running: set[int] = set()
    statuses: dict[int, int] = {}
    for line in sys.stdin.buffer:
        request = json.loads(line)
        if "spawn" in request:
            assert len(list(Path("/proc/self/task").iterdir())) == 1, (
                "a fork of a process with threads is not safe"
            )
            pid = os.fork()
            if pid == 0:
                _become(request["spawn"])
            running.add(pid)
            answer: dict[str, Any] = {"pid": pid}
        else:
            pid = request["status"]
            if pid in running:
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    running.discard(pid)
                    statuses[pid] = os.waitstatus_to_exitcode(status)
            answer = {"status": statuses.get(pid)}
        sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _serve()
