"""What the demo shows in the terminal: verdicts by kind, clusters as they emerge, and the table at the end."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from service.records import Verdict, VerdictKind
from service.scoring import StreamScore

_COLORS = {VerdictKind.KNOWN: "green", VerdictKind.CLUSTER: "magenta", VerdictKind.OUTLIER: "yellow"}
_WIDTH = 40


class DemoScreen:
    """The live part; rendered anew ten times a second."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._kinds: Counter[VerdictKind] = Counter()
        self._recent: list[VerdictKind] = []
        self._clusters: dict[int, dict[str, Any]] = {}
        self._members: Counter[int] = Counter()
        self._events: list[str] = []

    def count(self, done: int, verdict: Verdict) -> None:
        """A verdict has come."""
        if done == self._done:
            return  # one that was sent again
        self._done = done
        self._kinds[verdict.verdict] += 1
        self._recent = [*self._recent, verdict.verdict][-64:]
        if verdict.cluster_id is not None:
            self._members[verdict.cluster_id] += 1

    def event(self, message: dict[str, Any]) -> None:
        """Something happened to a cluster."""
        cluster = message["cluster"]
        self._clusters[cluster["id"]] = cluster
        detail = f" with {cluster['items']} items" if message["event"] == "emerged" else ""
        self._events.append(f"item {message['seq']:>4}: cluster {cluster['id']} {message['event']}{detail}")

    def show(self, clusters: Sequence[dict[str, Any]]) -> None:
        """The clusters as they are."""
        self._clusters |= {cluster["id"]: cluster for cluster in clusters}

    def note(self, text: str) -> None:
        """A line among the events."""
        self._events.append(f"item {self._done:>4}: {text}")

    def __rich__(self) -> RenderableType:
        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            "  stream", ProgressBar(self._total, self._done, width=_WIDTH), f"{self._done}/{self._total}"
        )
        kinds = Table.grid(padding=(0, 1))
        for kind, color in _COLORS.items():
            n = self._kinds[kind]
            filled = Text("█" * round(_WIDTH * n / max(1, self._done)), style=color)
            kinds.add_row(f"  {kind.value:<8}", f"{n:>5}", filled)
        latest = Text("  latest ")
        for kind in self._recent:
            latest.append("■", style=_COLORS[kind])
        return Group(bar, kinds, latest, Text(""), self._cluster_table(), *self._event_lines())

    def _cluster_table(self) -> RenderableType:
        if not self._clusters:
            return Text("  no cluster yet", style="dim")
        table = Table(box=None, pad_edge=True, header_style="dim")
        for column in (
            "cluster",
            "state",
            "items",
            "items in it when announced",
            "evidence",
            "nearest known",
        ):
            table.add_column(column, justify="left" if column in ("state", "nearest known") else "right")
        for cluster in sorted(self._clusters.values(), key=lambda c: c["id"]):
            took = cluster["items_to_emerge"]
            table.add_row(
                str(cluster["id"]),
                cluster["state"],
                str(max(cluster["items"], self._members[cluster["id"]])),
                "-" if took is None else str(took),
                f"10^{cluster['evidence']['log10_e']:.1f} : 1",
                f"{cluster['nearest']} at {cluster['nearest_distance']:.1f}" if cluster["nearest"] else "-",
            )
        return table

    def _event_lines(self) -> list[Text]:
        return [Text(""), *(Text(f"  {line}", style="cyan") for line in self._events[-8:])]


def results_table(result: StreamScore, *, known_error_rate: float) -> RenderableType:
    """The table at the end; `known_error_rate` is what the bundle was calibrated for."""
    table = Table(title="What was discovered", title_justify="left", min_width=64)
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("in words", style="dim")
    table.add_row("known accuracy", f"{result.known_accuracy:.1%}", "known digits that got their own class")
    table.add_row(
        "known called new",
        f"{result.known_called_new:.1%}",
        f"known digits that got none; asked for: {known_error_rate:.0%}",
    )
    table.add_row("unseen caught", f"{result.unseen_caught:.1%}", "3s and 7s not taken for a known digit")
    table.add_row(
        "classes found", f"{result.clusters_found} of {len(result.classes)}", "unseen classes with a cluster"
    )
    table.add_row(
        "false clusters",
        f"{result.false_clusters} of {result.clusters_announced}",
        "announced, but no new class",
    )
    for label, own in result.classes.items():
        delay = "not found" if own.delay_items is None else f"after {own.delay_items} of its items"
        clusters = ", ".join(str(cluster) for cluster in own.clusters) or "-"
        table.add_row(
            f"class {label}",
            delay,
            f"cluster {clusters}; of its {own.items} items {own.caught:.0%} caught, {own.in_cluster:.0%} in it",
        )
    return table
