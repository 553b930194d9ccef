"""Which clusters people are told of, and what they are told: alone, and as streams lead to it."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.clustering.dbstream import DBSTREAM
from service.clustering.lineage import Matched
from service.clustering.lives import MAX_EVENTS, NOISE, Change, Event, Life, Lives
from service.records import NO_CLUSTER
from tests.service.clustering.stream_strategies import Stream, event_times, streams

BORN, SPLIT, MERGED, DIED = Change.BORN, Change.SPLIT, Change.MERGED, Change.DIED


class Told:
    """Lives that are told what happened at a time, as their owner does."""

    def __init__(self, minimum_age: float) -> None:
        self.lives = Lives(minimum_age)

    def at(
        self,
        now: float,
        *,
        born: Sequence[int] = (),
        split: Sequence[tuple[int, int]] = (),
        merged: Sequence[tuple[int, int]] = (),
        died: Sequence[int] = (),
    ) -> "Told":
        next_id = max([self.lives.next_id - 1, *born, *(new for new, _ in split)]) + 1
        found = Matched(
            cluster_of=np.empty(0, dtype=np.int64),
            born=tuple(born),
            split=tuple(split),
            merged=tuple(merged),
            next_id=next_id,
        )
        self.lives.announce(now)
        self.lives.regrouped(found, now)
        self.lives.died(died, now)
        self.lives.announce(now)
        self.lives.check(now, set(self.lives.lives))
        return self

    def labels(self) -> dict[int, int]:
        """Under which id the items of each cluster go."""
        return {cluster: self.lives.label(cluster) for cluster in self.lives.lives}

    def events(self) -> list[tuple[Change, float, int, int | None]]:
        return [(e.change, e.t, e.cluster, e.other) for e in self.lives.events]


# Alone


def test_nobody_is_told_of_a_cluster_before_it_is_old_enough() -> None:
    """Its items are noise until the very moment at which it has the minimum age, which is the event's time."""
    told = Told(5.0).at(10.0, born=[1]).at(14.9)

    assert ({1: NOISE}, []) == (told.labels(), told.events())
    told.at(17.0)
    assert ({1: 1}, [(BORN, 15.0, 1, None)]) == (told.labels(), told.events())


def test_without_a_minimum_age_all_is_told_at_once() -> None:
    """At the time at which it happened."""
    told = Told(0.0).at(3.0, born=[1]).at(4.0, split=[(2, 1)])

    assert [(BORN, 3.0, 1, None), (SPLIT, 4.0, 2, 1)] == told.events()
    assert {1: 1, 2: 2} == told.labels()


def test_what_happened_at_once_is_told_in_the_order_of_ids() -> None:
    """Whatever it was."""
    told = Told(0.0).at(1.0, born=[1]).at(2.0, born=[2, 4], split=[(3, 1)])

    assert [(BORN, 2.0, 2, None), (SPLIT, 2.0, 3, 1), (BORN, 2.0, 4, None)] == told.events()[1:]


def test_a_part_goes_by_its_parents_id_until_it_is_old_enough() -> None:
    """So people see one cluster become two, not one become noise."""
    told = Told(5.0).at(0.0, born=[1]).at(10.0, split=[(2, 1)])

    assert {1: 1, 2: 1} == told.labels()
    assert {1: 1, 2: 2} == told.at(15.0).labels()
    assert (SPLIT, 15.0, 2, 1) == told.events()[-1]


def test_a_part_of_a_part_goes_by_the_elder() -> None:
    """The first on the way up that is told of."""
    told = Told(5.0).at(0.0, born=[1]).at(10.0, split=[(2, 1)]).at(12.0, split=[(3, 2)])

    assert {1: 1, 2: 1, 3: 1} == told.labels()
    assert {1: 1, 2: 2, 3: 2} == told.at(15.0).labels()
    assert (SPLIT, 17.0, 3, 2) == told.at(17.0).events()[-1]


def test_parts_of_what_nobody_was_told_of_are_born() -> None:
    """A part that is old enough and has no elder did not split from anything people know."""
    told = Told(5.0).at(0.0, born=[1]).at(1.0, split=[(2, 1)]).at(2.0, died=[1]).at(9.0)

    assert [(BORN, 6.0, 2, None)] == told.events()


def test_a_cluster_that_ends_young_leaves_no_trace() -> None:
    """Nobody was told of it, so nobody is told of its end."""
    told = Told(5.0).at(0.0, born=[1, 2]).at(1.0, merged=[(2, 1)]).at(2.0, died=[1]).at(50.0)

    assert ({}, []) == (told.labels(), told.events())


