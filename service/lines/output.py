r"""Where verdicts are written: a file, or standard output. A file can be cut back to what a checkpoint knows of.

    what the checkpoint knows   │ what was written after it, whole or torn
    {"id": ...}\n {"id": ...}\n │ {"id": ...}\n {"i

On going on, everything right of the bar is cut off, and the items are sent again: they have the verdicts they had.
The last KiB left of the bar has a digest in the checkpoint, so that no other file is cut.
"""

import hashlib
import os
import stat
from typing import BinaryIO

from service.errors import ClientError

_TAIL_BYTES = 1024


class OutputChanged(ClientError):
    """The output is not the one that the checkpoint was written for."""


class Output:
    """Verdicts on their way to a file that is open for writing, and for reading where it is to be cut."""

    def __init__(self, file: BinaryIO, *, readable: BinaryIO | None = None) -> None:
        """`readable`: the same file open for reading; None where nothing will be cut."""
        self._file = file
        self._readable = readable
        self._is_file = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
        if self._is_file:
            file.seek(0, os.SEEK_END)

    @property
    def is_file(self) -> bool:
        """Whether it has a size, and can be cut."""
        return self._is_file

    @property
    def size(self) -> int:
        """Bytes in the file, those that are not flushed not counted; 0 where it is none."""
        return os.fstat(self._file.fileno()).st_size if self._is_file else 0

    def write(self, lines: bytes) -> None:
        """Write lines, and let whoever reads have them."""
        self._file.write(lines)
        self._file.flush()

    def sync(self) -> None:
        """Return when what was written is on disk."""
        if self._is_file:
            os.fsync(self._file.fileno())

    def cut(self, size: int, tail: str) -> bool:
        """Cut it back to `size` bytes, which end as they did; False where it is empty, and was not.

        Raises:
            OutputChanged: It is another file, or a part of it is gone. Nothing is cut.
        """
        if size and not self.size:
            return False
        if self.size < size or self.tail(size) != tail:
            raise OutputChanged(
                "The output is not the one that the checkpoint was written for; give the same --out, or another "
                "--checkpoint."
            )
        os.ftruncate(self._file.fileno(), size)
        self._file.seek(0, os.SEEK_END)
        return True

    def tail(self, size: int) -> str:
        """Digest of the last bytes before `size`."""
        if self._readable is None:
            return ""
        begin = max(0, size - _TAIL_BYTES)
        said = os.pread(
            self._readable.fileno(), size - begin, begin
        )  # past its buffer, which may be of before
        return hashlib.blake2b(said, digest_size=16).hexdigest()
