"""The report in the terminal: the measures that matter first, then how each class fared."""

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from service.report.records import Report, Spread
from service.scoring.measures import MEASURES, written

SHOWN = {
    "known_accuracy": "known items that got their class",
    "fnew": "known items called new",
    "auroc": "novelty, unseen against known",
    "fpr95": "unseen taken where 95 % of known are",
    "mnew": "unseen items in no right cluster",
    "err": "all items that were answered wrong",
    "macro_f1": "a cluster a class, as emitted",
    "classes_found": "with a right cluster of 5 or more",
    "delay_median": "items of a class until found",
    "fragments": "right clusters a found class",
    "false_clusters": "known, too early, or empty",
    "false_per_10k": "the same in 10,000 items",
    "corrected": "of these, told to be a drift since",
    "drifts_told": "clusters: a known class that drifted",
    "unseen_told_as_drift": "of these, mostly of unseen items",
    "id_switches": "items whose id is not the last one's",
    "nmi": "clusters and unseen classes",
    "accuracy": "unseen items in their class's cluster",
    "oracle_nmi": "k-means told k, same embedding",
    "oracle_accuracy": "the same",
    "oracle_f1_this_gate": "macro-F1 with its clusters",
}
"""What the terminal shows, and what it is in few words; all of it, with formulas, is in docs/replay.md."""

_MOST_CLASSES = 30


def report_table(report: Report) -> RenderableType:
    """The tables and the notes. Labels are text: what looks like markup may be part of one."""
    parts: list[RenderableType] = [_measures(report)]
    if report.unseen:
        parts.append(_classes(report))
    notes = dict.fromkeys([*report.notes, *(note for run in report.runs for note in run.notes)])
    parts += [Text(f"  {note}", style="yellow") for note in notes]
    return Group(*parts)


def _measures(report: Report) -> Table:
    many = len(report.runs) > 1
    seeds = ", ".join(str(run.seed) for run in report.runs)
    table = Table(
        title=Text(f"{report.dataset}: {report.runs[0].measures.items:,} items a stream, seeds {seeds}"),
        title_justify="left",
        box=SIMPLE_HEAD,
    )
    table.add_column("measure", no_wrap=True)
    table.add_column("mean" if many else "value", justify="right")
    if many:
        table.add_column("± sd", justify="right")
    table.add_column("what it is", style="dim")
    for name, meaning in SHOWN.items():
        spread = report.summary.get(name)
        if spread is None:
            continue
        row = [Text(MEASURES[name].title), Text(_mean(report, name, spread))]
        if many:
            row.append(Text(written(MEASURES[name], spread.sd)))
        table.add_row(*row, Text(meaning))
    return table


def _mean(report: Report, name: str, spread: Spread) -> str:
    if name != "classes_found":
        return written(MEASURES[name], spread.mean)
    return f"{spread.mean:.3g} of {report.summary['classes_unseen'].mean:.3g}"


def _classes(report: Report) -> Table:
    table = Table(title="Unseen classes, over all streams", title_justify="left", box=SIMPLE_HEAD)
    for column in ("class", "found", "delay", "clusters", "caught", "in cluster"):
        table.add_column(column, justify="left" if column == "class" else "right")
    for label in report.unseen[:_MOST_CLASSES]:
        own = [c for run in report.runs for c in run.classes if c.label == label and c.items]
        delays = [c.delay_items for c in own if c.delay_items is not None]
        n = max(1, len(own))
        table.add_row(
            Text(label),
            f"{len(delays)} of {len(own)}",
            ", ".join(map(str, delays)) or "-",
            ", ".join(str(len(c.clusters)) for c in own) or "-",
            f"{sum(c.caught for c in own) / n:.1%}",
            f"{sum(c.in_cluster for c in own) / n:.1%}",
        )
    if len(report.unseen) > _MOST_CLASSES:
        table.caption = f"and {len(report.unseen) - _MOST_CLASSES} more classes in the JSON and on the page"
    return table
