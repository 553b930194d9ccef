"""Tables on disk, a page of rows at a time: JSON lines, CSV, Parquet.

    jsonl      an object a line, UTF-8; what JSON knows is as it is
    csv        RFC 4180, texts quoted and safe from formula injection (cells.py); lists and documents as JSON
    parquet    columns with types, a row group a page, zstd; documents as JSON. Needs pyarrow: firstseen[parquet]

Memory is that of a page, whatever the table's length.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

import msgspec

from service.errors import ClientError
from service.roundtrip.cells import cell, quoted, storable
from service.roundtrip.tables import Kind, Row, Table

PAGE_ROWS: Final = 4096
"""Most rows that are written at once ..."""

PAGE_CELLS: Final = 2**19
"""... and how many numbers or characters of their last column, which is the only large one."""


class MissingExtra(ClientError):
    """A format needs a package that is not installed."""


class TableWriter(Protocol):
    """Writes one table to one file."""

    def write(self, rows: Sequence[Row]) -> None:
        """Add rows."""

    def close(self) -> None:
        """Nothing more comes; what a format has at its end is written."""


class JsonLines:
    """An object a line."""

    def __init__(self, table: Table, file: BinaryIO) -> None:
        self._names = table.names
        self._file = file

    def write(self, rows: Sequence[Row]) -> None:
        """Add rows."""
        self._file.write(b"".join(self._line(row) for row in rows))

    def close(self) -> None:
        """Nothing is left to be written."""

    def _line(self, row: Row) -> bytes:
        values = dict(zip(self._names, row, strict=True))
        try:
            return msgspec.json.encode(values) + b"\n"
        except UnicodeEncodeError:  # half a character, which JSON can carry as its escape
            return json.dumps(values).encode("ascii") + b"\n"


class Csv:
    """A first row of names, then a row a row; each ends with CR LF."""

    def __init__(self, table: Table, file: BinaryIO) -> None:
        self._file = file
        file.write((",".join(map(quoted, table.names)) + "\r\n").encode())

    def write(self, rows: Sequence[Row]) -> None:
        """Add rows."""
        self._file.write("".join(",".join(map(cell, row)) + "\r\n" for row in rows).encode())

    def close(self) -> None:
        """Nothing is left to be written."""


class Parquet:
    """Columns with types, in row groups.

    Raises:
        MissingExtra: pyarrow is not installed.
    """

    def __init__(self, table: Table, file: BinaryIO) -> None:
        pa, parquet = _pyarrow()
        types = {
            Kind.TEXT: pa.string(),
            Kind.WHOLE: pa.int64(),
            Kind.FRACTION: pa.float64(),
            Kind.FLAG: pa.bool_(),
            Kind.TEXTS: pa.list_(pa.string()),
            Kind.WHOLES: pa.list_(pa.int64()),
            Kind.NUMBERS: pa.list_(pa.float64()),
            Kind.DOCUMENT: pa.string(),
        }
        self._table = table
        self._schema = pa.schema([(column.name, types[column.kind]) for column in table.columns])
        self._batch = pa.record_batch
        self._array = pa.array
        self._writer = parquet.ParquetWriter(file, self._schema, compression="zstd")

    def write(self, rows: Sequence[Row]) -> None:
        """Add a row group."""
        if not rows:
            return
        arrays = [
            self._array([_PLAIN[column.kind](value) for value in values], type=field.type)
            for column, values, field in zip(
                self._table.columns, zip(*rows, strict=True), self._schema, strict=True
            )
        ]
        self._writer.write_batch(self._batch(arrays, schema=self._schema))

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415 - likewise
    except ImportError as error:
        raise MissingExtra(
            "Parquet is written with pyarrow, which is not installed: pip install 'firstseen[parquet]', or choose "
            "--format jsonl or csv."
        ) from error
    return pyarrow, parquet


def _as_is(value: Any) -> Any:  # noqa: ANN401 - whatever a row holds
    return value


def _text(value: Any) -> Any:  # noqa: ANN401 - likewise
    return storable(value) if isinstance(value, str) else value


def _texts(value: Any) -> Any:  # noqa: ANN401 - likewise
    return None if value is None else [storable(text) for text in value]


def _document(value: Any) -> Any:  # noqa: ANN401 - likewise
    return None if value is None else json.dumps(value)


_PLAIN: Final[dict[Kind, Callable[[Any], Any]]] = {
    Kind.TEXT: _text,
    Kind.TEXTS: _texts,
    Kind.DOCUMENT: _document,
    **dict.fromkeys((Kind.WHOLE, Kind.FRACTION, Kind.FLAG, Kind.WHOLES, Kind.NUMBERS), _as_is),
}

_WRITERS: Final[dict[str, Callable[[Table, BinaryIO], TableWriter]]] = {
    "jsonl": JsonLines,
    "csv": Csv,
    "parquet": Parquet,
    "huggingface": Parquet,
}

FORMATS: Final = tuple(_WRITERS)
"""The formats there are; a Hugging Face folder is Parquet with a dataset card (card.py)."""


def place_of(table: Table, form: str) -> Path:
    """Where a table lies in an export of a format."""
    if form == "huggingface":
        return Path(table.name) / "train-00000-of-00001.parquet"
    return Path(f"{table.name}.{form}")


def writer_for(table: Table, file: BinaryIO, form: str) -> TableWriter:
    """A writer of one of FORMATS. Raises MissingExtra."""
    return _WRITERS[form](table, file)
