"""The oracle itself, on examples that fit on paper.

Most run on a line with r = 1. An item that lies d from a centre moves it by the share exp(-4.5 d^2), so an item on a
centre moves nothing; with lambda = 1 a weight halves at each step, and all numbers are exact.
"""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.service.clustering.literal_dbstream import LiteralDBSTREAM, distance
from tests.service.clustering.stream_strategies import Stream, event_times, streams

NEVER = 10**6


def made(**changes: Any) -> LiteralDBSTREAM:
    """With r = 1; nothing fades, nothing is cleaned up, everything is strong: each test says what differs."""
    defaults: dict[str, Any] = {
        "clustering_threshold": 1.0,
        "fading_factor": 0.0,
        "cleanup_interval": NEVER,
        "intersection_factor": 0.3,
        "minimum_weight": 1.0,
    }
    return LiteralDBSTREAM(**{**defaults, **changes})


def learnt(db: LiteralDBSTREAM, *places: float) -> LiteralDBSTREAM:
    """Counted items on a line."""
    for place in places:
        db.learn([place])
    return db


def learnt_at(db: LiteralDBSTREAM, *items: tuple[float, float]) -> LiteralDBSTREAM:
    """Items (place, time) on a line."""
    for place, t in items:
        db.learn([place], t)
    return db


# Algorithm 1


def test_an_item_that_no_ball_holds_is_a_new_micro_cluster() -> None:
    """Lines 3-4; a ball does not hold what is just r away, and births count from 1."""
    db = learnt(made(), 0.0, 1.0, 5.0)

    assert {1: [0.0], 2: [1.0], 3: [5.0]} == db.centers
    assert [1.0, 1.0, 1.0] == [db.weight(i) for i in db.centers]


def test_a_centre_moves_by_the_gaussian_share() -> None:
    """Line 8: sigma = r / 3, so half a radius away is a share of exp(-9/8)."""
    db = learnt(made(), 0.0, 0.5)

    assert {1: [pytest.approx(0.5 * math.exp(-9 / 8))]} == db.centers
    assert 2.0 == db.weight(1)


def test_a_weight_halves_in_one_over_lambda() -> None:
    """Line 7, and reading: 1, then 1/4 + 1 two items later, then 5/8 one item after that."""
    db = learnt(made(fading_factor=1.0), 0.0, 9.0, 0.0)

    assert (1.25, 2) == db.weights[1]
    assert 0.625 == db.weight(1)


def test_balls_that_hold_the_same_item_share_it() -> None:
    """Lines 10-13: the density fades like a weight; each pair has one, whichever way it is asked."""
    db = learnt(made(fading_factor=1.0), 0.0, 1.5, 0.75, 9.0, 0.75)

    assert 0.625 == db.density(1, 2) == db.density(2, 1)
    assert [(1, 2)] == list(db.pairs())
    assert 0.0 == db.density(1, 3)


def test_neighbours_that_would_collapse_stay() -> None:
    """Lines 15-19: balls 1.1 apart would both move to the item between them; they get it all the same."""
    db = learnt(made(), 0.0, 1.1, 0.55)

    moved = 0.55 * math.exp(-4.5 * 0.55**2)
    assert (1.1 - moved) - moved < 1.0
    assert {1: [0.0], 2: [1.1]} == db.centers
    assert [2.0, 2.0] == [db.weight(1), db.weight(2)]


def test_the_guard_goes_pair_by_pair_and_finds_what_it_reverted() -> None:
    """Lines 15-19 in order: the second pair is looked at with the first pair back in its place.

    Three balls hold the item at 0; none was nearer than r to another. Moved, 1 and 2 are too near and go back; 1
    and 3 would have been too near with 1 moved, but are not with 1 back in its place; so 3 alone moves.
    """
    db = made()
    a, b, c = [-0.55, 0.0], [0.53, 0.0], [0.0, 0.9]
    for i, place in enumerate((a, b, c), start=1):
        db.learn(place)
        assert i == len(db.centers)

    db.learn([0.0, 0.0])

    def moved(place: list[float]) -> list[float]:
        h = math.exp(-4.5 * distance(place, [0.0, 0.0]) ** 2)
        return [v - h * v for v in place]

    assert distance(moved(a), moved(b)) < 1.0
    assert distance(moved(a), moved(c)) < 1.0
    assert distance(a, moved(c)) >= 1.0
    assert distance(b, moved(c)) >= 1.0
    assert {1: a, 2: b, 3: pytest.approx(moved(c))} == db.centers


