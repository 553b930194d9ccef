"""The unseen items from above, twice: as they are, by class, and as they were answered, by cluster.

Two directions of many: what lies on top of each other here may lie apart in the others.
"""

from collections.abc import Mapping, Sequence

from service.report.axes import WIDTH, Scale, drawing, words
from service.report.markup import Markup, join, node, shortened
from service.report.records import Plane, Report, Run

HUES = 8
_PANEL, _GAP, _TOP = (WIDTH - 24) / 2, 24.0, 26.0
_HEIGHT = 400.0
_LINE = 13.0


def draw(report: Report, run: Run, name: str) -> Markup | None:
    """Both panels; None where the stream had next to no unseen items."""
    dots = run.pictures.plane
    if dots is None:
        return None
    stands_for = {c.cluster: c.stands_for for c in run.clusters}

    def answer(code: int) -> str:
        if code <= 0:
            return "taken for known" if code else "outlier"
        return f"cluster {code}: {shortened(stands_for.get(code) or '?', 14)}"

    by_class = {label: f"hue-{n % HUES}" for n, label in enumerate(report.unseen)}
    found = sorted({code for code in dots.answer if code > 0})
    by_answer = {answer(code): f"hue-{n % HUES}" for n, code in enumerate(found)}
    by_answer |= {answer(0): "hue-outlier", answer(-1): "hue-missed"}
    across, up = dots.explained
    return drawing(
        name,
        "Unseen items from above",
        f"{len(dots.x):,} unseen items along the two leading principal directions of their embeddings, which hold "
        f"{across:.0%} and {up:.0%} of the variance; left by true class, right by answer.",
        WIDTH,
        _HEIGHT + _TOP + 6,
        _panel(dots, 0.0, "by class", [report.unseen[n] for n in dots.label], by_class),
        _panel(dots, _PANEL + _GAP, "as answered", [answer(code) for code in dots.answer], by_answer),
    )


def _panel(dots: Plane, left: float, title: str, keys: Sequence[str], styles: Mapping[str, str]) -> Markup:
    """The dots, a style a key, and each key's name at the median of its dots."""
    x = Scale(low=min(dots.x), high=max(dots.x), start=left + 14, stop=left + _PANEL - 14)
    y = Scale(low=min(dots.y), high=max(dots.y), start=_TOP + _HEIGHT - 14, stop=_TOP + 14)
    groups: dict[str, list[tuple[float, float]]] = {}
    for key, a, b in zip(keys, dots.x, dots.y, strict=True):
        groups.setdefault(key, []).append((x(a), y(b)))
    parts = [
        words(left + 2, 16, title, style="strong"),
        node("rect", x=left, y=_TOP, width=_PANEL, height=_HEIGHT, rx=4.0, class_="frame"),
    ]
    order = sorted(groups, key=lambda key: -len(groups[key]))
    for key in order:
        place = "".join(f"M{a:.1f} {b:.1f}h0" for a, b in groups[key])
        parts.append(
            node("path", node("title", f"{key}: {len(groups[key])}"), d=place, class_=f"dot {styles[key]}")
        )
    return join([*parts, *_names({key: groups[key] for key in order})])


def _names(groups: Mapping[str, Sequence[tuple[float, float]]]) -> list[Markup]:
    """The name of each group at the median of its dots, where no larger group's name is already."""
    parts: list[Markup] = []
    taken: list[tuple[float, float, float]] = []
    for key, own in groups.items():
        x, y = sorted(a for a, _ in own)[len(own) // 2], sorted(b for _, b in own)[len(own) // 2]
        half = 3.4 * len(shortened(key))
        if all(abs(x - a) > half + other or abs(y - b) > _LINE for a, b, other in taken):
            taken.append((x, y, half))
            parts.append(words(x, y, shortened(key), anchor="middle", style="halo"))
    return parts
