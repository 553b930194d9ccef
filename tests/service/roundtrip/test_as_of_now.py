"""What holds of a verdict today: decisions reach back, and what was undone does not."""

from typing import Any

import numpy as np
import pytest

from service.clustering.engine import Engine
from service.decisions import Action, Decision
from service.records import ClusterState, Verdict, VerdictKind
from service.roundtrip.as_of_now import AsOfNow
from tests.service.clustering.overlapping import APART, FAR, LABELS, PARAMS, Driven, K, overlapping


class World:
    """A stream with two new classes, and its verdicts."""

    def __init__(self) -> None:
        self.driven = Driven(Engine(overlapping().known, LABELS, PARAMS.with_changes(gates="items")))
        self.engine = self.driven.engine
        self._n = 0
        self.send(800)

    def send(self, n: int) -> None:
        rng = np.random.default_rng(n)
        new = rng.choice([APART, FAR], n)
        z = overlapping().items(rng, np.where(rng.random(n) < 0.3, new, rng.integers(0, K, n)))
        self.driven.feed(z, makes_fits=False)

    @property
    def verdicts(self) -> list[Verdict]:
        return [verdict for result in self.driven.results for verdict in result.verdicts]

    def decide(self, action: Action, cluster: int, **said: Any) -> int:
        self._n += 1
        seq = self.engine.seq
        self.engine.curate(
            Decision(key=f"d{self._n}", action=action, cluster=cluster, t=0.0, who="ann", **said)
        )
        return seq

    def answered(self, cluster: int) -> Verdict:
        return next(v for v in self.verdicts if v.cluster_id == cluster)


@pytest.fixture
def world() -> World:
    return World()


def test_an_item_of_a_cluster_is_of_the_class_that_it_became(world: World) -> None:
    """Its verdict says what it said; promoted and named, it is of that class by decision."""
    verdict = world.answered(1)
    assert (None, None, 1, None) == AsOfNow(world.engine).of(verdict).as_row()
    world.decide(Action.NAME, 1, label="elks")
    world.decide(Action.PROMOTE, 1, label="elk")
    now = AsOfNow(world.engine).of(verdict)

    assert ("elk", "decision", 1, "elks") == now.as_row()
    assert VerdictKind.CLUSTER is verdict.verdict


def test_after_an_undo_it_is_of_none_again(world: World) -> None:
    """Also one that was answered with the class meanwhile."""
    seq = world.decide(Action.PROMOTE, 1, label="elk")
    world.send(300)
    known = next(v for v in world.verdicts if v.label == "elk")
    assert ("elk", "decision") == AsOfNow(world.engine).of(known).as_row()[:2]
    world.decide(Action.UNDO, 1, undoes=seq)
    now = AsOfNow(world.engine)

    assert now.of(known).label is None
    assert now.of(world.answered(1)).label is None


def test_a_class_made_anew_under_another_name_takes_its_items_along(world: World) -> None:
    """Who misspelt a class undoes it, and promotes again: what was answered meanwhile is of the right one."""
    seq = world.decide(Action.PROMOTE, 1, label="elc")
    world.send(300)
    known = [v for v in world.verdicts if v.label == "elc"]
    world.decide(Action.UNDO, 1, undoes=seq)
    world.decide(Action.PROMOTE, 1, label="elk")
    now = AsOfNow(world.engine)

    assert known
    assert {("elk", "decision", 1)} == {now.of(verdict).as_row()[:3] for verdict in known}


def test_a_class_of_two_clusters_that_was_taken_back_is_nobodys(world: World) -> None:
    """Which of the two an item was like, its verdict does not say."""
    first = world.decide(Action.PROMOTE, 1, label="elk")
    second = world.decide(Action.LINK, 2, label="elk")
    world.send(300)
    world.decide(Action.UNDO, 2, undoes=second)
    world.decide(Action.UNDO, 1, undoes=first)
    members = {id for life in world.engine.lives.values() for id in life.members.ids}
    known = [v for v in world.verdicts if v.label == "elk" and v.id not in members]
    now = AsOfNow(world.engine)

    assert known
    assert {(None, None, None, None)} == {now.of(verdict).as_row() for verdict in known}


def test_a_merged_cluster_goes_by_its_heir(world: World) -> None:
    """And is of the heir's class."""
    verdict = world.answered(2)
    world.decide(Action.MERGE, 2, into=1)
    world.decide(Action.PROMOTE, 1, label="elk")
    now = AsOfNow(world.engine).of(verdict)

    assert ("elk", 1) == (now.label, now.cluster)


def test_a_member_belongs_to_its_cluster_though_it_was_an_outlier(world: World) -> None:
    """It came before the cluster was announced."""
    members = {id: life.id for life in world.engine.lives.values() for id in life.members.ids}
    early = [v for v in world.verdicts if v.verdict is VerdictKind.OUTLIER and members.get(v.id) in (1, 2)]

    assert early
    now = AsOfNow(world.engine)
    assert all(members[v.id] == now.of(v).cluster == now.of_id(v.id).cluster for v in early)


def test_of_a_cluster_that_people_split_nothing_is_said_that_they_did_not_decide(world: World) -> None:
    """A member is of its part; of another item nobody knows, until both parts are of one class."""
    engine = world.engine
    were = [{member.seq for member in engine.lives[cluster].members} for cluster in (1, 2)]
    world.decide(Action.MERGE, 2, into=1)
    members_now = {member.seq for member in engine.lives[1].members}
    part = engine.next_cluster_id
    world.decide(Action.SPLIT, 1, parts=tuple(tuple(sorted(seqs & members_now)) for seqs in were))
    world.decide(Action.PROMOTE, 1, label="elk")
    members = {id: life.id for life in engine.lives.values() for id in life.members.ids}
    of_one = [v for v in world.verdicts if v.cluster_id in (1, 2)]
    others = [v for v in of_one if v.id not in members]
    now = AsOfNow(engine)

    assert others
    assert {(None, None, None, None)} == {now.of(v).as_row() for v in others}
    assert all(members[v.id] == now.of(v).cluster for v in of_one if v.id in members)
    world.decide(Action.LINK, part, label="elk")
    assert {("elk", "decision")} == {AsOfNow(engine).of(v).as_row()[:2] for v in of_one}


def test_a_candidate_is_nobodys_cluster(world: World) -> None:
    """Nobody has heard of it: its items are those of the cluster that it splits from, if it does, or of none."""
    candidates = {c.id for c in world.engine.clusters() if c.state is ClusterState.CANDIDATE}
    members = [id for c in candidates for id in world.engine.lives[c].members.ids]
    now = AsOfNow(world.engine)

    assert members
    assert candidates.isdisjoint({now.of_id(id).cluster for id in members})


def test_what_the_bundle_knew_is_so_by_its_verdict(world: World) -> None:
    """People have nothing to do with it."""
    known = next(v for v in world.verdicts if v.verdict is VerdictKind.KNOWN)

    assert (known.label, "verdict", None, None) == AsOfNow(world.engine).of(known).as_row()
