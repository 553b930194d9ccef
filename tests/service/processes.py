"""`firstseen serve` as a process of its own: started, killed, signalled and looked at from outside."""

import functools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, Self

import httpx
import psutil

from tests.service.waiting import until

_SETTINGS_PREFIX = "FIRSTSEEN_"


class Process(Protocol):
    """What is used of a process: as subprocess.Popen has it."""

    pid: int

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, signum: int, /) -> None: ...

    def kill(self) -> None: ...


class Launch(Protocol):
    """Starts `firstseen <argv>`, whose output goes to the end of `log`."""

    def __call__(self, argv: Sequence[str], *, environ: Mapping[str, str], log: Path) -> Process: ...


def plainly(argv: Sequence[str], *, environ: Mapping[str, str], log: Path) -> Process:
    """As a person starts it: a new Python, which takes three seconds to import what it needs."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "service.cli.main", *argv], stdout=output, stderr=output, env=environ
        )


class Serve:
    """One run of the service; leaving the context kills what is left of it."""

    def __init__(
        self,
        bundle: Path,
        data_dir: Path,
        *options: str,
        port: int = 0,
        numba_cache_dir: Path | None = None,
        launch: "Launch | None" = None,
        **settings: object,
    ) -> None:
        """Start it; `settings` become FIRSTSEEN_ variables. launch: how; None is a Python of its own."""
        self.data_dir = data_dir
        data_dir.mkdir(parents=True, exist_ok=True)
        self._log = data_dir / "service.log"
        self._offset = self._log.stat().st_size if self._log.exists() else 0
        environ = {k: v for k, v in os.environ.items() if not k.startswith(_SETTINGS_PREFIX)}
        environ |= {f"{_SETTINGS_PREFIX}{name.upper()}": str(value) for name, value in settings.items()}
        if numba_cache_dir is not None:
            environ["NUMBA_CACHE_DIR"] = str(numba_cache_dir)
        argv = ["serve", str(bundle), "--port", str(port), "--data-dir", str(data_dir), *options]
        self.process = (launch or plainly)(argv, environ=environ, log=self._log)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        if "http" in self.__dict__:
            self.http.close()

    @functools.cached_property
    def http(self) -> httpx.Client:
        """A client of it; making one costs more than many requests, so there is one."""
        is_json = {"content-type": "application/json"}
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False, headers=is_json)

    @property
    def log(self) -> str:
        """What this run has said so far."""
        return self._log.read_bytes()[self._offset :].decode(errors="replace")

    @property
    def events(self) -> list[dict[str, Any]]:
        """The structured lines of the log."""
        lines = [line for line in self.log.splitlines() if line.startswith("{") and line.endswith("}")]
        return [json.loads(line) for line in lines]

    def said(self, event: str) -> list[dict[str, Any]]:
        """The log's events of this name."""
        return [line for line in self.events if line["event"] == event]

    @functools.cached_property
    def url(self) -> str:
        """Where it listens, once it does."""
        until(lambda: self.said("listening") or self.process.poll() is not None, "the service listens")
        assert self.process.poll() is None, self.log
        url: str = self.said("listening")[0]["url"]
        return url

    @property
    def ws_url(self) -> str:
        return self.url.replace("http://", "ws://")

    def ready(self) -> Self:
        """Wait until /readyz is 200."""
        until(lambda: self.process.poll() is not None or self.is_ready(), "the service is ready")
        assert self.process.poll() is None, self.log
        return self

    def is_ready(self) -> bool:
        """Whether /readyz is 200 now."""
        return self.http.get("/readyz").status_code == httpx.codes.OK

    def get(self, path: str, **params: str) -> Any:
        """The JSON of a GET."""
        return self.http.get(path, params=params).raise_for_status().json()

    def classify(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The results of a batch that must be taken."""
        answer = self.http.post("/classify", json={"items": items}).raise_for_status()
        results: list[dict[str, Any]] = answer.json()["results"]
        return results

    def store(self) -> psutil.Process:
        """The embedded server."""
        return until(
            lambda: next((p for p in psutil.Process(self.process.pid).children() if p.is_running()), None),
            "the store runs",
        )

    def family(self) -> list[psutil.Process]:
        """The process and all its children, as of now."""
        me = psutil.Process(self.process.pid)
        return [me, *me.children(recursive=True)]

    def kill(self) -> None:
        """SIGKILL, and wait until the process and its store are gone."""
        family: list[psutil.Process] = []
        with suppress(psutil.NoSuchProcess):  # it ends by itself at this moment
            family = self.family() if self.process.poll() is None else []
        self.process.kill()
        self.process.wait()
        none_left(family)

    def stop(self, signum: int = signal.SIGTERM, *, within_s: float = 60.0) -> int:
        """Ask it to end; its exit status."""
        self.process.send_signal(signum)
        return self.wait(within_s=within_s)

    def wait(self, *, within_s: float = 60.0) -> int:
        """Its exit status, when it ends by itself."""
        try:
            return self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            if not isinstance(self.process, subprocess.Popen):  # a fork of the zygote tells where it is
                self.process.send_signal(signal.SIGUSR2)
                with suppress(subprocess.TimeoutExpired):
                    self.process.wait(1)
            raise AssertionError(f"it does not end:\n{self.log}") from None


def none_left(family: list[psutil.Process]) -> None:
    """Wait until every process of a family has ended."""
    until(lambda: all(map(has_ended, family)), f"all of {family} have ended")


def has_ended(process: psutil.Process) -> bool:
    """Whether it is gone; or a zombie, for whoever adopts orphans may take a second to look after them."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
