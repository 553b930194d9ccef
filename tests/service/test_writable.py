"""Asked before the work, not after it."""

from pathlib import Path

import pytest

from service.writable import CannotWrite, bundle_name, check_writable


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
