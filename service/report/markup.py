"""HTML and SVG as text, safe by construction: whatever is not markup already is escaped when it becomes part of it.

    node("text", "a < b", x=3)  ->  Markup('<text x="3">a &lt; b</text>')

Labels come from data sets and are hostile until shown otherwise. Characters that XML cannot hold become U+FFFD, so
what is made here always parses, and so do those that turn the direction of all text that follows; the page is
well-formed XML as well as HTML.
"""

import re
from collections.abc import Iterable
from html import escape

_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u202a-\u202e\u2066-\u2069]")

Attribute = str | float | bool | None


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def text(value: str) -> Markup:
    """Any text, to be shown as it is."""
    return Markup(escape(_UNFIT.sub("\ufffd", value), quote=True))


def join(parts: Iterable[str]) -> Markup:
    """One after the other; what is no markup is escaped."""
    return Markup("".join(part if isinstance(part, Markup) else text(part) for part in parts))


def node(name: str, /, *children: str, **attributes: Attribute) -> Markup:
    """An element. Attributes that are None are left out; `class_` is class, and `_` within a name is a hyphen."""
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = join(children)
    return Markup(f"<{name}{shown}>{inside}</{name}>" if inside or name not in _VOID else f"<{name}{shown}/>")


def shortened(label: str, most: int = 22) -> str:
    """A label that fits its place: what is cut off is shown as an ellipsis."""
    return label if len(label) <= most else f"{label[: most - 1]}\u2026"


_VOID = {"meta", "br", "path", "rect", "circle", "line", "use", "polyline"}


def _value(value: Attribute) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return text(str(value))
