"""What a line or a row says: an item, or a refusal that says what is wrong with it.

    jsonl   an item {"id": "a", "x": ...}; or x alone: a list of numbers, a text, a row of a table (an object without x)
    csv     a row of a table, with names in the first row; or with `text`, one column of it as the item
    tsv     the same with tabs
    text    the line is the item

`id_column` names the column, or the field of a row, that is the id and not part of the row.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from service.client.answers import Refusal
from service.client.items import Item, refusal

_FIELDS = {"id", "x"}


class Format(StrEnum):
    """How items lie in a file; auto goes by the end of its name."""

    AUTO = "auto"
    JSONL = "jsonl"
    CSV = "csv"
    TSV = "tsv"
    TEXT = "text"


ENDINGS = {".csv": Format.CSV, ".tsv": Format.TSV, ".txt": Format.TEXT}
"""Everything else, and a pipe, is jsonl."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which columns mean something here."""

    id: str | None = None
    text: str | None = None


def item_of_json(line: bytes, columns: Columns) -> Item | Refusal:
    """The item of a line of JSON; an id that is missing is None."""
    try:
        said: Any = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return refusal(None, f"The line is not JSON: {error}.", kind="invalid-body")
    if isinstance(said, dict) and "x" in said:
        if unknown := sorted(said.keys() - _FIELDS):
            return refusal(
                said.get("id"), f"An item has the fields id and x; remove {', '.join(unknown[:5])[:200]}."
            )
        return Item(x=said["x"], id=said.get("id"))
    if isinstance(said, dict):
        return item_of_row(said, columns)
    if isinstance(said, str | list):
        return Item(x=said)
    return refusal(
        None, 'An item is {"id": "a", "x": ...}, or x alone: a list of numbers, a text, a row of a table.'
    )


def item_of_row(row: Mapping[str, Any], columns: Columns) -> Item | Refusal:
    """The item of a row of a table."""
    cells = dict(row)
    id = None
    if columns.id is not None:
        if columns.id not in cells:
            return refusal(None, f"The row has no {columns.id!r}, which is to be its id.")
        id = cells.pop(columns.id)
        id = id if isinstance(id, str) else str(id)
    if columns.text is None:
        return Item(x=cells, id=id)
    if columns.text not in cells:
        return refusal(id, f"The row has no {columns.text!r}, which is to be its text.")
    return Item(x=cells[columns.text], id=id)


def item_of_cells(cells: list[str], names: list[str], columns: Columns) -> Item | Refusal:
    """The item of a row of csv."""
    if len(cells) != len(names):
        return refusal(None, f"The row has {len(cells)} cells, and the first row names {len(names)} columns.")
    return item_of_row(dict(zip(names, cells, strict=True)), columns)
