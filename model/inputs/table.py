"""Tables: one row an item, an object of columns.

    {"duration": 0, "protocol": "tcp", "bytes": 491, "user": null}      or, in the columns' order,
    [0, "tcp", 491, null]

A column holds numbers or categories. A cell that is null, or whose column is not in the object, is missing: that is
allowed everywhere, and a net is told of it. A column that the table does not have is refused by name, since it is
more often a misspelt one than one too many. The payload is float32 (F,), one value a column:

    number      the number, cut to the range of float32; NaN where it is missing
    category    its place in `values`; len(values) for any value not listed there; -1 where it is missing

Scaling is the net's affair (`model/networks/front.py`), which learns it from the items it is fitted on.

**Cells.** A data set's cells pass through the same two functions as a client's, so that a row of the training file
may be sent as it is, as strings. `number_of` takes a number, or a string that is one. `category_of` takes a string,
a number or a boolean and compares as text, without white space at the ends: 80 and "80" are one category, true,
"true" and "True" too. For both a string is missing when it is empty or one of the usual words for nothing, whatever
its case: NA, N/A, NaN, null, none, ?, -.

Example: for the columns duration (number) and protocol (category: tcp, udp) the items `{"duration": "3"}`,
`{"duration": 3.0, "protocol": null}` and `["3", ""]` all decode to `[3.0, -1.0]`, and `[null, "icmp"]` to
`[NaN, 2.0]`.
"""

import functools
import json
import math
from typing import Any, Literal, Self

import numpy as np
import pydantic
from numpy.typing import NDArray

from model.inputs.kind import Column, InvalidInput, Kind, count, kind_of

MOST_COLUMNS = 4096
MOST_VALUES = 1000
"""Listed values of one category; rarer ones are "any other"."""
_LONGEST_NAME = 200
_NOTHING = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-"})
_BOOLEANS = frozenset({"true", "false"})
_LARGEST = float(np.finfo(np.float32).max)
_FEW = 3
_PLURALS = {"number": "numbers", "category": "categories"}


class NotACell(ValueError):
    """A value that no cell of the kind can hold; the message names it, in the words of JSON."""


def number_of(cell: object) -> float:
    """Return a cell of a column of numbers as a float within float32; NaN where it is missing.

    Raises:
        NotACell: it is no number.
    """
    if isinstance(cell, str):
        try:
            value = float(cell)
        except ValueError:
            value = None
        if value is None or "_" in cell:  # Python takes 1_000 for a number, and nobody else does
            if _is_nothing(cell):
                return math.nan
            raise NotACell("a string that is no number")
    elif cell is None:
        return math.nan
    elif isinstance(cell, bool | np.bool_) or not isinstance(cell, int | float | np.integer | np.floating):
        raise NotACell(kind_of(cell))
    else:
        try:
            value = float(cell)
        except OverflowError:
            value = _LARGEST if cell > 0 else -_LARGEST
    return value if math.isnan(value) else min(max(value, -_LARGEST), _LARGEST)


def category_of(cell: object) -> str | None:
    """Return a cell of a column of categories as the text it is compared by; None where it is missing.

    Raises:
        NotACell: it is a list, an object or the like.
    """
    if isinstance(cell, str):
        text = cell.strip()
        if _is_nothing(text):
            return None
        return text.lower() if text.lower() in _BOOLEANS else text
    if cell is None:
        return None
    if isinstance(cell, bool | np.bool_):
        return str(bool(cell)).lower()
    if isinstance(cell, int | np.integer):
        return str(cell) if abs(int(cell)) < 10**18 else ""  # a value not listed; never thousands of digits
    if isinstance(cell, float | np.floating):
        value = float(cell)
        if math.isnan(value):
            return None
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    raise NotACell(kind_of(cell))


def _shortest(code: float) -> int | float:
    """Return the number with the fewest digits that is this float32."""
    value = float(str(np.float32(code)))
    return int(value) if value.is_integer() and abs(value) < 1e15 else value


def _is_nothing(text: str) -> bool:
    return text.strip().lower() in _NOTHING


