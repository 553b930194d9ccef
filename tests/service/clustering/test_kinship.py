"""Where clusters came from and what they went into: ways that end, and nothing lost on them."""

from typing import Any

import pytest

from service.clustering import kinship
from service.clustering.kinship import Life, Lives, absorb, elder, forget, forget_oldest, heir
from service.records import NO_CLUSTER, ClusterState


def lives_of(*lives: Life) -> Lives:
    return {life.id: life for life in lives}


def life(id: int, state: ClusterState = ClusterState.EMERGING, **changes: Any) -> Life:
    place: dict[str, Any] = {"born_seq": id, "first_t": float(id), "last_seq": id, "last_t": float(id)}
    return Life(id=id, ordinal=id, state=state, **{**place, **changes})


CANDIDATE, GONE = ClusterState.CANDIDATE, ClusterState.GONE


def test_items_go_by_the_first_announced_on_the_way_up() -> None:
    """The cluster itself, what it is splitting from, or none."""
    lives = lives_of(
        life(1), life(2, CANDIDATE, parent_id=1), life(3, CANDIDATE, parent_id=2), life(4, CANDIDATE)
    )

    assert [1, 1, 1, NO_CLUSTER, NO_CLUSTER] == [
        elder(lives, cluster) for cluster in (1, 2, 3, 4, NO_CLUSTER)
    ]


def test_an_old_id_goes_by_its_heir() -> None:
    """The last on the way down; none where that is gone, forgotten, or never was."""
    lives = lives_of(
        life(1, GONE, merged_into=2),
        life(2, GONE, merged_into=3),
        life(3),
        life(4, GONE),
        life(5, GONE, merged_into=99),
    )

    assert [3, 3, 3, NO_CLUSTER, NO_CLUSTER, NO_CLUSTER] == [heir(lives, c) for c in (1, 2, 3, 4, 5, 77)]


@pytest.mark.parametrize("is_later", [True, False])
def test_the_heir_gets_all_that_is_remembered(is_later: bool) -> None:
    """Items, the latest moment, and the latest exemplars of the two, newest last; its own beginning stays its own."""
    ends = life(
        2, last_seq=90 if is_later else 10, last_t=9.0, residual=4, exemplars=["c", "d"], is_united=True
    )
    into = life(1, last_seq=50, last_t=5.0, residual=3, exemplars=["a", "b", "c"])
    absorb(lives_of(into, ends), ends, into, exemplars=4)

    assert (7, 0) == (into.residual, ends.residual)
    assert ((90, 9.0) if is_later else (50, 5.0)) == (into.last_seq, into.last_t)
    assert (["a", "b", "c", "d"] if is_later else ["d", "a", "b", "c"]) == into.exemplars
    assert (1, 1.0) == (into.born_seq, into.first_t)
    assert into.is_united
    assert (GONE, 1) == (ends.state, ends.merged_into)


def test_exemplars_stay_few() -> None:
    """As many as one cluster keeps."""
    ends, into = life(2, exemplars=list("vwxyz")), life(1, exemplars=list("abc"))
    absorb(lives_of(into, ends), ends, into, exemplars=4)

    assert list("wxyz") == into.exemplars


def test_children_follow_the_heir() -> None:
    """What split off from the one that ended; and an heir that descends from it takes its place."""
    lives = lives_of(
        life(1), life(2, parent_id=1), life(3, CANDIDATE, parent_id=2), life(4, CANDIDATE, parent_id=3)
    )
    absorb(lives, lives[2], lives[4], exemplars=4)

    assert {1: None, 2: 1, 3: 4, 4: 1} == {id: one.parent_id for id, one in lives.items()}


def test_what_is_forgotten_leaves_no_trace() -> None:
    """Its children came from nothing, and nobody stays apart from it."""
    lives = lives_of(life(1, apart=[2, 3]), life(2, parent_id=1, apart=[1, 3]), life(3, apart=[1, 2]))
    forget(lives, 1)

    assert [(2, None, [3]), (3, None, [2])] == [(one.id, one.parent_id, one.apart) for one in lives.values()]


def test_the_oldest_that_ended_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a number, and never one that lives."""
    monkeypatch.setattr(kinship, "MAX_GONE", 2)
    lives = lives_of(life(1, GONE), life(2), life(3, GONE), life(4, GONE, merged_into=2), life(5, CANDIDATE))
    forget_oldest(lives)

    assert [2, 3, 4, 5] == list(lives)
