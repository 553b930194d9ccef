"""Compiling ahead: in a process of its own where nothing is kept, not at all where it is."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from service.compiling.precompile import COMMAND, COMPILING, make_ready, meanwhile
from tests.service import digits
from tests.service.processes import Serve
from tests.service.waiting import soon, until

ROOT = Path(__file__).parents[3]


def script(code: str) -> tuple[str, ...]:
    """A compiler of a test's own."""
    return (sys.executable, "-c", code)


def never() -> None:
    raise AssertionError("it was not asked for")


class TestMakeReady:
    async def test_kept(self) -> None:
        """Where all is kept it is loaded at once, and nothing else is said or started."""
        loaded: list[bool] = []
        said: list[str] = []
        await make_ready(
            said.append,
            are_kept=lambda: True,
            load=lambda: loaded.append(True),
            command=script("raise SystemExit('started')"),
        )

        assert [True] == loaded
        assert [] == said

    async def test_apart(self, tmp_path: Path) -> None:
        """Otherwise another process compiles first, and it is said why that takes long."""
        kept = tmp_path / "kept"
        loaded: list[bool] = []
        said: list[str] = []
        await make_ready(
            said.append,
            are_kept=kept.exists,
            load=lambda: loaded.append(kept.exists()),
            command=script(f"open({str(kept)!r}, 'w')"),
        )

        assert [COMPILING] == said
        assert [True] == loaded

    @pytest.mark.parametrize(
        "command",
        [
            None,
            script("raise SystemExit('no space')"),
            script("import sys; sys.stderr.buffer.write(b'\\xff'); raise SystemExit(1)"),
        ],
    )
    async def test_here(self, command: tuple[str, ...] | None) -> None:
        """Where nothing can be kept, or the other process fails, this one compiles for itself."""
        loaded: list[bool] = []
        said: list[str] = []
        await make_ready(
            said.append, are_kept=lambda: False, load=lambda: loaded.append(True), command=command
        )

        assert [True] == loaded
        assert [COMPILING] == said

    async def test_cancelled(self, tmp_path: Path) -> None:
        """A service that is stopped meanwhile leaves no compiler behind."""
        told = tmp_path / "pid"
        code = f"import os, time; open({str(told)!r}, 'w').write(f'{{os.getpid()}}.'); time.sleep(600)"
        task = asyncio.create_task(
            make_ready(lambda _: None, are_kept=lambda: False, load=never, command=script(code))
        )
        await soon(lambda: told.exists() and told.read_text().endswith("."), "the compiler runs")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert not psutil.pid_exists(int(told.read_text()[:-1]))


class TestMeanwhile:
    def test_kept(self) -> None:
        """Where all is kept nothing is started."""
        with meanwhile(are_kept=lambda: True, command=("no such command",)) as goes_on:
            assert not goes_on()

    def test_until_it_is_done(self) -> None:
        """It tells when the other process is done."""
        with meanwhile(are_kept=lambda: False, command=script("")) as goes_on:
            until(lambda: not goes_on(), "it is compiled")

    def test_left(self) -> None:
        """It ends with the context, done or not."""
        with meanwhile(are_kept=lambda: False, command=script("import time; time.sleep(600)")) as goes_on:
            assert goes_on()

        assert not goes_on()


def precompile(folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        COMMAND,
        env={**os.environ, "NUMBA_CACHE_DIR": str(folder)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_first_start_compiles_while_it_lives(tmp_path: Path) -> None:
    """With nothing kept, the service says what it does, answers /livez all the time, and then serves.

    The next start, and whoever compiles ahead, find what it kept.
    """
    kept = tmp_path / "kept"
    with Serve(digits.bundle_dir(), tmp_path / "data", numba_cache_dir=kept) as service:

        def reason() -> str | None:
            assert 200 == service.http.get("/livez").status_code
            why: str | None = service.http.get("/readyz").json()["reason"]
            return why

        until(lambda: reason() == COMPILING, "it compiles")
        assert 503 == service.http.post("/classify", json={"x": digits.raw()}).status_code
        until(lambda: reason() is None, "it is ready", within_s=300)
        service.classify(digits.many("a", 3))
        (loaded,) = service.said("kernels_loaded")

        assert 1 == len(service.said("compiling"))
        assert kept == Path(loaded["kept_in"]).parent
        assert 0 == service.stop()

    with Serve(digits.bundle_dir(), tmp_path / "data", numba_cache_dir=kept) as service:
        assert [] == service.ready().said("compiling")

    ahead = precompile(kept)
    assert 0 == ahead.returncode
    assert "compiled already" in ahead.stderr


def test_nowhere_to_keep_it(tmp_path: Path) -> None:
    """What cannot be kept is not compiled ahead, and the message says what to do."""
    (tmp_path / "file").touch()
    ahead = precompile(tmp_path / "file")

    assert 1 == ahead.returncode
    assert "cannot be kept anywhere: give NUMBA_CACHE_DIR" in ahead.stderr