class TableColumn(pydantic.BaseModel):
    """One column.

    Attributes:
        name: the key in an item; distinct from the others'.
        kind: "number" or "category".
        values: the known values of a category, at most `MOST_VALUES`, distinct, as `category_of` gives them; empty
            for a number.
        example: a cell that items have, for people to look at; nothing depends on it.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = pydantic.Field(min_length=1, max_length=_LONGEST_NAME)
    kind: Literal["number", "category"]
    values: tuple[str, ...] = pydantic.Field(default=(), max_length=MOST_VALUES)
    example: int | float | str | None = None

    @pydantic.model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.kind == "number" and self.values:
            raise ValueError(f"the column {self.name!r} of numbers cannot have values")
        if len(set(self.values)) != len(self.values):
            raise ValueError(f"the column {self.name!r} has a value twice")
        return self

    def code(self, cell: object) -> float:
        """Return the value a cell has in the payload.

        Raises:
            NotACell: it cannot stand in this column.
        """
        if self.kind == "number":
            return number_of(cell)
        text = category_of(cell)
        return -1.0 if text is None else float(self._places.get(text, len(self.values)))

    def cell(self, code: float) -> int | float | str | None:
        """Return a cell that has this code."""
        if self.kind == "number":
            return None if math.isnan(code) else _shortest(code)
        if code < 0:
            return None
        return self.values[int(code)] if code < len(self.values) else self._unlisted

    @functools.cached_property
    def _places(self) -> dict[str, int]:
        return {value: place for place, value in enumerate(self.values)}

    @functools.cached_property
    def _unlisted(self) -> str:
        word = "other"
        while word in self._places:
            word += "_"
        return word


class TableInput(Kind):
    """The columns of a table, in order.

    Attributes:
        columns: at least one, with distinct names.

    Raises:
        pydantic.ValidationError: two columns have one name.
    """

    kind: Literal["table"] = "table"
    columns: tuple[TableColumn, ...] = pydantic.Field(min_length=1, max_length=MOST_COLUMNS)

    @pydantic.model_validator(mode="after")
    def _has_distinct_names(self) -> Self:
        if len(self._names) != len(self.columns):
            raise ValueError("two columns have the same name")
        return self

    @property
    def most_values(self) -> int:
        """A name and a cell for each column."""
        return 2 * len(self.columns)

    @property
    def width(self) -> int | None:
        """The columns, where all hold numbers."""
        return len(self.columns) if all(column.kind == "number" for column in self.columns) else None

    def decode(self, x: object) -> NDArray[np.float32]:
        """Check one row and code it.

        Args:
            x: an object with any of the columns, at least one; or a list with a cell for each.

        Returns:
            float32 (F,), see the top of this file.

        Raises:
            InvalidInput: neither, a column unknown, or a cell that cannot stand in its column.
        """
        if isinstance(x, dict):
            if not x.keys() <= self._names:
                raise self._unknown(x)
            if not x:
                raise self._wrong("an object without columns")
            cells = [x.get(column.name) for column in self.columns]
        elif isinstance(x, list | tuple):
            if len(x) != len(self.columns):
                raise self._wrong(f"a list of {count(len(x), 'value')}")
            cells = list(x)
        else:
            raise self._wrong(kind_of(x))
        row = np.empty(len(cells), dtype=np.float32)
        for place, (column, cell) in enumerate(zip(self.columns, cells, strict=True)):
            try:
                row[place] = column.code(cell)
            except NotACell as error:
                raise self._wrong(
                    f"{error} in {column.name!r}, a column of {_PLURALS[column.kind]}"
                ) from None
        return row

    def decode_rows(self, rows: NDArray[Any]) -> tuple[NDArray[np.float32], dict[int, InvalidInput]]:
        """Code rows of numbers (B, F) at once; NaN is a missing cell, so that none is refused."""
        return np.clip(rows, -_LARGEST, _LARGEST).astype(np.float32), {}

    def decode_column(self, column: Column) -> NDArray[np.float32]:
        """Return a copy: a data set's rows, float32 (N, F), are coded when they are read."""
        return np.array(column, dtype=np.float32)

    def column_problem(self, column: Column) -> str | None:
        """Say why `column` is not float32 (N, F) of codes."""
        if column.dtype != np.float32 or column.shape[1:] != (len(self.columns),):
            return f"x must be float32 (N, {len(self.columns)}), not {column.dtype} {column.shape}"
        for place, about in enumerate(self.columns):
            codes = column[:, place]
            if about.kind == "number":
                fits = ~np.isinf(codes)
            else:
                fits = (codes >= -1) & (codes <= len(about.values)) & (codes == np.round(codes))
            if not fits.all():
                return (
                    f"its item {int(fits.argmin())} has {codes[fits.argmin()]} in the column {about.name!r}"
                )
        return None

    def raw_item(self, value: Any) -> dict[str, pydantic.JsonValue]:  # noqa: ANN401  # what indexing a column gives
        """Return a row as an object of all columns."""
        return {
            column.name: column.cell(float(code)) for column, code in zip(self.columns, value, strict=True)
        }

    def example(self) -> dict[str, pydantic.JsonValue]:
        """Return the columns' examples."""
        return {column.name: column.example for column in self.columns}

    def describe(self) -> str:
        """Say what to send."""
        shown = {column.name: column.example for column in self.columns[:_FEW]}
        some = json.dumps(shown, ensure_ascii=False)[:-1] + (", ...}" if len(self.columns) > _FEW else "}")
        return f"an object of columns like {some}, or a list of their {count(len(self.columns), 'value')} in order"

    def summary(self) -> str:
        """Return how many columns of which kind."""
        numbers = sum(column.kind == "number" for column in self.columns)
        return f"table of {count(numbers, 'number')} and {len(self.columns) - numbers} categories"

    @functools.cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(column.name for column in self.columns)

    def _unknown(self, x: dict[Any, Any]) -> InvalidInput:
        stranger = str(next(name for name in x if name not in self._names))[:_LONGEST_NAME]
        near = [name for name in self._names if name.casefold() == stranger.strip().casefold()]
        hint = f" ({near[0]!r} is one)" if near else ""
        return self._wrong(f"{stranger!r}, which is none of the columns{hint}")

    def _wrong(self, got: str) -> InvalidInput:
        return InvalidInput(f"x must be {self.describe()}; got {got}.")