def test_the_parts_of_a_young_cluster_that_merged_go_by_the_one_it_went_into() -> None:
    """They were of it, and so they are of that one now."""
    told = Told(5.0).at(0.0, born=[1, 2]).at(10.0, split=[(3, 1)]).at(11.0, split=[(4, 3)])

    assert {1: 1, 2: 2, 3: 1, 4: 1} == told.labels()
    assert {1: 1, 2: 2, 4: 2} == told.at(12.0, merged=[(3, 2)]).labels()


def test_the_parts_of_a_young_cluster_that_died_go_by_its_elder() -> None:
    """Nobody had heard of it: for people, they were of the elder all along."""
    told = Told(5.0).at(0.0, born=[1]).at(10.0, split=[(2, 1)]).at(11.0, split=[(3, 2)]).at(12.0, died=[2])

    assert {1: 1, 3: 1} == told.labels()


def test_what_went_by_the_id_of_a_cluster_that_died_is_noise_until_it_is_old_enough() -> None:
    """An id that ended is never given again, and a part is not told of before its time."""
    told = Told(5.0).at(0.0, born=[1]).at(10.0, split=[(2, 1)]).at(11.0, died=[1])

    assert {2: NOISE} == told.labels()
    assert [(DIED, 11.0, 1, None), (BORN, 15.0, 2, None)] == told.at(15.0).events()[-2:]


def test_a_cluster_may_merge_into_a_part_of_a_part_of_itself() -> None:
    """Which then goes by what the ended one went by; nobody becomes an ancestor of itself."""
    told = Told(9.0).at(0.0, born=[1]).at(10.0, split=[(2, 1)]).at(11.0, split=[(3, 2)])
    told.at(12.0, split=[(4, 3), (5, 2)]).at(13.0, merged=[(2, 4)])

    assert {1: 1, 3: 1, 4: 1, 5: 1} == told.labels()
    assert {1: None, 3: 4, 4: 1, 5: 4} == {cluster: life.parent for cluster, life in told.lives.lives.items()}


def test_the_end_of_a_cluster_is_told() -> None:
    """With what took it in, or with nothing."""
    told = Told(0.0).at(0.0, born=[1, 2, 3]).at(7.0, merged=[(2, 1)], died=[3])

    assert [(MERGED, 7.0, 2, 1), (DIED, 7.0, 3, None)] == told.events()[-2:]
    assert {1} == told.lives.told()


def test_labels_go_by_the_moment() -> None:
    """Within one batch, each item by what people were told of when it was looked at."""
    told = Told(5.0).at(0.0, born=[1]).at(2.0, split=[(2, 1)]).at(3.0, split=[(3, 2)])
    moments = np.array([3.0, 4.9, 5.0, 6.9, 7.0, 8.0])
    labels = [told.lives.labels_at(np.full(6, c), moments).tolist() for c in (1, 2, 3, NO_CLUSTER)]

    assert [
        [NOISE] * 2 + [1] * 4,
        [NOISE] * 2 + [1] * 2 + [2] * 2,
        [NOISE] * 2 + [1] * 2 + [2, 3],
        [NOISE] * 6,
    ] == labels


@given(st.lists(st.integers(0, 3), min_size=1, max_size=8), st.floats(3.0, 20.0))
def test_labels_of_many_are_the_labels_of_each(found: list[int], now: float) -> None:
    """Now, and at a moment that is now."""
    told = Told(5.0).at(0.0, born=[1]).at(2.0, split=[(2, 1)]).at(3.0, split=[(3, 2)])
    many = np.array(found)
    at_the_moment = told.lives.labels_at(many, np.full(len(many), now)).tolist()
    told.at(now)

    assert (
        [told.lives.label(cluster) for cluster in found] == told.lives.labels(many).tolist() == at_the_moment
    )


def test_late_announcements_are_those_that_were_due() -> None:
    """A step over several ages tells what steps in between would have told, in the same order."""
    slow, quick = Told(5.0), Told(5.0)
    for told in (slow, quick):
        told.at(0.0, born=[1]).at(2.0, split=[(2, 1), (3, 1)]).at(4.0, split=[(4, 3)])
    for now in np.arange(4.5, 20.0, 0.5).tolist():
        slow.at(now)

    assert slow.events() == quick.at(20.0).events()


