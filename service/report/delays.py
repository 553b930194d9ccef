"""How long each class took to be found: a dot a stream, in items of the class; and those that never were."""

import statistics

from service.report.axes import WIDTH, Scale, count, drawing, stroke, ticks, words
from service.report.markup import Markup, node, shortened
from service.report.records import Report

_LEFT, _RIGHT, _NEVER = 190.0, WIDTH - 150.0, WIDTH - 74.0
_TOP, _ROW = 10.0, 24.0
_MOST_CLASSES = 40


def draw(report: Report, name: str) -> Markup:
    """The figure, slowest class last."""
    delays = {
        label: [c.delay_items for run in report.runs for c in run.classes if c.label == label and c.items]
        for label in report.unseen
    }
    rows = sorted(
        ((label, [d for d in found if d is not None], found) for label, found in delays.items() if found),
        key=lambda row: (len(row[2]) - len(row[1]), statistics.median(row[1] or [0]), row[0]),
    )[:_MOST_CLASSES]
    longest = max((d for _, found, _ in rows for d in found), default=1)
    x = Scale(low=0, high=longest, start=_LEFT, stop=_RIGHT)
    bottom = _TOP + _ROW * len(rows)
    parts = []
    for tick in ticks(longest, about=6):
        parts.append(stroke(x(tick), _TOP, x(tick), bottom, "grid"))
        parts.append(words(x(tick), bottom + 16, count(tick), anchor="middle", style="quiet"))
    parts.append(words(_NEVER, bottom + 16, "never", anchor="middle", style="bad"))
    parts.append(words(_LEFT - 8, bottom + 16, "items of the class", anchor="end", style="quiet"))
    for n, (label, found, every) in enumerate(rows):
        y = _TOP + _ROW * (n + 0.5)
        parts.append(words(_LEFT - 8, y + 4, shortened(label, 26), anchor="end"))
        parts.append(stroke(_LEFT, y, _NEVER, y, "grid"))
        if found:
            median = statistics.median(found)
            parts.append(stroke(_LEFT, y, x(median), y, "reach"))
            parts.append(words(x(max(found)) + 10, y + 4, count(median), style="quiet halo"))
        parts += [
            node("circle", node("title", f"{label}: {d} items"), cx=x(d), cy=y, r=5.0, class_="flag")
            for d in found
        ]
        missed = len(every) - len(found)
        if missed:
            parts.append(words(_NEVER, y + 4, f"{missed} of {len(every)}", anchor="middle", style="bad"))
    return drawing(
        name,
        "Delay of each class",
        "Items of each unseen class until it was found, a dot for each stream: "
        + "; ".join(f"{label}: {', '.join(map(str, found)) or 'never'}" for label, found, _ in rows)
        + ".",
        WIDTH,
        bottom + 26,
        *parts,
    )
