"""Decisions taken back: from the next item on it is as if they had not been made, as far as that can be.

    name, dismiss      the name, or the dismissal, of before
    promote, link      the cluster is one again, or a drift; what is known of the class otherwise stays known
    merge              the old id is back, with its micro-clusters; of those that came since the nearer are its own
    split              the parts end in the cluster that they left, and nothing keeps them apart

What builds on a decision has to be undone first, and the message says which that is: of a merge or a split whatever was
decided later about any of the clusters, but names and dismissals; of a class, what was linked to it; of a name or
a dismissal, the next one.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from service.clustering.audit import Found, clusters_of
from service.clustering.kinship import Life, heir, keep_apart, let_meet
from service.decisions import Action, Decided, Decision
from service.errors import CannotDecide, UnknownDecision
from service.events import ClusterEvent, EventKind
from service.records import NO_CLUSTER, ClusterState

if TYPE_CHECKING:
    from service.clustering.engine import Engine

_SHAPES = frozenset({Action.MERGE, Action.SPLIT})
_CLASSES = frozenset({Action.PROMOTE, Action.LINK})


def check_undo(engine: "Engine", decision: Decision) -> None:
    """Raises UnknownDecision or CannotDecide where it cannot be undone."""
    assert decision.undoes is not None
    one = engine.audit.decided.get(decision.undoes)
    if one is None:
        raise UnknownDecision(
            f"No decision has the number {decision.undoes}, or it is too long ago: GET /decisions lists what there is."
        )
    what = f"Decision {one.seq} ({one.decision.action} of cluster {one.decision.cluster})"
    if one.decision.action is Action.UNDO:
        raise CannotDecide(f"{what} cannot be undone: make the decision again that it took back.")
    if one.undone_by is not None:
        raise CannotDecide(f"{what} was undone already, by decision {one.undone_by}.")
    if one.decision.cluster != decision.cluster:
        raise CannotDecide(f"{what} is not about cluster {decision.cluster}.")
    if one.seq not in engine.audit.found:
        raise CannotDecide(f"{what} is too long ago to be undone: decide the other way.")
    for later in engine.audit.in_force():
        if later.seq <= one.seq:
            break
        if _builds_on(later, one):
            raise CannotDecide(
                f"{what} cannot be undone before decision {later.seq} ({later.decision.action} of cluster "
                f"{later.decision.cluster}), which builds on it: undo that first."
            )
    _check_still_there(engine, one, what)


def _builds_on(later: Decided, one: Decided) -> bool:
    new, old = later.decision.action, one.decision.action
    if old in _SHAPES:
        meets = not set(clusters_of(later)).isdisjoint(clusters_of(one))
        return new in _SHAPES | _CLASSES and meets
    if old is Action.PROMOTE and new is Action.LINK and later.label == one.label:
        return True
    is_same = later.decision.cluster == one.decision.cluster
    if old in _CLASSES:  # another of its class was merged into it, as it may only while it is part of that
        return new is Action.MERGE and one.decision.cluster in clusters_of(later) and not is_same
    return new is old and is_same


def _check_still_there(engine: "Engine", one: Decided, what: str) -> None:
    life = engine.lives.get(one.decision.cluster)
    action = one.decision.action
    if action is Action.DISMISS and (life is None or life.dismissed is None):
        raise CannotDecide(f"{what} is over: the cluster is heard of again.")
    if action is Action.SPLIT and (life is None or life.state is ClusterState.GONE):
        raise CannotDecide(f"{what} cannot be undone: the cluster is gone. Merge the parts instead.")
    if action is Action.MERGE and life is None:
        raise CannotDecide(f"{what} cannot be undone: the cluster is forgotten.")


def give_back(engine: "Engine", decision: Decision) -> tuple[int, ...]:
    """Births of the micro-clusters that go back to a cluster when its merge is undone; none for another undo.

    Those that it brought, and of those that came since the ones nearer to them than to those that were there before.
    """
    assert decision.undoes is not None
    one, found = engine.audit.decided[decision.undoes], engine.audit.found[decision.undoes]
    if one.decision.action is not Action.MERGE:
        return ()
    db, now = engine.clusterer, _taken_in_by(engine, one)
    if now == NO_CLUSTER:
        return ()
    rows = db.rows_of(now)
    births = db.births(rows)
    is_its, is_other = np.isin(births, found.births), np.isin(births, found.own)
    centers, back = db.centers(rows), is_its.copy()
    if is_its.any():
        for n in np.flatnonzero(~(is_its | is_other)).tolist():
            away = np.square(centers - centers[n]).sum(axis=1)
            other = away[is_other].min() if is_other.any() else np.inf
            back[n] = away[is_its].min() < other
    return tuple(births[back].tolist())


def undo(engine: "Engine", decision: Decision, births: tuple[int, ...]) -> list[ClusterEvent]:
    """Take a decision back; that it can be was checked.

    Args:
        engine: Changes.
        decision: The undo.
        births: Micro-clusters that go back to the cluster, where a merge is undone.
    """
    assert decision.undoes is not None
    one, found = engine.audit.decided[decision.undoes], engine.audit.found[decision.undoes]
    created: tuple[int, ...] = ()
    life, events = engine.lives.get(one.decision.cluster), list[ClusterEvent]()
    match one.decision.action:
        case Action.NAME if life is not None:
            life.name = found.name
        case Action.DISMISS if life is not None:
            life.dismissed = found.dismissed
        case Action.PROMOTE | Action.LINK:
            engine.gates.promoted.drop(one.decision.cluster)
            if life is not None:
                _no_class(life, found)
        case Action.MERGE if life is not None:
            _bring_back(engine, one, life, found, births)
            created = (life.id,)
        case Action.SPLIT if life is not None:
            events = _take_back(engine, one, life, found)
    engine.audit.undo(one.seq, engine.seq)
    engine.audit.add(
        Decided(decision=decision, seq=engine.seq, created=created, label=one.label),
        None,
    )
    if life is None:
        return events
    undone = replace(engine.event(EventKind.UNDONE, life, decision.t), decision=engine.seq, label=one.label)
    told = [undone, *(replace(event, t=decision.t, decision=engine.seq) for event in events)]
    if one.decision.action in _CLASSES:
        told.append(replace(undone, kind=EventKind.RELABELLED, label=None))
    return told


def _no_class(life: Life, found: Found) -> None:
    life.label = None
    if found.state is ClusterState.VARIANT and life.state is not ClusterState.GONE:
        life.state, life.variant_of, life.missing = found.state, found.variant_of, found.missing


def _taken_in_by(engine: "Engine", one: Decided) -> int:
    assert one.decision.into is not None
    return heir(engine.lives, one.decision.into)


def _bring_back(engine: "Engine", one: Decided, life: Life, found: Found, births: tuple[int, ...]) -> None:
    now = _taken_in_by(engine, one)
    life.state, life.merged_into, life.residual = found.state or ClusterState.EMERGING, None, found.residual
    life.variant_of, life.missing = found.variant_of, found.missing
    life.last_seq = engine.seq
    if found.arrivals is not None:
        life.arrivals.take_in(found.arrivals)
    for other in found.apart:
        if other in engine.lives:
            keep_apart(engine.lives, life.id, other)
    into = engine.lives.get(now)
    if into is None:
        return
    engine.clusterer.part(np.array(births, dtype=np.int64), into.id, life.id)
    life.members.take_in(into.members.part(births))
    life.last_seq, life.last_t = into.last_seq, max(life.last_t, into.last_t)
    into.residual = max(0, into.residual - found.residual)
    if into.id == one.decision.into:
        into.is_united, into.is_bound = found.was_united, found.was_bound
        for other in set(found.apart) - set(found.own_apart):
            let_meet(engine.lives, into.id, other)
    for child in found.children:
        if child in engine.lives and engine.lives[child].parent_id == into.id:
            engine.lives[child].parent_id = life.id


def _take_back(engine: "Engine", one: Decided, life: Life, found: Found) -> list[ClusterEvent]:
    events, family = list[ClusterEvent](), (life.id, *one.created)
    side = {cluster: cluster for cluster in family if cluster in engine.lives}
    for child in engine.lives.values():  # what has left a part since stays apart from the other parts, too
        if child.id > family[-1] and child.parent_id in side:
            side[child.id] = side[child.parent_id]
    for cluster, own in side.items():
        for other in list(engine.lives[cluster].apart):
            if side.get(other, own) != own:
                let_meet(engine.lives, cluster, other)
    for cluster in one.created:
        part = engine.lives.get(cluster)
        if part is not None and part.state is not ClusterState.GONE:
            engine.clusterer.adopt(cluster, life.id)
            engine.merge(part, life, max(part.last_t, life.last_t), events)
    life.is_united, life.is_bound = found.was_united, found.was_bound
    return events
