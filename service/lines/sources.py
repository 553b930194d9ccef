"""Lines of files, or of a pipe, as records: each an item, or why it is none, and the place after it.

A place is a file by its number, bytes and lines read of it. From a file reading goes on there by a seek, from a pipe by
skipping as many bytes.

An item without an id gets one from the file's fingerprint, the line's number and the line itself, so that whoever reads
the same file again sends the same ids, and nothing counts twice. The fingerprint of a file is a digest of its first
MiB; a pipe has none, and gets what is drawn for the run (a checkpoint keeps it). Two files that begin alike share an id
only for the same line at the same place.
"""

import csv
import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from service.client.answers import Refusal
from service.client.items import Item, refusal
from service.errors import ClientError
from service.lines.parsing import ENDINGS, Columns, Format, item_of_cells, item_of_json

HEAD_BYTES = 1 << 20
MAX_LINE_BYTES = 8 << 20
_SKIP_BYTES = 1 << 20
_BOM = b"\xef\xbb\xbf"


class InputChanged(ClientError):
    """The input is not the one that the checkpoint was written for."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Everything before it is done: which file, from 0, and how many bytes and lines of it."""

    file: int = 0
    offset: int = 0
    line: int = 0


class Record(NamedTuple):
    """One item, or what stands for it.

    Attributes:
        item: With an id, or a refusal.
        line: Its line, from 1; the first of them where it has several.
        after: The place after it.
    """

    item: Item | Refusal
    line: int
    after: Place


class Fingerprint(msgspec.Struct, frozen=True, kw_only=True):
    """Of one input: a digest of its first `size` bytes; of a pipe, size 0 and a digest of what was drawn."""

    size: int
    digest: str


@dataclass(frozen=True, kw_only=True)
class Input:
    """One file, or a pipe.

    Attributes:
        name: For people.
        file: Open for reading, unbuffered or not.
        is_seekable: Whether it is a file.
        format: Not auto.
        fingerprint: See above.
    """

    name: str
    file: BinaryIO
    is_seekable: bool
    format: Format
    fingerprint: Fingerprint


def fingerprint_of(file: BinaryIO, *, is_seekable: bool, drawn: str, size: int = HEAD_BYTES) -> Fingerprint:
    """The fingerprint of what is there, by its first `size` bytes; the file is left at its beginning."""
    if not is_seekable:
        return Fingerprint(size=0, digest=hashlib.blake2b(drawn.encode(), digest_size=16).hexdigest())
    file.seek(0)
    head = file.read(size)
    file.seek(0)
    return Fingerprint(size=len(head), digest=hashlib.blake2b(head, digest_size=16).hexdigest())


def check_unchanged(input: Input, before: Fingerprint) -> None:  # noqa: A002 - the word for it
    """Whether the input begins as it did.

    Raises:
        InputChanged: It does not.
    """
    if (before.size == 0) is input.is_seekable and before.size + input.fingerprint.size > 0:
        raise InputChanged(
            f"{input.name} was {'a file' if before.size else 'a pipe'} when the checkpoint was written; give the same "
            "input, or another --checkpoint."
        )
    now = fingerprint_of(input.file, is_seekable=True, drawn="", size=before.size) if before.size else before
    if now != before:
        raise InputChanged(
            f"{input.name} does not begin as it did when the checkpoint was written; give the same input, or another "
            "--checkpoint."
        )


def records(inputs: Sequence[Input], columns: Columns, start: Place) -> Iterator[Record]:
    """All records from a place on.

    Raises:
        InputChanged: An input ends before the place.
        ClientError: A table without the columns that were asked for.
    """
    for number, one in enumerate(inputs):
        if number < start.file:
            continue
        begin = start if number == start.file else Place(file=number)
        yield from _Reader(one, number, columns).records(begin)


