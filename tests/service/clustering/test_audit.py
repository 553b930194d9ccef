"""Decisions that were carried out are remembered, by place and by key, and within bounds."""

from dataclasses import replace

import pytest

from service.clustering import audit
from service.clustering.audit import Audit, Found
from service.decisions import Action, Decided, Decision
from service.errors import KeyReused


def decided(seq: int, action: Action = Action.NAME, **changes: object) -> Decided:
    given = {"key": f"k{seq}", "cluster": seq, "t": 0.0, "who": "me", **changes}
    return Decided(decision=Decision(action=action, **given), seq=seq)  # type: ignore[arg-type]


def test_the_same_again_is_found_by_its_key() -> None:
    """At another time as well; under the same key, another decision is refused."""
    trail = Audit()
    one = decided(3, label="x")
    trail.add(one, Found())

    assert one == trail.again(replace(one.decision, t=99.0))
    assert trail.again(replace(one.decision, key="other")) is None
    with pytest.raises(KeyReused):
        trail.again(replace(one.decision, label="y"))


def test_what_is_undone_is_not_in_force() -> None:
    """It is listed, with the place of the undo, which is itself none that stands."""
    trail = Audit()
    for seq in (1, 2):
        trail.add(decided(seq), Found())
    trail.undo(1, by=5)
    trail.add(decided(5, Action.UNDO, cluster=1, undoes=1), None)

    assert [2] == [one.seq for one in trail.in_force()]
    assert [5, None, None] == [one.undone_by for one in trail.decided.values()]
    assert {2} == trail.concerned
    assert {2} == set(trail.found)


def test_the_oldest_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    """What they found first, then they themselves, and their keys."""
    monkeypatch.setattr(audit, "MOST_DECISIONS", 5)
    monkeypatch.setattr(audit, "MOST_UNDOABLE", 2)
    trail = Audit()
    for seq in range(8):
        trail.add(decided(seq), Found())

    assert [3, 4, 5, 6, 7] == list(trail.decided)
    assert [6, 7] == list(trail.found)
    assert trail.again(decided(0).decision) is None
    assert decided(3) == trail.again(decided(3).decision)


def test_it_goes_on_from_what_was_stored() -> None:
    """With its keys."""
    trail, again = Audit(), Audit()
    trail.add(decided(1), Found(name="x"))
    again.restore(list(trail.decided.values()), trail.found)

    assert (trail.decided, trail.found) == (again.decided, again.found)
    assert decided(1) == again.again(decided(1).decision)
