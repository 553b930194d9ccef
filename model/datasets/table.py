"""Tables as a data set: which columns hold numbers, which categories, and which are left out.

The first pass over the rows looks at every column, the second codes its cells (`model/inputs/table.py`).

    a column is          when
    the label            --label names it; rows without a label are left out
    left out             --drop names it; it has no name or no value; or it only numbers the rows (n, n + 1, ...
                         from the first to the last of ten or more), which a net would take for a reason where
                         a file is sorted
    of categories        --categories names it, or some cell is neither a number nor missing
    of numbers           otherwise
    refused              it is of categories unasked and nearly every row has its own: more than 50 values, and more
                         values than half its cells; or more than 10,000. Times, ids and prose look so. It takes
                         a person to say --drop or --categories

A category lists its 1,000 most frequent values of at most 200 characters. That any row counts here, held-out classes
included, gives nothing away: the list only numbers values. Which of them a net may know, and how numbers are scaled,
it learns from the items it is fitted on.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.datasets.labelled import LONGEST_NAME, DataError, LabelledData, is_unicode, shown
from model.datasets.npz import Arrays, classes_of, names_of
from model.datasets.table_file import TableSource
from model.inputs import TableColumn, TableInput
from model.inputs.table import MOST_COLUMNS, MOST_VALUES, NotACell, category_of, number_of

_MOST_DISTINCT = 10_000
_FEW_DISTINCT = 50
_FEWEST_COUNTED = 10
_COUNTABLE = 2**53
"""From here on a float and the next row's, one more, may be the same number."""
_SHOWN = 10


@dataclass(kw_only=True)
class _Seen:
    """What the first pass finds in one column.

    Attributes:
        present: cells that are not missing.
        is_number: whether all of them are numbers.
        is_count: whether they are n, n + 1, ... without a gap.
        values: how often each value occurs, up to `_MOST_DISTINCT` of them.
        overflowed: whether there are more.
        sample: the numbers of the first chunk.
    """

    present: int = 0
    is_number: bool = True
    is_count: bool = True
    first: float | None = None
    values: Counter[str] = field(default_factory=Counter)
    overflowed: bool = False
    sample: list[float] = field(default_factory=list)


def load_table(
    rows: TableSource,
    *,
    called: str,
    name: str,
    label: str | None,
    categories: Sequence[str] = (),
    drop: Sequence[str] = (),
) -> LabelledData:
    """Read a table with its labels.

    Args:
        rows: the table.
        called: its name in errors and in `source`.
        name: short name of the data set.
        label: the column that has the classes.
        categories: columns to take as categories, though they hold numbers.
        drop: columns to leave out.

    Returns:
        x float32 (N, F), coded; classes in alphabetical order.

    Raises:
        DataError: a name is not that of a column, no label is given, or a column needs a person's decision; the
            message says which.
    """
    _check_names(rows, called, label, categories, drop)
    assert label is not None
    wanted = [column for column in rows.columns if column and column != label and column not in drop]
    seen, labels, unlabelled = _look(rows, called, label, wanted)
    columns, left_out = _decide(called, seen, categories, items=sum(labels.values()) + unlabelled)
    table = TableInput(columns=tuple(columns))
    classes = _classes(called, label, labels)
    x, y = _code(rows, called, label, table, classes, n=sum(labels.values()))
    notes = [f"left out: {', '.join(left_out)}"] if left_out else []
    notes += [f"{unlabelled} rows without a label left out"] if unlabelled else []
    return LabelledData(
        name=name,
        input=table,
        x=x,
        y=y,
        labels=tuple(classes),
        source="; ".join([f"{len(y)} rows of {called}, classes from the column {label}", *notes]),
    )


