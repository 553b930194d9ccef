"""How the evidence of a cluster looks on a terminal: what it is made of, what sets it apart, and members to look at."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
from rich.columns import Columns
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from service.cli.cluster_tables import add, moment, parts_table, table
from service.cli.drawing import drawn
from service.cli.telling import tame

if TYPE_CHECKING:
    from service.client import Exemplar, SplitPreview

_LONGEST: Final = 120
"""Characters of a payload."""

_BARS: Final = " \u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"


def evidence_of(told: Mapping[str, Any]) -> Group:
    """All that `GET /clusters/{id}/evidence` says beside the cluster itself."""
    from service.client import Exemplar

    shown = msgspec.convert(told["exemplars"], tuple[Exemplar, ...])
    found = (_facts(told), _apart(told), exemplars_of(shown, told["average"]))
    return Group(*(part for part in found if part is not None))


def parts_of(preview: "SplitPreview", leaves: Sequence[int]) -> Group:
    """The parts of a split: which leave, and members of each to look at."""
    shown: list[RenderableType] = [parts_table(preview, leaves)]
    for n, part in enumerate(preview.parts, start=1):
        if (members := exemplars_of(part.exemplars)) is not None:
            shown += [Text(f"\nPart {n}"), members]
    return Group(*shown)


def exemplars_of(shown: "Sequence[Exemplar]", average: str | None = None) -> RenderableType | None:
    """Members to look at, a line each; of pictures the pictures and their average, where there are colours."""
    if not shown:
        return None
    lines = table("shown for", "item", "when (UTC)", "distance", "looks like")
    for one in shown:
        add(lines, one.role, one.id, moment(one.t), f"{one.distance:.2f}", _looks(one))
    pictures = [] if average is None else [(average, "average")]
    pictures += [(one.picture, one.role) for one in shown if one.picture is not None]
    return Group("", lines, _Pictures(pictures)) if pictures else Group("", lines)


class _Pictures:
    """Pictures side by side, each over what it is shown for."""

    def __init__(self, shown: Sequence[tuple[str, str]]) -> None:
        self._shown = shown

    def __rich_console__(self, console: Console, _options: ConsoleOptions) -> RenderResult:
        if console.color_system is not None and not console.no_color:
            cells = [Group(drawn(picture), Text(tame(role), "dim")) for picture, role in self._shown]
            yield Text("")
            yield Columns(cells, padding=(0, 2))


def _facts(told: Mapping[str, Any]) -> Table:
    verdict, budget, lineage = told["verdict"], told["budget"], told["lineage"]
    growth = "" if told["growth"] is None else f", newer half over older {told['growth']:.1f}"
    family = (("split from it", lineage["children"]), ("went into it", lineage["took_in"]))
    rows = [
        ("looks like", told["suggested_name"]),
        ("verdict", f"{verdict['answer']}. {verdict['reason']}"),
        ("rate", f"{told['rate']:.0f} of 1,000 items{growth}  {_sparkline(told['arrivals'])}"),
        (
            "budget",
            f"{budget['own']:.2g} of {budget['alpha']:g} for this cluster, {budget['spent']:.2g} for all so far",
        ),
        *((what, ", ".join(f"cluster {id}" for id in ids)) for what, ids in family),
        ("members", f"{told['members']}, of {told['payloads']} of these the payload is kept"),
    ]
    facts = Table(box=None, pad_edge=False, show_header=False)
    for what, text in rows:
        if text:
            add(facts, what, text)
    return facts


def _apart(told: Mapping[str, Any]) -> RenderableType | None:
    """Terms of texts, features of rows."""
    if told["terms"]:
        terms = table("term", "of its texts", "of others")
        for one in told["terms"]:
            add(terms, one["term"], f"{one['share']:.0%}", f"{one['elsewhere']:.0%}")
        return Group("", terms)
    if told["features"]:
        features = table("feature", "value", "usual", "standard deviations")
        for one in told["features"]:
            value = "missing" if one["kind"] == "missing" else _short(one["value"])
            share = "" if one["share"] is None else f" in {one['share']:.0%}"
            usual = "" if one["usual"] is None else _usual(one)
            add(features, one["feature"], value + share, usual, f"{one['z']:+.1f}")
        return Group("", features)
    return None


def _usual(feature: Mapping[str, Any]) -> str:
    usual: float = feature["usual"]
    return _short(usual) if feature["kind"] == "number" else f"in {usual:.0%}"


def _looks(one: "Exemplar") -> str:
    if not one.kept:
        return "(not kept)"
    return "(a picture)" if one.picture is not None else _short(one.payload)


def _short(value: Any) -> str:  # noqa: ANN401 - JSON
    if isinstance(value, float):
        return f"{value:.4g}"
    text = tame(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "\u2026"


def _sparkline(counts: list[int]) -> str:
    most = max(counts, default=0) or 1
    return "".join(_BARS[-(-n * (len(_BARS) - 1) // most)] for n in counts)
