"""What the figures share: a drawing with a title for those who do not see it, scales, ticks, and words at a place.

Colors and sizes of type are classes of the page's style sheet (`page.py`), so that they follow light and dark.
"""

import math
from dataclasses import dataclass

from service.report.markup import Markup, node, text

WIDTH = 960.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """A straight line from values to places on the drawing."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        """Where a value lies."""
        span = self.high - self.low or 1.0
        return self.start + (value - self.low) / span * (self.stop - self.start)


def drawing(name: str, title: str, description: str, width: float, height: float, *parts: str) -> Markup:
    """An SVG; `name` is its id within the page, title and description are for those who cannot see it."""
    return node(
        "svg",
        node("title", title, id=f"{name}-title"),
        node("desc", description, id=f"{name}-desc"),
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
    )


def words(x: float, y: float, said: str, *, anchor: str | None = None, style: str | None = None) -> Markup:
    """Text at a place; anchor is start, middle or end."""
    return node("text", text(said), x=x, y=y, text_anchor=anchor, class_=style)


def stroke(x1: float, y1: float, x2: float, y2: float, style: str) -> Markup:
    """A straight line."""
    return node("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=style)


def ticks(high: float, *, about: int = 5) -> list[float]:
    """Round values from 0 to `high`, at 1, 2 or 5 times a power of ten."""
    if high <= 0.0:
        return [0.0]
    raw = high / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999)
    return [step * n for n in range(math.floor(high / step * 1.0001) + 1)]


def count(value: float) -> str:
    """A number of items: 12,000, or 2.5 where it is no whole one."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,g}"
