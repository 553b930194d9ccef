"""The demo's upgrade: what a person has named is taught to another net, and the stream goes on with that.

    named, and still served  ─► export ─► its items, with the classes that a person gave them
    the later items come     ─► none of them is in the export, so none is learnt from before it is asked about
    stopped                  ─► train on the export beside digits ─► upgrade ─► served with the new bundle

Each step is the command that a person would give, run as a process of its own and shown before it runs. The net is not
rehearsed: a rehearsal sets how wide a *further* new class is, which nobody looks for here, and takes as long again.
"""

import asyncio
import shlex
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from service.errors import FirstseenError
from service.state.embedded import socket_of

BUNDLE = "bundle"
RETRAINED = "bundle-2"
_DATA = "data"
_EXPORT = "export"


class StepFailed(FirstseenError):
    """A command of the demo's upgrade failed; what it said stands above."""


async def export_named(folder: Path, screen: Console) -> None:
    """Export the stream of a service that is running, through the socket of its store.

    Raises:
        StepFailed: It could not be.
    """
    where = socket_of(folder / _DATA)
    if where is None:
        raise StepFailed(f"The store in {folder / _DATA} listens nowhere: its service has stopped.")
    await firstseen(
        screen,
        *("export", str(folder / BUNDLE), "--out", str(folder / _EXPORT)),
        *("--redis-url", f"unix://{where.absolute()}"),
    )


async def move_to_retrained(folder: Path, screen: Console, *, dataset: str, seed: int) -> None:
    """Train on the export, beside the data set of the first bundle, and move the stream, which nobody serves.

    Raises:
        StepFailed: One of the two could not be; the stream is as it was.
    """
    retrained = str(folder / RETRAINED)
    await firstseen(
        screen,
        *("train", str(folder / _EXPORT), "--with", dataset, "--out", retrained),
        *("--seed", str(seed), "--no-rehearse"),
    )
    await firstseen(
        screen,
        *("upgrade", str(folder / BUNDLE), retrained, "--data-dir", str(folder / _DATA), "--yes"),
    )


async def firstseen(screen: Console, *words: str) -> None:
    """Run a command; it says what it does on standard error, as ever.

    Raises:
        StepFailed: Its exit status is not 0.
    """
    command = shlex.join(("firstseen", *words))
    screen.print(Text.assemble("\n  ", (command, "cyan")), soft_wrap=True)
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "service.cli.main", *words)
    try:
        status = await process.wait()
    except asyncio.CancelledError:  # Ctrl-C, which a terminal sends to it, too
        if process.returncode is None:
            process.terminate()
            await process.wait()
        raise
    if status:
        raise StepFailed(f"This step of the demo failed, with status {status}: {command}")
