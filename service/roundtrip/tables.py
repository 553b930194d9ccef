"""What an export is made of: four tables, their columns, and how a value of each kind is told.

    items       what was sent, where it is known, with the class it is of as of now: a data set to train on
    verdicts    what was answered, for ever, and beside it what would be said of the id by today's decisions
    clusters    every cluster the stream remembers
    decisions   what people decided, the oldest first

A column has a kind, and a format has a way to write each kind (writers.py); a row is a tuple in the order of the
columns, None where there is nothing.
"""

from dataclasses import dataclass
from enum import StrEnum

from model.inputs import InputSpec


class Kind(StrEnum):
    """What a column holds; a document is any value of JSON, as its text where a format knows none."""

    TEXT = "text"
    WHOLE = "whole"
    FRACTION = "fraction"
    FLAG = "flag"
    TEXTS = "texts"
    WHOLES = "wholes"
    NUMBERS = "numbers"
    DOCUMENT = "document"


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column. about: what it says, for the dataset card."""

    name: str
    kind: Kind
    about: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """One table of an export."""

    name: str
    about: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its columns."""
        return tuple(column.name for column in self.columns)


Row = tuple[object, ...]
"""The values of one row, in the order of the columns."""

_WHICH = (
    Column(name="id", kind=Kind.TEXT, about="the item's id"),
    Column(name="seq", kind=Kind.WHOLE, about="its place in the stream; null where no verdict of it is kept"),
)

_NOW = (
    Column(name="label_now", kind=Kind.TEXT, about="the class it is of by today's decisions; null for none"),
    Column(
        name="labelled_by",
        kind=Kind.TEXT,
        about="who says so: verdict (the bundle knew it) or decision (a person did, of its cluster)",
    ),
    Column(name="cluster_now", kind=Kind.WHOLE, about="the cluster it belongs to now; null for none"),
    Column(name="name_now", kind=Kind.TEXT, about="what people call that cluster"),
)

VERDICTS = Table(
    name="verdicts",
    about="What was answered for each id that is remembered, and what holds of it now.",
    columns=(
        *_WHICH,
        Column(
            name="t",
            kind=Kind.FRACTION,
            about="when, seconds since 1970 (UTC); null where the log is trimmed",
        ),
        Column(name="verdict", kind=Kind.TEXT, about="known, cluster or outlier"),
        Column(name="label", kind=Kind.TEXT, about="the class that was answered, where it was known"),
        Column(name="cluster_id", kind=Kind.WHOLE, about="the cluster that was answered, where it was one"),
        Column(name="nearest", kind=Kind.TEXT, about="the nearest known class"),
        Column(name="novelty", kind=Kind.FRACTION, about="1 - p, in [0, 1): high is new"),
        Column(name="distance", kind=Kind.FRACTION, about="to that class, in standard deviations"),
        *_NOW,
    ),
)

CLUSTERS = Table(
    name="clusters",
    about="Every cluster that the stream remembers, those that ended included.",
    columns=(
        Column(name="id", kind=Kind.WHOLE, about="permanent"),
        Column(name="state", kind=Kind.TEXT, about="where it stands in its life"),
        Column(name="name", kind=Kind.TEXT, about="what a person called it"),
        Column(name="label", kind=Kind.TEXT, about="the class it was promoted or linked to"),
        Column(name="dismissed", kind=Kind.FLAG, about="whether nobody wants to hear of it"),
        Column(name="items", kind=Kind.WHOLE, about="items it holds"),
        Column(name="born_seq", kind=Kind.WHOLE, about="place in the stream of its first moment"),
        Column(name="emerged_seq", kind=Kind.WHOLE, about="... of its announcement"),
        Column(name="last_seq", kind=Kind.WHOLE, about="... of its latest item"),
        Column(name="first_t", kind=Kind.FRACTION, about="time of its first moment"),
        Column(name="last_t", kind=Kind.FRACTION, about="time of its latest item"),
        Column(name="nearest", kind=Kind.TEXT, about="the nearest known class"),
        Column(name="nearest_distance", kind=Kind.FRACTION, about="its distance, in cluster space"),
        Column(name="variant_of", kind=Kind.TEXT, about="the known class that it is a drift of"),
        Column(name="parent_id", kind=Kind.WHOLE, about="the cluster it split from"),
        Column(name="merged_into", kind=Kind.WHOLE, about="the cluster that took it in"),
        Column(
            name="cluster_now", kind=Kind.WHOLE, about="the cluster it goes by now; null where it is gone"
        ),
        Column(name="exemplars", kind=Kind.TEXTS, about="ids of some of its items"),
    ),
)

DECISIONS = Table(
    name="decisions",
    about="What people decided about clusters, the oldest first.",
    columns=(
        Column(name="seq", kind=Kind.WHOLE, about="its place in the stream, its permanent number"),
        Column(name="key", kind=Kind.TEXT, about="its name"),
        Column(name="action", kind=Kind.TEXT, about="name, promote, link, merge, split, dismiss or undo"),
        Column(name="cluster", kind=Kind.WHOLE, about="the cluster that it is about"),
        Column(name="t", kind=Kind.FRACTION, about="when, seconds since 1970 (UTC)"),
        Column(name="who", kind=Kind.TEXT, about="the API key that it came with"),
        Column(name="why", kind=Kind.TEXT, about="what the person said of it"),
        Column(name="label", kind=Kind.TEXT, about="the name or the class"),
        Column(name="into", kind=Kind.WHOLE, about="the cluster that takes it in"),
        Column(name="parts", kind=Kind.DOCUMENT, about="the parts of a split"),
        Column(name="until_rate", kind=Kind.FRACTION, about="a dismissal's end, by rate"),
        Column(name="until_t", kind=Kind.FRACTION, about="a dismissal's end, by date"),
        Column(name="undoes", kind=Kind.WHOLE, about="the decision that it takes back"),
        Column(name="created", kind=Kind.WHOLES, about="clusters that came of it"),
        Column(name="undone_by", kind=Kind.WHOLE, about="the decision that took it back"),
    ),
)


def items_table(spec: InputSpec) -> Table:
    """The table of items that such an input asks for: numbers as a flat list, a text, a row of a table as an object."""
    kind = {"text": Kind.TEXT, "table": Kind.DOCUMENT}.get(spec.kind, Kind.NUMBERS)
    layout = ", as a flat list" if kind is Kind.NUMBERS else ", as JSON" if kind is Kind.DOCUMENT else ""
    return Table(
        name="items",
        about="Items that are at hand, with the class each is of as of now.",
        columns=(
            *_WHICH,
            *_NOW,
            Column(name="x", kind=kind, about=f"the item, as it is sent: {spec.summary()}{layout}"),
        ),
    )
