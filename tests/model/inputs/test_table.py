"""Rows of tables: what a cell may be, what is refused by name, and that codes and cells are two forms of one thing."""

import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.inputs import InvalidInput, TableColumn, TableInput
from model.inputs.table import NotACell, category_of, number_of

SPEC = TableInput(
    columns=(
        TableColumn(name="duration", kind="number", example=3),
        TableColumn(name="protocol", kind="category", values=("tcp", "udp", "80", "true"), example="tcp"),
    )
)
LARGEST = float(np.finfo(np.float32).max)


def codes(item: object) -> list[float | None]:
    return [None if math.isnan(code) else code for code in SPEC.decode(item).tolist()]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"duration": 3, "protocol": "udp"}, [3, 1]),
        ({"protocol": "udp", "duration": 3.0}, [3, 1]),
        ([3, "udp"], [3, 1]),
        ((3, "udp"), [3, 1]),
        ({"duration": "3"}, [3, -1]),
        ({"duration": " 3e0 ", "protocol": None}, [3, -1]),
        ({"protocol": "icmp"}, [None, 4]),
        ([None, None], [None, -1]),
        ({"duration": "NaN", "protocol": "n/a"}, [None, -1]),
    ],
)
def test_a_row_is_an_object_or_a_list(item: object, expected: list[float | None]) -> None:
    """In any order by name, or all in the table's order; what is absent or null is missing."""
    assert expected == codes(item)
    assert SPEC.decode(item).dtype == np.float32


@pytest.mark.parametrize("nothing", [None, "", "  ", "NA", "n/a", "NaN", "NULL", "None", "?", "-", math.nan])
def test_the_usual_words_for_nothing_are_missing(nothing: object) -> None:
    """In a number and in a category, whatever their case, as tools write them."""
    assert math.isnan(number_of(nothing))
    assert category_of(nothing) is None


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (7, 7),
        (np.int16(7), 7),
        ("-1.5", -1.5),
        ("1e3", 1000),
        (1e300, LARGEST),
        (-(10**400), -LARGEST),
        ("Infinity", LARGEST),
    ],
)
def test_numbers_are_cut_to_what_float32_holds(cell: object, expected: float) -> None:
    """A number, or text that is one; a rate that was divided by nothing is very large."""
    assert expected == number_of(cell)


@pytest.mark.parametrize("cell", ["tcp", "1,5", "1_000", "0x10", "1 2", True, [], {}, b"1"])
def test_what_is_no_number_is_refused(cell: object) -> None:
    """Text that only looks like one, too, and never by its content."""
    with pytest.raises(NotACell):
        number_of(cell)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (" tcp ", "tcp"),
        ("TCP", "TCP"),
        (80, "80"),
        (80.0, "80"),
        (0.5, "0.5"),
        (np.float32(80), "80"),
        (True, "true"),
        ("True", "true"),
        ("FALSE", "false"),
        (np.bool_(False), "false"),
        (10**4000, ""),
    ],
)
def test_categories_are_compared_as_text(cell: object, expected: str) -> None:
    """So that a file's 80 or True and a client's are the same."""
    assert expected == category_of(cell)


@pytest.mark.parametrize("cell", [[], {}, ["tcp"], b"tcp"])
def test_what_is_no_category_is_refused(cell: object) -> None:
    """Lists and objects have no place in a cell."""
    with pytest.raises(NotACell):
        category_of(cell)


@pytest.mark.parametrize(
    ("item", "got"),
    [
        ({"Duration": 3}, r"got 'Duration', which is none of the columns \('duration' is one\)\."),
        ({"bytes": 3, "duration": 3}, "got 'bytes', which is none of the columns."),
        ({1: 3}, "got '1', which is none of the columns."),
        ({}, "got an object without columns."),
        ([3], "got a list of 1 value."),
        ([3, "tcp", 5], "got a list of 3 values."),
        ({"duration": "three"}, "got a string that is no number in 'duration', a column of numbers."),
        ({"duration": True}, "got a boolean in 'duration'"),
        ({"duration": [3]}, "got a list in 'duration'"),
        ({"protocol": {}}, "got an object in 'protocol', a column of categories."),
        (3, "got a single number."),
        ("duration=3", "got a string."),
        (None, "got null."),
    ],
)
def test_a_bad_row_is_told_what_to_send(item: object, got: str) -> None:
    """The column is named, and an example is given."""
    with pytest.raises(InvalidInput, match=got) as refused:
        SPEC.decode(item)
    assert (
        'x must be an object of columns like {"duration": 3, "protocol": "tcp"}, or a list of their 2 values'
        in str(refused.value)
    )


