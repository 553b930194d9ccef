"""Variant or new: is a cluster a class that was never seen, or a known one that looks otherwise now?

A camera is moved, and a known class leaves the place where it lay. Its items gather elsewhere, and to every test that
looks at them alone they are a new class. What tells the two apart is what is *missing*: a new class comes in addition,
and the known ones go on among each other as before; a class that drifted is gone from where it was. So the engine
counts the items in the *core* of each known class (nearest class, p-value above a half), and for a cluster that would
be announced compares the time since its birth with the time before:

    expected_k = (core items of k before) x (trials since birth / trials before) x (how the median class fared since)
    missing_k  = expected_k - (core items of k since)

A class is *halved* if at most half of what was expected came, and not by accident: P(Poisson(expected_k / 2) <= seen)
<= DOUBT. The cluster is a drift if what the halved classes miss is enough to have become it, a quarter of its items at
least (about half of a class lies in its core); of the one that misses most, by name. If next to nothing is left of all
known classes together, less than LEFT of what was expected by the same test, it is a drift of all. Half would not do,
for new classes may well make up most of a stream; and since a burst of new items alone is no upheaval, FEWEST_EXPECTED
core items must be missing before that is said.

A cluster is announced before there is enough to see: it may still turn out to be a variant, of a class while it is
small, of all as long as none of them came since it did.

What this cannot tell: a known class that stops in the very moment in which a new one begins looks like one that
drifted. That is said, with the name of the class, and the cluster is there to look at. A class of which less than half
drifts looks new.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import median

import msgspec
from scipy.special import pdtr

from service.records import Missing

DOUBT = 0.02
"""Chance at which fewer core items than seen would come if the class had lost only half."""

LEFT = 0.15
"""Of the core items of all known classes, the share below which these have drifted together."""

FEWEST_EXPECTED = 500.0
"""Core items of all known classes that should have come before their absence means anything."""

MOST_ITEMS = 60
"""Items of a cluster up to which a single class may turn out to have become it; later, classes come and go anyway."""

SPAN = 1_000
"""What was usual is taken from the latest one to two times as many items."""

_TAKEN_SHARE = 0.25


class Cores(msgspec.Struct):
    """Core items of each known class: since the stream began, and as it was a while ago. Owned by the engine.

    `counts` has the K classes, then all items; `marks` are earlier values of it, SPAN items apart, oldest first.
    """

    counts: list[int]
    marks: list[list[int]] = []

    @classmethod
    def of(cls, classes: int) -> "Cores":
        """Nothing counted yet: K classes."""
        return cls(counts=[0] * (classes + 1), marks=[[0] * (classes + 1)])

    def count(self, cores: Sequence[int]) -> None:
        """Items of the stream, each in the core of a class, -1 for none."""
        counts, at = self.counts, 0
        while at < len(cores):
            until_mark = self.marks[-1][-1] + SPAN - counts[-1]
            stop = min(len(cores), at + max(1, until_mark))
            for core in cores[at:stop]:
                if core >= 0:
                    counts[core] += 1
            counts[-1] += stop - at
            at = stop
            if counts[-1] - self.marks[-1][-1] >= SPAN:
                self.marks = [*self.marks[-1:], list(counts)]

    def since(self, then: list[int]) -> list[int]:
        """Counts of the items since these were the counts; none where there are none."""
        return [now - before for now, before in zip(self.counts, then, strict=True)] if then else []

    def usual(self) -> list[int]:
        """Counts of the latest SPAN to 2 SPAN items, or of fewer where there were no more."""
        return [now - then for now, then in zip(self.counts, self.marks[0], strict=True)]


class Answer(Enum):
    """Of `judged`."""

    NEW = "new"
    DRIFT = "drift"


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What a cluster is; of a drift also the class that drifted most, an index, and what is missing of it."""

    answer: Answer
    drifted: int | None = None
    missing: Missing | None = None


def judged(before: list[int], since: list[int], items: int) -> Judgement:
    """Variant or new?

    Args:
        before: counts of a `Cores`, usual when the cluster was born.
        since: counts of the items since.
        items: how many of these the cluster has.
    """
    *b, n_before = before
    *s, n_since = since
    if not n_before or not n_since or not sum(b):
        return Judgement(answer=Answer.NEW)
    ratio = n_since / n_before
    usual = [own * ratio for own in b]
    if sum(usual) >= FEWEST_EXPECTED and _is_down(sum(s), LEFT * sum(usual)):
        most = max(range(len(b)), key=lambda k: usual[k] - s[k])
        return _drift(most, usual[most], s[most])
    if items > MOST_ITEMS:
        return Judgement(answer=Answer.NEW)
    fared = min(1.0, median(seen / own for seen, own in zip(s, usual, strict=True) if own))
    halved = {
        k: own * fared - seen
        for k, (seen, own) in enumerate(zip(s, usual, strict=True))
        if _is_down(seen, own * fared / 2)
    }
    if halved and sum(halved.values()) >= _TAKEN_SHARE * items:
        most = max(halved, key=lambda k: halved[k])
        return _drift(most, usual[most] * fared, s[most])
    return Judgement(answer=Answer.NEW)


def _drift(k: int, expected: float, seen: int) -> Judgement:
    return Judgement(answer=Answer.DRIFT, drifted=k, missing=Missing(expected=round(expected, 6), seen=seen))


def _is_down(seen: int, most: float) -> bool:
    """Whether so few would hardly have come, had `most` been expected."""
    return most > 0 and float(pdtr(seen, most)) <= DOUBT
