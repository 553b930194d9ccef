"""A stream as it was answered: read from verdicts and events, in the order they were emitted."""

import pytest

from service.events import EventKind
from service.records import NO_CLUSTER
from service.scoring.answers import NO_LABEL, Announcement, Drift, read_answers, told
from tests.service.answered import answers, event, truth, verdict, verdicts


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
    said = told(
        [
            event(EventKind.EMERGED, 5, 1, ("i1", "i2")),
            event(EventKind.SPLIT, 7, 2, ("i3",)),
            event(EventKind.ESTABLISHED, 9, 1, ("i2", "i8")),
            event(EventKind.REVIVED, 11, 1, ()),
        ]
    )

    assert {1: 5, 2: 7} == said.announced_at
    assert {1: {"i1", "i2", "i8"}, 2: {"i3"}} == said.exemplars
    assert {} == said.drifted_at == said.heirs


def test_drifts_and_merges() -> None:
    """A drift that nobody announced is no announcement; what a cluster was merged into is remembered."""
    said = told(
        [
            event(EventKind.EMERGED, 5, 1),
            event(EventKind.DRIFTED, 6, 2, ("i3",)),
            event(EventKind.DRIFTED, 8, 1),
            event(EventKind.MERGED, 9, 1, other=2),
        ]
    )

    assert ({1: 5}, {2: 6, 1: 8}, {1: (2, 9)}) == (said.announced_at, said.drifted_at, said.heirs)


def test_retracted() -> None:
    """An announcement ends where its cluster is told to be a drift; a drift alone is none."""
    found = answers("axxxx", "a . 1 1 .", at={1: 1}, exemplars={2: ["i4"]}, drifted_at={1: 3, 2: 4})

    assert [(1, 3)] == [(a.cluster, a.retracted_at) for a in found.announced]
    assert (
        Drift(cluster=1, at=3, exemplars=()),
        Drift(cluster=2, at=4, exemplars=(4,)),
    ) == found.drifts


def test_merged_into_a_drift() -> None:
    """Then it is one, from the merge or from what its heir was told, whichever is later; into another it is not."""

    def ends(drifted_at: dict[int, int], heirs: dict[int, tuple[int, int]]) -> int | None:
        return answers("xxxxx", "1 1 1 1 1", drifted_at=drifted_at, heirs=heirs).announced[0].retracted_at

    assert 3 == ends({3: 1}, {1: (2, 2), 2: (3, 3)})
    assert 4 == ends({2: 4}, {1: (2, 2)})
    assert ends({3: 1}, {1: (2, 2)}) is None
