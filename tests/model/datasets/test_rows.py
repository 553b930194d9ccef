import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.datasets.labelled import DataError
from model.datasets.rows import LONGEST_LINE, form_of, read_rows

EXPECTED = [{"q": "how, are\nyou?", "label": "greeting"}, {"q": "Größe", "label": "size"}]
CSV = 'q,label\n"how, are\nyou?",greeting\nGröße,size\n'
JSONL = '{"q": "how, are\\nyou?", "label": "greeting"}\n\n{"q": "Größe", "label": "size"}'


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        ("a.csv", CSV, [3, 4]),
        ("a.CSV", CSV.replace("\n", "\r\n").replace("are\r\n", "are\n"), [3, 4]),
        ("a.csv", "\ufeff" + CSV + "\n\n", [3, 4]),
        ("a.tsv", CSV.replace('",', '"\t').replace("q,", "q\t").replace("e,s", "e\ts"), [3, 4]),
        ("a.csv", CSV.replace('",', '";').replace("q,", " q ; ").replace("e,s", "e;s"), [3, 4]),
        ("a.jsonl", JSONL, [1, 3]),
        ("a.ndjson", "\ufeff" + JSONL + "\n", [1, 3]),
        ("a.csv.gz", CSV, [3, 4]),
        ("a.jsonl.gz", JSONL, [1, 3]),
    ],
)
def test_every_form_gives_the_same_rows(tmp_path: Path, name: str, text: str, lines: list[int]) -> None:
    """With the line each row ends on; quotes, line breaks in values, a byte order mark, blank lines, gzip."""
    raw = text.encode()
    (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)

    rows = list(read_rows(tmp_path / name))

    assert EXPECTED == [row for _, row in rows]
    assert lines == [line for line, _ in rows]


@pytest.mark.parametrize(
    ("name", "raw", "says"),
    [
        ("a.csv", b"a,b\n1,2\n1,2,3\n", "a.csv, line 3: it has 3 values, and there are 2 columns (a, b)"),
        ("a.csv", b"a,b\n1,2\n1\n", "line 3: it has 1 values"),
        ("a.csv", b'a,b\n1,"2\n', "line 2: it is no row"),
        ("a.csv", b'a,b\n1,"2"x\n', "line 2: it is no row"),
        ("a.csv", b"a,b,a\n1,2,3\n", "line 1: two columns are called 'a'"),
        ("a.csv", b"a,b\n1,\xff\n", "line 2: it is not UTF-8 (byte 2)"),
        ("a.csv", b'a,b\n1,"' + b"x" * 999_999 * 17 + b'"\n', "line 2: it has more than 16777216 bytes"),
        (
            "a.csv",
            b'a,b\n1,"' + (b"x" * 2**23 + b"\n") * 3,
            f"it has a value of more than {LONGEST_LINE} characters",
        ),
        (
            "a.jsonl",
            b'{"a": ' + b"9" * 5000 + b"}\n",
            "the whole number 99999999999999999999... has 5000 digits",
        ),
        ("a.jsonl", b'{"a": 1}\n{"a": 1\n', "a.jsonl, line 2: it is not JSON"),
        ("a.jsonl", b'{"a": 1}\n\n[1]\n', "line 3: it is no JSON object"),
        ("a.jsonl", b'{"a": 1, "a": 2}\n', "line 1: it is not JSON: the key 'a' appears twice"),
        ("a.jsonl", b'{"a": NaN}\n', "line 1: it is not JSON"),
        ("a.jsonl", b"[" * 100_000, "line 1: it is not JSON"),
        ("a.jsonl", b'{"a": "\xff"}\n', "line 1: it is not UTF-8"),
        ("a.jsonl", b" " * (LONGEST_LINE + 1), "line 1: it has more than"),
        ("a.csv.gz", b"a,b\n1,2\n", "is truncated or no gzip file"),
        ("a.csv.gz", gzip.compress(CSV.encode() * 100, mtime=0)[:-9], "is truncated or no gzip file"),
        ("a.txt", b"a", "a.txt is no file of rows: its name must end in .csv, .tsv, .jsonl, .ndjson"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, name: str, raw: bytes, says: str) -> None:
    """File, line, what is wrong there and what to do."""
    (tmp_path / name).write_bytes(raw)

    with pytest.raises(DataError) as refused:
        list(read_rows(tmp_path / name))
    assert says in str(refused.value)


@pytest.mark.parametrize(("name", "raw"), [("a.csv", b'a\n"%s"\n'), ("a.jsonl", b'{"a": "%s"}\n')])
def test_a_value_may_be_long(tmp_path: Path, name: str, raw: bytes) -> None:
    """As long in one form as in the other: a text of a megabyte is a text."""
    text = "word " * 200_000
    (tmp_path / name).write_bytes(raw.replace(b"%s", text.encode()))

    assert [{"a": text}] == [row for _, row in read_rows(tmp_path / name)]


def test_rows_before_a_bad_line_have_been_read(tmp_path: Path) -> None:
    """A file is read as it goes, never whole."""
    (tmp_path / "a.csv").write_bytes(b"a\n" + b"good\n" * 100_000 + b"\xff\n")
    rows = read_rows(tmp_path / "a.csv")

    assert (2, {"a": "good"}) == next(rows)
    with pytest.raises(DataError, match="line 100002"):
        list(rows)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With what to check."""
    with pytest.raises(DataError, match=r"a\.csv cannot be read .*Check path"):
        list(read_rows(tmp_path / "a.csv"))


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("x.csv", ".csv"),
        ("x.TSV.GZ", ".tsv"),
        ("x.jsonl", ".jsonl"),
        ("x.gz", None),
        ("csv", None),
        ("x.json", None),
    ],
)
def test_a_name_promises_a_form(name: str, form: str | None) -> None:
    """By its ending, whatever its case."""
    assert form == form_of(Path("folder") / name)


@settings(max_examples=50)
@given(raw=st.binary(max_size=200))
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.csv.gz"])
def test_any_bytes_are_rows_or_refused(
    tmp_path_factory: pytest.TempPathFactory, name: str, raw: bytes
) -> None:
    """Nothing but a DataError comes out of a file."""
    path = tmp_path_factory.mktemp("rows") / name
    path.write_bytes(raw)
    try:
        rows = list(read_rows(path))
    except DataError:
        return

    assert all(line >= 1 and isinstance(row, dict) for line, row in rows)
