"""The table of a cluster's life."""

import pytest

from service.clustering.lifecycle import (
    TRANSITIONS,
    Facts,
    items_until_idle_change,
    next_transition,
)
from service.clustering.params import EngineParams
from service.clustering.variants import Answer
from service.events import EventKind
from service.records import ANNOUNCED, ClusterState

P = EngineParams(min_items_to_emerge=8, items_to_establish=30, fade_after_items=100, gone_after_items=1000)
S = ClusterState


def after(
    state: ClusterState,
    *,
    items: int = 10,
    idle: int = 0,
    proven: bool = False,
    there: bool = True,
    answer: Answer = Answer.NEW,
) -> object:
    arrow = next_transition(
        state,
        Facts(items=items, idle=idle, is_proven=proven, has_micro_clusters=there, answer=answer),
        P,
    )
    return None if arrow is None else (arrow.target, arrow.event)


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        (None, after(S.CANDIDATE)),
        (None, after(S.CANDIDATE, proven=True, items=7)),
        ((S.EMERGING, EventKind.EMERGED), after(S.CANDIDATE, proven=True, items=8)),
        ((S.VARIANT, EventKind.DRIFTED), after(S.CANDIDATE, proven=True, answer=Answer.DRIFT)),
        (None, after(S.CANDIDATE, answer=Answer.DRIFT)),
        ((S.VARIANT, EventKind.DRIFTED), after(S.EMERGING, answer=Answer.DRIFT)),
        ((S.VARIANT, EventKind.DRIFTED), after(S.ESTABLISHED, items=99, answer=Answer.DRIFT)),
        (None, after(S.VARIANT, items=99, proven=True)),
        ((S.GONE, EventKind.GONE), after(S.VARIANT, there=False)),
        ((S.GONE, None), after(S.CANDIDATE, there=False)),
        ((S.GONE, None), after(S.CANDIDATE, idle=1000)),
        (None, after(S.EMERGING, items=29)),
        ((S.ESTABLISHED, EventKind.ESTABLISHED), after(S.EMERGING, items=30)),
        ((S.FADING, EventKind.FADED), after(S.EMERGING, idle=100)),
        ((S.FADING, EventKind.FADED), after(S.ESTABLISHED, items=99, idle=100)),
        (None, after(S.ESTABLISHED, items=99, idle=99)),
        ((S.ESTABLISHED, EventKind.REVIVED), after(S.FADING, items=30)),
        ((S.EMERGING, EventKind.REVIVED), after(S.FADING, items=29)),
        (None, after(S.FADING, items=30, idle=500)),
        ((S.GONE, EventKind.GONE), after(S.FADING, items=30, idle=1000)),
        ((S.GONE, EventKind.GONE), after(S.ESTABLISHED, items=30, there=False)),
        (None, after(S.GONE)),
    ],
)
def test_arrows(expected: object, found: object) -> None:
    """Each arrow is taken under its condition, and not just short of it."""
    assert expected == found


def test_nothing_returns_from_gone() -> None:
    """Gone is the end."""
    assert all(arrow.source is not S.GONE for arrow in TRANSITIONS)


def test_every_state_is_reached_and_every_arrow_has_a_reason() -> None:
    """The table is whole, and speaks: an announced cluster never changes silently."""
    assert set(S) - {S.CANDIDATE} == {arrow.target for arrow in TRANSITIONS}
    for arrow in TRANSITIONS:
        assert arrow.why.endswith(".")
        told = ANNOUNCED | {S.VARIANT}
        assert (arrow.event is None) == (arrow.source not in told and arrow.target not in told)


def test_idle_changes_are_looked_for_in_time() -> None:
    """The next look is never later than the next change by idleness."""
    assert 100 == items_until_idle_change(0, P)
    assert 1 == items_until_idle_change(99, P)
    assert 900 == items_until_idle_change(100, P)
