"""Which event a hook is told, and which is held back. Pure: a decision and the tally that follows from it.

    event ─► of a kind it wants? ─► large and fast enough? ─► cluster quiet for long enough? ─► budget left? ─► told
                 │ no                    │ no                        │ no                           │ no
                 └──── not its business ─┘                           └──── held back: counted ──────┘

**Debounce**: a cluster that fades and comes back and fades is told once in `debounce_s`.
**Budget**: no more than `per_day` messages in a UTC day, whatever happens: the most false alarms that people can be
bothered with, each alarm being one until somebody has looked.
**Held back** is not unsaid: how many events, and of which clusters, is in the next message; where none comes, in one of
its own when the window ends: the last debounce of those held, or the day whose budget was used up. One after a debounce
counts for the day as any other; one after a day does not, since a budget of 1 would then never tell an event. So a day
has at most `per_day` messages and that one. Events that were **missed** have no window: they are told with the next
message, or by themselves as soon as there is nothing else to tell.

**Dismissed** clusters are nobody's business: of one only that it was dismissed is told, and that it has escalated, with
which it is dismissed no more.

Thresholds look at the cluster as the event tells it: a hook that wants 100 items does not hear of one that emerges with
8, but hears that it was `established` later, should it have 100 by then.
"""

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from service.events import EventKind
from service.state.events import About

DAY_S: Final = 86_400
MOST_TOLD: Final = 1000
"""Clusters whose last message is remembered for the debounce; the oldest is forgotten for another, and told early."""

MOST_NAMED: Final = 20
"""Clusters that were held back and are named; the others are counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """What a hook wants.

    Attributes:
        events: Kinds of events; none: all.
        min_items: The cluster has at least so many items.
        min_per_hour: ... and has had, since it began, so many an hour.
        debounce_s: A cluster that was told is not told again for so long.
        per_day: Messages a UTC day; None: any number.
    """

    events: tuple[str, ...] = ()
    min_items: int = 0
    min_per_hour: float = 0.0
    debounce_s: float = 0.0
    per_day: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """What a hook was told and not told so far.

    Attributes:
        told_at: Cluster -> when it was told last; the oldest first, at most MOST_TOLD.
        day: The UTC day, as days since 1970, that `today` counts.
        today: Messages of that day.
        debounced: Events held back since the last message since their cluster had just been told ...
        over_budget: ... and since the day's budget was used up.
        held: The clusters of both, at most MOST_NAMED.
        missed: Events that left the outbox before they could be told, since the last message.
        ends: When the window of what is held back ends, seconds since 1970 (UTC).
    """

    told_at: tuple[tuple[int, float], ...] = ()
    day: int = 0
    today: int = 0
    debounced: int = 0
    over_budget: int = 0
    held: tuple[int, ...] = ()
    missed: int = 0
    ends: float = 0.0


class Ruling(StrEnum):
    """What becomes of an event, for one hook."""

    TOLD = "told"
    NOT_WANTED = "not_wanted"
    DEBOUNCED = "debounced"
    OVER_BUDGET = "over_budget"


def wants(rule: Rule, about: About) -> bool:
    """Whether an event is a hook's business at all."""
    cluster = about.cluster
    if cluster.dismissed and about.event != EventKind.DISMISSED:
        return False
    lived_h = max(cluster.last_t - cluster.first_t, 0.0) / 3600
    is_fast = rule.min_per_hour <= 0 or cluster.items >= rule.min_per_hour * lived_h
    return (not rule.events or about.event in rule.events) and cluster.items >= rule.min_items and is_fast


def rule_on(rule: Rule, tally: Tally, about: About, now: float) -> tuple[Ruling, Tally]:
    """Decide on one event.

    Returns:
        The ruling, and the tally with it. Where the event is told, `told` clears what was held back, so take the
        message from the tally before.
    """
    if not wants(rule, about):
        return Ruling.NOT_WANTED, tally
    day = int(now // DAY_S)
    if day != tally.day:
        tally = replace(tally, day=day, today=0)
    cluster = about.cluster.id
    last = next((t for id, t in tally.told_at if id == cluster), None)
    if last is not None and now < last + rule.debounce_s:
        ends = tally.ends if tally.over_budget else max(tally.ends, last + rule.debounce_s)
        return Ruling.DEBOUNCED, replace(_held(tally, cluster), debounced=tally.debounced + 1, ends=ends)
    if rule.per_day is not None and tally.today >= rule.per_day:
        ends = float((day + 1) * DAY_S)
        return Ruling.OVER_BUDGET, replace(
            _held(tally, cluster), over_budget=tally.over_budget + 1, ends=ends
        )
    others = [(id, t) for id, t in tally.told_at if id != cluster and now < t + rule.debounce_s]
    told_at = (*others, (cluster, now))[-MOST_TOLD:] if rule.debounce_s > 0 else ()
    return Ruling.TOLD, Tally(told_at=told_at, day=day, today=tally.today + 1)


def held_due(rule: Rule, tally: Tally) -> float:
    """When what was not told is to be told by itself, should no message tell it before; infinite: there is nothing."""
    if not (tally.debounced or tally.over_budget or tally.missed):
        return math.inf
    is_used_up = rule.per_day is not None and tally.today >= rule.per_day
    return max(tally.ends, (tally.day + 1) * DAY_S) if is_used_up else tally.ends


def forgotten(tally: Tally) -> Tally:
    """The tally without what was not told."""
    return Tally(told_at=tally.told_at, day=tally.day, today=tally.today)


def held_told(tally: Tally, now: float) -> Tally:
    """The tally once what was held back is told by itself."""
    day = int(now // DAY_S)
    today = (tally.today if day == tally.day else 0) + (0 if tally.over_budget else 1)
    return replace(forgotten(tally), day=day, today=today)


def _held(tally: Tally, cluster: int) -> Tally:
    if cluster in tally.held or len(tally.held) >= MOST_NAMED:
        return tally
    return replace(tally, held=(*tally.held, cluster))
