"""Where a result goes: what it is called, and whether it can be written, which is worth knowing before the work."""

import os
from pathlib import Path

from service.errors import FirstseenError


class CannotWrite(FirstseenError):
    """A result could not be written. The message says what to give instead."""


def check_writable(file: Path, option: str) -> None:
    """Check that a file can be written, without writing it.

    Args:
        file: Which need not be there.
        option: What it was given with, for the message.

    Raises:
        CannotWrite: It is a folder, or what would have to be written to is missing or closed.
    """
    if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
        raise CannotWrite(
            f"Cannot write {file}; give {option} a file in a folder that exists and can be written to."
        )


def bundle_name(dataset: str) -> str:
    """What a bundle is called by its data: the file or folder's name, wherever a path leads, without dots."""
    return Path(dataset).resolve().name.lstrip(".").partition(".")[0] or "bundle"
