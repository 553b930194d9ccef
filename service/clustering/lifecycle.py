"""The life of a cluster, as a table.

    variant ◄─── candidate ──► emerging ──► established
      │  ▲          │           │ │   ▲       │ │   ▲
      │  └──────────┼───────────┴─┼───┼───────┘ │   │
      │             │             ▼   │         ▼   │
      └─────────────┴─────────► gone ◄── fading ────┘

A cluster is announced once, when it emerges; or told of as a variant, a known class that looks otherwise now (see
variants.py). Each row of TRANSITIONS is an arrow: from, to, the condition, the event it makes, and its reason in a
sentence. The first row that applies is taken. Conditions are functions of `Facts` alone: what the engine knows of the
cluster at this item.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from service.clustering.params import EngineParams
from service.clustering.variants import Answer
from service.events import EventKind
from service.records import ClusterState


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What decides over a cluster's next state.

    Attributes:
        items: Items it holds.
        repeats: How many of these are the same over again.
        idle: Stream items since its latest one.
        is_proven: The sequential test has rejected that known classes explain it.
        is_too_wide: It is wider than a class can be.
        has_micro_clusters: Some micro-cluster, strong or weak, still remembers it.
        answer: Whether it is new, or a drift of what is known.
    """

    items: int
    idle: int
    is_proven: bool
    has_micro_clusters: bool
    answer: Answer = Answer.NEW
    repeats: int = 0
    is_too_wide: bool = False


@dataclass(frozen=True, slots=True)
class Transition:
    """One arrow of the diagram."""

    source: ClusterState
    target: ClusterState
    applies: Callable[[Facts, EngineParams], bool]
    event: EventKind | None
    why: str


S = ClusterState

JUDGED = (S.CANDIDATE, S.EMERGING, S.ESTABLISHED)
"""While a cluster is one of these, it may turn out to be a known class that drifted."""


def _vanished(f: Facts, p: EngineParams) -> bool:
    return not f.has_micro_clusters or f.idle >= p.gone_after_items


def _idle(f: Facts, p: EngineParams) -> bool:
    return f.idle >= p.fade_after_items


def _is_there(f: Facts, p: EngineParams) -> bool:
    return f.is_proven and not f.is_too_wide and f.items - f.repeats >= p.min_items_to_emerge


TRANSITIONS: tuple[Transition, ...] = (
    Transition(
        S.CANDIDATE,
        S.GONE,
        _vanished,
        None,
        "Its micro-clusters faded away before there was evidence: it was noise, and nobody hears of it.",
    ),
    Transition(
        S.CANDIDATE,
        S.VARIANT,
        lambda f, p: _is_there(f, p) and f.answer is Answer.DRIFT,
        EventKind.DRIFTED,
        "Known classes cannot explain it where they lay, but what is missing there can: one of them drifted.",
    ),
    Transition(
        S.CANDIDATE,
        S.EMERGING,
        _is_there,
        EventKind.EMERGED,
        "Known classes cannot explain it, within the budget of false alarms, and there is something to look at.",
    ),
    Transition(S.VARIANT, S.GONE, _vanished, EventKind.GONE, "Nothing of it is left."),
    Transition(
        S.EMERGING,
        S.VARIANT,
        lambda f, _: f.answer is Answer.DRIFT,
        EventKind.DRIFTED,
        "It was announced too early: a known class is missing since it came.",
    ),
    Transition(S.EMERGING, S.GONE, _vanished, EventKind.GONE, "Nothing of it is left."),
    Transition(S.EMERGING, S.FADING, _idle, EventKind.FADED, "Its items stopped before there were many."),
    Transition(
        S.EMERGING,
        S.ESTABLISHED,
        lambda f, p: f.items >= p.items_to_establish,
        EventKind.ESTABLISHED,
        "It has enough items that its shape can be trusted.",
    ),
    Transition(
        S.ESTABLISHED,
        S.VARIANT,
        lambda f, _: f.answer is Answer.DRIFT,
        EventKind.DRIFTED,
        "It was announced too early: nothing known has come since it came.",
    ),
    Transition(S.ESTABLISHED, S.GONE, _vanished, EventKind.GONE, "Nothing of it is left."),
    Transition(S.ESTABLISHED, S.FADING, _idle, EventKind.FADED, "Its items stopped coming."),
    Transition(S.FADING, S.GONE, _vanished, EventKind.GONE, "It stayed away too long."),
    Transition(
        S.FADING,
        S.ESTABLISHED,
        lambda f, p: not _idle(f, p) and f.items >= p.items_to_establish,
        EventKind.REVIVED,
        "Its items are back.",
    ),
    Transition(
        S.FADING,
        S.EMERGING,
        lambda f, p: not _idle(f, p),
        EventKind.REVIVED,
        "Its items are back, and it is still small.",
    ),
)


def next_transition(state: ClusterState, facts: Facts, params: EngineParams) -> Transition | None:
    """The arrow that a cluster in `state` takes now, or None when it stays."""
    for arrow in TRANSITIONS:
        if arrow.source is state and arrow.applies(facts, params):
            return arrow
    return None


def items_until_idle_change(idle: int, params: EngineParams) -> int:
    """After how many more items without one of its own a cluster's state may change."""
    return (params.fade_after_items if idle < params.fade_after_items else params.gone_after_items) - idle


def items_until_any_change(seq: int, latest: Iterable[int], params: EngineParams) -> int:
    """The same of several clusters, at least 1: `latest` has the place of each one's latest item."""
    waits = (items_until_idle_change(seq - at, params) for at in latest)
    return max(1, min(waits, default=params.fade_after_items))
