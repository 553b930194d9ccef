"""Rows of a csv, tsv or jsonl file, one at a time, with the number of the line for who has to mend one.

    name.csv   name.tsv    UTF-8; the first row names the columns; quotes as in RFC 4180; in a csv a first row with
                           semicolons and no comma means that semicolons part the values, as some offices write
    name.jsonl name.ndjson UTF-8; one JSON object a line; blank lines are passed over
    ... and each with .gz behind it

A file is never in memory whole, and a line or a value that has no end is not read to it: 16 MiB are the most. Every
refusal is a `DataError` that begins with file and line.
"""

import csv
import gzip
import itertools
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, cast

from model.datasets.labelled import DataError
from model.manifest import strict_json

DELIMITERS = {".csv": ",", ".tsv": "\t"}
JSON_LINES = (".jsonl", ".ndjson")
LONGEST_LINE = 16 * 2**20

Row = Mapping[str, object]


def form_of(path: Path) -> str | None:
    """Return the form a file's name promises, such as ".csv" for "a.csv.gz"; None where it is none of these."""
    name = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    form = name.suffix.lower()
    return form if form in DELIMITERS or form in JSON_LINES else None


def read_rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Yield every row with the number, from 1, of the line it ends on.

    Args:
        path: a file that `form_of` knows.

    Yields:
        the row's values by column: texts from csv and tsv, any JSON value from jsonl.

    Raises:
        DataError: the file cannot be read, or a line is not what the form asks for.
    """
    form = form_of(path)
    if form is None:
        raise DataError(
            f"{path.name} is no file of rows: its name must end in {', '.join([*DELIMITERS, *JSON_LINES])}, "
            "or that and .gz."
        )
    try:
        opened = gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")  # noqa: SIM115
        with cast("IO[bytes]", opened) as stream:
            lines = _lines(stream, path)
            yield from (
                _json_rows(lines, path) if form in JSON_LINES else _csv_rows(lines, path, DELIMITERS[form])
            )
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is truncated or no gzip file ({error}). Copy it again.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}). Check path and permissions.") from error


def wrong(path: Path, line: int, problem: str) -> DataError:
    """Build the one kind of message a bad line has."""
    return DataError(f"{path.name}, line {line}: {problem}")


def _lines(stream: IO[bytes], path: Path) -> Iterator[str]:
    for number in itertools.count(1):
        raw = stream.readline(LONGEST_LINE + 1)
        if not raw:
            return
        if len(raw) > LONGEST_LINE:
            raise wrong(path, number, f"it has more than {LONGEST_LINE} bytes. Is it a file of lines?")
        try:
            yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise wrong(
                path, number, f"it is not UTF-8 (byte {error.start}). Save the file as UTF-8."
            ) from error


def _json_rows(lines: Iterator[str], path: Path) -> Iterator[tuple[int, Row]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = strict_json(line.encode())
        except (ValueError, RecursionError) as error:
            raise wrong(path, number, f"it is not JSON: {error}. Write one JSON object a line.") from error
        if not isinstance(row, dict):
            raise wrong(path, number, "it is no JSON object. Write one JSON object a line.")
        yield number, row


def _csv_rows(lines: Iterator[str], path: Path, delimiter: str) -> Iterator[tuple[int, Row]]:
    first = next(lines, "")
    if delimiter == "," and ";" in first and "," not in first:
        delimiter = ";"
    csv.field_size_limit(
        max(csv.field_size_limit(), LONGEST_LINE)
    )  # the module's own is 128 KiB, for all readers
    reader = csv.reader(itertools.chain([first], lines), delimiter=delimiter, strict=True)
    columns: list[str] | None = None
    while True:
        try:
            values = next(reader, None)
        except csv.Error as error:
            if "field limit" in str(error):
                raise wrong(
                    path,
                    reader.line_num,
                    f"it has a value of more than {LONGEST_LINE} characters. Is a quote not closed?",
                ) from error
            raise wrong(
                path, reader.line_num, f"it is no row: {error}. Quote values that hold quotes or line breaks."
            ) from error
        if values is None:
            return
        if not values:
            continue
        if columns is None:
            columns = [name.strip() for name in values]
            twice = sorted({name for name in columns if columns.count(name) > 1})
            if twice:
                raise wrong(path, reader.line_num, f"two columns are called {twice[0]!r}. Rename one.")
            continue
        if len(values) != len(columns):
            raise wrong(
                path,
                reader.line_num,
                f"it has {len(values)} values, and there are {len(columns)} columns ({', '.join(columns[:10])}). "
                "Quote values that hold the delimiter.",
            )
        yield reader.line_num, dict(zip(columns, values, strict=True))
