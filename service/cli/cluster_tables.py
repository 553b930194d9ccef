"""How clusters and decisions look on a terminal. Names, labels, ids and reasons are others' text: shown as text."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from service.cli.telling import tame

if TYPE_CHECKING:
    from service.client import Cluster, Decision, SplitPreview

_NUMBERS = frozenset({"id", "items", "decision", "part", "members", "distance"})


def clusters_table(clusters: Iterable["Cluster"]) -> Table:
    """A line a cluster, those with most items first."""
    found = table("id", "state", "name", "class", "items", "last item (UTC)", "near", "evidence")
    for one in sorted(clusters, key=lambda one: -one.items):
        add(
            found,
            str(one.id),
            one.state + (", dismissed" if one.dismissed else ""),
            one.name or "",
            one.label or "",
            f"{one.items:,}",
            moment(one.last_t),
            _near(one),
            f"10^{one.evidence.log10_e:.1f} : 1",
        )
    return found


def about(one: "Cluster") -> Table:
    """All there is to know of a cluster, a line each."""
    facts = Table(box=None, pad_edge=False, show_header=False)
    evidence = one.evidence
    rows = [
        ("cluster", f"{one.id}{'' if one.name is None else f' {one.name!r}'}"),
        ("state", one.state + (", dismissed" if one.dismissed else "")),
        ("class", one.label or ""),
        ("items", f"{one.items:,}, the first {moment(one.first_t)}, the last {moment(one.last_t)} UTC"),
        ("near", _near(one)),
        ("drift of", one.variant_of or ""),
        ("went into", "" if one.merged_into is None else f"cluster {one.merged_into}"),
        ("parted from", "" if one.parent_id is None else f"cluster {one.parent_id}"),
        (
            "evidence",
            f"10^{evidence.log10_e:.1f} : 1, of 10^{evidence.log10_threshold:.1f} : 1 that are asked for",
        ),
        ("latest", ", ".join(one.exemplars)),
    ]
    for name, what in rows:
        if what:
            add(facts, name, what)
    return facts


def parts_table(preview: "SplitPreview", leaves: Sequence[int]) -> Table:
    """A line a part: which leave, and how large they are."""
    parts = table("part", "", "items", "members")
    for n, part in enumerate(preview.parts, start=1):
        add(
            parts,
            str(n),
            "leaves" if n in leaves else "stays",
            f"{part.items:,}",
            f"{len(part.members):,}",
        )
    return parts


def decisions_table(made: Iterable["Decision"]) -> Table:
    """A line a decision."""
    found = table("decision", "when (UTC)", "who", "what", "why")
    for one in made:
        undone = "" if one.undone_by is None else f", taken back by {one.undone_by}"
        when = one.time[:19].replace("T", " ")
        add(found, str(one.decision), when, one.who, _what(one) + undone, one.why)
    return found


def decided(one: "Decision") -> str:
    """What was done, and how to take it back."""
    back = (
        ""
        if one.action == "undo"
        else f" To take it back: firstseen clusters undo {one.cluster} --decision {one.decision}"
    )
    return f"Decision {one.decision}: {_what(one)}.{back}"


def shown(one: "Cluster") -> str:
    """A cluster in a line."""
    name = "" if one.name is None else f" {one.name!r}"
    label = "" if one.label is None else f", of class {one.label!r}"
    return f"Cluster {one.id}{name}, {one.state}{label}, {one.items:,} items, near {_near(one) or 'nothing'}."


def _what(one: "Decision") -> str:
    created = ", ".join(map(str, one.created))
    match one.action:
        case "name":
            return (
                f"cluster {one.cluster} is called {one.label!r}"
                if one.label
                else f"cluster {one.cluster} has no name"
            )
        case "promote":
            return f"cluster {one.cluster} is the known class {one.label!r}"
        case "link":
            return f"cluster {one.cluster} is part of the known class {one.label!r}"
        case "merge":
            return f"cluster {one.cluster} goes into {one.into}"
        case "split":
            return f"cluster {one.cluster} is split; new: {created}"
        case "dismiss":
            rate = "" if one.until_rate is None else f"it comes {one.until_rate:g} times as often"
            date = "" if one.until is None else one.until[:16].replace("T", " ") + " UTC"
            return f"cluster {one.cluster} is dismissed until {' or '.join(filter(None, (rate, date)))}"
        case "undo":
            back = f"; back: {created}" if created else ""
            return f"decision {one.undoes} is taken back{back}"
        case other:  # of a newer service
            return f"{other} of cluster {one.cluster}"


def _near(one: "Cluster") -> str:
    if one.nearest is None or one.nearest_distance is None:
        return ""
    return f"{one.nearest} at {one.nearest_distance:.1f}"


def moment(t: float) -> str:
    """Seconds since 1970 as people write it."""
    return datetime.fromtimestamp(t, UTC).strftime("%Y-%m-%d %H:%M:%S")


def table(*names: str) -> Table:
    """An empty one with these columns."""
    empty = Table(box=None, pad_edge=False)
    for name in names:
        is_number = name in _NUMBERS
        empty.add_column(
            name,
            justify="right" if is_number else "left",
            overflow="fold",
            no_wrap=is_number or "UTC" in name,
        )
    return empty


def add(to: Table, *cells: str) -> None:
    """A line of text."""
    to.add_row(*(Text(tame(cell)) for cell in cells))