@settings(max_examples=60, deadline=None)
@given(streams(max_items=60))
def test_what_ends_too_near_did_not_move(stream: Stream) -> None:
    """One pass of the guard is enough: centres of N nearer than r afterwards are where they were before.

    All of N is within r of the item, and a moved centre lies between its old place and the item; distance is
    convex, so a centre that goes back never comes nearer than r to one that it was not near.
    """
    x, p = stream
    db = LiteralDBSTREAM(**p)
    for row in x.tolist():
        before = dict(db.centers)
        near = [i for i in before if distance(row, before[i]) < db.r]

        db.learn(row)

        for i in near:
            for j in near:
                if i < j and {i, j} <= db.centers.keys():
                    stayed = db.centers[i] == before[i] and db.centers[j] == before[j]
                    assert stayed or distance(db.centers[i], db.centers[j]) >= db.r * (1 - 1e-6)


def test_the_lightest_makes_room() -> None:
    """Beyond the paper, lines 3-4: at the cap the least faded weight leaves, ties going to the oldest."""
    lightest = learnt(made(max_micro_clusters=2), 0.0, 0.0, 5.0, 9.0)
    oldest = learnt(made(max_micro_clusters=2), 0.0, 5.0, 9.0)

    assert [1, 3] == list(lightest.centers)
    assert [2, 3] == list(oldest.centers)


@pytest.mark.parametrize(("fading", "expected"), [(1.0, [(2, 3)]), (0.0, [(1, 2)])], ids=["faded", "fresh"])
def test_a_full_degree_gives_up_only_what_is_worth_less_than_one_item(
    fading: float, expected: list[tuple[int, int]]
) -> None:
    """Beyond the paper, lines 10-13: 2 shares with 1 and may share with one only when it comes to share with 3."""
    db = learnt(made(max_degree=1, fading_factor=fading), 0.0, 1.5, 3.0, 0.75, 2.25)

    assert expected == list(db.pairs())


def test_both_ends_must_have_room_before_either_makes_it() -> None:
    """2 could give up its pair with 1, but 3 would not give up its pair with 4: nothing changes."""
    db = made(max_degree=1, fading_factor=0.5)
    learnt(db, 0.0, 1.5, 3.0, 4.5, 0.75, 3.75, 3.75, 2.25)

    # At 7, when the last item came, they were worth 2^-1.5 and 2^-.5 + 2^-1 = 1.2.
    assert (1.0, 4) == db.shared[1][2]
    assert (pytest.approx(2**-0.5 + 1.0), 6) == db.shared[3][4]
    assert [(1, 2), (3, 4)] == list(db.pairs())


def test_of_two_weakest_pairs_the_one_with_the_oldest_peer_leaves() -> None:
    """An item shared by 1, 2 and 3 fills all three; 3 gives up its pair with 1 for one with 4."""
    db = made(max_degree=2, fading_factor=1.0)
    for place in ([-0.75, -0.433], [0.75, -0.433], [0.0, 0.866], [0.0, 2.4], [0.0, 0.0], [0.0, 1.6]):
        db.learn(place)

    assert [(1, 2), (2, 3), (3, 4)] == list(db.pairs())


# Time


def test_counted_items_are_one_apart() -> None:
    """Line 21: after n items the present is n."""
    assert 3 == learnt(made(), 0.0, 5.0, 9.0).now


def test_a_late_item_counts_what_it_would_be_worth_by_then() -> None:
    """Of items at 0 and 4, and one of time 2 that comes last, at time 4: 1/16 + 1 + 1/4."""
    db = learnt_at(made(fading_factor=1.0), (0.0, 0), (0.0, 4), (0.0, 2))

    assert (1.3125, 4) == db.weights[1]
    assert 4 == db.now


def test_a_late_item_shares_density_of_its_time() -> None:
    """Balls at 0 and 1.5 share an item of time 4 and then one of time 3."""
    db = learnt_at(made(fading_factor=1.0), (0.0, 0), (1.5, 0), (0.75, 4), (0.75, 3))

    assert 1.5 == db.density(1, 2)


def test_a_late_newborn_is_faded_from_the_start() -> None:
    """An item of time 2 that founds a micro-cluster at time 4 weighs 1/4."""
    db = learnt_at(made(fading_factor=1.0), (0.0, 4), (5.0, 2))

    assert (1.0, 2) == db.weights[2]
    assert 0.25 == db.weight(2)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 60).flatmap(event_times))
def test_late_or_not_a_weight_is_the_sum_of_what_its_items_are_worth(times: list[float]) -> None:
    """Forward decay: w = sum of 2^(-lambda (now - t)) over all items, in whatever order they came."""
    db = learnt_at(made(fading_factor=0.1, cleanup_interval=1e9), *[(0.0, t) for t in times])

    assert math.fsum(2.0 ** (-0.1 * (max(times) - t)) for t in times) == pytest.approx(
        db.weight(1), rel=1e-12
    )


def complete(db: LiteralDBSTREAM) -> tuple[Any, ...]:
    """All of the state, times as ages of the stream."""

    def since_start(entry: tuple[float, float]) -> tuple[float, float]:
        return entry[0], entry[1] - db.start

    return (
        db.centers,
        {i: since_start(entry) for i, entry in db.weights.items()},
        {(i, j): since_start(db.shared[i][j]) for i, j in db.pairs()},
    )


