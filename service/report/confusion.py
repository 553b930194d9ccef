"""Where the items of each class went: a heat map of answers by classes, each column a class and adding up to one."""

from service.report.axes import WIDTH, drawing, words
from service.report.markup import Markup, node, shortened
from service.report.records import Run

_LEFT = 150.0
_CELL = 24.0
_LONGEST = 16
_WIDEST, _NARROWEST = 74.0, 15.0


def draw(run: Run, name: str) -> Markup:
    """The figure; a cell says how many items it stands for, and its shade which share of its class."""
    table = run.pictures.confusion
    cell = max(_NARROWEST, min(_WIDEST, (WIDTH - _LEFT - 40) / max(1, len(table.columns))))
    totals = [sum(row[n] for row in table.counts) for n in range(len(table.columns))]
    head = 22 + 4.6 * max(len(shortened(label, _LONGEST)) for label in ("", *table.columns))
    unseen = {c.label for c in run.classes}
    parts = []
    for n, label in enumerate(table.columns):
        x = _LEFT + cell * (n + 0.5)
        parts.append(
            node("text", shortened(label, _LONGEST), x=0, y=0, class_=None if label in unseen else "quiet",
                 transform=f"translate({x + 4:.1f} {head - 8:.1f}) rotate(-45)")
        )  # fmt: skip
    for m, (label, counts) in enumerate(zip(table.rows, table.counts, strict=True)):
        y = head + _CELL * m
        parts.append(words(_LEFT - 8, y + 16, label, anchor="end"))
        for n, items in enumerate(counts):
            share = items / totals[n] if totals[n] else 0.0
            hint = f"{label}, class {table.columns[n]}: {items:,} items, {share:.1%}"
            parts.append(
                node(
                    "rect", node("title", hint), x=_LEFT + cell * n, y=y, width=cell - 1.5, height=_CELL - 1.5, rx=2.0,
                    class_="cell", fill_opacity=round(0.04 + 0.96 * share, 3),
                )
            )  # fmt: skip
            if items and cell >= 30:
                style = "dark" if share > 0.62 else None
                parts.append(
                    words(_LEFT + cell * (n + 0.5), y + 16, f"{items:,}", anchor="middle", style=style)
                )
    return drawing(
        name,
        "Answers by class",
        "What the items of each class were answered with; columns are classes, unseen ones first, and add up to all "
        "items of the class.",
        WIDTH,
        head + _CELL * len(table.rows) + 8,
        *parts,
    )
