"""Decisions that were carried out: who decided what, when and why; and what each of them found, to undo it.

They are kept by their place in the stream, which is their number for ever. The MOST_DECISIONS latest are remembered,
and the MOST_UNDOABLE latest can be undone: older ones have to be decided the other way.

A decision that was undone stays listed, with the place of the undo. What stands, and is not undone, is *in force*.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import msgspec

from service.clustering.arrivals import Arrivals
from service.clustering.dismissal import Dismissal
from service.decisions import Action, Decided, Decision
from service.errors import KeyReused
from service.records import ClusterState, Missing

MOST_DECISIONS = 10_000
"""Decisions that are remembered; beyond this many the oldest leave, and what they did stays."""

MOST_UNDOABLE = 1_000
"""Decisions of which it is remembered what they found."""


class Found(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a decision found, where it changed that.

    Attributes:
        name: The cluster's name (name).
        state, variant_of, missing: What it was (promote and link of a variant; merge).
        residual: Items of micro-clusters that it had and that were gone (merge).
        was_united, was_bound: Whether the one that took it in was (merge), or that was split.
        births: Its micro-clusters (merge).
        own: Those of the one that took it in (merge).
        children: Those that had split from it (merge).
        apart, own_apart: What it, and the one that took it in, stayed apart from (merge).
        arrivals: When its items came (merge).
        dismissed: Until when it was dismissed (dismiss).
    """

    name: str | None = None
    state: ClusterState | None = None
    variant_of: int | None = None
    missing: Missing | None = None
    residual: int = 0
    was_united: bool = False
    was_bound: bool = False
    births: tuple[int, ...] = ()
    own: tuple[int, ...] = ()
    children: tuple[int, ...] = ()
    apart: tuple[int, ...] = ()
    own_apart: tuple[int, ...] = ()
    arrivals: Arrivals | None = None
    dismissed: Dismissal | None = None


class Audit:
    """The decisions of one stream. Owned by the engine."""

    def __init__(self) -> None:
        self.decided: dict[int, Decided] = {}
        """By place in the stream, oldest first."""
        self.found: dict[int, Found] = {}
        """What they found, of those that can be undone."""
        self._by_key: dict[str, int] = {}
        self._concerned: set[int] | None = None

    def add(self, decided: Decided, found: Found | None) -> None:
        """It was carried out; `found` of what can be undone."""
        self.decided[decided.seq] = decided
        self._by_key[decided.decision.key] = decided.seq
        if found is not None:
            self.found[decided.seq] = found
        for seq in list(self.found)[: max(0, len(self.found) - MOST_UNDOABLE)]:
            del self.found[seq]
        for seq in list(self.decided)[: max(0, len(self.decided) - MOST_DECISIONS)]:
            key = self.decided.pop(seq).decision.key
            if self._by_key[key] == seq:
                del self._by_key[key]
            self.found.pop(seq, None)
        self._concerned = None

    def undo(self, seq: int, by: int) -> None:
        """The decision at `seq` was taken back by the one at `by`."""
        self.decided[seq] = replace(self.decided[seq], undone_by=by)
        self.found.pop(seq, None)
        self._concerned = None

    def follow(self, births: Mapping[int, Sequence[int]]) -> None:
        """In the place of some micro-clusters there are others now: whose those were, these are."""
        for seq, one in self.found.items():
            if not births.keys().isdisjoint((*one.births, *one.own)):
                self.found[seq] = msgspec.structs.replace(
                    one,
                    births=tuple(new for old in one.births for new in births.get(old, (old,))),
                    own=tuple(new for old in one.own for new in births.get(old, (old,))),
                )

    def again(self, decision: Decision) -> Decided | None:
        """What came of it, if it was carried out already; None if it was not.

        Raises:
            KeyReused: Its key names another decision.
        """
        seq = self._by_key.get(decision.key)
        if seq is None:
            return None
        if not self.decided[seq].decision.is_same(decision):
            raise KeyReused(
                f"The key {decision.key} was sent before with another decision (at {seq} in the stream). Each decision "
                "has a key of its own; only one that is sent again, unchanged, has the same."
            )
        return self.decided[seq]

    def in_force(self) -> Iterator[Decided]:
        """Those that are not undone, latest first; an undo is none of them."""
        for one in reversed(self.decided.values()):
            if one.undone_by is None and one.decision.action is not Action.UNDO:
                yield one

    @property
    def concerned(self) -> set[int]:
        """Clusters that decisions in force are about: these are not forgotten."""
        if self._concerned is None:
            self._concerned = {cluster for one in self.in_force() for cluster in clusters_of(one)}
        return self._concerned

    def restore(self, decided: list[Decided], found: dict[int, Found]) -> None:
        """Go on from what was remembered."""
        self.decided = {one.seq: one for one in decided}
        self.found = dict(found)
        self._by_key = {one.decision.key: one.seq for one in decided}
        self._concerned = None


def clusters_of(one: Decided) -> tuple[int, ...]:
    """All that a decision is about."""
    into = () if one.decision.into is None else (one.decision.into,)
    return (one.decision.cluster, *into, *one.created)