@settings(max_examples=60, deadline=None)
@given(streams())
def test_counting_is_giving_the_times_0_1_2(stream: Stream) -> None:
    """Both ways of time are one: only what comes after the last item has to be said."""
    x, p = stream
    counted, timed = LiteralDBSTREAM(**p), LiteralDBSTREAM(**p)
    for t, row in enumerate(x.tolist()):
        counted.learn(row)
        timed.learn(row, float(t))
    timed.advance(len(x))

    assert complete(counted) == complete(timed)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_epoch_does_not_matter(data: st.DataObject) -> None:
    """Times count from the first item's: the same stream half a century later gives the same."""
    x, p = data.draw(streams())
    times = data.draw(event_times(len(x), gap=p["cleanup_interval"]))
    early, late = LiteralDBSTREAM(**p), LiteralDBSTREAM(**p)
    for row, t in zip(x.tolist(), times, strict=True):
        early.learn(row, t)
        late.learn(row, t + 2.0**31)

    assert complete(early) == complete(late)
    assert early.linked == late.linked


# Algorithm 2


def test_a_clean_up_forgets_what_is_worth_less_than_one_item_an_interval_ago() -> None:
    """With lambda 1, every 2 items, w_weak is 1/4: after 2 the first is worth just that and stays; after 4, 1/16."""
    db = learnt(made(fading_factor=1.0, cleanup_interval=2), 0.0, 9.0)
    assert [1, 2] == list(db.centers)

    learnt(db, 9.0)
    assert [1, 2] == list(db.centers)

    learnt(db, 9.0)
    assert [2] == list(db.centers)


def test_a_micro_cluster_leaves_with_its_pairs() -> None:
    """1 shares with 2 and fades away; 2 shares with nobody then, and a newborn in 1's place starts from nothing."""
    db = made(fading_factor=1.0, cleanup_interval=4, intersection_factor=0.01)
    learnt(db, 0.0, 1.5, 0.75, *[2.0] * 9)
    assert [2] == list(db.centers)
    assert [] == list(db.pairs())

    learnt(db, 0.0)
    assert 0.0 == db.density(2, 3)


def test_a_clean_up_forgets_faint_pairs_of_live_micro_clusters() -> None:
    """w_weak is 1/4 and alpha 1/5: what was shared at 2 is worth 1/16 at 6 and stays, 1/64 at 8 and goes."""
    db = made(fading_factor=1.0, cleanup_interval=2, intersection_factor=0.2)
    learnt(db, 0.0, 1.5, 0.75, 1.5, 0.0, 1.5)
    assert 0.0625 == db.density(1, 2)

    learnt(db, 0.0, 1.5)
    assert [1, 2] == list(db.centers)
    assert [] == list(db.pairs())


def test_with_times_intervals_count_from_the_first_item() -> None:
    """Every 2 from 100.5: nothing is due at 102.25; at 102.5 the item of 100.25, late as it is, is too light."""
    db = made(fading_factor=1.0, cleanup_interval=2.0)
    learnt_at(db, (0.0, 100.5), (5.0, 100.25), (9.0, 102.25))
    assert [1, 2, 3] == list(db.centers)

    db.advance(102.5)
    assert [1, 3] == list(db.centers)


def test_a_long_pause_is_one_clean_up_before_the_item_after_it() -> None:
    """What was there has faded when the item comes: it founds a new micro-cluster in the place of the old."""
    db = learnt_at(made(fading_factor=1.0, cleanup_interval=2.0), (0.0, 0.0), (0.0, 1000.0))

    assert {2: [0.0]} == db.centers


def test_a_pair_that_was_forgotten_is_not_connected_any_more() -> None:
    """Connected at .5, kept at .033 by hysteresis, forgotten in a pause, shared anew at once: .43 does not connect."""
    db = made(fading_factor=1.0, cleanup_interval=2.0, intersection_factor=0.5, unlink_fraction=0.05)
    learnt_at(db, (0.0, 0.0), (1.5, 0.0), (0.75, 0.0), *[(-0.1, 0.0), (1.6, 0.0)] * 28)
    assert {(1, 2)} == db.linked
    assert pytest.approx(1 / 30) == db.connectivity(1, 2)

    learnt_at(db, (0.75, 4.5))

    assert (1.0, 4.5) == db.shared[1][2]
    assert pytest.approx(1 / (1 + 30 * 2**-4.5)) == db.connectivity(1, 2)
    assert set() == db.linked


# Algorithm 3


