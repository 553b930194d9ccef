"""A value as a cell of CSV that no spreadsheet takes for a formula, and back to the very value.

A spreadsheet computes what a cell says when it begins with one of

    =  +  -  @  tab  CR  LF      and the full-width forms of the first four

whoever wrote it, quotes around it or not; and items, names and reasons are written by strangers. So a text that begins
so gets an apostrophe in front, as does one that begins with an apostrophe, which makes the way back exact. Numbers are
numbers: they are written bare, with their sign. Every text is between quotes, with its quotes doubled, so that it can
neither end its cell nor begin another. No value at all is an empty cell without quotes.

Reference: OWASP, "CSV Injection", https://owasp.org/www-community/attacks/CSV_Injection.
"""

import json
import math

STARTS = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20'")
"""What makes a cell a formula, and the apostrophe that says it is none."""


def cell(value: object) -> str:
    """One cell, quotes included."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else ""
    return quoted(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def quoted(text: str) -> str:
    """A text between quotes, disarmed."""
    return '"' + disarmed(storable(text)).replace('"', '""') + '"'


def disarmed(text: str) -> str:
    """A text that begins no formula."""
    return f"'{text}" if text[:1] in STARTS and text else text


def rearmed(text: str) -> str:
    """What `disarmed` was given."""
    return text[1:] if text[:1] == "'" and text[1:2] in STARTS and len(text) > 1 else text


def storable(text: str) -> str:
    """A text that UTF-8 can hold: half a character, which JSON can carry, is shown as its escape."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
