"""Lines and rows: items, or what is wrong with them."""

from typing import Any

import pytest

from service.client import Item, Refusal
from service.lines.parsing import Columns, item_of_cells, item_of_json, item_of_row

PLAIN = Columns()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"id": "a", "x": [1, 2]}', Item(x=[1, 2], id="a")),
        (b'{"x": {"flag": null}}', Item(x={"flag": None})),
        (b"[1, 2]", Item(x=[1, 2])),
        ('"été"'.encode(), Item(x="été")),
        (b'{"flag": "S0", "id": 7}', Item(x={"flag": "S0", "id": 7})),
    ],
)
def test_what_a_line_of_json_may_be(line: bytes, expected: Item) -> None:
    """An item, or its x alone; an object without x is a row."""
    assert expected == item_of_json(line, PLAIN)


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"7", 'An item is {"id"'),
        (b"null", 'An item is {"id"'),
        (b'{"x": 1, "label": "3", "id": "a"}', "remove label"),
    ],
)
def test_what_it_may_not_be(line: bytes, detail: str) -> None:
    """The problem says what is wrong, and keeps the id where there is one."""
    found = item_of_json(line, PLAIN)

    assert isinstance(found, Refusal)
    assert detail in found.problem.detail


ROW = {"number": 17, "question": "how?", "label": "pin"}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (PLAIN, Item(x=ROW)),
        (Columns(id="number"), Item(x={"question": "how?", "label": "pin"}, id="17")),
        (Columns(text="question"), Item(x="how?")),
        (Columns(id="number", text="question"), Item(x="how?", id="17")),
    ],
)
def test_columns(columns: Columns, expected: Item) -> None:
    """One is the id, and no part of the row; one is all there is to it."""
    assert expected == item_of_row(ROW, columns)


@pytest.mark.parametrize("columns", [Columns(id="none"), Columns(text="none")])
def test_a_row_without_the_column(columns: Columns) -> None:
    """Is named."""
    found = item_of_row(ROW, columns)

    assert isinstance(found, Refusal)
    assert "'none'" in found.problem.detail


@pytest.mark.parametrize(
    ("cells", "expected"),
    [(["1", "2"], Item(x={"a": "1", "b": "2"})), (["1"], "1 cells"), (["1"] * 3, "3 cells")],
)
def test_cells(cells: list[str], expected: Any) -> None:
    """As many as there are names."""
    found = item_of_cells(cells, ["a", "b"], PLAIN)

    if isinstance(found, Refusal):
        assert expected in found.problem.detail
    else:
        assert expected == found
