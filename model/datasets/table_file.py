"""A table on disk, column by column, a chunk of rows at a time: csv, tsv, jsonl (`model/datasets/rows.py`), parquet.

A table may be larger as text than memory, and what its columns hold is only known at its end, so it is read
more than once: `chunks` starts from the top each time. Cells come as the file has them, text from csv, typed from
jsonl and parquet; what they mean is said in one place, `model/inputs/table.py`. In a jsonl file a row may lack
columns that others have: their cells are None.

Parquet needs pyarrow, an extra: pip install 'firstseen[parquet]'.
"""

import datetime
import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from model.datasets.labelled import DataError
from model.datasets.rows import JSON_LINES, form_of, read_rows

PARQUET = ".parquet"
CHUNK_ROWS = 10_000

Chunk = Mapping[str, Sequence[object]]
"""For each column its cells, equally many."""


class TableSource(Protocol):
    """A table that can be read again and again."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, distinct, in the order of the table."""

    def chunks(self) -> Iterator[Chunk]:
        """Read the table from the top, 1 to `CHUNK_ROWS` rows at a time.

        Raises:
            DataError: the file is broken; names the line where it can.
        """


def is_table(path: Path) -> bool:
    """Whether the file's name is that of a table."""
    return form_of(path) is not None or path.suffix.lower() == PARQUET


def open_table(path: Path) -> TableSource:
    """Open a table file by the ending of its name.

    Raises:
        DataError: it cannot be opened, or has no rows.
    """
    return _Parquet(path) if path.suffix.lower() == PARQUET else _Lines(path)


class _Lines:
    """A csv, tsv or jsonl file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        rows = (row for _, row in read_rows(path))
        first = (
            None if form_of(path) in JSON_LINES else 1
        )  # all rows of the others have the columns of the first
        rows_of_columns = itertools.islice(rows, first)
        self.columns = tuple(dict.fromkeys(column for row in rows_of_columns for column in row))
        if not self.columns:
            raise DataError(f"{path.name} has no rows. Write one labelled item a row.")

    def chunks(self) -> Iterator[Chunk]:
        """Read rows and turn them into columns."""
        rows = (row for _, row in read_rows(self._path))
        while chunk := list(itertools.islice(rows, CHUNK_ROWS)):
            yield {column: [row.get(column) for row in chunk] for column in self.columns}


class _Parquet:
    """A parquet file, whose columns have types of their own."""

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow  # noqa: PLC0415  # an extra
            from pyarrow import parquet  # noqa: PLC0415
        except ImportError as error:
            raise DataError(
                f"{path.name} is read with pyarrow, which is not installed: pip install 'firstseen[parquet]', "
                "or save the table as csv."
            ) from error
        self._path = path
        self._open = parquet.ParquetFile
        self._broken = (pyarrow.ArrowException, OSError, ValueError)
        self._is_decimal, self._float = pyarrow.types.is_decimal, pyarrow.float64()
        with self._reading() as file:
            self.columns: tuple[str, ...] = tuple(file.schema_arrow.names)
            rows = file.metadata.num_rows
        if not rows or not self.columns:
            raise DataError(f"{path.name} has no rows. Write one labelled item a row.")
        twice = sorted({name for name in self.columns if self.columns.count(name) > 1})
        if twice:
            raise DataError(f"{path.name} has two columns called {twice[0]!r}. Rename one.")

    def chunks(self) -> Iterator[Chunk]:
        """Read batches; decimals become floats, all else what Python has for it."""
        with self._reading() as file:
            for batch in file.iter_batches(CHUNK_ROWS):
                yield {
                    name: _cells(column.cast(self._float) if self._is_decimal(column.type) else column)
                    for name, column in zip(self.columns, batch.columns, strict=True)
                }

    @contextmanager
    def _reading(self) -> Iterator[Any]:
        try:
            with self._open(self._path) as file:
                yield file
        except self._broken as error:
            why = " ".join(str(error).split())[:200]
            raise DataError(f"{self._path} is no sound parquet file ({why}). Write it anew.") from error


def _cells(column: Any) -> list[object]:  # noqa: ANN401  # an array of pyarrow, which has no types
    """Return an array's cells as Python has them.

    Times to the nanosecond, as pandas writes them, far dates and unknown time zones it has not: they become some time,
    since no time is a cell, whichever it is, and the column may be one to leave out.
    """
    try:
        found: list[object] = column.to_pylist()
    except UnicodeDecodeError:
        raise
    except (ValueError, OverflowError):
        return [datetime.time() if is_there else None for is_there in column.is_valid().to_pylist()]
    return found
