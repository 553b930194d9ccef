"""Items of files: what `firstseen classify` would send of them, again and again."""

from pathlib import Path

import pytest

from service.errors import ClientError
from service.lines.parsing import Columns
from service.roundtrip.sent import sent

NO_COLUMNS = Columns()


def test_items_come_with_their_ids_each_time(tmp_path: Path) -> None:
    """From the first again, file after file."""
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    one.write_text('{"id": "a", "x": [1]}\n{"id": "b", "x": "text"}\n')
    two.write_text('{"id": "c", "x": {"n": 1}}\n')
    read = sent([one, two], NO_COLUMNS)

    assert [("a", [1]), ("b", "text"), ("c", {"n": 1})] == list(read()) == list(read())


def test_an_item_without_an_id_has_the_one_that_classify_gives(tmp_path: Path) -> None:
    """It depends on the file and the line, and so is the same each time."""
    path = tmp_path / "items.jsonl"
    path.write_text("[1]\n[1]\n")
    (first, _), (second, _) = sent([path], NO_COLUMNS)()

    assert first is not None
    assert first != second
    assert first == next(sent([path], NO_COLUMNS)())[0]


def test_a_column_may_be_the_id(tmp_path: Path) -> None:
    """Of a table, and another the text."""
    path = tmp_path / "tickets.csv"
    path.write_text("n,q\n7,where is it?\n")

    assert [("7", "where is it?")] == list(sent([path], Columns(id="n", text="q"))())


def test_a_line_that_is_none_has_no_id(tmp_path: Path) -> None:
    """It is left out, and counted."""
    path = tmp_path / "items.jsonl"
    path.write_text('{"id": 1\n{"id": "a", "x": [1]}\n')

    assert [None, "a"] == [id for id, _ in sent([path], NO_COLUMNS)()]


def test_a_file_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    """Before a stream is read."""
    with pytest.raises(ClientError, match="no file"):
        sent([tmp_path / "nowhere.jsonl"], NO_COLUMNS)
