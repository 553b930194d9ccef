"""Compiling before it is needed: `python -m service.compiling.precompile`, and what the service does before it takes
items.

The clusterer's first use compiles it: about 20 s of one core. Every later start on the machine loads what was kept:
half a second. The service compiles in a process of its own and then loads, all before it says that it is ready, so
no item ever waits for a compiler. Why apart? In a thread, numba holds the interpreter's lock for up to .4 s at a
time, while /livez waits; it cannot be stopped; and the 90 MB that the compiler takes would stay for good.
"""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import structlog
import typer

from service.clustering.kernels.warm_up import ENTRIES, are_kept, warm_up
from service.compiling.compiled import kept_in

log = structlog.get_logger("firstseen.precompile")

COMPILING = "compiling the clusterer, once for this machine; it takes about 20 seconds"
"""What /readyz says meanwhile."""

COMMAND = (sys.executable, "-m", "service.compiling.precompile")

Prepare = Callable[[Callable[[str], None]], Awaitable[None]]
"""Gets everything ready; is given a function that takes the reason why it is not yet."""


async def prepare(say: Callable[[str], None]) -> None:
    """Have all kernels compiled and loaded; the event loop stays free."""
    await make_ready(say, are_kept=are_kept, load=warm_up, command=COMMAND if kept_in(ENTRIES[0]) else None)


async def make_ready(
    say: Callable[[str], None],
    *,
    are_kept: Callable[[], bool],
    load: Callable[[], None],
    command: tuple[str, ...] | None,
) -> None:
    """The same with its parts given. Cancelled, it leaves no process behind.

    Args:
        say: Told why it is not ready, if that takes long.
        are_kept: Whether nothing has to be compiled.
        load: Loads what is kept, and compiles the rest; runs in a thread.
        command: Compiles in a process of its own and keeps the result; None where nothing can be kept.
    """
    if not are_kept():
        say(COMPILING)
        if command is not None:
            log.info("compiling")
            await _run_apart(command)
        if not are_kept():
            log.warning("compiled_code_not_kept", reason="the next start has to compile again")
    await asyncio.to_thread(load)
    log.info("kernels_loaded", kept_in=str(kept_in(ENTRIES[0])))


async def _run_apart(command: tuple[str, ...]) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:  # then it is compiled here, where what is wrong will show
        log.warning(
            "compiling_apart_failed", status=process.returncode, said=said.decode(errors="replace")[-1000:]
        )


@contextmanager
def meanwhile(
    *, are_kept: Callable[[], bool] = are_kept, command: tuple[str, ...] = ("nice", *COMMAND)
) -> Iterator[Callable[[], bool]]:
    """Compile in another process while the context is open, if that is necessary.

    Politely: threads that train together all wait for the one whose core is taken.

    Args:
        are_kept: Whether nothing has to be compiled.
        command: What compiles.

    Yields:
        A function that tells whether that still goes on.
    """
    if are_kept():
        yield lambda: False
        return
    with subprocess.Popen(  # noqa: S603 - our own
        command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield lambda: process.poll() is None
        finally:
            process.kill()


def main() -> None:
    """Compile, if that is necessary, and say where the result is; status 1 if it cannot be kept."""
    folder = kept_in(ENTRIES[0])
    if are_kept():
        typer.echo(f"The clusterer is compiled already, in {folder}.", err=True)
        return
    if folder is not None:
        typer.echo("Compiling the clusterer, once for this machine (about 20 seconds) ...", err=True)
        warm_up()
    if not are_kept():
        where = "anywhere" if folder is None else f"in {folder}"
        typer.echo(
            f"Compiled code cannot be kept {where}: give NUMBA_CACHE_DIR a folder that can be written.",
            err=True,
        )
        raise SystemExit(1)
    typer.echo(f"Done. It is kept in {folder}.", err=True)


if __name__ == "__main__":
    main()
