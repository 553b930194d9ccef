"""Compiled code kept on disk: numba's cache, in a folder that can be trusted, checked before it is read.

    <place>/numba-<digest>/entries.learn_items-.py311.nbi       numba's index: which code is for which types
                           entries.learn_items-.py311.1.nbc     machine code
                           entries.learn_items-.py311.sha256    of the two above, written last

numba's own way of keeping code has four faults for a service, and each is mended here:

- It names a file by the source of the one function that it is for, not of those which that function calls. So the
  folder carries a digest of all that decides what the code is: sources, the compiler's versions and settings, the
  processor. An edit is never answered by old code, and machines that share a folder never meet.
- It takes a folder only if it can write there. Here it is enough that the code is in it: so an image can bring it
  along and stay read-only.
- A file cut off by a crash makes every later call raise. Here what is not as it was written is compiled anew.
- A full disk makes the call that compiled raise. Here the code is then kept by the process alone.

The files are pickles, as numba writes them: whoever can write them can run code as whoever loads them, as with
Python's own `__pycache__`. So a folder is taken only from its user, from root, or from the owner of the sources,
and not if a group or everybody may write there; nor are its files left open to a group.
"""

import contextlib
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator

MOST_FOLDERS = 16
"""So many a place; those that were changed longest ago leave: a developer's edits would fill the disk."""

_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
"""Others than the owner may write."""


class CodeCache(FunctionCache):  # type: ignore[misc]  # numba has no annotations
    """Where one function's code is kept.

    Args:
        function: What is compiled, as Python has it.
        folder: Named by a digest of all that decides what the code is; see `place`.
    """

    def __init__(self, function: Callable[..., Any], folder: Path) -> None:
        self._impl_class = lambda of: _InFolder(of, folder)
        super().__init__(function)
        self.folder = folder
        self._base: str = self._impl.filename_base
        self._seal = folder / f"{self._base}.sha256"

    def is_whole(self) -> bool:
        """Whether code is there, to the bit as it was written."""
        try:
            return self._seal.read_text(encoding="ascii") == self._digest()
        except (OSError, ValueError):
            return False

    def load_overload(self, sig: Any, target_context: Any) -> Any:  # noqa: ANN401 - numba's
        """What is kept for a signature, None where there is nothing whole."""
        return super().load_overload(sig, target_context) if self.is_whole() else None

    def save_overload(self, sig: Any, data: Any) -> None:  # noqa: ANN401 - numba's
        """Keep what was compiled, if that is possible."""
        with contextlib.suppress(OSError):  # full, or read-only: this process has its code all the same
            if not self.is_whole():  # numba reads the index before it adds to it
                for file in self._files():
                    file.unlink(missing_ok=True)
            super().save_overload(sig, data)
            for file in self._files():
                _close(file)
            written = self._seal.with_name(f"{self._seal.name}.{os.getpid()}")
            written.write_text(self._digest(), encoding="ascii")
            _close(written)
            written.replace(self._seal)
            _forget_oldest(self.folder.parent)

    def _files(self) -> list[Path]:
        return sorted([*self.folder.glob(f"{self._base}.nbi"), *self.folder.glob(f"{self._base}.*.nbc")])

    def _digest(self) -> str:
        return digest(file.read_bytes() for file in self._files())


class _InFolder(CompileResultCacheImpl):  # type: ignore[misc]  # numba has no annotations
    """numba's part of it, bound to a folder."""

    def __init__(self, function: Callable[..., Any], folder: Path) -> None:
        self._locator_classes = [_Folder(folder)]
        super().__init__(function)


class _Folder(_CacheLocator):  # type: ignore[misc]  # numba has no annotations
    """Tells numba the folder; its name says already what the code was made of."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def from_function(self, _function: Callable[..., Any], _file: str) -> "_Folder":
        return self

    def ensure_cache_path(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)

    def get_cache_path(self) -> str:
        return str(self._folder)

    def get_source_stamp(self) -> str:
        return self._folder.name

    def get_disambiguator(self) -> str:
        return ""


def digest(parts: Iterable[bytes]) -> str:
    """Of a sequence of byte strings, in hexadecimal."""
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part).to_bytes(8, "little") + part)
    return total.hexdigest()


def place(name: str, folders: Iterable[Path], *, owners: Iterable[int] = ()) -> Path | None:
    """The first of some folders whose subfolder has code in it or can be written, and can be trusted.

    Args:
        name: Of the subfolder, numba-...; it is made where it is not there.
        folders: In the order of preference.
        owners: User ids that are trusted besides root and the user of this process.
    """
    for parent in folders:
        folder = parent / name
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            if is_trusted(folder, owners) and (os.access(folder, os.W_OK) or any(folder.glob("*.sha256"))):
                return folder
    return None


def _forget_oldest(parent: Path) -> None:
    folders = sorted(parent.glob("numba-*"), key=lambda folder: folder.stat().st_mtime_ns)
    for folder in folders[:-MOST_FOLDERS]:
        shutil.rmtree(folder, ignore_errors=True)


def _close(file: Path) -> None:
    """Let nobody else write to a file, whatever the umask."""
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & _BY_OTHERS:
        file.chmod(mode & ~_BY_OTHERS)


def is_trusted(folder: Path, owners: Iterable[int] = ()) -> bool:
    """Whether only this user, root and `owners` decide what is in a folder; always true where users have no ids."""
    if not hasattr(os, "geteuid"):
        return True
    found = folder.stat()
    return found.st_uid in {0, os.geteuid(), *owners} and not found.st_mode & _BY_OTHERS
