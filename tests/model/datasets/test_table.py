"""Tables as data sets: which columns are what, what is left out, and what a person must decide."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.datasets import DataError, LabelledData
from model.datasets.table import load_table, table_of_vectors
from model.datasets.table_file import Chunk
from model.inputs import TableInput


class Fake:
    """A table in memory, two rows a chunk."""

    def __init__(self, cells: Mapping[str, Sequence[object]]) -> None:
        self.columns = tuple(cells)
        self.cells = cells

    def chunks(self) -> Iterator[Chunk]:
        rows = len(next(iter(self.cells.values())))
        for start in range(0, rows, 2):
            yield {name: cells[start : start + 2] for name, cells in self.cells.items()}


def load(cells: Mapping[str, Sequence[object]], **options: Any) -> LabelledData:
    return load_table(Fake(cells), called="t.csv", name="t", **{"label": "class", **options})


def table_of(data: LabelledData) -> TableInput:
    assert isinstance(data.input, TableInput)
    return data.input


def kinds(data: LabelledData) -> dict[str, str]:
    return {column.name: column.kind for column in table_of(data).columns}


TRAFFIC: dict[str, list[object]] = {
    "bytes": ["491", "0", "", "12.5"],
    "protocol": ["tcp", "udp", "tcp", "NA"],
    "port": ["80", "53", "80", "80"],
    "class": ["normal", "flood", "normal", "flood"],
}


def test_numbers_and_categories_are_told_apart() -> None:
    """A column all of whose cells are numbers or missing holds numbers; any other text makes categories."""
    data = load(TRAFFIC)

    assert kinds(data) == {"bytes": "number", "protocol": "category", "port": "number"}
    assert data.labels == ("flood", "normal")
    assert data.y.tolist() == [1, 0, 1, 0]
    np.testing.assert_array_equal(
        data.x,
        np.array([[491, 0, 80], [0, 1, 53], [math.nan, 0, 80], [12.5, -1, 80]], dtype=np.float32),
    )


def test_a_row_of_the_file_decodes_to_what_was_fitted_on() -> None:
    """A client that sends the file's own cells, as strings or typed, gets the codes of the data set."""
    data = load(TRAFFIC)
    names = [column.name for column in table_of(data).columns]
    for n in range(4):
        row = {name: TRAFFIC[name][n] for name in names}

        np.testing.assert_array_equal(data.x[n], data.input.decode(row))


def test_values_are_listed_by_how_often_they_occur() -> None:
    """So that a list that must end loses the rarest; the example is the most frequent."""
    column = table_of(load(TRAFFIC)).columns[1]

    assert column.values == ("tcp", "udp")
    assert column.example == "tcp"


def test_values_no_manifest_can_hold_are_not_listed() -> None:
    """Endless ones and broken text are any other value."""
    data = load({"a": ["x" * 201, "\ud800", "tcp", "tcp"], "class": ["a", "b", "a", "b"]})

    assert table_of(data).columns[0].values == ("tcp",)
    assert data.x[:, 0].tolist() == [1, 1, 0, 0]


def test_numbers_can_be_taken_as_categories() -> None:
    """A port is a name that looks like a number."""
    data = load(TRAFFIC, categories=["port"])

    assert kinds(data)["port"] == "category"
    assert table_of(data).columns[2].values == ("80", "53")


def test_columns_can_be_dropped() -> None:
    """What is dropped is in neither x nor the manifest."""
    assert list(kinds(load(TRAFFIC, drop=["bytes", "port"]))) == ["protocol"]


