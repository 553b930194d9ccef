"""Where a result goes: what it is called, and whether it can be written, which is worth knowing before the work."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from service.errors import FirstseenError


class CannotWrite(FirstseenError):
    """A result could not be written. The message says what to give instead."""


def check_writable(file: Path, option: str, *, is_folder: bool = False) -> None:
    """Check that a file can be written, without writing it.

    Args:
        file: Which need not be there.
        option: What it was given with, for the message.
        is_folder: Whether it is to be a folder.

    Raises:
        CannotWrite: It is a folder, or what would have to be written to is missing or closed.
    """
    if is_folder and not file.exists() and os.access(file.parent, os.W_OK):
        return
    if is_folder and not file.is_dir():
        raise CannotWrite(
            f"Cannot write {file}; give {option} a folder in one that exists and can be written to."
        )
    if (file.is_dir() and not is_folder) or not os.access(file if file.exists() else file.parent, os.W_OK):
        raise CannotWrite(
            f"Cannot write {file}; give {option} a file in a folder that exists and can be written to."
        )


def bundle_name(dataset: str) -> str:
    """What a bundle is called by its data: the file or folder's name, wherever a path leads, without dots."""
    return Path(dataset).resolve().name.lstrip(".").partition(".")[0] or "bundle"


@contextmanager
def written_at_once(file: Path, *, replace: bool) -> Iterator[BinaryIO]:
    """A file to write to that gets its name only when it is whole and on disk; whatever fails leaves none.

    Args:
        file: What it will be called. Only its owner may read it.
        replace: Whether it may take the place of another.

    Raises:
        CannotWrite: There is such a file already, and it may not.
    """
    _check_free(file, replace=replace)
    number, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(number, "w+b") as writing:
            yield writing
            writing.flush()
            os.fsync(writing.fileno())
        _check_free(file, replace=replace)
        Path(name).replace(file)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise CannotWrite(f"Cannot write {file} ({error}); make room, or give another place.") from error
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync(file.parent)


@contextmanager
def folder_written_at_once(folder: Path, *, replace: bool) -> Iterator[Path]:
    """A folder to write to that gets its name only when all in it is on disk; whatever fails leaves none.

    Args:
        folder: What it will be called. Only its owner may read it.
        replace: Whether it may take the place of another, which then goes.

    Raises:
        CannotWrite: There is something of that name already, and it may not; or there is no room.
    """
    _check_free(folder, replace=replace)
    written = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        yield written
        for path in sorted(written.rglob("*"), reverse=True):
            _sync(path)
        _sync(written)
        _check_free(folder, replace=replace)
        if folder.exists():
            before = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.")) / folder.name
            folder.rename(before)
            written.rename(folder)
            shutil.rmtree(before.parent)
        else:
            written.rename(folder)
        _sync(folder.parent)
    except OSError as error:
        shutil.rmtree(written, ignore_errors=True)
        raise CannotWrite(f"Cannot write {folder} ({error}); make room, or give another place.") from error
    except BaseException:
        shutil.rmtree(written, ignore_errors=True)
        raise


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _check_free(file: Path, *, replace: bool) -> None:
    if file.exists() and not replace:
        raise CannotWrite(f"{file} is there already; give another name, or --force to replace it.")