def test_only_the_latest_events_are_kept() -> None:
    """A stream that lives for ever does not grow by what became of it."""
    told = Told(0.0)
    for n in range(1, MAX_EVENTS + 10):
        told.at(float(n), born=[n], died=[n - 1] if n > 1 else [])

    assert MAX_EVENTS == len(told.lives.events)
    assert (DIED, MAX_EVENTS + 9.0, MAX_EVENTS + 8, None) in told.events()


@pytest.mark.parametrize(
    ("lives", "clusters", "next_id", "complaint"),
    [
        ({1: Life(0.0, None, True)}, {1, 2}, 3, "the clusters and their lives"),
        ({1: Life(0.0, None, True)}, set(), 3, "the clusters and their lives"),
        ({3: Life(0.0, None, True)}, {3}, 3, "the ids of the clusters"),
        ({-1: Life(0.0, None, True)}, {-1}, 3, "the ids of the clusters"),
        ({1: Life(0.0, None, True)}, {1}, 2**62, "the ids of the clusters"),
        ({1: Life(99.0)}, {1}, 3, "the births of the clusters"),
        ({1: Life(float("nan"))}, {1}, 3, "the births of the clusters"),
        ({1: Life(float("-inf"), None, True)}, {1}, 3, "the births of the clusters"),
        ({1: Life(8.0), 2: Life(7.0)}, {1, 2}, 3, "the births of the clusters"),
        ({1: Life(0.0)}, {1}, 3, "the ages of the clusters"),
        ({1: Life(8.0, None, True)}, {1}, 3, "the ages of the clusters"),
        ({1: Life(8.0, 1)}, {1}, 3, "the parents of the clusters"),
        ({1: Life(8.0, 2), 2: Life(8.0, 1)}, {1, 2}, 3, "the parents of the clusters"),
        ({1: Life(8.0, 7)}, {1}, 9, "the parents of the clusters"),
        ({1: Life(0.0, None, True), 2: Life(1.0, 1, True)}, {1, 2}, 3, "the parents of the clusters"),
    ],
)
def test_lives_that_cannot_be_are_refused(
    lives: dict[int, Life], clusters: set[int], next_id: int, complaint: str
) -> None:
    """Stored by somebody else, or damaged: a chain of parents without end would be followed for ever."""
    with pytest.raises(ValueError, match=complaint):
        Lives(5.0, next_id, lives).check(10.0, clusters)


def test_events_without_a_time_are_refused() -> None:
    """As everything that is no number."""
    with pytest.raises(ValueError, match="the times of the events"):
        Lives(5.0, events=[Event(change=DIED, t=float("nan"), cluster=1)]).check(10.0, set())


# As streams lead to it


@settings(max_examples=100, deadline=None)
@given(
    streams(max_items=120, max_dim=8), st.sampled_from([0.0, 1.0, 4.0, 15.0, 40.0]), st.booleans(), st.data()
)
def test_what_is_told_is_a_story(stream: Stream, age: float, is_timed: bool, data: st.DataObject) -> None:
    """Throughout any stream: every label was told of before, and is not ended; `clusters` are just the labels
    that a prediction can give; ids grow and never come back; what events speak of, people know.
    """
    x, p = stream
    times = data.draw(event_times(len(x), gap=p["cleanup_interval"])) if is_timed else [None] * len(x)
    db = DBSTREAM(**p, minimum_age=age)
    known: set[int] = set()
    ended: set[int] = set()
    read, latest, greatest = 0, -np.inf, 0
    for row, t in zip(x, times, strict=True):
        before = known.copy()
        label = int(db.predict_learn_many(row[None], t=None if t is None else [t])[0])
        assert db.micro_clusters is not None
        micro = db.micro_clusters
        for event in db.events[read:]:
            assert latest <= event.t <= micro.now
            assert event.other is None or event.other in known
            latest = event.t
            if event.change in {BORN, SPLIT}:
                assert event.cluster > greatest
                greatest = event.cluster
                known.add(event.cluster)
                before.add(event.cluster)
            else:
                known.remove(event.cluster)
                ended.add(event.cluster)
        read = len(db.events)

        assert label == NOISE or label in before
        assert not known & ended
        rows = micro.rows()
        strong = rows[micro.strong(rows)]
        labels = set(db.predict_many(micro.centers(strong)).tolist()) if len(strong) else set()

        assert list(db.clusters) == sorted(labels - {NOISE})
        assert labels - {NOISE} <= known
        assert len(db.clusters) == db.n_clusters
        assert age > 0 or NOISE not in labels
        db._lives.check(micro.now, set(micro.clusters(rows).tolist()) - {NO_CLUSTER})
