"""The report as one HTML file: no script, nothing fetched, light and dark, readable without seeing the figures.

It is well-formed XML too, and a Content-Security-Policy forbids everything but its own style: a label that is
hostile is shown, and that is all it can do.
"""

from collections.abc import Iterable, Sequence

from service.evaluation.schedule import describe
from service.report import confusion, curves, delays, plane, timeline
from service.report.markup import Markup, join, node, shortened, text
from service.report.records import Report, Run, Spread
from service.report.style import STYLE
from service.scoring.measures import MEASURES, written

_TILES = ("classes_found", "macro_f1", "auroc", "known_accuracy", "false_per_10k", "delay_median")
_BETTER = {"more": "↑", "less": "↓", "neither": ""}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_JUDGED = {
    "right": "right",
    "known": "false: half of it or more is known",
    "early": "false: before its class came",
    "empty": "false: it has no item",
}


def draw_page(report: Report) -> str:
    """The file's text."""
    title = f"Replay of {report.dataset}"
    head = node(
        "head",
        node("meta", charset="utf-8"),
        node("meta", name="viewport", content="width=device-width, initial-scale=1"),
        node("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        node("title", title),
        node("style", Markup(STYLE)),
    )
    body = node(
        "body",
        node(
            "main", _header(report, title), _tiles(report), *_notes(report), *_runs(report), _closing(report)
        ),
    )
    return f"<!doctype html>\n{node('html', head, body, lang='en', xmlns='http://www.w3.org/1999/xhtml')}\n"


def _header(report: Report, title: str) -> Markup:
    runs = f"{len(report.runs)} streams" if len(report.runs) > 1 else "one stream"
    unseen = ", ".join(shortened(label) for label in report.unseen[:12])
    more = f" and {len(report.unseen) - 12} more" if len(report.unseen) > 12 else ""
    what = f"unseen: {unseen}{more}" if report.unseen else "nothing unseen: a null stream"
    return node(
        "header",
        node("h1", title),
        node("p", f"{len(report.known)} known classes, {what}. Decided, then learnt, item by item; {runs}."),
        node("p", f"Bundle {report.bundle_id}, firstseen {report.firstseen}.", class_="quiet"),
    )


def _tiles(report: Report) -> Markup:
    tiles = []
    for name in _TILES:
        spread = report.summary.get(name)
        if spread is None or (name == "classes_found" and not report.unseen):
            continue
        value = written(MEASURES[name], spread.mean)
        if name == "classes_found":
            value = f"{_short(spread.mean)} of {_short(report.summary['classes_unseen'].mean)}"
        around = f"± {written(MEASURES[name], spread.sd)}" if spread.runs > 1 else " "
        tiles.append(
            node(
                "div", node("dt", MEASURES[name].title), node("dd", value), node("dd", around, class_="quiet")
            )
        )
    return node("dl", *tiles, class_="tiles")


def _notes(report: Report) -> Iterable[Markup]:
    if report.notes:
        yield node("ul", *(node("li", note) for note in report.notes), class_="notes")
    if report.unseen:
        yield _figure(
            "How long until a class was found?",
            "Items of the class until its first right cluster of five own items or more was announced; a dot for "
            "each stream, and the median.",
            delays.draw(report, "delays"),
        )


def _runs(report: Report) -> Iterable[Markup]:
    for n, run in enumerate(report.runs):
        inside = join(_run(report, run))
        if len(report.runs) == 1:
            yield inside
        else:
            heading = node("summary", node("h2", f"The stream of seed {run.seed}"))
            yield node("details", heading, inside, open="open" if n == 0 else None)


def _run(report: Report, run: Run) -> Iterable[Markup]:
    uid = f"seed-{run.seed}"
    yield node("p", describe(run.schedule), class_="quiet")
    if run.notes:
        yield node("ul", *(node("li", note) for note in run.notes), class_="notes")
    more = timeline.more_classes(run)
    yield _figure(
        "What was answered, and when",
        "Each bar is some consecutive items by the kind of their answer. Below, each unseen class: its items (a share "
        "of the bin, highest bin full), a dotted line where the first came, a flag where it was found, and a tick for "
        "each further cluster, a fragment."
        + (f" {more} more classes are in the table below." if more else ""),
        timeline.draw(run, f"{uid}-timeline"),
    )
    if run.pictures.roc:
        yield node(
            "div",
            _figure(
                "Known or new, one item at a time",
                "Novelty at every threshold, and the verdicts as they were.",
                curves.draw_roc(run, f"{uid}-roc"),
            ),
            _figure(
                "Where known and unseen items lie",
                "An even scale of nines: .9 is a novelty that a tenth of the known items should exceed.",
                curves.draw_novelty(run, f"{uid}-novelty"),
            ),
            class_="pair",
        )
    yield _figure(
        "Where the items of each class went",
        "Columns are classes, unseen ones first; a shade is a share of the class, a number its items.",
        confusion.draw(run, f"{uid}-confusion"),
        is_wide=True,
    )
    seen_from_above = plane.draw(report, run, f"{uid}-plane")
    if seen_from_above is not None:
        yield _figure(
            "The unseen items from above",
            "Two principal directions of the embedding: what covers each other here may be apart in the others.",
            seen_from_above,
        )
    if run.classes:
        yield _class_table(run)
    if run.clusters:
        yield _cluster_table(run)
    if run.drifts:
        yield _drift_table(run)
    if run.ceilings:
        yield _ceiling_table(run)


def _class_table(run: Run) -> Markup:
    rows = [
        (
            shortened(c.label, 40),
            f"{c.items:,}",
            "-" if c.delay_items is None else f"{c.delay_items:,}",
            ", ".join(map(str, c.clusters)) or "-",
            f"{c.caught:.1%}",
            f"{c.in_cluster:.1%}",
            "-" if c.auroc is None else f"{c.auroc:.3f}",
            f"{shortened(c.taken_for)} ({c.taken_share:.1%})" if c.taken_for else "-",
        )
        for c in run.classes
    ]
    head = (
        "class",
        "items",
        "delay",
        "clusters",
        "not taken for known",
        "in its cluster",
        "AUROC",
        "mostly taken for",
    )
    return _table("Unseen classes", head, rows)


def _cluster_table(run: Run) -> Markup:
    rows = [
        (
            str(c.cluster),
            f"{c.announced_at:,}",
            shortened(c.stands_for, 40) if c.stands_for else "-",
            f"{c.items:,}",
            "-" if c.purity is None else f"{c.purity:.1%}",
            _JUDGED[c.judgement]
            + ("" if c.retracted_at is None else f", then told to be a drift, at {c.retracted_at:,}"),
        )
        for c in run.clusters
    ]
    return _table("Clusters", ("cluster", "announced at", "stands for", "items", "purity", "judged"), rows)


def _drift_table(run: Run) -> Markup:
    rows = [
        (
            str(drift.cluster),
            f"{drift.told_at:,}",
            shortened(drift.mostly, 40) if drift.mostly else "-",
            f"{drift.items:,}",
            "wrong: it is new" if drift.is_unseen else "right: it is known",
        )
        for drift in run.drifts
    ]
    return _table(
        "Told to be a known class that drifted", ("cluster", "at", "mostly", "items", "judged"), rows
    )


def _ceiling_table(run: Run) -> Markup:
    rows = [
        (
            c.space,
            *(
                written(MEASURES[f"oracle_{name}"], getattr(c, name))
                for name in ("accuracy", "nmi", "ari", "f1_this_gate", "f1_any_gate")
            ),
        )
        for c in run.ceilings
    ]
    head = ("space", "ACC", "NMI", "ARI", "F1, this gate", "F1, any gate")
    return _table("The oracle, k-means told k, in each space; the measures have the first", head, rows)


def _closing(report: Report) -> Markup:
    many = len(report.runs) > 1
    rows = [
        (
            f"{measure.title} {_BETTER[measure.better]}",
            _spread(name, report.summary.get(name), many=many),
            measure.formula,
        )
        for name, measure in MEASURES.items()
    ]
    parameters = [(name, str(value)) for name, value in report.parameters.items()]
    return node(
        "section",
        _table(
            "All measures", ("measure", "mean ± sd" if many else "value", "what it is"), rows, is_prose=True
        ),
        node(
            "details",
            node("summary", "The engine's parameters"),
            _table(None, ("parameter", "value"), parameters),
        ),
    )


def _spread(name: str, spread: Spread | None, *, many: bool) -> str:
    if spread is None:
        return "-"
    mean = written(MEASURES[name], spread.mean)
    return f"{mean} ± {written(MEASURES[name], spread.sd)}" if many else mean


def _table(
    title: str | None, head: Sequence[str], rows: Iterable[Sequence[str]], *, is_prose: bool = False
) -> Markup:
    """A table; numbers to the right, except where the last column is prose."""
    lines = [
        node("tr", node("th", row[0], scope="row"), *(node("td", cell) for cell in row[1:])) for row in rows
    ]
    return node(
        "div",
        node(
            "table",
            *([node("caption", title)] if title else []),
            node("thead", node("tr", *(node("th", text(name), scope="col") for name in head))),
            node("tbody", *lines),
            class_="prose" if is_prose else None,
        ),
        class_="wide",
    )


def _figure(title: str, caption: str, picture: Markup, *, is_wide: bool = False) -> Markup:
    return node(
        "figure",
        node("h3", title),
        node("div", picture, class_="wide" if is_wide else None),
        node("figcaption", caption),
    )


def _short(value: float) -> str:
    return f"{value:g}" if float(value).is_integer() else f"{value:.1f}"
