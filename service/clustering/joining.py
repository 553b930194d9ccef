"""Clusters that turn out to be one, or two: what a fit of the stream gate found, carried out on the engine's state.

A fit is made beside the stream, of how it was. What has changed too much since then stays as it is; and what people
have decided about a cluster, no fit undoes: one that is part of a class, or that others were merged into, is not
parted, and ends in no other.
"""

from typing import TYPE_CHECKING

import numpy as np

from service.clustering.kinship import Life, keep_apart
from service.clustering.stream_gate import StreamFit
from service.events import ClusterEvent, EventKind
from service.records import ANNOUNCED, ClusterState, Int64s

if TYPE_CHECKING:
    from service.clustering.engine import Engine


def join(engine: "Engine", fit: StreamFit) -> list[ClusterEvent]:
    """Make one what a fit found to be one class."""
    events: list[ClusterEvent] = []
    for young, old in fit.joins.tolist():
        ends, into = engine.lives.get(young), engine.lives.get(old)
        if young != old and ends and into and {ends.state, into.state} <= ANNOUNCED and not ends.is_decided:
            engine.clusterer.adopt(young, old)
            into.is_united = True
            latest = max(ends, into, key=lambda life: life.last_seq)
            engine.merge(ends, into, latest.last_t, events)
    return events


def part(engine: "Engine", fit: StreamFit) -> list[ClusterEvent]:
    """Make two of a cluster that a fit found to be two classes, if it is still there, and not these parts alone."""
    parent = engine.lives.get(int(fit.partings[0, 0])) if len(fit.partings) else None
    if parent is None or parent.state not in ANNOUNCED or engine.params.backend != "firstseen":
        return []
    db, births = engine.clusterer, fit.partings[:, 1]
    leave = np.isin(db.births(db.rows_of(parent.id)), births)
    if parent.label is not None or parent.is_bound or not leave.any() or leave.all():
        return []
    child = part_off(engine, parent, births)
    return [engine.event(EventKind.SPLIT, child, child.last_t, parent.id)]


def part_off(engine: "Engine", parent: Life, births: Int64s) -> Life:
    """Another cluster, announced at once, of those micro-clusters of an announced one that have these births.

    It began with the first of its members that is remembered, and has its share of the arrivals. It stays apart from
    what the other stays apart from: people have said so of its items, too.
    """
    engine.clusterer.part(births, parent.id, engine.next_cluster_id)
    child = engine.born(engine.next_cluster_id, parent.last_t, parent.id, exemplars=[])
    engine.next_cluster_id += 1
    child.state, child.evidence, child.p0 = ClusterState.EMERGING, parent.evidence, parent.p0
    child.emerged_seq, child.items_to_emerge = engine.seq, engine.items(child)
    child.usual, child.cores = [], []
    seqs = [member.seq for member in child.members]
    child.born_seq = min(seqs, default=child.born_seq)
    child.first_t = min([member.t for member in child.members], default=child.first_t)
    child.arrivals = parent.arrivals.part(seqs, [member.seq for member in parent.members])
    for other in parent.apart:
        keep_apart(engine.lives, child.id, other)
    return child
