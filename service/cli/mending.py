"""What a command says when it fails: one line for what a person can mend, and nothing in place of a bug's traceback."""

import pydantic
from rich.console import Console
from rich.text import Text

from service.errors import FirstseenError
from service.state.errors import StoreError

screen = Console(stderr=True)


def mendable(error: Exception) -> str | None:
    """What to tell a person who can mend this error; None for a bug, whose traceback we want.

    The classes are imported here, when something went wrong: some take seconds.
    """
    from model.config import ConfigError
    from model.datasets import DataError
    from model.manifest import BundleError
    from model.train import TrainingError
    from service.pipeline.recovery import ReplayMismatch

    if isinstance(error, pydantic.ValidationError):
        first = error.errors()[0]
        return f"{error.title} {'.'.join(map(str, first['loc']))}: {first['msg']}."
    kinds = (
        FirstseenError,
        StoreError,
        BundleError,
        ConfigError,
        DataError,
        TrainingError,
        ReplayMismatch,
    )
    return str(error) if isinstance(error, kinds) else None


def say(message: str) -> None:
    """One line, as text: what looks like markup may be part of a path, and what drives a terminal of a label."""
    from model.manifest import escaped

    screen.print(Text.assemble(("firstseen:", "bold red"), " ", escaped(message)), soft_wrap=True)