def table_of_vectors(arrays: Arrays, *, path: Path, name: str, source: str) -> LabelledData:
    """Make a table of numbers from vectors.

    Args:
        arrays: of `model.datasets.npz.read_npz`, x (N, F).
        path: named in errors.
        name: short name of the data set.
        source: where it comes from.

    Returns:
        x float32 (N, F), NaN where it was NaN; the columns are called as `columns` says, else x0, x1, ...

    Raises:
        DataError: `columns` does not name F columns, or there are none or too many.
    """
    x = np.asarray(arrays["x"], dtype=np.float64)
    names = (
        names_of(arrays, "columns", path=path)
        if "columns" in arrays
        else [f"x{i}" for i in range(x.shape[1])]
    )
    if len(names) != x.shape[1] or len(set(names)) != len(names) or not all(names):
        raise DataError(
            f"{path} has columns {_listing(names)} for x of shape {x.shape}. Give each value its own name."
        )
    if not 1 <= len(names) <= MOST_COLUMNS:
        raise DataError(f"{path} has vectors of {len(names)} values. Give them 1 to {MOST_COLUMNS}.")
    for column in names:
        if not _can_be_named(column):
            raise DataError(
                f"{path} has a column called {shown(column)}, which is too long or no text. Rename it."
            )
    y, labels = classes_of(arrays, path=path)
    limit = float(np.finfo(np.float32).max)
    examples = [_middle([v for v in x[:1000, i].tolist() if math.isfinite(v)]) for i in range(x.shape[1])]
    return LabelledData(
        name=name,
        input=TableInput(
            columns=tuple(
                TableColumn(name=column, kind="number", example=example)
                for column, example in zip(names, examples, strict=True)
            )
        ),
        x=np.clip(x, -limit, limit).astype(np.float32),
        y=y,
        labels=labels,
        source=source,
    )


def _check_names(
    rows: TableSource, called: str, label: str | None, categories: Sequence[str], drop: Sequence[str]
) -> None:
    listing = _listing([column for column in rows.columns if column])
    if label is None:
        raise DataError(
            f"{called} is a table: name the column that has the classes with --label (and, to read a column of texts "
            f"instead of the whole row, that one with --text). It has {listing}."
        )
    for option, names in (("--label", [label]), ("--categories", categories), ("--drop", drop)):
        for column in names:
            if column not in rows.columns:
                raise DataError(f"{called} has no column {column!r}, named with {option}. It has {listing}.")
    if label in drop or label in categories:
        raise DataError(f"The column {label!r} is the label. Take it out of --drop and --categories.")
    both = sorted(set(categories) & set(drop))
    if both:
        raise DataError(f"The column {both[0]!r} is in --categories and in --drop. Decide for one.")


def _look(
    rows: TableSource, called: str, label: str, wanted: Sequence[str]
) -> tuple[dict[str, _Seen], Counter[str], int]:
    """Make the first pass: what is in each column, how often each label occurs, how many rows have none."""
    seen = {column: _Seen() for column in wanted}
    labels: Counter[str] = Counter()
    rows_before = 0
    for chunk in rows.chunks():
        labels.update(_label_of(cell, called, label) for cell in chunk[label])
        for column in wanted:
            try:
                _look_at(seen[column], chunk[column], rows_before)
            except (NotACell, TypeError) as error:  # a TypeError: cells that are lists cannot be counted
                raise DataError(
                    f"The column {column!r} of {called} holds neither numbers nor text ({error}). "
                    f"Leave it out: --drop {column}"
                ) from error
        rows_before += len(chunk[label])
    unlabelled = labels.pop("", 0)
    return seen, labels, unlabelled


def _look_at(seen: _Seen, cells: Sequence[object], rows_before: int) -> None:
    counted = Counter(cells)
    numbers: dict[object, float] = {}
    if seen.is_number:
        try:
            numbers = {cell: number_of(cell) for cell in counted}
        except NotACell:
            seen.is_number = seen.is_count = False
    if seen.is_count:
        values = [numbers[cell] for cell in cells]
        seen.first = values[0] if seen.first is None else seen.first
        expected = [seen.first + rows_before + i for i in range(len(values))]
        seen.is_count = values == expected and abs(values[-1]) < _COUNTABLE
    if seen.is_number and not seen.sample:
        seen.sample = [v for v in (numbers[cell] for cell in cells) if not math.isnan(v)]
    for cell, times in counted.items():
        text = category_of(cell)
        if text is None:
            continue
        seen.present += times
        if text in seen.values or len(seen.values) < _MOST_DISTINCT:
            seen.values[text] += times
        else:
            seen.overflowed = True