def test_what_tells_nothing_is_left_out_with_a_word() -> None:
    """Columns without name or value, and those that number the rows; the card says so."""
    n = 12
    cells = {
        "": list(range(n)),
        "id": [str(i + 1) for i in range(n)],
        "empty": [""] * n,
        "bytes": [i * i for i in range(n)],
        "class": ["a", "b"] * (n // 2),
    }
    data = load(cells)

    assert list(kinds(data)) == ["bytes"]
    assert "left out: id (numbers the rows), empty (empty)" in data.source


def test_rows_without_a_label_are_left_out_with_a_word() -> None:
    """Words like "none" are names of classes here; only nothing is no label."""
    cells = {**TRAFFIC, "class": ["normal", "", "none", None]}
    data = load(cells)

    assert data.labels == ("none", "normal")
    assert data.x[:, 2].tolist() == [80, 80]
    assert "2 rows without a label left out" in data.source


def test_labels_that_are_numbers_are_in_their_order() -> None:
    """2 comes before 10; 7 and 7.0 are one class."""
    data = load({"a": [1, 5, 2, 5, 3, 5], "class": [10, 2, 10.0, 2, 10, 2]})

    assert data.labels == ("2", "10")


def test_typed_cells_are_as_good_as_text() -> None:
    """Parquet and jsonl have numbers, booleans and nulls."""
    cells = {
        "bytes": [491, 0, None, math.nan],
        "inside": [True, False, None, True],
        "class": ["a", "b", "a", "b"],
    }
    data = load(cells)

    assert kinds(data) == {"bytes": "number", "inside": "category"}
    assert np.isnan(data.x[2:, 0]).all()
    assert data.x[:, 1].tolist() == [0, 1, -1, 0]


def test_text_of_which_every_row_has_its_own_needs_a_decision() -> None:
    """Times, ids and prose are refused together, with what to type."""
    n = 60
    cells = {
        "time": [f"2026-01-01 00:{i:02}" for i in range(n)],
        "user": [f"u{i}" for i in range(n)],
        "bytes": [i % 7 for i in range(n)],
        "class": ["a", "b"] * (n // 2),
    }
    with pytest.raises(
        DataError, match=r"text in time, user .*--drop time,user, or .*--categories time,user"
    ):
        load(cells)

    assert list(kinds(load(cells, drop=["time", "user"]))) == ["bytes"]
    assert kinds(load(cells, drop=["time"], categories=["user"]))["user"] == "category"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            {"label": None},
            "name the column that has the classes with --label .* It has bytes, protocol, port, class",
        ),
        ({"label": "attack"}, "has no column 'attack', named with --label"),
        ({"drop": ["byte"]}, "has no column 'byte', named with --drop"),
        ({"categories": ["x"]}, "has no column 'x', named with --categories"),
        ({"drop": ["class"]}, "is the label"),
        ({"drop": ["port"], "categories": ["port"]}, "'port' is in --categories and in --drop"),
        ({"drop": ["bytes", "protocol", "port"]}, "has 0 columns to learn from"),
    ],
)
def test_names_that_do_not_fit_are_refused(options: dict[str, Any], problem: str) -> None:
    """With the columns there are."""
    with pytest.raises(DataError, match=problem):
        load(TRAFFIC, **options)


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ({"class": [f"row {i}" for i in range(8)]}, "8 different values in 8 rows, so it is no class"),
        ({"class": [""] * 8}, "no row with a label"),
        ({"class": ["x" * 201] * 8}, "the label 'x{40}'\\.\\.\\., and a class has a name of at most 200"),
        ({"class": ["\ud800"] * 8}, "the label"),
        ({"y" * 201: [1] * 8}, "a column called 'y{40}'.*Rename it"),
        ({"class": [[1]] * 8}, "holds a list"),
        ({"bytes": [[1]] * 8}, "'bytes' of t.csv holds neither numbers nor text.*--drop bytes"),
        ({"bytes": [b"1"] * 8}, "holds neither numbers nor text"),
    ],
)
def test_columns_that_cannot_be_used_are_named(cells: dict[str, list[object]], problem: str) -> None:
    """A label that is no class, and cells that are neither numbers nor text."""
    with pytest.raises(DataError, match=problem):
        load({"bytes": [3] * 8, "class": ["a", "b"] * 4, **cells})


def test_a_file_that_changes_between_two_readings_is_refused() -> None:
    """Rows of one reading never meet labels of another."""

    class Growing(Fake):
        def chunks(self) -> Iterator[Chunk]:
            yield from super().chunks()
            self.cells = {name: [*cells, *cells] for name, cells in self.cells.items()}

    with pytest.raises(DataError, match="changed while it was read"):
        load_table(Growing(TRAFFIC), called="t.csv", name="t", label="class")


def test_vectors_become_a_table_of_numbers() -> None:
    """In any range, with NaN for what is missing and infinity as the largest number."""
    x = np.array([[1e300, 2], [np.nan, -np.inf], [0.25, 4]])
    data = table_of_vectors({"x": x, "y": np.array([1, 0, 1])}, path=Path("v.npz"), name="v", source="tests")
    largest = np.finfo(np.float32).max

    assert [column.name for column in table_of(data).columns] == ["x0", "x1"]
    np.testing.assert_array_equal(data.x, np.array([[largest, 2], [np.nan, -largest], [0.25, 4]], np.float32))


@pytest.mark.parametrize("columns", [["a"], ["a", "a"], ["a", ""]])
def test_vectors_with_names_need_one_for_each_value(columns: list[str]) -> None:
    """Distinct and not empty."""
    arrays = {"x": np.zeros((2, 2)), "y": np.array([0, 1]), "columns": np.array(columns)}

    with pytest.raises(DataError, match="Give each value its own name"):
        table_of_vectors(arrays, path=Path("v.npz"), name="v", source="tests")


@pytest.mark.parametrize("cell", [10**18, 10**400, "9" * 5000, 2.0**53, 1e300])
def test_a_huge_number_again_and_again_does_not_number_the_rows(cell: object) -> None:
    """One more is the same number to a float, so it would look like a count, and the column be left out."""
    table: dict[str, list[object]] = {"a": [cell] * 20, "b": list(range(5)) * 4, "class": ["x", "y"] * 10}

    data = load(table)

    assert kinds(data) == {"a": "number", "b": "number"}
    assert len(set(data.x[:, 0].tolist())) == 1