class _Reader:
    """One input from a place on."""

    def __init__(self, one: Input, number: int, columns: Columns) -> None:
        self._input = one
        self._number = number
        self._columns = columns
        self._offset = 0
        self._line = 0
        self._digest = bytes.fromhex(one.fingerprint.digest)

    def records(self, begin: Place) -> Iterator[Record]:
        if self._input.format in (Format.CSV, Format.TSV):
            yield from self._rows(begin)
            return
        self._go_to(begin)
        for raw in self._lines():
            line, text = self._line, raw.strip(b"\r\n")
            if not text.strip():
                continue
            if len(raw) > MAX_LINE_BYTES:
                item: Item | Refusal = _too_long()
            elif self._input.format is Format.TEXT:
                item = _text(text)
            else:
                item = item_of_json(text, self._columns)
            yield Record(self._named(item, line, text), line, self._place)

    def _rows(self, begin: Place) -> Iterator[Record]:
        """Rows of csv, which may have several lines; the names are read again wherever it begins."""
        delimiter = "\t" if self._input.format is Format.TSV else ","
        names = self._names(delimiter)
        if begin.offset > self._offset:
            self._go_to(begin)
        own: list[bytes] = []

        def lines() -> Iterator[str]:
            for raw in self._lines():
                own.append(raw[:MAX_LINE_BYTES])
                yield raw.decode(errors="surrogateescape")

        rows = csv.reader(lines(), delimiter=delimiter, strict=True)
        while True:
            own.clear()
            line = self._line + 1
            try:
                cells = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                item: Item | Refusal = refusal(None, f"The row cannot be read: {error}.", kind="invalid-body")
            else:
                if not cells:
                    continue
                item = item_of_cells(cells, names, self._columns)
            yield Record(self._named(item, line, b"".join(own)), line, self._place)

    def _names(self, delimiter: str) -> list[str]:
        head = next(self._lines(), b"")
        names = next(csv.reader([head.decode(errors="replace")], delimiter=delimiter), [])
        for column in (self._columns.id, self._columns.text):
            if column is not None and column not in names:
                raise ClientError(
                    f"{self._input.name} has no column {column!r}; it has {', '.join(names[:20])[:300]}."
                )
        if len(set(names)) != len(names):
            raise ClientError(f"{self._input.name} names a column twice in its first row.")
        return names

    def _lines(self) -> Iterator[bytes]:
        """Lines with their ends, counted; of one that is too long its beginning, one byte over the limit."""
        file = self._input.file
        while raw := file.readline(MAX_LINE_BYTES + 1):
            self._offset += len(raw)
            rest = raw
            while len(rest) > MAX_LINE_BYTES and not rest.endswith(b"\n"):
                rest = file.readline(MAX_LINE_BYTES + 1)
                self._offset += len(rest)
            self._line += 1
            yield raw.removeprefix(_BOM) if self._line == 1 else raw

    def _go_to(self, place: Place) -> None:
        if self._input.is_seekable:
            if self._input.file.seek(0, io.SEEK_END) < place.offset:
                raise InputChanged(f"{self._input.name} is shorter than when the checkpoint was written.")
            self._input.file.seek(place.offset)
        else:
            left = place.offset - self._offset
            while left > 0:
                skipped = self._input.file.read(min(left, _SKIP_BYTES))
                if not skipped:
                    raise InputChanged(
                        f"{self._input.name} is shorter than when the checkpoint was written; a pipe has to bring the "
                        "same again, from its beginning."
                    )
                left -= len(skipped)
        self._offset, self._line = place.offset, place.line

    @property
    def _place(self) -> Place:
        return Place(file=self._number, offset=self._offset, line=self._line)

    def _named(self, item: Item | Refusal, line: int, text: bytes) -> Item | Refusal:
        """With an id, if it is an item without."""
        if isinstance(item, Refusal) or item.id is not None:
            return item
        own = hashlib.blake2b(text, digest_size=12, key=self._digest, salt=str(line).encode()[-16:])
        return Item(x=item.x, id=f"{line}-{own.hexdigest()}")


def _text(text: bytes) -> Item | Refusal:
    try:
        return Item(x=text.decode())
    except UnicodeDecodeError as error:
        return refusal(None, f"The line is not UTF-8: {error}.", kind="invalid-body")


def _too_long() -> Refusal:
    return refusal(None, f"The line is longer than {MAX_LINE_BYTES} bytes.", kind="too-large")


def open_input(path: Path | None, *, stdin: Callable[[], BinaryIO], format: Format, drawn: str) -> Input:  # noqa: A002 - an option's
    """A file, or with None what comes in by standard input, which may be a file, too; opened only then.

    Raises:
        OSError: It cannot be read.
    """
    file: BinaryIO = stdin() if path is None else path.open("rb")
    is_seekable = file.seekable()
    if format is Format.AUTO:
        format = ENDINGS.get(Path(path or "").suffix.lower(), Format.JSONL)  # noqa: A001 - the option, known now
    return Input(
        name="standard input" if path is None else str(path),
        file=file,
        is_seekable=is_seekable,
        format=format,
        fingerprint=fingerprint_of(file, is_seekable=is_seekable, drawn=drawn),
    )
