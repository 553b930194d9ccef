"""What people decide about clusters: the nouns of curation.

A decision is a value, an entry of the stream's log, and takes a place in the stream like an item: what it changes
holds from the next item on, and a replay makes it again. `service.clustering.curation` carries decisions out, and
every one of them can be undone by another.

    name      call a cluster something; it stays a cluster
    promote   the cluster is a known class from the next item on, under a new label
    link      the cluster is part of a class that is known already
    merge     the cluster goes into another one, and stays there (must-link)
    split     the cluster becomes two or more, by its members, and they stay apart (cannot-link)
    dismiss   nobody wants to hear of the cluster, until it has grown so much faster, or until a date
    undo      an earlier decision is taken back
"""

from dataclasses import dataclass, replace
from enum import StrEnum


class Action(StrEnum):
    """What can be decided."""

    NAME = "name"
    PROMOTE = "promote"
    LINK = "link"
    MERGE = "merge"
    SPLIT = "split"
    DISMISS = "dismiss"
    UNDO = "undo"


MOST_PARTS = 16
"""Parts of one split: what is more is split again."""

MOST_NAMED = 128
"""Members that one split names, of all its parts: as many as a cluster remembers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What somebody decided, as it was asked for.

    Attributes:
        key: Names the decision, at most 64 characters; the same key again is the same decision, made once.
        action: What to do.
        cluster: The cluster that it is about; for an undo, that of the decision which is taken back.
        t: When it was made, seconds since 1970 (UTC).
        who: The name of the API key that it came with, or "open" where none is needed.
        why: What the person says of it, or "".
        label: The name (name; "" takes it away), or the class (promote, link); else None.
        into: The cluster that takes it in (merge); else None.
        parts: For a split, places in the stream of members of each part, as the preview shows them; the first part
            keeps the id, and members that are in none go with the nearest.
        until_rate: For a dismissal, it is heard of again when it gets so many times its rate of now; else None.
        until_t: For a dismissal, it is heard of again from then on, seconds since 1970 (UTC); else None.
        undoes: For an undo, the place in the stream of the decision that is taken back; else None.
    """

    key: str
    action: Action
    cluster: int
    t: float
    who: str
    why: str = ""
    label: str | None = None
    into: int | None = None
    parts: tuple[tuple[int, ...], ...] = ()
    until_rate: float | None = None
    until_t: float | None = None
    undoes: int | None = None

    def is_same(self, other: "Decision") -> bool:
        """Whether the two ask for the same; sent again, a decision may have another time."""
        return replace(other, t=self.t) == self


@dataclass(frozen=True, kw_only=True, slots=True)
class Decided:
    """A decision that was carried out, as the audit trail keeps it.

    Attributes:
        decision: What was asked for.
        seq: Its place in the stream, which is its permanent number.
        created: Clusters that came of it (split), in the order of `parts` from the second on; for an undo, those that
            are back.
        label: The class that the cluster is part of by it (promote, link), or was part of until an undo; else None.
        undone_by: The place in the stream of the undo that took it back, or None.
    """

    decision: Decision
    seq: int
    created: tuple[int, ...] = ()
    label: str | None = None
    undone_by: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A part that a cluster could be split into.

    Attributes:
        members: Places in the stream of its members: what a decision says of it.
        items: Items that its micro-clusters would hold; of one that makes room for several, by its members.
    """

    members: tuple[int, ...]
    items: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitPreview:
    """What a cluster could be split into.

    Attributes:
        cluster: The cluster.
        seq: As of which place in the stream.
        parts: The one with most members first, which would keep the id; one only where nothing can be parted.
    """

    cluster: int
    seq: int
    parts: tuple[Part, ...]
