"""Reading on from any place gives what reading through would have given, from files and from pipes."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.client import Item, Refusal
from service.errors import ClientError
from service.lines import sources
from service.lines.parsing import Columns, Format
from service.lines.sources import Input, InputChanged, Place, Record, check_unchanged, open_input, records

PLAIN = Columns()


class Pipe(io.BytesIO):
    """Bytes that cannot be read twice."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise AssertionError("a pipe cannot be sought")


def opened(data: bytes, format: Format = Format.JSONL, *, is_pipe: bool = False, drawn: str = "run") -> Input:  # noqa: A002
    file = Pipe(data) if is_pipe else io.BytesIO(data)
    return open_input(None, stdin=lambda: file, format=format, drawn=drawn)


def read(*inputs: Input, start: Place | None = None, columns: Columns = PLAIN) -> list[Record]:
    return list(records(list(inputs), columns, start or Place()))


LINES = b'{"id": "a", "x": 1}\n\n[1]\r\nno json\n"text"\n[1]'


@pytest.mark.parametrize("is_pipe", [False, True])
def test_lines(is_pipe: bool) -> None:
    """Numbered from 1; empty ones are none; the last needs no end."""
    found = read(opened(LINES, is_pipe=is_pipe))

    assert [1, 3, 4, 5, 6] == [record.line for record in found]
    assert [1, [1], None, "text", [1]] == [
        record.item.x if isinstance(record.item, Item) else None for record in found
    ]
    assert Place(file=0, offset=len(LINES), line=6) == found[-1].after


CSV = b'\xef\xbb\xbfid,text\r\n1,a\r\n2,"two\nlines"\r\n3\r\n4,"open" x\r\n5,e\r\n'


@given(
    data=st.lists(st.sampled_from([b"[1]\n", b"[2]\r\n", b"\n", b"{\n", b'"\xc3\xa9"\n']), max_size=12).map(
        b"".join
    ),
    is_pipe=st.booleans(),
    at=st.integers(0, 20),
)
def test_reading_on_from_any_place(data: bytes, is_pipe: bool, at: int) -> None:
    """Is as if it had never been left: the same items under the same ids, the same places."""
    through = read(opened(data, is_pipe=is_pipe))
    at = min(at, len(through))
    place = through[at - 1].after if at else Place()

    assert through[at:] == read(opened(data, is_pipe=is_pipe), start=place)


@pytest.mark.parametrize("is_pipe", [False, True])
@pytest.mark.parametrize("at", range(6))
def test_reading_on_in_a_table(is_pipe: bool, at: int) -> None:
    """The names in its first row are read again; rows of several lines stay whole."""
    through = read(opened(CSV, Format.CSV, is_pipe=is_pipe))
    place = through[at - 1].after if at else Place()

    assert through[at:] == read(opened(CSV, Format.CSV, is_pipe=is_pipe), start=place)
    assert [2, 3, 5, 6, 7] == [record.line for record in through]
    good = [record.item.x for record in through if isinstance(record.item, Item)]
    assert [{"id": "1", "text": "a"}, {"id": "2", "text": "two\nlines"}, {"id": "5", "text": "e"}] == good


def test_several_inputs() -> None:
    """One after the other, and on from the middle of the second."""
    inputs = [opened(b"[1]\n[2]\n"), opened(b'"a"\n"b"\n', Format.TEXT)]
    through = read(*inputs)

    assert [[1], [2], '"a"', '"b"'] == [r.item.x for r in through if isinstance(r.item, Item)]
    assert through[3:] == read(*inputs, start=through[2].after)


def ids(found: list[Record]) -> list[str | None]:
    return [record.item.id for record in found]


def test_ids_are_the_file_the_line_and_its_number() -> None:
    """The same file again has the same; another line, another number or another file has others."""
    same, other = b"[1]\n[1]\n[2]\n", b"[0]\n[1]\n[2]\n"
    found = ids(read(opened(same)))

    assert 3 == len(set(found))
    assert found == ids(read(opened(same)))
    assert set() == set(found) & set(ids(read(opened(other))))


def test_ids_of_a_pipe_are_the_runs() -> None:
    """Another run sends other items, though they be the same bytes."""
    first, again, other = (ids(read(opened(b"[1]\n", is_pipe=True, drawn=run))) for run in ("a", "a", "b"))

    assert first == again
    assert first != other


def test_a_given_id_stays() -> None:
    """As a string or as whatever it is: the service says what it may be."""
    assert ["a", 7] == ids(read(opened(b'{"id": "a", "x": 1}\n{"id": 7, "x": 1}\n')))


def test_a_line_that_is_too_long_is_refused_and_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is never held as a whole, and the next one is read."""
    monkeypatch.setattr(sources, "MAX_LINE_BYTES", 20)
    found = read(opened(b'"' + b"x" * 100 + b'"\n[1]\n'))

    assert isinstance(found[0].item, Refusal)
    assert "/problems/too-large" == found[0].item.problem.kind
    assert ([1], 2) == (found[1].item.x if isinstance(found[1].item, Item) else None, found[1].line)
    assert Place(offset=107, line=2) == found[1].after


@pytest.mark.parametrize("is_pipe", [False, True])
def test_an_input_that_is_shorter_than_it_was(is_pipe: bool) -> None:
    """Is not what the checkpoint was written for."""
    with pytest.raises(InputChanged, match="shorter"):
        read(opened(b"[1]\n", is_pipe=is_pipe), start=Place(offset=100, line=9))


def test_a_file_may_grow_and_not_change() -> None:
    """By what it began with."""
    before = opened(b"[1]\n")
    check_unchanged(opened(b"[1]\n[2]\n"), before.fingerprint)

    with pytest.raises(InputChanged, match="does not begin as it did"):
        check_unchanged(opened(b"[9]\n[2]\n"), before.fingerprint)
    with pytest.raises(InputChanged, match="was a file"):
        check_unchanged(opened(b"[1]\n", is_pipe=True), before.fingerprint)


@pytest.mark.parametrize(
    ("data", "columns"), [(b"a,b\n", Columns(id="c")), (b"a,a\n", PLAIN), (b"", Columns(id="c"))]
)
def test_a_table_that_cannot_be_read(data: bytes, columns: Columns) -> None:
    """Is told of before any row is sent."""
    with pytest.raises(ClientError, match="column"):
        read(opened(data, Format.CSV), columns=columns)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.csv", Format.CSV),
        ("a.TSV", Format.TSV),
        ("a.txt", Format.TEXT),
        ("a.jsonl", Format.JSONL),
        ("a", Format.JSONL),
    ],
)
def test_the_format_by_the_name(tmp_path: Path, name: str, expected: Format) -> None:
    """Unless it is told."""
    path = tmp_path / name
    path.write_bytes(b"")
    found = open_input(path, stdin=io.BytesIO, format=Format.AUTO, drawn="")
    found.file.close()

    assert expected == found.format
