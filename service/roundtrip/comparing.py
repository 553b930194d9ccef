"""Two readings of one stream, side by side: what was said of each item, and what would have been.

    verdicts     how many items went from one answer to another, with a few ids of each change
    clusters     each cluster that was announced, with the one that would have been in its place: the one that shares
                 most items with it, one to one; and how many items earlier or later that would have been announced

Items of which the stored log does not tell what would have been said are counted apart, and nowhere else.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from service.records import Cluster, Verdict, VerdictKind

EXAMPLES = 5
"""Ids that are told of each change."""

Answer = str
"""known: a class; `cluster` or `outlier`. Clusters are matched apart, since their numbers mean nothing here."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """Items that went from one answer to another. ids: the first of them."""

    was: str
    would: str
    items: int
    ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Match:
    """A cluster and its counterpart.

    Attributes:
        was: The cluster, None where only the other reading has one.
        would: Its counterpart, or None.
        name: What people called it.
        shared: Items of both.
        was_items, would_items: Items whose verdict each is.
        was_emerged, would_emerged: Places in the stream of their announcement.
        delay: Items by which the counterpart comes later; negative: earlier.
    """

    was: int | None
    would: int | None
    name: str | None
    shared: int
    was_items: int
    would_items: int
    was_emerged: int | None
    would_emerged: int | None

    @property
    def delay(self) -> int | None:
        """See above."""
        if self.was_emerged is None or self.would_emerged is None:
            return None
        return self.would_emerged - self.was_emerged


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What would have differed.

    Attributes:
        items: Items that were compared.
        same: Those with the same answer.
        untold: Those of which it cannot be told.
        changes: The others, the most frequent first.
        clusters: Each announced cluster of either reading.
    """

    items: int
    same: int
    untold: int
    changes: tuple[Change, ...]
    clusters: tuple[Match, ...]

    @property
    def differs(self) -> bool:
        """Whether anything would have differed."""
        return bool(self.changes) or any(
            match.was is None or match.would is None or match.delay for match in self.clusters
        )


@dataclass(kw_only=True)
class Comparison:
    """Both readings, as they come along; memory is that of pairs of answers and of clusters, however long they are."""

    untold: int = 0
    _same: int = 0
    _changes: Counter[tuple[str, str]] = field(default_factory=Counter)
    _ids: defaultdict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    _shared: Counter[tuple[int, int]] = field(default_factory=Counter)
    _was: Counter[int] = field(default_factory=Counter)
    _would: Counter[int] = field(default_factory=Counter)

    def add(self, was: Sequence[Verdict], would: Sequence[Verdict | None]) -> None:
        """Items of both readings, in the same order; None: it cannot be told."""
        for one, other in zip(was, would, strict=True):
            if one.cluster_id is not None:
                self._was[one.cluster_id] += 1
            if other is None:
                self.untold += 1
                continue
            if other.cluster_id is not None:
                self._would[other.cluster_id] += 1
                if one.cluster_id is not None:
                    self._shared[one.cluster_id, other.cluster_id] += 1
            change = answer(one), answer(other)
            if change[0] == change[1]:
                self._same += 1
                continue
            self._changes[change] += 1
            if len(self._ids[change]) < EXAMPLES:
                self._ids[change].append(one.id)

    def done(
        self, was: Iterable[Cluster], would: Iterable[Cluster], *, since: int, shift: int = 0
    ) -> Compared:
        """What came of it.

        Args:
            was: All clusters at the end.
            would: All of the other reading.
            since: Clusters announced before this place are not looked at, unless they had items since.
            shift: What is added to places of the other reading, where it began elsewhere.
        """
        changes = [
            Change(was=was_, would=would_, items=n, ids=tuple(self._ids[was_, would_]))
            for (was_, would_), n in self._changes.most_common()
        ]
        return Compared(
            items=self._same + sum(self._changes.values()) + self.untold,
            same=self._same,
            untold=self.untold,
            changes=tuple(changes),
            clusters=tuple(self._matches(_announced(was), _announced(would), since, shift)),
        )

    def _matches(
        self, was: Mapping[int, Cluster], would: Mapping[int, Cluster], since: int, shift: int
    ) -> Iterable[Match]:
        pairs: dict[int, int] = {}
        # Most items first; of equals, those of the same number, then the elder.
        for (one, other), _ in sorted(
            self._shared.items(), key=lambda item: (-item[1], item[0][0] != item[0][1], item[0])
        ):
            if one not in pairs and other not in pairs.values():
                pairs[one] = other
        taken = set(pairs.values())
        pairs |= {one: one for one in was if one not in pairs and one in would and one not in taken}
        taken = set(pairs.values())
        for one in sorted(was.keys() | self._was.keys()):
            if self._was[one] or (_emerged(was, one) or 0) >= since:
                yield self._match(one, pairs.get(one), was, would, shift)
        for other in sorted((would.keys() | self._would.keys()) - taken):
            if self._would[other] or (_emerged(would, other) or 0) >= since:
                yield self._match(None, other, was, would, shift)

    def _match(
        self,
        one: int | None,
        other: int | None,
        was: Mapping[int, Cluster],
        would: Mapping[int, Cluster],
        shift: int,
    ) -> Match:
        emerged = None if other is None else _emerged(would, other)
        known = None if one is None else was.get(one)
        return Match(
            was=one,
            would=other,
            name=None if known is None else known.name,
            shared=0 if one is None or other is None else self._shared[one, other],
            was_items=0 if one is None else self._was[one],
            would_items=0 if other is None else self._would[other],
            was_emerged=None if one is None else _emerged(was, one),
            would_emerged=None if emerged is None else emerged + shift,
        )


def answer(verdict: Verdict) -> Answer:
    """What a verdict says, in a word or two."""
    return f"known: {verdict.label}" if verdict.verdict is VerdictKind.KNOWN else verdict.verdict.value


def _announced(clusters: Iterable[Cluster]) -> dict[int, Cluster]:
    return {cluster.id: cluster for cluster in clusters if cluster.emerged_seq is not None}


def _emerged(clusters: Mapping[int, Cluster], cluster: int) -> int | None:
    found = clusters.get(cluster)
    return None if found is None else found.emerged_seq
