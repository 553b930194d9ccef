"""Asked before the work, not after it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from service.cli.writable import (
    CannotWrite,
    bundle_name,
    check_writable,
    folder_written_at_once,
    written_at_once,
)


def test_a_file_that_is_or_can_be_there_is_fine(tmp_path: Path) -> None:
    """And asking leaves nothing behind."""
    there = tmp_path / "there.json"
    there.write_text("old")
    check_writable(there, "--json")
    check_writable(tmp_path / "report.json", "--json")

    assert "old" == there.read_text()
    assert [there] == list(tmp_path.iterdir())


def test_a_folder_and_a_file_in_none_are_refused(tmp_path: Path) -> None:
    """With the option to change."""
    for file in (tmp_path, tmp_path / "no" / "where.json"):
        with pytest.raises(CannotWrite, match=r"Cannot write .*; give --json a file"):
            check_writable(file, "--json")


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        ("digits", "digits"),
        (".", "photos"),
        ("./", "photos"),
        ("..", "sets"),
        ("../other/", "other"),
        (".hidden.csv", "hidden"),
        ("tickets.v2.csv", "tickets"),
        ("/", "bundle"),
        ("...", "bundle"),
    ],
)
def test_a_bundle_is_called_after_its_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: str, expected: str
) -> None:
    """By the last part of where a path leads; never by nothing, which would be the folder of all bundles."""
    (tmp_path / "sets" / "photos").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "sets" / "photos")

    assert expected == bundle_name(dataset)


def write(
    file: Path,
    data: bytes,
    *,
    meanwhile: Callable[[], object] = lambda: None,
    then: Exception | None = None,
) -> None:
    with written_at_once(file, replace=False) as writing:
        writing.write(data)
        meanwhile()
        if then is not None:
            raise then


def test_a_file_is_there_when_it_is_whole(tmp_path: Path) -> None:
    """Not before, not when writing failed; and only its owner reads it."""
    file = tmp_path / "state.fsar"
    with pytest.raises(CannotWrite, match="No space"):
        write(file, b"half", then=OSError("No space left on device"))
    with pytest.raises(RuntimeError):
        write(file, b"half", then=RuntimeError())

    assert [] == list(tmp_path.iterdir())
    with written_at_once(file, replace=False) as writing:
        writing.write(b"whole")
        assert not file.exists()

    assert b"whole" == file.read_bytes()
    assert 0o600 == file.stat().st_mode & 0o777
    assert [file] == list(tmp_path.iterdir())


def test_a_file_is_replaced_only_when_asked_for(tmp_path: Path) -> None:
    """Also one that came to be while it was written."""
    file = tmp_path / "state.fsar"
    with pytest.raises(CannotWrite, match="--force"):
        write(file, b"ours", meanwhile=lambda: file.write_bytes(b"another"))
    with pytest.raises(CannotWrite, match="--force"):
        write(file, b"ours")

    assert b"another" == file.read_bytes()
    assert [file] == list(tmp_path.iterdir())
    with written_at_once(file, replace=True) as writing:
        writing.write(b"ours")
    assert b"ours" == file.read_bytes()


def test_a_folder_is_whole_or_not_there(tmp_path: Path) -> None:
    """As a file; what fails leaves nothing."""
    folder = tmp_path / "out"

    def fail(error: Exception) -> None:
        with folder_written_at_once(folder, replace=False) as writing:
            (writing / "half").write_bytes(b"half")
            raise error

    with pytest.raises(CannotWrite, match="No space"):
        fail(OSError("No space left on device"))
    with pytest.raises(RuntimeError):
        fail(RuntimeError())
    assert [] == list(tmp_path.iterdir())
    with folder_written_at_once(folder, replace=False) as writing:
        (writing / "deeper").mkdir()
        (writing / "deeper" / "a").write_bytes(b"whole")
        assert not folder.exists()

    assert b"whole" == (folder / "deeper" / "a").read_bytes()
    assert [folder] == list(tmp_path.iterdir())


def test_a_folder_is_replaced_only_when_asked_for(tmp_path: Path) -> None:
    """And then wholly: nothing of the one before is left."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "old").write_bytes(b"")
    with pytest.raises(CannotWrite, match="--force"), folder_written_at_once(folder, replace=False):
        pass
    with folder_written_at_once(folder, replace=True) as writing:
        (writing / "new").write_bytes(b"")

    assert [folder / "new"] == list(folder.iterdir())
    assert [folder] == list(tmp_path.iterdir())
