"""A stream as it was answered: read from verdicts and events, in the order they were emitted."""

import pytest

from service.events import ClusterEvent, EventKind
from service.records import NO_CLUSTER
from service.scoring.answers import NO_LABEL, Announcement, announcements, read_answers
from tests.service import told
from tests.service.answered import answers, truth, verdict, verdicts


def event(kind: EventKind, seq: int, cluster: int, exemplars: tuple[str, ...]) -> ClusterEvent:
    view = told.cluster(id=cluster, emerged_seq=seq, last_seq=seq, exemplars=exemplars)
    return ClusterEvent(kind=kind, seq=seq, t=0.0, cluster=view)


def test_codes() -> None:
    """Classes are numbered known first; outliers have no label and no cluster."""
    found = answers("abxy", "b . 3 a")

    assert (("a", "b"), ("x", "y")) == (found.known, found.unseen)
    assert [0, 1, 2, 3] == found.y.tolist()
    assert [1, NO_LABEL, NO_LABEL, 0] == found.label.tolist()
    assert [NO_CLUSTER, NO_CLUSTER, 3, NO_CLUSTER] == found.cluster.tolist()
    assert [False, False, True, True] == found.is_unseen.tolist()
    assert [False, False, False, False] == found.is_right.tolist()
    assert [True, False, False, True] == found.is_taken.tolist()


def test_a_class_only_answered_is_known() -> None:
    """A name that no item has but an answer has is one of the trainer's."""
    assert ("a", "b") == answers("ax", "b b").known


def test_announced_by_event() -> None:
    """An announcement has the place of its item, and the places of its exemplars."""
    found = answers("axxx", "a . . 1", at={1: 2}, exemplars={1: ["i2", "i1", "gone"]})

    assert (Announcement(cluster=1, at=2, exemplars=(1, 2)),) == found.announced


def test_announced_by_a_verdict() -> None:
    """A cluster that an item was answered with before it was announced was announced by that."""
    assert [(2, 1), (1, 2)] == [(a.cluster, a.at) for a in answers("axxx", "a 2 1 1", at={1: 3}).announced]


def test_places_are_not_seqs() -> None:
    """Entries of the log that are no items leave gaps in seq; places have none."""
    said = [verdict(10, "a"), verdict(20, "."), verdict(30, "1")]
    found = read_answers({"i10": "a", "i20": "x", "i30": "x"}, ["x"], said, {1: 20}, {})

    assert 1 == found.announced[0].at


def test_same_id_twice() -> None:
    """An id has one verdict."""
    with pytest.raises(AssertionError, match="distinct"):
        read_answers(truth("a"), [], [*verdicts("a"), *verdicts("a")], {}, {})


def test_events() -> None:
    """Clusters are announced when they emerge or split off; later events bring exemplars, not a new time."""
    announced_at, exemplars = announcements(
        [
            event(EventKind.EMERGED, 5, 1, ("i1", "i2")),
            event(EventKind.SPLIT, 7, 2, ("i3",)),
            event(EventKind.ESTABLISHED, 9, 1, ("i2", "i8")),
            event(EventKind.REVIVED, 11, 1, ()),
        ]
    )

    assert {1: 5, 2: 7} == announced_at
    assert {1: {"i1", "i2", "i8"}, 2: {"i3"}} == exemplars
