"""Which event is told, which is held back, and that nothing is held back unsaid."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.state.events import About, AboutCluster
from service.webhooks.rules import (
    DAY_S,
    MOST_NAMED,
    MOST_TOLD,
    Rule,
    Ruling,
    Tally,
    forgotten,
    held_due,
    held_told,
    rule_on,
    wants,
)


def about(
    cluster: int = 1, *, event: str = "emerged", items: int = 10, hours: float = 1.0, dismissed: bool = False
) -> About:
    return About(
        event=event,
        seq=7,
        t=0.0,
        cluster=AboutCluster(
            id=cluster, items=items, first_t=1000.0, last_t=1000.0 + hours * 3600, dismissed=dismissed
        ),
    )


def run(rule: Rule, events: list[tuple[float, int]]) -> tuple[list[Ruling], Tally]:
    tally, rulings = Tally(), []
    for now, cluster in events:
        ruling, tally = rule_on(rule, tally, about(cluster), now)
        rulings.append(ruling)
    return rulings, tally


@pytest.mark.parametrize(
    ("rule", "is_wanted"),
    [
        (Rule(), True),
        (Rule(events=("emerged", "drifted")), True),
        (Rule(events=("drifted",)), False),
        (Rule(min_items=10), True),
        (Rule(min_items=11), False),
        (Rule(min_per_hour=10.0), True),
        (Rule(min_per_hour=10.1), False),
    ],
)
def test_a_kind_and_a_size(rule: Rule, is_wanted: bool) -> None:
    """Each bound includes its value; ten items within an hour are ten an hour."""
    assert is_wanted == wants(rule, about())
    assert (Ruling.TOLD if is_wanted else Ruling.NOT_WANTED) == rule_on(rule, Tally(), about(), 0.0)[0]


def test_a_cluster_of_one_moment_is_fast() -> None:
    """Whatever rate is wanted."""
    assert wants(Rule(min_per_hour=1e9), about(hours=0.0))


def test_a_dismissed_cluster_is_nobody_s_business() -> None:
    """But for its dismissal; with its escalation it is dismissed no more."""
    assert not any(
        wants(Rule(), about(event=event, dismissed=True)) for event in ("faded", "revived", "split")
    )
    assert wants(Rule(), about(event="dismissed", dismissed=True))
    assert wants(Rule(), about(event="escalated"))


def test_what_is_not_wanted_leaves_no_trace() -> None:
    """It counts neither for the day nor as held back."""
    assert (Ruling.NOT_WANTED, Tally()) == rule_on(Rule(min_items=99, per_day=1), Tally(), about(), 1e9)


def test_a_cluster_is_told_once_in_a_while() -> None:
    """Another cluster is told meanwhile; after the debounce it is told again, and that clears what was held back."""
    rule = Rule(debounce_s=60)
    rulings, tally = run(rule, [(0, 1), (30, 1), (30, 2), (59.9, 1), (60, 1)])

    assert ["told", "debounced", "told", "debounced", "told"] == rulings
    assert (0, ()) == (tally.debounced, tally.held)


def test_what_was_held_back_is_known() -> None:
    """How many, and of which clusters."""
    rulings, tally = run(Rule(per_day=1), [(0, 1), (1, 2), (2, 3), (3, 2)])

    assert ["told", *["over_budget"] * 3] == rulings
    assert (3, (2, 3)) == (tally.over_budget, tally.held)


def test_a_new_day_has_a_new_budget() -> None:
    """From midnight, UTC."""
    rulings, _ = run(
        Rule(per_day=2), [(0, 1), (1, 2), (DAY_S - 1, 3), (DAY_S, 4), (DAY_S + 1, 5), (DAY_S + 2, 6)]
    )

    assert ["told", "told", "over_budget", "told", "told", "over_budget"] == rulings


@given(
    st.lists(st.tuples(st.floats(0, 3 * DAY_S), st.integers(1, 60)), max_size=120).map(sorted),
    st.floats(0, 7200),
    st.one_of(st.none(), st.integers(1, 8)),
)
def test_whatever_comes(events: list[tuple[float, int]], debounce_s: float, per_day: int | None) -> None:
    """No day has more messages than it may, no cluster two too close, and told and held back are all there were."""
    rule, tally = Rule(debounce_s=debounce_s, per_day=per_day), Tally()
    told: list[tuple[float, int]] = []
    held = 0
    for now, cluster in events:
        before = tally
        ruling, tally = rule_on(rule, before, about(cluster), now)
        if ruling is Ruling.TOLD:
            told.append((now, cluster))
            held += before.debounced + before.over_budget
            assert (0, 0, ()) == (tally.debounced, tally.over_budget, tally.held)
        assert len(tally.held) <= MOST_NAMED
        assert len(tally.told_at) <= MOST_TOLD

    assert len(events) == len(told) + held + tally.debounced + tally.over_budget
    for day in range(4):
        assert per_day is None or sum(int(t // DAY_S) == day for t, _ in told) <= per_day
    for (one, a), (other, b) in ((x, y) for n, x in enumerate(told) for y in told[n + 1 :]):
        assert a != b or other >= one + debounce_s


def test_the_debounce_remembers_so_many_clusters() -> None:
    """The oldest is forgotten."""
    _, tally = run(Rule(debounce_s=1e9), [(float(n), n) for n in range(MOST_TOLD + 5)])

    assert (MOST_TOLD, 5) == (len(tally.told_at), tally.told_at[0][0])


def test_what_left_the_outbox_is_told_once() -> None:
    """With the next message, which clears it."""
    _, tally = rule_on(Rule(), replace(Tally(), missed=4), about(), 0.0)

    assert 0 == tally.missed


def test_what_was_missed_is_told_by_itself_at_once() -> None:
    """It has no window to wait for; but no day has more messages than it may."""
    missed = Tally(day=3, missed=4)

    assert held_due(Rule(), missed) <= 3 * DAY_S
    assert 4 * DAY_S == held_due(Rule(per_day=1), replace(missed, today=1))
    assert math.inf == held_due(Rule(), held_told(missed, 3 * DAY_S))
    assert 1 == held_told(missed, 3 * DAY_S).today


def test_what_is_forgotten() -> None:
    """All that was not told; what was told still counts for debounce and budget."""
    tally = Tally(
        told_at=((1, 5.0),), day=3, today=2, debounced=1, over_budget=1, held=(1,), missed=4, ends=9.0
    )

    assert Tally(told_at=((1, 5.0),), day=3, today=2) == forgotten(tally)


def test_what_was_held_back_is_due_when_its_window_ends() -> None:
    """After the last debounce of those held back, not after the first, and not before."""
    rule = Rule(debounce_s=60)
    _, tally = run(rule, [(0, 1), (20, 2), (30, 1), (40, 2)])

    assert 80 == held_due(rule, tally)
    assert math.inf == held_due(rule, held_told(tally, 80))


def test_a_used_up_budget_is_told_of_the_day_after() -> None:
    """Also where a debounce ends before that; and the new day keeps its whole budget."""
    rule = Rule(per_day=1, debounce_s=60)
    _, tally = run(rule, [(0, 1), (30, 1), (70, 1)])

    assert DAY_S == held_due(rule, tally)
    assert Ruling.TOLD is rule_on(rule, held_told(tally, DAY_S), about(2), DAY_S + 1)[0]


def test_what_a_debounce_held_back_waits_for_the_budget() -> None:
    """A day never has more messages than it may: the last one of its budget leaves none for what was held back."""
    rule = Rule(per_day=1, debounce_s=60)
    _, tally = run(rule, [(0, 1), (30, 1)])

    assert DAY_S == held_due(rule, tally)
    assert 1 == held_told(tally, DAY_S).today


def test_it_counts_for_its_day() -> None:
    """As any other message, where a debounce held back; a cluster that was told lately is still not told."""
    rule = Rule(per_day=9, debounce_s=60)
    _, tally = run(rule, [(0, 1), (30, 1)])
    after = held_told(tally, 60)

    assert (2, tally.told_at) == (after.today, after.told_at)
    assert (0, 0, ()) == (after.debounced, after.over_budget, after.held)
