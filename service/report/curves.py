"""The gate, item by item: the ROC curve of novelty, and how known and unseen items are spread over it."""

import math

from service.report.axes import Scale, drawing, stroke, words
from service.report.markup import Markup, join, node
from service.report.records import Run

_WIDTH, _HEIGHT = 470.0, 360.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 456.0, 18.0, 312.0


def draw_roc(run: Run, name: str) -> Markup:
    """The ROC curve, with the point that the verdicts themselves are."""
    measures = run.measures
    x = Scale(low=0, high=1, start=_LEFT, stop=_RIGHT)
    y = Scale(low=0, high=1, start=_BOTTOM, stop=_TOP)
    parts = [_square(x, y), stroke(x(0), y(0), x(1), y(1), "luck")]
    if run.pictures.roc:
        line = "L".join(f"{x(a):.1f} {y(b):.1f}" for a, b in run.pictures.roc)
        parts.append(node("path", d=f"M{line}L{x(1):.1f} {y(0):.1f}Z", class_="area"))
        parts.append(node("path", d=f"M{line}", class_="curve"))
    if measures.fnew is not None and measures.mnew_flag is not None:
        at, up = x(measures.fnew), y(1 - measures.mnew_flag)
        parts.append(node("circle", cx=at, cy=up, r=5.0, class_="flag"))
        parts.append(
            words(at + 10, up + 16, f"as decided: {1 - measures.mnew_flag:.1%} caught at {measures.fnew:.1%}")
        )
    parts.append(words(x(1) - 8, y(0) - 30, f"AUROC {_shown(measures.auroc)}", anchor="end", style="strong"))
    parts.append(words(x(1) - 8, y(0) - 12, f"FPR95 {_shown(measures.fpr95)}", anchor="end", style="quiet"))
    parts.append(
        words((_LEFT + _RIGHT) / 2, _HEIGHT - 10, "known items called new", anchor="middle", style="quiet")
    )
    parts.append(_sideways("unseen items called new"))
    return drawing(
        name,
        "ROC curve of novelty",
        f"Share of unseen items called new against the share of known ones, at every threshold. AUROC "
        f"{_shown(measures.auroc)}, FPR95 {_shown(measures.fpr95)}.",
        _WIDTH,
        _HEIGHT,
        *parts,
    )


def draw_novelty(run: Run, name: str) -> Markup:
    """Both histograms as shares of their kind, so that few unseen items show as well as many known ones."""
    found = run.pictures.histogram
    bins = len(found.known)
    x = Scale(low=0, high=bins, start=_LEFT, stop=_RIGHT)
    shares = {
        kind: [n / max(1, sum(counts)) for n in counts]
        for kind, counts in (("known", found.known), ("unseen", found.unseen))
    }
    high = max(max(s, default=0.0) for s in shares.values()) or 1.0
    y = Scale(low=0, high=math.sqrt(high), start=_BOTTOM, stop=_TOP + 22)
    parts = []
    for share in (0.01, 0.05, 0.1, 0.25, 0.5, 1.0):
        if share <= high:
            parts.append(stroke(_LEFT, y(math.sqrt(share)), _RIGHT, y(math.sqrt(share)), "grid"))
            parts.append(
                words(_LEFT - 6, y(math.sqrt(share)) + 4, f"{share:.0%}", anchor="end", style="quiet")
            )
    for kind, heights in shares.items():
        tops = "".join(f"V{y(math.sqrt(s)):.1f}H{x(n + 1):.1f}" for n, s in enumerate(heights))
        parts.append(
            node("path", d=f"M{x(0):.1f} {_BOTTOM:.1f}{tops}V{_BOTTOM:.1f}Z", class_=f"spread-{kind}")
        )
    parts.append(stroke(_LEFT, _BOTTOM, _RIGHT, _BOTTOM, "axis"))
    for place, said in _novelty_ticks(found.edges):
        parts.append(stroke(x(place), _BOTTOM, x(place), _BOTTOM + 4, "axis"))
        parts.append(words(x(place), _BOTTOM + 17, said, anchor="middle", style="quiet"))
    for n, kind in enumerate(shares):
        left = _LEFT + 8 + n * 110
        parts.append(node("rect", x=left, y=6.0, width=10.0, height=10.0, rx=2.0, class_=f"spread-{kind}"))
        parts.append(words(left + 15, 15, f"{kind} items"))
    parts.append(words((_LEFT + _RIGHT) / 2, _HEIGHT - 10, "novelty", anchor="middle", style="quiet"))
    parts.append(_sideways("share of these items (square-root scale)"))
    return drawing(
        name,
        "Novelty of known and of unseen items",
        f"Histograms of novelty over {sum(found.known):,} known and {sum(found.unseen):,} unseen items.",
        _WIDTH,
        _HEIGHT,
        *parts,
    )


def _square(x: Scale, y: Scale) -> Markup:
    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(stroke(x(0), y(share), x(1), y(share), "grid"))
        parts.append(stroke(x(share), y(0), x(share), y(1), "grid"))
        parts.append(words(x(0) - 6, y(share) + 4, f"{share:g}", anchor="end", style="quiet"))
        parts.append(words(x(share), y(0) + 17, f"{share:g}", anchor="middle", style="quiet"))
    return join(parts)


def _novelty_ticks(edges: tuple[float, ...]) -> list[tuple[float, str]]:
    """(bin, words): the nines where bins are even in nines, else five values."""
    bins = len(edges) - 1
    nines = -math.log10(max(1e-300, 1.0 - edges[-1])) if edges[-1] < 1.0 and edges[0] == 0.0 else 0.0
    if nines < 0.5:
        return [(n, f"{edges[n]:.3g}") for n in range(0, bins + 1, max(1, bins // 4))]
    said = [(0.0, "0"), (0.30103, ".5")] + [(float(n), "." + "9" * n) for n in range(1, round(nines) + 1)]
    return [(at / nines * bins, words) for at, words in said]


def _sideways(said: str) -> Markup:
    middle = (_TOP + _BOTTOM) / 2
    return node(
        "text",
        said,
        x=0,
        y=0,
        text_anchor="middle",
        class_="quiet",
        transform=f"translate(12 {middle:g}) rotate(-90)",
    )


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
