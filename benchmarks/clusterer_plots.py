"""The figures of the clusterer's benchmark as SVG: plain text, read on light and dark, nothing needed to draw them.

One figure for each question: `speed` (items a second over the number of micro-clusters, and bytes), `flatness`
(microseconds an item over items learnt), `quality` (the index of every peer on every stream) and `churn` (the share of
known things that got a new id, over the stream). Ours is always blue and thick, river's DBSTREAM orange, all others
grey.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from benchmarks.report import Row

_OURS, _RIVER = "ours", "river"
_STYLE = """
text{font:11px system-ui,sans-serif;fill:#1f2937}
.title{font-size:14px;font-weight:600}
.head{font-weight:600}
.quiet{fill:#6b7280}
.grid{stroke:#9ca3af;stroke-opacity:.3;stroke-width:1}
.frame{fill:none;stroke:#9ca3af;stroke-opacity:.6}
.line{fill:none;stroke-width:1.6}
.ours{stroke:#3b82f6;stroke-width:2.4}
.river{stroke:#f59e0b}
.other{stroke:#9ca3af}
.dash{stroke-dasharray:4 3}
.dot{stroke:none}
.dot.ours{fill:#3b82f6}
.dot.river{fill:#f59e0b}
.dot.other{fill:#9ca3af}
@media(prefers-color-scheme:dark){text{fill:#e5e7eb}.quiet{fill:#9ca3af}}
"""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """From numbers to pixels.

    Attributes:
        low, high: Numbers at the ends.
        begin, end: Pixels at the ends.
        is_log: Whether equal ratios are equally long.
        ticks: Where to write a number.
    """

    low: float
    high: float
    begin: float
    end: float
    is_log: bool
    ticks: tuple[float, ...]

    def __call__(self, value: float) -> float:
        """The pixel of a number."""
        if self.is_log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Points to be joined; `style` is classes of the style sheet."""

    points: Sequence[tuple[float, float]]
    style: str


def plots(report: dict[str, Any]) -> dict[str, str]:
    """Name of a figure -> its SVG, for whatever was measured."""
    drawn: dict[str, Callable[[], str]] = {
        "speed": lambda: speed_plot(report["speed"]),
        "flatness": lambda: flatness_plot(report["flatness"]),
        "quality": lambda: quality_plot(report["quality"]),
        "churn": lambda: churn_plot(report["churn_course"]),
    }
    source = {"churn": "churn_course"}
    return {name: draw() for name, draw in drawn.items() if report.get(source.get(name, name))}


def speed_plot(rows: Sequence[Row]) -> str:
    """A column for each d; a line of panels for each stream, and one for bytes."""
    columns = sorted({row["d"] for row in rows})
    streams = list(dict.fromkeys(row["stream"] for row in rows))
    width, height, left, top, gap = 150, 130, 64, 74, 30
    counts = sorted({row["M"] for row in rows})
    rates = [row[key] for row in rows for key in _RATES]
    sizes = [row[key] for row in rows for key in ("live_bytes", "river_bytes")]
    parts = [
        _text("Items a second, and bytes, over the number of micro-clusters", 12, 22, "title"),
        *_legend(
            [
                ("ours, learn", "ours"),
                ("ours, predict + learn", "ours dash"),
                ("river, learn", "river"),
                ("river, predict + learn", "river dash"),
            ],
            12,
            44,
        ),
    ]
    for line, kind in enumerate([*streams, "bytes"]):
        y0 = top + line * (height + 44)
        parts.append(_text(kind, 12, y0 - 12, "head"))
        for column, d in enumerate(columns):
            x0 = left + column * (width + gap)
            stream = streams[-1] if kind == "bytes" else kind
            own = sorted(
                (row for row in rows if row["d"] == d and row["stream"] == stream), key=lambda row: row["M"]
            )
            keys = {"live_bytes": "ours", "river_bytes": "river"} if kind == "bytes" else _RATES
            curves = [
                Curve(points=[(row["M"], row[key]) for row in own], style=style)
                for key, style in keys.items()
            ]
            x = _log_axis(counts, x0, x0 + width)
            y = _log_axis(sizes if kind == "bytes" else rates, y0 + height, y0)
            parts.append(_text(f"d = {d}", x0 + width / 2, y0 - 6, "quiet", "middle"))
            parts += _panel(x, y, curves, has_numbers=column == 0)
    across = left + len(columns) * (width + gap)
    return _svg(max(across, 620), top + (len(streams) + 1) * (height + 44), parts)


_RATES = {
    "learn_per_s": "ours",
    "predict_learn_per_s": "ours dash",
    "river_learn_per_s": "river",
    "river_predict_learn_per_s": "river dash",
}


def flatness_plot(rows: Sequence[Row]) -> str:
    """One panel."""
    x = _log_axis([row["items_learnt"] for row in rows], 60, 460)
    most = max(row["us_per_item"] for row in rows)
    y = _linear_axis(0.0, most, 190, 56)
    curve = Curve(points=[(row["items_learnt"], row["us_per_item"]) for row in rows], style="ours")
    parts = [
        _text("Microseconds an item, over items learnt", 12, 22, "title"),
        *_panel(x, y, [curve], has_numbers=True),
    ]
    return _svg(484, 226, parts)


def quality_plot(rows: Sequence[Row]) -> str:
    """A column for each stream, a line for each peer: the index, with a tail to the worst stream's."""
    streams = list(dict.fromkeys(row["stream"] for row in rows))
    peers = list(dict.fromkeys(row["clusterer"] for row in rows))
    width, line, left, top, gap = 130, 18, 210, 66, 18
    bottom = top + line * len(peers)
    parts = [
        _text("Adjusted Rand index of the answers as the stream goes by", 12, 22, "title"),
        _text("dot: median over streams; tail: to the worst one; none: too slow", 12, 40, "quiet"),
    ]
    parts += [_text(peer, 12, top + line * n + 13) for n, peer in enumerate(peers)]
    for column, stream in enumerate(streams):
        x0 = left + column * (width + gap)
        x = _linear_axis(0.0, 1.0, x0, x0 + width)
        parts.append(_text(stream, x0, top - 8, "head"))
        for tick in x.ticks:
            parts.append(f'<path class="grid" d="M{x(tick):.1f} {top}V{bottom}"/>')
            parts.append(_text(f"{tick:g}", x(tick), bottom + 14, "quiet", "middle"))
        for row in rows:
            if row["stream"] == stream and row["ari"] is not None:
                y = top + line * peers.index(row["clusterer"]) + 9
                style = _style(row["clusterer"])
                here, worst = x(max(0.0, row["ari"])), x(max(0.0, row["ari_worst"]))
                parts.append(f'<path class="line {style}" d="M{worst:.1f} {y}H{here:.1f}"/>')
                parts.append(f'<circle class="dot {style}" cx="{here:.1f}" cy="{y}" r="4"/>')
    return _svg(max(left + len(streams) * (width + gap) + 8, 440), bottom + 26, parts)


def churn_plot(courses: dict[str, list[Row]]) -> str:
    """A strip for each peer: the share at every checkpoint."""
    width, height, left, top = 420, 34, 210, 62
    last = max((point["items"] for course in courses.values() for point in course), default=1)
    parts = [
        _text("Known things that got a new id in the last 100 items", 12, 22, "title"),
        _text("one strip a peer, from 0 to 1, over the items of a stream of topics", 12, 40, "quiet"),
    ]
    for n, (name, course) in enumerate(courses.items()):
        y0 = top + n * (height + 8)
        x = _linear_axis(0.0, float(last), left, left + width)
        y = _linear_axis(0.0, 1.0, y0 + height, y0)
        parts.append(_text(name, 12, y0 + height / 2 + 4))
        parts.append(f'<path class="grid" d="M{left} {y0 + height}h{width}M{left} {y0}h{width}"/>')
        bars = "".join(
            f"M{x(point['items']):.1f} {y(0.0)}V{y(point['share']):.1f}" for point in course if point["share"]
        )
        parts.append(f'<path class="line {_style(name)}" d="{bars}"/>')
        mean = sum(point["share"] for point in course) / max(1, len(course))
        parts.append(
            _text(
                f"{100 * mean:.1f} %" if course else "no answers",
                left + width + 8,
                y0 + height / 2 + 4,
                "quiet",
            )
        )
    bottom = top + len(courses) * (height + 8)
    parts.append(_text(f"0 to {last:,} items", left, bottom + 10, "quiet"))
    return _svg(left + width + 84, bottom + 22, parts)


def _panel(x: Axis, y: Axis, curves: Iterable[Curve], *, has_numbers: bool) -> list[str]:
    """Frame, grid, numbers, curves."""
    parts = [
        f'<rect class="frame" x="{x.begin:.1f}" y="{y.end:.1f}" width="{x.end - x.begin:.1f}" '
        f'height="{y.begin - y.end:.1f}"/>'
    ]
    for tick in y.ticks:
        parts.append(f'<path class="grid" d="M{x.begin:.1f} {y(tick):.1f}H{x.end:.1f}"/>')
        if has_numbers:
            parts.append(_text(_short(tick), x.begin - 5, y(tick) + 4, "quiet", "end"))
    for tick in x.ticks:
        parts.append(f'<path class="grid" d="M{x(tick):.1f} {y.begin:.1f}V{y.end:.1f}"/>')
        parts.append(_text(_short(tick), x(tick), y.begin + 14, "quiet", "middle"))
    for curve in curves:
        at = [(x(a), y(b)) for a, b in curve.points]
        path = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in at)
        parts.append(f'<path class="line {curve.style}" d="{path}"/>')
        style = curve.style.split()[0]
        parts += [f'<circle class="dot {style}" cx="{a:.1f}" cy="{b:.1f}" r="2.6"/>' for a, b in at]
    return parts


def _log_axis(values: Sequence[float], begin: float, end: float) -> Axis:
    """Whole powers of ten around the values, a number at each, or at each second or third where they are many."""
    low = math.floor(math.log10(min(values)))
    high = max(low + 1, math.ceil(math.log10(max(values))))
    step = -(-(high - low) // 4)
    ticks = tuple(10.0**n for n in range(low, high + 1, step))
    return Axis(low=10.0**low, high=10.0**high, begin=begin, end=end, is_log=True, ticks=ticks)


def _linear_axis(low: float, most: float, begin: float, end: float) -> Axis:
    """From low to a round number not below most."""
    step = 10.0 ** math.floor(math.log10((most - low) / 2.0))
    step *= next(n for n in (1, 2, 5, 10) if n * step * 4 >= most - low)
    count = math.ceil((most - low) / step - 1e-9)
    ticks = tuple(low + n * step for n in range(count + 1))
    return Axis(low=low, high=ticks[-1], begin=begin, end=end, is_log=False, ticks=ticks)


def _legend(entries: Sequence[tuple[str, str]], x: float, y: float) -> list[str]:
    parts = []
    for name, style in entries:
        parts.append(f'<path class="line {style}" d="M{x:.0f} {y - 4:.0f}h22"/>')
        parts.append(_text(name, x + 27, y))
        x += 45 + 6.2 * len(name)
    return parts


def _style(clusterer: str) -> str:
    if clusterer.startswith("firstseen"):
        return _OURS
    return _RIVER if clusterer.startswith("river DBSTREAM") else "other"


def _short(value: float) -> str:
    """1000000 -> 1M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _text(text: str, x: float, y: float, style: str = "", anchor: str = "start") -> str:
    return f'<text class="{style}" x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(width: float, height: float, parts: Iterable[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img">'
    )
    return "\n".join([head, f"<style>{_STYLE}</style>", *parts, "</svg>"]) + "\n"
