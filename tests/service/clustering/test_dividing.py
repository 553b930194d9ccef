"""How a cluster is divided: what was of a part stays of it, also where no micro-cluster told it from the other."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from service.clustering import snapshot
from service.clustering.dividing import division, items_of
from service.decisions import Action
from service.errors import CannotDecide, InvalidDecision
from service.pipeline.recovery import replay_entry
from service.records import ANNOUNCED, Float32s
from service.state.packing import unpack_entry
from tests.service.clustering.overlapping import APART, Driven, K, engine, overlapping
from tests.service.clustering.test_curation import curate, decision, restored, share
from tests.service.clustering.test_engine_stream_gate import with_two_clusters

AXIS = 7
SIDE = 1.3
"""How far the two of a pair lie from their middle: too near for balls to tell them apart."""


def pair(rng: np.random.Generator, n: int, sign: float) -> Float32s:
    """Float32 (n, D): items of one of two classes that lie beside each other, where no known class is."""
    z = overlapping().items(rng, np.full(n, APART)) * 1.0
    z = overlapping().centers[APART] + 0.25 * (z - overlapping().centers[APART])
    z[:, AXIS] += sign * SIDE
    return z.astype(np.float32)


@pytest.fixture
def driven() -> Driven:
    """One announced cluster of both."""
    one, rng = Driven(engine(gates="items")), np.random.default_rng(1)
    for _ in range(12):
        known = overlapping().items(rng, rng.integers(0, K, 20))
        one.feed(np.concatenate([known, pair(rng, 6, -1.0), pair(rng, 6, 1.0)]))
    return one


def only(driven: Driven) -> int:
    (one,) = [life.id for life in driven.engine.lives.values() if life.state in ANNOUNCED]
    return one


def sides(driven: Driven, cluster: int) -> Any:
    z = driven.engine.lives[cluster].members.z
    return z[:, AXIS] > overlapping().centers[APART][AXIS]


def test_items_get_the_id_of_their_part_from_the_next_on(driven: Driven) -> None:
    """By the members that were shown, whatever balls they lay in; after a restart, too."""
    cluster = only(driven)
    mixed = sides(driven, cluster)
    assert 0 < mixed.sum() < len(mixed)
    shown = driven.engine.splits(cluster)
    made = curate(driven, Action.SPLIT, cluster, parts=tuple(part.members for part in shown.parts))
    assert 2 == len(shown.parts)
    (child,) = made.created
    restored(driven)

    own = {one: sides(driven, one) for one in (cluster, child)}
    assert all(found.all() or not found.any() for found in own.values())
    for one, is_right in own.items():
        z = pair(np.random.default_rng(9), 60, 1.0 if is_right.all() else -1.0)
        verdicts = [v for r in driven.feed(z) for v in r.verdicts]
        assert share(verdicts, cluster_id=one) > 0.95


def test_a_class_is_made_of_its_part_alone(driven: Driven) -> None:
    """What is promoted of one part is not of the other."""
    cluster = only(driven)
    shown = driven.engine.splits(cluster)
    (child,) = curate(driven, Action.SPLIT, cluster, parts=tuple(p.members for p in shown.parts)).created
    is_right = sides(driven, child).all()
    curate(driven, Action.PROMOTE, child, label="right" if is_right else "left")
    of_it = driven.feed(pair(np.random.default_rng(3), 50, 1.0 if is_right else -1.0))
    of_other = driven.feed(pair(np.random.default_rng(4), 50, -1.0 if is_right else 1.0))

    assert share([v for r in of_it for v in r.verdicts], verdict="known") > 0.9
    assert share([v for r in of_other for v in r.verdicts], cluster_id=cluster) > 0.9


def test_a_few_members_are_enough(driven: Driven) -> None:
    """Two that do not belong together, by their places: all others go with the nearer."""
    cluster = only(driven)
    is_right, seqs = sides(driven, cluster), [m.seq for m in driven.engine.lives[cluster].members]
    one = seqs[int(np.flatnonzero(is_right)[0])], seqs[int(np.flatnonzero(~is_right)[0])]
    (child,) = curate(driven, Action.SPLIT, cluster, parts=tuple((seq,) for seq in one)).created

    assert sides(driven, cluster).mean() > 0.9
    assert sides(driven, child).mean() < 0.1


def test_nothing_is_lost_and_an_undo_makes_it_whole(driven: Driven) -> None:
    """Items and members are those of before, and one cluster has them."""
    one, cluster = driven.engine, only(driven)
    before, members = one.items(one.lives[cluster]), one.lives[cluster].members.ids
    shown = one.splits(cluster)
    made = curate(driven, Action.SPLIT, cluster, parts=tuple(p.members for p in shown.parts))
    family = [one.lives[id] for id in (cluster, *made.created)]

    assert before == sum(map(one.items, family))
    assert sorted(members) == sorted(id for life in family for id in life.members.ids)
    curate(driven, Action.UNDO, cluster, undoes=made.seq)
    assert members == one.lives[cluster].members.ids
    driven.feed(pair(np.random.default_rng(5), 4, 1.0))
    assert cluster == only(driven)


def test_a_part_is_as_old_as_its_members(driven: Driven) -> None:
    """It did not begin when it left, and has its share of the arrivals; an undo gives them back."""
    one, cluster = driven.engine, only(driven)
    before = list(one.lives[cluster].arrivals.counts)
    shown = one.splits(cluster)
    made = curate(driven, Action.SPLIT, cluster, parts=tuple(p.members for p in shown.parts))
    restored(driven)
    one, child = driven.engine, driven.engine.lives[made.created[0]]
    first = next(iter(child.members))

    assert (first.seq, first.t) == (child.born_seq, child.first_t)
    assert sum(child.arrivals.counts) == pytest.approx(one.items(child), rel=0.2)
    curate(driven, Action.UNDO, cluster, undoes=made.seq)
    assert before == one.lives[cluster].arrivals.counts


def test_a_part_that_is_dismissed_at_once_is_heard_of_when_it_floods(driven: Driven) -> None:
    """Its rate is that of its members from before; it takes many times that, and no more."""
    cluster = only(driven)
    shown = driven.engine.splits(cluster)
    (child,) = curate(driven, Action.SPLIT, cluster, parts=tuple(p.members for p in shown.parts)).created
    sign = 1.0 if sides(driven, child).all() else -1.0
    curate(driven, Action.DISMISS, child, until_rate=2.0)
    driven.feed(pair(np.random.default_rng(5), 4, sign))
    assert driven.engine.lives[child].dismissed is not None
    driven.feed(pair(np.random.default_rng(6), 600, sign))

    assert driven.engine.lives[child].dismissed is None


def test_a_merge_from_before_can_still_be_undone() -> None:
    """What came in the place of a micro-cluster goes back where that would have gone, as do its members."""
    driven, old, young = with_two_clusters()
    before = driven.engine.items(driven.engine.lives[young])
    merged = curate(driven, Action.MERGE, young, into=old)
    seqs = tuple(member.seq for member in driven.engine.lives[old].members)
    crossed = curate(driven, Action.SPLIT, old, parts=(seqs[::2], seqs[1::2]))
    restored(driven)
    one, db = driven.engine, driven.engine.clusterer
    found = one.audit.found[merged.seq]

    there = {birth for id in (old, *crossed.created) for birth in db.births(db.rows_of(id)).tolist()}
    assert there == {*found.births, *found.own}
    curate(driven, Action.UNDO, old, undoes=crossed.seq)
    curate(driven, Action.UNDO, young, undoes=merged.seq)
    assert before == one.items(one.lives[young])
    assert {*found.births} == {*db.births(db.rows_of(young)).tolist()}
    assert set(one.lives[young].members.births.tolist()) <= {*found.births}


def test_the_log_gives_the_same_state(driven: Driven) -> None:
    """To the bit: what was computed is in it."""
    cluster = only(driven)
    again = snapshot.load(snapshot.dump(driven.engine), overlapping().known, driven.engine.labels)
    shown = driven.engine.splits(cluster)
    curate(driven, Action.SPLIT, cluster, parts=tuple(p.members for p in shown.parts))
    seq, payload = driven.log[-1]
    replay_entry(again, unpack_entry(payload, first_seq=seq))

    assert snapshot.digest(driven.engine) == snapshot.digest(again)


def test_without_room_it_is_refused(driven: Driven) -> None:
    """At the cap of micro-clusters nothing makes room; it says which setting that is."""
    one, cluster = driven.engine, only(driven)
    parts = [part.members for part in one.splits(cluster).parts]
    one.configure(one.params.with_changes(max_micro_clusters=len(one.clusterer)))
    with pytest.raises(CannotDecide, match="FIRSTSEEN_MAX_MICRO_CLUSTERS"):
        one.prepared(decision(Action.SPLIT, cluster, parts=tuple(parts)))


def test_what_did_not_come_of_this_state_is_refused(driven: Driven) -> None:
    """A division from elsewhere changes nothing."""
    one, cluster = driven.engine, only(driven)
    parts = tuple(part.members for part in one.splits(cluster).parts)
    right = one.prepared(decision(Action.SPLIT, cluster, parts=parts))
    made = division(one, one.lives[cluster], parts)
    before = snapshot.digest(one)

    assert items_of(one, made) == [part.items for part in one.splits(cluster).parts]
    for wrong in (
        None,
        replace(made, parts=made.parts[:1]),
        replace(made, parts=(made.parts[0], ())),
        replace(made, members=made.members[1:]),
        replace(made, members=made.members + 10**6),
        replace(made, of=made.of + 10**6),
        replace(made, counts=made.counts * 0),
        replace(made, counts=made.counts[1:]),
        replace(made, centers=made.centers * np.nan),
        replace(made, centers=made.centers[:, 1:]),
    ):
        with pytest.raises(InvalidDecision):
            one.carry_out(replace(right, division=wrong))
    assert before == snapshot.digest(one)
