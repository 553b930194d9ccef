"""The stream from left to right: what its items were answered with, and when each new class came and was found."""

from service.report.axes import WIDTH, Scale, count, drawing, stroke, ticks, words
from service.report.markup import Markup, join, node, shortened
from service.report.pictures import KINDS
from service.report.records import Run
from service.scoring.clusters import ClassScore

KIND_WORDS = {
    "right": "known, own class",
    "confused": "known, another class",
    "missed": "unseen, taken for known",
    "outlier": "outlier",
    "false": "false cluster",
    "found": "right cluster",
}

_LEFT, _RIGHT = 150.0, WIDTH - 196.0
_TOP, _STACK, _ROW = 34.0, 210.0, 30.0
_MOST_CLASSES = 16


def draw(run: Run, name: str) -> Markup:
    """The figure."""
    line = run.pictures.timeline
    x = Scale(low=0, high=line.edges[-1], start=_LEFT, stop=_RIGHT)
    shown = sorted(
        (c for c in run.classes if c.first_at is not None), key=lambda c: (c.first_at or 0, c.label)
    )[:_MOST_CLASSES]
    rows_top = _TOP + _STACK + 30
    false = [c for c in run.clusters if not c.is_right]
    height = rows_top + _ROW * (len(shown) + bool(false)) + 14
    bottom = _TOP + _STACK
    parts = [_legend(), *_stack(run, x, bottom)]
    for tick in ticks(line.edges[-1], about=8):
        parts.append(stroke(x(tick), bottom, x(tick), bottom + 4, "axis"))
        parts.append(words(x(tick), bottom + 17, count(tick), anchor="middle", style="quiet"))
    parts.append(words(_LEFT - 8, bottom + 17, "item", anchor="end", style="quiet"))
    for n, own in enumerate(shown):
        parts.append(_class_row(run, own, x, rows_top + n * _ROW))
    if false:
        y = rows_top + len(shown) * _ROW
        parts.append(words(_LEFT - 8, y + 17, "false clusters", anchor="end", style="bad"))
        parts.append(stroke(_LEFT, y + 22, _RIGHT, y + 22, "grid"))
        parts += [
            node("path", node("title", f"cluster {c.cluster}: {c.judgement}, at item {c.announced_at:,}"),
                 d=_cross(x(c.announced_at), y + 13), class_="mark bad-line")
            for c in false
        ]  # fmt: skip
    found = sum(c.found_at is not None for c in run.classes)
    return drawing(
        name,
        f"The stream of seed {run.seed}, in order",
        f"{run.measures.items:,} items by the kind of their answer, in bins; below, for each unseen class, when its "
        f"items came and when it was found. {found} of {run.measures.classes_unseen} classes were found, and "
        f"{len(false)} clusters were false.",
        WIDTH,
        height,
        *parts,
    )


def more_classes(run: Run) -> int:
    """How many unseen classes of the stream the figure has no row for."""
    return max(0, run.measures.classes_unseen - _MOST_CLASSES)


def _legend() -> Markup:
    x, parts = _LEFT, []
    for kind in KINDS:
        parts.append(node("rect", x=x, y=6.0, width=10.0, height=10.0, rx=2.0, class_=f"fill-{kind}"))
        parts.append(words(x + 14, 15, KIND_WORDS[kind]))
        x += 28 + 6.4 * len(KIND_WORDS[kind])
    return join(parts)


def _stack(run: Run, x: Scale, bottom: float) -> list[Markup]:
    line = run.pictures.timeline
    y = Scale(low=0, high=1, start=bottom, stop=_TOP)
    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(stroke(_LEFT, y(share), _RIGHT, y(share), "grid"))
        parts.append(words(_LEFT - 8, y(share) + 4, f"{share:.0%}", anchor="end", style="quiet"))
    below = [0] * (len(line.edges) - 1)
    for kind in KINDS:
        bars = []
        for n, items in enumerate(line.answers[kind]):
            total = line.edges[n + 1] - line.edges[n]
            if not items:
                continue
            left, right = x(line.edges[n]), x(line.edges[n + 1])
            top, foot = y((below[n] + items) / total), y(below[n] / total)
            bars.append(f"M{left:.1f} {top:.1f}H{right - 0.6:.1f}V{foot:.1f}H{left:.1f}Z")
            below[n] += items
        parts.append(node("path", node("title", KIND_WORDS[kind]), d="".join(bars), class_=f"fill-{kind}"))
    return parts


def _class_row(run: Run, own: ClassScore, x: Scale, top: float) -> Markup:
    """Its items as bars, a dotted line where it came, a flag where it was found, ticks for further clusters."""
    line = run.pictures.timeline
    base = top + 22
    items = line.unseen[own.label]
    most = max(i / (b - a) for i, a, b in zip(items, line.edges, line.edges[1:], strict=False))
    bars = [
        f"M{x(a):.1f} {base:.1f}V{base - 18 * i / (b - a) / most:.1f}H{x(b) - 0.6:.1f}V{base:.1f}Z"
        for i, a, b in zip(items, line.edges, line.edges[1:], strict=False)
        if i
    ]
    parts = [
        words(_LEFT - 8, base - 5, shortened(own.label), anchor="end"),
        node(
            "path", node("title", f"{own.label}: {own.items:,} items"), d="".join(bars), class_="fill-items"
        ),
        stroke(_LEFT, base, _RIGHT, base, "grid"),
    ]
    came = x(own.first_at or 0)
    parts.append(stroke(came, _TOP, came, base, "came"))
    for cluster in run.clusters:
        if cluster.is_right and cluster.stands_for == own.label and cluster.announced_at != own.found_at:
            at = x(cluster.announced_at)
            hint = f"cluster {cluster.cluster}, a fragment, at item {cluster.announced_at:,}"
            parts.append(
                node(
                    "path", node("title", hint), d=f"M{at:.1f} {base - 18:.1f}V{base:.1f}", class_="mark part"
                )
            )
    if own.found_at is None:
        hidden = f", {own.taken_share:.0%} as {shortened(own.taken_for, 10)}" if own.taken_for else ""
        parts.append(words(_RIGHT + 10, base - 5, f"not found{hidden}", style="bad"))
    else:
        at = x(own.found_at)
        parts.append(stroke(at, _TOP, at, base, "flagged"))
        parts.append(node("circle", cx=at, cy=base - 9, r=4.5, class_="flag"))
        parts.append(words(_RIGHT + 10, base - 5, f"found after {own.delay_items:,} items", style="good"))
    return join(parts)


def _cross(x: float, y: float) -> str:
    return f"M{x - 4:.1f} {y - 4:.1f}l8 8M{x + 4:.1f} {y - 4:.1f}l-8 8"
