"""What people decide about clusters, carried out on the engine's state.

    Decision ─► prepared ─► Curation ─► carried_out ─► state, events
                (reads)     (an entry of the log)      (the only one that changes anything)

A decision takes a place in the stream, and holds from the next item on. What has to be computed for it with numbers of
the moment, the prototype of a class that a cluster becomes, is computed as it is prepared, and is in the log beside it:
a replay computes nothing. Both refuse what cannot be decided, before anything is changed.

What people decided stays: no chain of micro-clusters and no fit joins a cluster with another that people have decided
about, or parts what they merged (kinship.py, joining.py). Every decision can be undone by another, as long as nothing
later builds on it; an undo cannot, the decision is made again.
"""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from service.clustering.arrivals import Arrivals
from service.clustering.audit import Found, clusters_of
from service.clustering.dismissal import Dismissal, recent
from service.clustering.dividing import Division, divide, division, fault_of_division
from service.clustering.joining import part_off
from service.clustering.kinship import Life, heir, keep_apart
from service.clustering.promoted import FEWEST_MEMBERS, MOST_LABELS, MOST_PROTOTYPES, Prototype
from service.clustering.undoing import check_undo, give_back, undo
from service.decisions import MOST_NAMED, MOST_PARTS, Action, Decided, Decision
from service.errors import CannotDecide, InvalidDecision, UnknownCluster
from service.events import ClusterEvent, EventKind
from service.records import ANNOUNCED, NO_CLUSTER, SHOWN, ClusterState

if TYPE_CHECKING:
    from service.clustering.engine import Engine

MOST_TEXT = 200
"""Characters of a label or a name."""

MOST_WHY = 2_000
"""Characters of what a person says of a decision."""