def test_a_path_is_one_cluster_whichever_end_is_oldest() -> None:
    """1 - 3 - 2: shared density has no direction."""
    db = learnt(made(), 0.0, 3.0, 1.5, 0.75, 2.25)

    assert {(1, 3), (2, 3)} == db.linked
    assert {1: 0, 2: 0, 3: 0} == db.partition()


def test_weak_micro_clusters_connect_nothing() -> None:
    """The middle of the path is weak: its ends are clusters of their own, numbered by age."""
    db = made(minimum_weight=4.0, intersection_factor=0.1)
    learnt(db, *[0.0] * 5, *[3.0] * 5, 1.5, 0.75, 2.25)

    assert {(1, 3), (2, 3)} == db.linked
    assert {1: 0, 2: 1} == db.partition()


def test_just_alpha_connects_and_just_w_min_is_strong() -> None:
    """Weights 2 and 2, density 1: connectivity .5."""
    db = learnt(made(intersection_factor=0.5, minimum_weight=2.0), 0.0, 1.5, 0.75)

    assert {1: 0, 2: 0} == db.partition()


def test_strength_fades_and_connectivity_does_not() -> None:
    """Two connected micro-clusters are still connected, and not a cluster any more, when nothing feeds them."""
    db = learnt(made(fading_factor=1.0), 0.0, 1.5, *[0.75] * 3)
    assert {1: 0, 2: 0} != db.partition()

    before = db.connectivity(1, 2)
    learnt(db, 50.0)

    assert before == pytest.approx(db.connectivity(1, 2))
    assert {(1, 2)} == db.linked
    assert {} == db.partition()


@pytest.mark.parametrize(("unlink", "expected"), [(1.0, [True, False, False]), (0.7, [True, True, False])])
def test_a_connection_is_cut_below_a_fraction_of_alpha(unlink: float, expected: list[bool]) -> None:
    """Beyond the paper: connectivity .5, .4, .333 where alpha is .5; at 1 it is the paper's rule, at .7 one is kept."""
    db = learnt(made(intersection_factor=0.5, unlink_fraction=unlink), 0.0, 1.5, 0.75)
    actual = [(1, 2) in db.linked]
    for place in (-0.3, -0.3):
        learnt(db, place)
        actual.append((1, 2) in db.linked)

    assert expected == actual


def test_hysteresis_keeps_connections_and_makes_none() -> None:
    """Connectivity .4 from the start is below an alpha of .5."""
    db = learnt(made(intersection_factor=0.5, unlink_fraction=0.7), 0.0, 0.0, 1.5, 0.75)

    assert 0.4 == db.connectivity(1, 2)
    assert set() == db.linked


def test_an_item_belongs_to_the_nearest_strong_ball_that_holds_it() -> None:
    """Ties go to the oldest; a weak ball, or none, is nobody's."""
    db = learnt(made(minimum_weight=2.0), *[0.0] * 2, *[1.5] * 2, 9.0)

    assert 1 == db.assign([0.75])
    assert 2 == db.assign([0.76])
    assert db.assign([9.0]) is None
    assert db.assign([2.5]) is None
    assert db.assign([100.0]) is None


def test_an_empty_one_knows_nothing() -> None:
    """No cluster, no assignment."""
    assert {} == made().partition()
    assert made().assign([0.0]) is None


# Items


def test_an_item_is_copied() -> None:
    """A caller may fill one list again and again."""
    db, row = made(), [0.0]
    db.learn(row)
    row[0] = 50.0

    assert {1: [0.0]} == db.centers


@pytest.mark.parametrize("x", [[math.nan, 0.0], [0.0, math.inf], [0.0], [0.0, 0.0, 0.0]])
def test_what_is_no_point_is_refused_and_changes_nothing(x: list[float]) -> None:
    """The paper's items are points of R^d."""
    db = made()
    db.learn([0.0, 0.0])

    with pytest.raises(ValueError, match="2 finite numbers"):
        db.learn(x)
    assert 1 == db.now
    assert {1: [0.0, 0.0]} == db.centers


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_caps_hold_and_the_state_is_whole(data: st.DataObject) -> None:
    """Whatever comes: the caps, no direction in density, connections only of pairs, clusters only of the strong."""
    x, p = data.draw(streams())
    times = data.draw(st.one_of(st.just([None] * len(x)), event_times(len(x), gap=p["cleanup_interval"])))
    db = LiteralDBSTREAM(**p)
    for row, t in zip(x.tolist(), times, strict=True):
        db.learn(row, t)

        assert len(db.centers) <= p["max_micro_clusters"]
        assert all(len(peers) <= p["max_degree"] for peers in db.shared.values())
        assert db.linked <= set(db.pairs())
    assert db.centers.keys() == db.weights.keys() == db.shared.keys()
    assert sorted(db.centers) == list(db.centers)
    assert all(db.shared[j][i] == entry for i, peers in db.shared.items() for j, entry in peers.items())
    assert db.strong() == list(db.partition())
