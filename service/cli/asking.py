"""A question to a person while something else has to go on, such as the renewal of a lease.

The answer is waited for in a thread, which looks now and then whether anybody still wants it: so Ctrl-C at the question
ends the command at once, and not only when the line that the thread reads has come.
"""

import asyncio
import io
import select
import threading
from contextlib import suppress
from typing import Final, TextIO

import typer

_LOOK_S: Final = 0.1


async def confirmed(question: str, answers: TextIO) -> bool:
    """Whether a person says yes; no answer is no.

    Args:
        question: Shown on standard error.
        answers: A line of it is read.
    """
    typer.echo(f"{question} [y/N]: ", nl=False, err=True)
    unwanted = threading.Event()
    try:
        line = await asyncio.to_thread(_line, answers, unwanted)
    finally:
        unwanted.set()
    return line.strip().lower() in ("y", "yes")


def _line(answers: TextIO, unwanted: threading.Event) -> str:
    """The next line; empty where it is not wanted any more."""
    with suppress(io.UnsupportedOperation):  # what is no file of the system's does not keep one waiting
        while not select.select([answers], [], [], _LOOK_S)[0]:
            if unwanted.is_set():
                return ""
    return answers.readline()