MOST_KEY = 64
"""Characters of a decision's key, and of who made it."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Curation:
    """A decision with what was computed for it: an entry of the log.

    Attributes:
        decision: What was asked for.
        prototype: Of the cluster, where it becomes part of a class.
        births: Micro-clusters that go back to the cluster, where a merge is undone.
        division: Of the cluster, where it is split.
    """

    decision: Decision
    prototype: Prototype | None = None
    births: tuple[int, ...] = ()
    division: Division | None = None


def prepared(engine: "Engine", decision: Decision) -> Curation:
    """What carries a decision out. Changes nothing.

    Raises:
        DecisionRefused: It cannot be; see `Engine.curate`.
    """
    _check(engine, decision)
    if decision.action in (Action.PROMOTE, Action.LINK):
        z = engine.lives[decision.cluster].members.z
        if len(z) < FEWEST_MEMBERS:
            raise CannotDecide(
                f"Cluster {decision.cluster} has {len(z)} members that are remembered, too few to tell what is of its "
                f"class: wait until there are {FEWEST_MEMBERS}."
            )
        return Curation(decision=decision, prototype=engine.gates.promoted.made_of(z))
    if decision.action is Action.SPLIT:
        made = division(engine, engine.lives[decision.cluster], decision.parts)
        return Curation(decision=decision, division=made)
    if decision.action is Action.UNDO:
        return Curation(decision=decision, births=give_back(engine, decision))
    return Curation(decision=decision)


def carried_out(engine: "Engine", curation: Curation) -> list[ClusterEvent]:
    """Carry a decision out, at the engine's place in the stream; who calls moves that on.

    Raises:
        DecisionRefused: It cannot be; nothing was changed.
    """
    decision = curation.decision
    _check(engine, decision)
    if (fault := _fault_of(engine, curation)) is not None:
        raise InvalidDecision(f"What was computed for a decision to {decision.action} cannot be it: {fault}")
    match decision.action:
        case Action.NAME:
            return _name(engine, decision)
        case Action.PROMOTE | Action.LINK:
            assert curation.prototype is not None
            return _make_known(engine, decision, curation.prototype)
        case Action.MERGE:
            return _merge(engine, decision)
        case Action.SPLIT:
            assert curation.division is not None
            return _split(engine, decision, curation.division)
        case Action.DISMISS:
            return _dismiss(engine, decision)
        case Action.UNDO:
            return undo(engine, decision, curation.births)


def _fault_of(engine: "Engine", curation: Curation) -> str | None:
    """What is wrong with what was computed for a decision, which may come from elsewhere; None where nothing is."""
    decision, prototype, made = curation.decision, curation.prototype, curation.division
    if (decision.action in (Action.PROMOTE, Action.LINK)) != (prototype is not None):
        return "with or without a prototype."
    if (decision.action is Action.SPLIT) != (made is not None):
        return "with or without a division."
    if prototype is not None:
        return engine.gates.promoted.fault_of(prototype)
    if made is not None:
        parts = len(decision.parts)
        return fault_of_division(engine, engine.lives[decision.cluster], made, parts=parts)
    return None


# What can be decided


def _check(engine: "Engine", decision: Decision) -> None:
    _check_form(decision)
    if decision.action is Action.UNDO:
        check_undo(engine, decision)
        return
    life = _life(engine, decision.cluster)
    is_listed = decision.action is Action.NAME and life.state is ClusterState.GONE
    if life.state not in SHOWN and not is_listed:
        what = "gone" if life.state is ClusterState.GONE else "a candidate that nobody has been told of"
        raise CannotDecide(f"Cluster {life.id} is {what}: there is nothing to {decision.action}.")
    match decision.action:
        case Action.PROMOTE | Action.LINK:
            _check_class(engine, decision, life)
        case Action.MERGE:
            _check_merge(engine, decision, life)
        case Action.SPLIT:
            _check_split(engine, decision, life)


def _check_form(decision: Decision) -> None:
    needed = {
        Action.NAME: "label",
        Action.PROMOTE: "label",
        Action.LINK: "label",
        Action.MERGE: "into",
        Action.SPLIT: "parts",
        Action.UNDO: "undoes",
    }.get(decision.action)
    if needed is not None and getattr(decision, needed) in (None, ()):
        raise InvalidDecision(f"A decision to {decision.action} needs {needed!r}.")
    if decision.action in (Action.PROMOTE, Action.LINK) and not (decision.label or "").strip():
        raise InvalidDecision("A class needs a label that is not empty.")
    for name, text, most in (
        ("label", decision.label or "", MOST_TEXT),
        ("why", decision.why, MOST_WHY),
        ("who", decision.who, MOST_TEXT),
        ("key", decision.key, MOST_KEY),
    ):
        if len(text) > most:
            raise InvalidDecision(f"{name!r} has {len(text)} characters; {most} are the most.")
    if not decision.key:
        raise InvalidDecision("A decision needs a key that names it.")
    if not math.isfinite(decision.t):
        raise InvalidDecision("The time of a decision is a number of seconds.")
    if decision.until_rate is not None and not 1.0 < decision.until_rate < math.inf:
        raise InvalidDecision(
            f"'until_rate' is how many times its rate of now, more than 1; not {decision.until_rate}."
        )
    if decision.until_t is not None and not math.isfinite(decision.until_t):
        raise InvalidDecision("'until_t' is a time, in seconds since 1970 (UTC).")


def _life(engine: "Engine", cluster: int) -> Life:
    life = engine.lives.get(cluster)
    if life is None:
        raise UnknownCluster(f"There is no cluster {cluster}; GET /clusters lists those there are.")
    if life.merged_into is not None:
        own = heir(engine.lives, cluster)
        where = f"into cluster {own}: decide about that" if own != NO_CLUSTER else "into one that is gone"
        raise CannotDecide(f"Cluster {cluster} went {where}.")
    return life


def _check_class(engine: "Engine", decision: Decision, life: Life) -> None:
    label, promoted = decision.label or "", engine.gates.promoted
    if life.label is not None:
        raise CannotDecide(
            f"Cluster {life.id} is part of class {engine.labels[life.label]!r} already: undo that first"
            f"{_told(engine, life.id, Action.PROMOTE, Action.LINK)}."
        )
    index = engine.labels.index(label) if label in engine.labels else None
    is_there = index is not None and (index < engine.bundle_classes or promoted.has_class(index))
    if decision.action is Action.PROMOTE and is_there:
        raise CannotDecide(
            f"There is a class {label!r} already: link the cluster to it, or give another label."
        )
    if decision.action is Action.LINK and not is_there:
        raise CannotDecide(f"There is no class {label!r} to link to: promote the cluster to make it one.")
    if index is None and len(engine.labels) - engine.bundle_classes >= MOST_LABELS:
        raise CannotDecide(
            f"{MOST_LABELS} classes were made in this stream, which is the most: train a new bundle."
        )
    if len(promoted) >= MOST_PROTOTYPES:
        raise CannotDecide(
            f"{MOST_PROTOTYPES} clusters are part of classes, which is the most: train a new bundle, or undo some."
        )


def _check_merge(engine: "Engine", decision: Decision, life: Life) -> None:
    _needs_ours(engine, decision)
    assert decision.into is not None
    into = _life(engine, decision.into)
    if into is life:
        raise InvalidDecision("A cluster cannot be merged into itself.")
    if into.state not in ANNOUNCED:
        raise CannotDecide(
            f"Cluster {into.id} is {into.state.value}, and cannot take another in: promote or link it first, or merge "
            "the other way round."
        )
    if into.id in life.apart:
        raise CannotDecide(
            f"Clusters {life.id} and {into.id} were split from each other: undo that first"
            f"{_told(engine, life.id, Action.SPLIT)}."
        )
    if life.label is not None and life.label != into.label:
        raise CannotDecide(
            f"Cluster {life.id} is part of class {engine.labels[life.label]!r}, and cluster {into.id} is not: link "
            f"that to the class first, or undo{_told(engine, life.id, Action.PROMOTE, Action.LINK)}."
        )


def _check_split(engine: "Engine", decision: Decision, life: Life) -> None:
    _needs_ours(engine, decision)
    if life.label is not None:
        raise CannotDecide(
            f"Cluster {life.id} is part of class {engine.labels[life.label]!r}: undo that first"
            f"{_told(engine, life.id, Action.PROMOTE, Action.LINK)}, and promote the parts."
        )
    if life.state not in ANNOUNCED:
        raise CannotDecide(
            f"Cluster {life.id} is {life.state.value}: only one that is announced can be split."
        )
    asked = [seq for part in decision.parts for seq in part]
    if len(decision.parts) < 2 or len(set(asked)) < len(asked) or not all(decision.parts):
        raise InvalidDecision("A split needs two parts or more, and each has members of its own.")
    if len(decision.parts) > MOST_PARTS or len(asked) > MOST_NAMED:
        raise InvalidDecision(
            f"A split has {MOST_PARTS} parts at the most, and names {MOST_NAMED} members: a few of each are enough."
        )
    there = {member.seq for member in life.members}
    if any(there.isdisjoint(part) for part in decision.parts):
        raise CannotDecide(
            f"Cluster {life.id} has changed since its split was shown: look at it again, and decide then."
        )


def _needs_ours(engine: "Engine", decision: Decision) -> None:
    if engine.params.backend != "firstseen":
        raise CannotDecide(
            f"The clusters of this stream are river's, which lets nobody {decision.action} them."
        )


def _told(engine: "Engine", cluster: int, *actions: Action) -> str:
    """Which decision did it, for a message; nothing where it is not remembered."""
    for one in engine.audit.in_force():
        if one.decision.action in actions and cluster in clusters_of(one):
            return f" (decision {one.seq})"
    return ""


# Each of them


def _name(engine: "Engine", decision: Decision) -> list[ClusterEvent]:
    life = engine.lives[decision.cluster]
    _decided(engine, decision, Found(name=life.name))
    life.name = decision.label or None
    return [_event(engine, EventKind.NAMED, life, decision)]


def _make_known(engine: "Engine", decision: Decision, prototype: Prototype) -> list[ClusterEvent]:
    """A drift that is made part of a class is an announced cluster from now on."""
    life, label = engine.lives[decision.cluster], str(decision.label)
    found = Found(state=life.state, variant_of=life.variant_of, missing=life.missing)
    _decided(engine, decision, found, label=label)
    if life.state is ClusterState.VARIANT:
        life.state, life.variant_of, life.missing = ClusterState.EMERGING, None, None
        if life.emerged_seq is None:
            life.emerged_seq, life.items_to_emerge = engine.seq, engine.items(life)
    life.usual, life.cores = [], []
    life.label = engine.class_of(label)
    engine.gates.promoted.put(life.id, life.label, prototype)
    kind = EventKind.PROMOTED if decision.action is Action.PROMOTE else EventKind.LINKED
    return [
        _event(engine, kind, life, decision, label=label),
        _event(engine, EventKind.RELABELLED, life, decision, label=label),
    ]


def _merge(engine: "Engine", decision: Decision) -> list[ClusterEvent]:
    assert decision.into is not None
    life, into, db = engine.lives[decision.cluster], engine.lives[decision.into], engine.clusterer
    found = Found(
        state=life.state,
        variant_of=life.variant_of,
        missing=life.missing,
        residual=life.residual,
        was_united=into.is_united,
        was_bound=into.is_bound,
        births=tuple(db.births(db.rows_of(life.id)).tolist()),
        own=tuple(db.births(db.rows_of(into.id)).tolist()),
        children=tuple(child.id for child in engine.lives.values() if child.parent_id == life.id),
        apart=tuple(life.apart),
        own_apart=tuple(into.apart),
        arrivals=Arrivals(first=life.arrivals.first, counts=list(life.arrivals.counts)),
    )
    _decided(engine, decision, found)
    db.adopt(life.id, into.id)
    into.is_united = into.is_bound = True
    events: list[ClusterEvent] = []
    latest = max(life, into, key=lambda one: one.last_seq)
    engine.merge(life, into, latest.last_t, events)
    return [replace(event, t=decision.t, decision=engine.seq) for event in events]


def _split(engine: "Engine", decision: Decision, made: Division) -> list[ClusterEvent]:
    """Each part that leaves is a cluster of its own, announced at once; each is one, and none of them are ever one."""
    life = engine.lives[decision.cluster]
    found = Found(was_united=life.is_united, was_bound=life.is_bound)
    first = engine.next_cluster_id
    created = tuple(range(first, first + len(made.parts) - 1))
    _decided(engine, decision, found, created=created)
    divide(engine, life, made)
    children = [part_off(engine, life, np.array(births, dtype=np.int64)) for births in made.parts[1:]]
    family = [life, *children]
    for n, one in enumerate(family):
        one.is_united = True
        one.exemplars = list(one.members.ids[-engine.params.exemplars :])
        for other in family[n + 1 :]:
            keep_apart(engine.lives, one.id, other.id)
    return [replace(_event(engine, EventKind.SPLIT, child, decision), other_id=life.id) for child in children]


def _dismiss(engine: "Engine", decision: Decision) -> list[ClusterEvent]:
    life = engine.lives[decision.cluster]
    _decided(engine, decision, Found(dismissed=life.dismissed))
    items, of = recent(life.arrivals, engine.seq, since=life.born_seq)
    life.dismissed = Dismissal(items=items, of=of, until_rate=decision.until_rate, until_t=decision.until_t)
    return [_event(engine, EventKind.DISMISSED, life, decision)]


def _decided(
    engine: "Engine",
    decision: Decision,
    found: Found,
    *,
    created: tuple[int, ...] = (),
    label: str | None = None,
) -> None:
    engine.audit.add(Decided(decision=decision, seq=engine.seq, created=created, label=label), found)


def _event(
    engine: "Engine", kind: EventKind, life: Life, decision: Decision, *, label: str | None = None
) -> ClusterEvent:
    return replace(engine.event(kind, life, decision.t), decision=engine.seq, label=label)
