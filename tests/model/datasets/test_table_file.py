"""Tables on disk: what is read, in which columns, and that a broken file is named."""

import gzip
import sys
from pathlib import Path

import pytest

from model.datasets import DataError
from model.datasets.table_file import CHUNK_ROWS, is_table, open_table
from model.inputs.table import NotACell, number_of


def rows_of(path: Path) -> list[dict[str, object]]:
    table = open_table(path)
    return [
        dict(zip(table.columns, row, strict=True))
        for chunk in table.chunks()
        for row in zip(*(chunk[column] for column in table.columns), strict=True)
    ]


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.tsv"])
def test_text_comes_as_it_is(tmp_path: Path, name: str) -> None:
    """Cells of csv are strings, numbers too; reading twice gives the same."""
    text = "bytes,protocol\n491,tcp\n,udp\n".replace(",", "\t" if "tsv" in name else ",")
    raw = text.encode()
    (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    expected = [{"bytes": "491", "protocol": "tcp"}, {"bytes": "", "protocol": "udp"}]

    assert expected == rows_of(tmp_path / name)
    assert expected == rows_of(tmp_path / name)


def test_json_lines_may_lack_columns(tmp_path: Path) -> None:
    """The table has all columns that some row has, in the order they first appear."""
    (tmp_path / "t.jsonl").write_text('{"bytes": 491}\n\n{"protocol": "tcp", "bytes": null}\n')

    assert rows_of(tmp_path / "t.jsonl") == [
        {"bytes": 491, "protocol": None},
        {"bytes": None, "protocol": "tcp"},
    ]


def test_a_long_table_comes_in_chunks(tmp_path: Path) -> None:
    """Each of at most so many rows, none lost."""
    (tmp_path / "t.csv").write_text("a\n" + "".join(f"{i}\n" for i in range(CHUNK_ROWS + 5)))
    chunks = [list(chunk["a"]) for chunk in open_table(tmp_path / "t.csv").chunks()]

    assert [CHUNK_ROWS, 5] == [len(chunk) for chunk in chunks]
    assert [str(i) for i in range(CHUNK_ROWS + 5)] == [cell for chunk in chunks for cell in chunk]


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_a_table_without_rows_is_refused(tmp_path: Path, name: str) -> None:
    """By name."""
    (tmp_path / name).write_text("")

    with pytest.raises(DataError, match="has no rows"):
        open_table(tmp_path / name)


def test_tables_are_known_by_their_names() -> None:
    """And other files are none."""
    names = [
        "a.csv",
        "a.CSV",
        "a.csv.gz",
        "a.tsv",
        "a.jsonl",
        "a.parquet",
        "a.npz",
        "a",
        "a.txt",
        "a.csv.zip",
    ]

    assert [name for name in names if is_table(Path(name))] == names[:6]


def test_without_pyarrow_parquet_has_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(DataError, match=r"pip install 'firstseen\[parquet\]'"):
        open_table(tmp_path / "t.parquet")


def test_parquet_cells_have_types(tmp_path: Path) -> None:
    """Numbers, text, booleans and nulls as Python has them; decimals as floats, dictionaries as their values."""
    pyarrow = pytest.importorskip("pyarrow", reason="parquet is read with pyarrow, an extra")
    from pyarrow import parquet

    table = pyarrow.table(
        {
            "bytes": pyarrow.array([491, None], pyarrow.int64()),
            "rate": pyarrow.array([0.5, 1.5]),
            "price": pyarrow.array([1, 2]).cast(pyarrow.decimal128(22, 2)),
            "protocol": pyarrow.array(["tcp", "udp"]).dictionary_encode(),
            "inside": pyarrow.array([True, None]),
        }
    )
    parquet.write_table(table, tmp_path / "t.parquet")

    assert rows_of(tmp_path / "t.parquet") == [
        {"bytes": 491, "rate": 0.5, "price": 1.0, "protocol": "tcp", "inside": True},
        {"bytes": None, "rate": 1.5, "price": 2.0, "protocol": "udp", "inside": None},
    ]


@pytest.mark.parametrize("raw", [b"", b"PAR1", b"a,b\n1,2\n"])
def test_what_is_no_parquet_is_refused(tmp_path: Path, raw: bytes) -> None:
    """Whatever a file with that name holds, the file is named."""
    pytest.importorskip("pyarrow", reason="parquet is read with pyarrow, an extra")
    (tmp_path / "t.parquet").write_bytes(raw)

    with pytest.raises(DataError, match=r"t\.parquet is no sound parquet file"):
        open_table(tmp_path / "t.parquet")


@pytest.mark.parametrize("unit", ["timestamp", "duration", "time64", "date32"])
def test_times_that_python_has_not_are_cells_to_leave_out(tmp_path: Path, unit: str) -> None:
    """As pandas writes times, to the nanosecond; that one column says so must not cost the others."""
    pyarrow = pytest.importorskip("pyarrow", reason="parquet is an extra")
    parquet = pytest.importorskip("pyarrow.parquet", reason="parquet is an extra")
    dtype = pyarrow.date32() if unit == "date32" else getattr(pyarrow, unit)("ns")
    times = pyarrow.array([2**30 + 1, None], dtype)
    parquet.write_table(pyarrow.table({"a": [1, 2], "when": times}), tmp_path / "a.parquet")

    (chunk,) = open_table(tmp_path / "a.parquet").chunks()

    assert [1, 2] == chunk["a"]
    assert chunk["when"][0] is not None
    assert chunk["when"][1] is None
    with pytest.raises(NotACell):
        number_of(chunk["when"][0])
