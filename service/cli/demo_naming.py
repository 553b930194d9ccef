"""The demo's last part: a person names what was discovered, and from the next item on it is known.

    clusters ─► look at the exemplars of each ─► promote the first of a kind, link the others ─► the rest of the stream
                          └ two kinds? look at what a split would give, and split ┘

The person is played by the data set's labels of the exemplars, and by nothing else: what a cluster is called is what
most of the items are that the service shows of it. Each decision is shown as the command that does the same.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.client import AsyncClient, Cluster
from service.client import Verdict as Answer

KNOWN = "known"

AGREEING = 0.75
"""Share of what is shown of a cluster that has to be of one kind, for a person to call it that."""

ONE_KIND = "what most of its exemplars are"
TWO_KINDS = "its exemplars are of two kinds"


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Of the items of some classes: how many there were, and how many got their own class as verdict."""

    items: int
    right: int

    @property
    def share(self) -> float:
        """Right of all; 0 of none."""
        return self.right / self.items if self.items else 0.0

    def as_json(self) -> dict[str, Any]:
        """All figures."""
        return {**asdict(self), "share": self.share}


def kind_of(exemplars: Iterable[str], truth: Mapping[str, str]) -> str | None:
    """What a person would call what is shown of a cluster; None where that is nothing, or not of one kind."""
    seen = Counter(truth[id] for id in exemplars if id in truth)
    if not seen:
        return None
    label = min(seen, key=lambda one: (-seen[one], one))
    return label if seen[label] >= AGREEING * seen.total() else None


async def name_clusters(
    client: AsyncClient, clusters: Sequence[Cluster], truth: Mapping[str, str], known: Iterable[str]
) -> list[str]:
    """Promote and link clusters, each as most of its exemplars are; one of two kinds is split first, where it can be.

    Args:
        client: Of the service.
        clusters: What to name.
        truth: What each item really is.
        known: Labels that are classes already.

    Returns:
        The same at the command line.
    """
    classes, done = set(known), list[str]()
    to_see = deque(cluster.id for cluster in clusters)
    while to_see:
        id = to_see.popleft()
        shown = [exemplar["id"] for exemplar in (await client.evidence(id))["exemplars"]]
        label = kind_of(shown, truth)
        if label is None or len({truth[one] for one in shown if one in truth}) > 1:
            parts = (await client.split_preview(id)).parts
            kinds = {kind_of((one.id for one in part.exemplars), truth) for part in parts} - {None}
            if len(kinds) > 1:
                split = await client.split(id, [part.members for part in parts], why=TWO_KINDS)
                done.append(f"firstseen clusters split {id}")
                to_see.extendleft(reversed((id, *split.created)))
                continue
        if label is not None:
            is_new = label not in classes
            await (client.promote if is_new else client.link)(id, label, why=ONE_KIND)
            done.append(f"firstseen clusters {'promote' if is_new else 'link'} {id} {label}")
            classes.add(label)
    return done


def accuracy_of(
    answers: Iterable[Answer], truth: Mapping[str, str], classes: Iterable[str]
) -> dict[str, Accuracy]:
    """By class, how many of its items got it as their verdict."""
    items, right = Counter[str](), Counter[str]()
    for answer in answers:
        own = truth[answer.id]
        items[own] += 1
        right[own] += answer.verdict == KNOWN and answer.label == own
    return {label: Accuracy(items=items[label], right=right[label]) for label in classes}


def show_commands(screen: Console, commands: Iterable[str]) -> None:
    """What was decided."""
    for command in commands:
        screen.print(Text.assemble("  ", (command, "cyan")), soft_wrap=True)


def accuracy_table(found: Mapping[str, Mapping[str, Accuracy]]) -> Table:
    """By moment, then by class; a moment may be of some classes only."""
    table = Table(title="Known by now", title_justify="left", min_width=64)
    table.add_column("of the later")
    moments = list(found)
    for moment in moments:
        table.add_column(moment, justify="right")
    for label in found[moments[0]]:
        cells = [found[moment].get(label) for moment in moments]
        table.add_row(
            f"{label}s",
            *("-" if one is None else f"{one.right} of {one.items}, {one.share:.1%}" for one in cells),
        )
    return table