def _decide(
    called: str, seen: dict[str, _Seen], categories: Sequence[str], *, items: int
) -> tuple[list[TableColumn], list[str]]:
    """Give every column its kind, and say which are left out and why."""
    columns: list[TableColumn] = []
    left_out: list[str] = []
    doubtful: list[str] = []
    for name, found in seen.items():
        if not _can_be_named(name):
            raise DataError(
                f"{called} has a column called {shown(name)}, which is too long or no text. Rename it."
            )
        if not found.present:
            left_out.append(f"{name} (empty)")
        elif name in categories:
            columns.append(_category(name, found))
        elif found.is_count and items >= _FEWEST_COUNTED:
            left_out.append(f"{name} (numbers the rows)")
        elif found.is_number:
            columns.append(TableColumn(name=name, kind="number", example=_middle(found.sample)))
        elif found.overflowed or len(found.values) > max(_FEW_DISTINCT, found.present / 2):
            doubtful.append(name)
        else:
            columns.append(_category(name, found))
    if doubtful:
        names = ",".join(doubtful)
        raise DataError(
            f"{called} has text in {_listing(doubtful)} that nearly every row has its own of, as times, ids and prose "
            f"do. Leave it out: --drop {names}, or take it as categories: --categories {names}"
        )
    if not 1 <= len(columns) <= MOST_COLUMNS:
        raise DataError(f"{called} has {len(columns)} columns to learn from. Give it 1 to {MOST_COLUMNS}.")
    return columns, left_out


def _category(name: str, found: _Seen) -> TableColumn:
    by_count = sorted(found.values.items(), key=lambda item: (-item[1], item[0]))
    values = tuple([value for value, _ in by_count if _can_be_named(value)][:MOST_VALUES])
    return TableColumn(name=name, kind="category", values=values, example=values[0] if values else None)


def _classes(called: str, label: str, labels: Counter[str]) -> list[str]:
    """Return the classes in order, refusing a column that cannot be the label."""
    if not labels:
        raise DataError(f"{called} has no row with a label in the column {label!r}.")
    if len(labels) > max(2, sum(labels.values()) / 2):
        raise DataError(
            f"The column {label!r} of {called} has {len(labels)} different values in {sum(labels.values())} rows, so "
            "it is no class. Name the column that has the classes with --label."
        )
    are_numbers = all(name.isdecimal() for name in labels)
    return sorted(labels, key=(lambda name: (int(name), name)) if are_numbers else None)


def _code(
    rows: TableSource, called: str, label: str, table: TableInput, classes: Sequence[str], *, n: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Make the second pass: float32 (N, F) codes and int64 (N,) classes, rows without a label left out."""
    x, y = np.empty((n, len(table.columns)), dtype=np.float32), np.empty(n, dtype=np.int64)
    numbers = {name: k for k, name in enumerate(classes)} | {"": -1}
    start = 0
    for chunk in rows.chunks():
        labels = [_label_of(cell, called, label) for cell in chunk[label]]
        known = np.array([numbers.get(name, -1) for name in labels], dtype=np.int64)
        kept = np.flatnonzero(known >= 0)
        stop = start + len(kept)
        if stop > n:
            raise _changed(called)
        y[start:stop] = known[kept]
        for j, column in enumerate(table.columns):
            x[start:stop, j] = _codes(column, chunk[column.name])[kept]
        start = stop
    if start != n:
        raise _changed(called)
    return x, y


def _changed(called: str) -> DataError:
    return DataError(f"{called} changed while it was read. Train again when it is complete.")


def _codes(column: TableColumn, cells: Sequence[object]) -> NDArray[np.float32]:
    codes = {cell: column.code(cell) for cell in set(cells)}
    return np.fromiter((codes[cell] for cell in cells), dtype=np.float32, count=len(cells))


def _label_of(cell: Any, called: str, label: str) -> str:  # noqa: ANN401  # whatever a table holds
    """Return a class name; empty where the row has none. Words like "none" are names here."""
    try:
        name = cell.strip() if isinstance(cell, str) else category_of(cell) or ""
    except NotACell as error:
        raise DataError(
            f"The column {label!r} of {called} holds {error}. A class is text or a number."
        ) from error
    if not _can_be_named(name):
        raise DataError(
            f"The column {label!r} of {called} has the label {shown(name)}, and a class has a name of at most "
            f"{LONGEST_NAME} characters. Name the column that has the classes with --label."
        )
    return name


def _can_be_named(text: str) -> bool:
    """Whether a manifest can hold the text: not endless, and valid Unicode."""
    return len(text) <= LONGEST_NAME and is_unicode(text)


def _middle(values: Sequence[float]) -> int | float | None:
    """Return the value in the middle, whole where it is whole: an example for people."""
    if not values:
        return None
    middle = sorted(values)[len(values) // 2]
    return int(middle) if middle.is_integer() and abs(middle) < 1e15 else middle


def _listing(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
