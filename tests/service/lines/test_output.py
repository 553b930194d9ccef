"""A file of verdicts is cut back to what is known of it, and no other file is."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.lines.output import Output, OutputChanged


@contextmanager
def output(path: Path, mode: str = "r+b") -> Iterator[Output]:
    with path.open(mode) as file, path.open("rb") as readable:
        yield Output(file, readable=readable)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "verdicts.jsonl"
    path.write_bytes(b"one\ntwo\nthr")
    return path


@pytest.mark.parametrize("mode", ["r+b", "ab"])
def test_cut(path: Path, mode: str) -> None:
    """What was written after it is gone, and the next line follows what was kept."""
    with output(path, mode) as out:
        tail = out.tail(8)

        assert out.cut(8, tail)
        out.write(b"three\n")
        out.sync()
        assert b"one\ntwo\nthree\n" == path.read_bytes()
        assert 14 == out.size


def test_an_empty_file_was_begun_anew(path: Path) -> None:
    """As by a shell's >."""
    path.write_bytes(b"")
    with output(path) as out:
        assert not out.cut(12, "")
        assert out.cut(0, out.tail(0))


def test_a_file_that_lacks_its_end_is_not_cut(path: Path) -> None:
    """Nor filled from the beginning, behind lines that it has."""
    with output(path) as out, pytest.raises(OutputChanged, match="--checkpoint"):
        out.cut(12, out.tail(11))
    assert b"one\ntwo\nthr" == path.read_bytes()


def test_another_file_is_not_cut(path: Path) -> None:
    """Whose end is not as it was."""
    with output(path) as out:
        tail = out.tail(8)
        path.write_bytes(b"a letter to a friend")

        with pytest.raises(OutputChanged, match="--checkpoint"):
            out.cut(8, tail)
    assert b"a letter to a friend" == path.read_bytes()


def test_a_device_has_no_size() -> None:
    """And cannot be cut."""
    with Path("/dev/null").open("wb") as null:
        out = Output(null)
        out.write(b"one\n")
        out.sync()

        assert not out.is_file
        assert 0 == out.size
