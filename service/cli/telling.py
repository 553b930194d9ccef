"""What commands say to people: one line, as text.

Names, notes, labels and lines of files are others' words. Nothing in them may drive a terminal (ECMA-48 control
sequences), or be taken for markup.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog
import typer
from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from service.client import Refused

_KEY_NEEDED = "/problems/unauthorized"


@contextmanager
def only_warnings_logged() -> Iterator[None]:
    """Meanwhile no event below a warning is logged: a command says itself what a person should know.

    `serve`, whose log is its output, sets that up by itself.
    """
    before = structlog.get_config()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        yield
    finally:
        structlog.configure(**before)


def tame(text: str) -> str:
    """Printable; what is not, as it is written in Python."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def say(screen: Console, line: str) -> None:
    """A line, however long."""
    screen.print(Text(tame(line)), soft_wrap=True)


def ended(screen: Console, message: str, status: int) -> typer.Exit:
    """Say why a command ends; what to raise then."""
    screen.print(Text.assemble(("firstseen:", "bold red"), " ", tame(message)), soft_wrap=True)
    return typer.Exit(status)


def why(refused: "Refused") -> str:
    """Why the service refuses, and what to do about it at a command line."""
    if refused.problem is not None and refused.problem.kind == _KEY_NEEDED:
        return f"{refused} Put it into the variable FIRSTSEEN_API_KEY."
    return str(refused)