def test_hostile_values_are_not_repeated() -> None:
    """Neither content nor endless names come back in a message."""
    with pytest.raises(InvalidInput) as refused:
        SPEC.decode({"x" * 10_000: 1})
    assert len(str(refused.value)) < 500

    with pytest.raises(InvalidInput) as refused:
        SPEC.decode({"duration": "<script>"})
    assert "script" not in str(refused.value)


@given(
    number=st.none() | st.floats(width=32, allow_nan=False, allow_infinity=False),
    value=st.none() | st.sampled_from(["tcp", "udp", "80", "true", "icmp", "other"]),
)
def test_a_coded_row_is_the_row(number: float | None, value: str | None) -> None:
    """A row made from codes decodes to the same codes, to the bit."""
    row = SPEC.decode({"duration": number, "protocol": value})
    again = SPEC.decode(SPEC.raw_item(row))

    np.testing.assert_array_equal(row, again)


def test_numbers_are_shown_as_people_write_them() -> None:
    """The shortest number that is this float32: 3, not 3.0; 0.1, not 0.10000000149."""
    assert SPEC.raw_item(np.array([3, -1], dtype=np.float32)) == {"duration": 3, "protocol": None}
    assert SPEC.raw_item(np.array([0.1, 1], dtype=np.float32)) == {"duration": 0.1, "protocol": "udp"}


def test_a_value_not_listed_has_a_cell_that_is_not_listed() -> None:
    """Even where "other" is itself a value."""
    column = TableColumn(name="a", kind="category", values=("other", "x"))

    assert column.code(column.cell(2)) == 2
    assert column.code("other") == 0


def test_a_long_table_is_described_shortly() -> None:
    """Three columns stand for all."""
    spec = TableInput(columns=tuple(TableColumn(name=f"c{i}", kind="number", example=i) for i in range(40)))

    assert (
        'an object of columns like {"c0": 0, "c1": 1, "c2": 2, ...}, or a list of their 40 values'
        in spec.describe()
    )
    assert spec.summary() == "table of 40 numbers and 0 categories"
    assert len(spec.example()) == 40


@pytest.mark.parametrize(
    ("codes", "problem"),
    [
        ([[0, 0], [np.inf, 0]], "its item 1 has inf in the column 'duration'"),
        ([[0, 5]], r"its item 0 has 5.0 in the column 'protocol'"),
        ([[0, 0.5]], "'protocol'"),
        ([[0, np.nan]], "'protocol'"),
        ([[0, -2]], "'protocol'"),
        ([[0, 0, 0]], r"x must be float32 \(N, 2\)"),
    ],
)
def test_a_data_set_has_codes_in_its_columns(codes: list[list[float]], problem: str) -> None:
    """What is no code is said with its item and column."""
    found = SPEC.column_problem(np.array(codes, dtype=np.float32))

    assert found is not None
    assert re.search(problem, found)
    assert SPEC.column_problem(np.array([[np.nan, -1], [3, 4]], dtype=np.float32)) is None


@pytest.mark.parametrize(
    "columns",
    [
        [],
        [{"name": "a", "kind": "number"}] * 2,
        [{"name": "a", "kind": "number", "values": ["x"]}],
        [{"name": "a", "kind": "category", "values": ["x", "x"]}],
        [{"name": "", "kind": "number"}],
        [{"name": "a", "kind": "date"}],
    ],
)
def test_columns_that_make_no_table_are_refused(columns: list[dict[str, Any]]) -> None:
    """None, two of one name, values of a number, a value twice, no name, no such kind."""
    with pytest.raises(ValueError, match="TableInput"):
        TableInput.model_validate({"columns": columns})


def test_rows_of_numbers_are_decoded_at_once() -> None:
    """To the bit as one by one; a missing cell is NaN, and a table with a category has no width."""
    spec = TableInput.model_validate({"columns": [{"name": name, "kind": "number"} for name in "ab"]})
    rows = np.array([[1, np.nan], [np.inf, -1e39], [-np.inf, 0.1]])
    payloads, bad = spec.decode_rows(rows)

    assert {} == bad
    assert spec.width == 2
    assert SPEC.width is None
    for row, payload in zip(rows, payloads, strict=True):
        np.testing.assert_array_equal(spec.decode(row.tolist()), payload)
