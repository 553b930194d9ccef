"""Tables on disk: what is written is read back equal, in every format, by readers that are not ours."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from service.roundtrip import writers
from service.roundtrip.cells import rearmed
from service.roundtrip.tables import Column, Kind, Row, Table
from service.roundtrip.writers import FORMATS, Csv, MissingExtra, place_of, writer_for

TABLE = Table(
    name="things",
    about="Of every kind.",
    columns=tuple(Column(name=kind.value, kind=kind, about="") for kind in Kind),
)
ROWS: Sequence[Row] = (
    ("=1+1", -1, -0.25, True, ["@a", "ü"], [1, -2], [0.1, -3.0], {"a": [1, None]}),
    (None, None, None, None, None, None, None, None),
    ("", 2**53, 1e-300, False, [], [], [], []),
    ('quote " and\r\nline', 0, 0.0, True, ["\t"], [0], [1.0], {"b": 2}),
)
"""In the order of `Kind`."""


def written(form: str, rows: Sequence[Row] = ROWS, page: int = 3) -> bytes:
    file = io.BytesIO()
    writer = writer_for(TABLE, file, form)
    for start in range(0, len(rows), page):
        writer.write(rows[start : start + page])
    writer.close()
    return file.getvalue()


def test_jsonl_is_read_back_equal() -> None:
    """An object a line, values as they are."""
    found = [tuple(json.loads(line).values()) for line in written("jsonl").splitlines()]

    assert list(ROWS) == found


def test_csv_is_read_back_equal() -> None:
    """Every value by what its column says."""
    names, *rows = csv.reader(io.StringIO(written("csv").decode(), newline=""))
    plain = {
        Kind.TEXT: rearmed,
        Kind.WHOLE: int,
        Kind.FRACTION: float,
        Kind.FLAG: lambda text: text == "true",
    }
    found = [
        tuple(
            plain.get(column.kind, lambda text: json.loads(rearmed(text)))(text) if text else None
            for column, text in zip(TABLE.columns, row, strict=True)
        )
        for row in rows
    ]

    assert list(TABLE.names) == names
    assert [*ROWS[:2], (None, *ROWS[2][1:]), ROWS[3]] == found  # csv's own reader cannot tell "" from nothing


@pytest.mark.parametrize("form", ["parquet", "huggingface"])
def test_parquet_is_read_back_equal(form: str, tmp_path: Path) -> None:
    """Columns with types; documents are JSON."""
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is an extra")
    path = tmp_path / "things.parquet"
    path.write_bytes(written(form))
    rows = [tuple(row.values()) for row in parquet.read_table(path).to_pylist()]

    assert list(ROWS) == [(*row[:-1], None if row[-1] is None else json.loads(row[-1])) for row in rows]


@pytest.mark.parametrize("form", FORMATS)
def test_a_table_without_rows_can_be_read(form: str) -> None:
    """The names of its columns are there where the format has a place for them."""
    assert written(form, ()) == written(form, ())
    if form == "csv":
        assert b'"text","whole"' == written(form, ())[:14]


@pytest.mark.parametrize("form", FORMATS)
def test_half_a_character_does_not_end_an_export(form: str) -> None:
    """A client's id may have one; it is shown as its escape."""
    row = ("\ud800", *([None] * (len(TABLE.columns) - 1)))

    assert b"\\ud800" in written(form, [row]) or form in ("parquet", "huggingface")


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_a_full_disk_is_an_error_of_the_system(form: str) -> None:
    """Of which the export says what to do, and leaves nothing; whichever library writes."""
    if form == "parquet":
        pytest.importorskip("pyarrow.parquet", reason="pyarrow is an extra")

    def fill() -> None:
        with Path("/dev/full").open("wb") as file:
            writer = writer_for(TABLE, file, form)
            writer.write(ROWS * 1000)
            writer.close()

    with pytest.raises(OSError, match="No space left"):
        fill()


def test_without_pyarrow_parquet_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is an extra."""
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"pip install 'firstseen\[parquet\]'"):
        writers.writer_for(TABLE, io.BytesIO(), "parquet")


def test_every_table_has_a_place_of_its_own() -> None:
    """Hugging Face reads a folder a table."""
    assert ["things.jsonl", "things.csv", "things.parquet", "things/train-00000-of-00001.parquet"] == [
        place_of(TABLE, form).as_posix() for form in FORMATS
    ]


def test_the_names_of_columns_are_disarmed_too() -> None:
    """A table of a client's own columns could be called anything."""
    file = io.BytesIO()
    Csv(Table(name="t", about="", columns=(Column(name="=x", kind=Kind.TEXT, about=""),)), file)

    assert b'"\'=x"\r\n' == file.getvalue()
