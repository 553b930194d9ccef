"""How a cluster is divided, so that each part goes on by itself: its members, and its micro-clusters with them.

A person says which members are of which part. The others, those that have come since they were shown, go with the
nearest of these; and

    a micro-cluster that holds members of one part     goes with that part
    ... of several parts                               makes room for one a part (refounding.py)
    ... of nobody that is remembered                   goes with the nearest member

So every part has a micro-cluster, every member's is of its part, and from the next item on an item is of the part whose
centre is nearest: that of the members it lies among.

All of that is computed once, as the decision is prepared, and is in the log beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from service.clustering.kinship import Life
from service.clustering.micro_clusters import MicroClusters
from service.errors import CannotDecide
from service.records import Float64s, Int64s

if TYPE_CHECKING:
    from service.clustering.engine import Engine


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Division:
    """What becomes of a cluster's micro-clusters and members.

    Attributes:
        parts: Births of the micro-clusters of each part, those that are founded included; the first part stays.
        of: int64 (f,) the birth of the micro-cluster in whose place each is founded; births go on from the next one.
        centers: float64 (f, C) where each is founded.
        counts: int64 (f,) items that it takes over.
        members: int64 (n,) the birth of the micro-cluster of each member, in order of the stream.
    """

    parts: tuple[tuple[int, ...], ...]
    of: Int64s
    centers: Float64s
    counts: Int64s
    members: Int64s


def division(engine: "Engine", life: Life, parts: Sequence[Sequence[int]]) -> Division:
    """What carries a split out. Changes nothing.

    Args:
        engine: Of our own clusterer.
        life: The cluster.
        parts: Places in the stream of members of each part; one at least of each is a member still.

    Raises:
        CannotDecide: There is no room for the micro-clusters.
    """
    db = _ours(engine)
    x, rows = engine.space.project(life.members.z), db.rows_of(life.id)
    births, centers, counts = db.births(rows).tolist(), db.centers(rows), db.counts(rows).tolist()
    part_of = {seq: n for n, part in enumerate(parts) for seq in part}
    side = np.array([part_of.get(member.seq, -1) for member in life.members], dtype=np.int64)
    y, named = engine.gates.promoted.rounded(life.members.z), np.flatnonzero(side >= 0)
    side[side < 0] = side[named[_nearest(y[side < 0], y[named])]]
    if not births:
        raise CannotDecide(f"Cluster {life.id} has no micro-cluster now: wait for its next items.")
    at = _homes(x, life.members.births, births, centers)
    own: list[list[int]] = [[] for _ in parts]
    of, where, shares = list[int](), list[Float64s](), list[int]()
    members, next_birth = np.array(births, dtype=np.int64)[at], db.next_birth
    for row, (birth, count) in enumerate(zip(births, counts, strict=True)):
        here = np.flatnonzero(at == row)
        sides, held = np.unique(side[here], return_counts=True)
        if len(sides) < 2:
            part = int(sides[0]) if len(sides) else int(side[_nearest(centers[row : row + 1], x)[0]])
            own[part].append(birth)
            continue
        items = np.diff(np.rint(count * np.cumsum(held) / held.sum()), prepend=0.0).astype(np.int64)
        for part, share in zip(sides.tolist(), np.maximum(items, 1).tolist(), strict=True):
            its = here[side[here] == part]
            own[part].append(next_birth + len(of))
            members[its] = next_birth + len(of)
            of.append(birth)
            where.append(x[its].mean(axis=0))
            shares.append(share)
    if len(db) + len(of) - len(set(of)) > db.params.max_micro_clusters:
        raise CannotDecide(
            f"There is no room for the micro-clusters of the parts: {db.params.max_micro_clusters} are the most "
            "(FIRSTSEEN_MAX_MICRO_CLUSTERS)."
        )
    return Division(
        parts=tuple(map(tuple, own)),
        of=np.array(of, dtype=np.int64),
        centers=np.array(where, dtype=np.float64).reshape(len(of), engine.space.dim),
        counts=np.array(shares, dtype=np.int64),
        members=members,
    )


def items_of(engine: "Engine", made: Division) -> list[int]:
    """About how many items each part has."""
    db = _ours(engine)
    rows = db.rows()
    items = dict(zip(db.births(rows).tolist(), db.counts(rows).tolist(), strict=True))
    items |= {db.next_birth + n: count for n, count in enumerate(made.counts.tolist())}
    return [sum(items[birth] for birth in part) for part in made.parts]


def divide(engine: "Engine", life: Life, made: Division) -> None:
    """Found the micro-clusters, and tell the members, and the audit; all of them are the cluster's still."""
    db, founded = _ours(engine), dict[int, list[int]]()
    for birth, old in enumerate(made.of.tolist(), start=db.next_birth):
        founded.setdefault(old, []).append(birth)
    if founded:
        db.refound(made.of, made.centers, made.counts)
        engine.audit.follow(founded)
    life.members.go_to(made.members)


def fault_of_division(engine: "Engine", life: Life, made: Division, *, parts: int) -> str | None:
    """What is wrong with a division from elsewhere into so many parts; None where nothing is."""
    db, f = _ours(engine), len(made.of)
    there = set(db.births(db.rows_of(life.id)).tolist())
    if made.counts.shape != (f,) or (f and made.centers.shape != (f, engine.space.dim)):
        return "its arrays have other shapes than this stream's."
    if not np.isfinite(made.centers).all() or not (made.counts >= 1).all():
        return "it has numbers that are none."
    if not set(made.of.tolist()) <= there or (f and bool((np.diff(made.of) < 0).any())):
        return "it founds micro-clusters in the place of none."
    born = set(range(db.next_birth, db.next_birth + f))
    after = (there - set(made.of.tolist())) | born
    asked = [birth for part in made.parts for birth in part]
    if sorted(asked) != sorted(after) or not all(made.parts) or len(made.parts) != parts:
        return "its parts are not the cluster's micro-clusters."
    if len(made.members) != len(life.members) or not set(made.members.tolist()) <= after:
        return "its members are not the cluster's."
    return None


def _homes(x: Float64s, own: Int64s, births: Sequence[int], centers: Float64s) -> Int64s:
    """int64 (n,): the place of each member's micro-cluster in `births`; of one that is gone, the nearest."""
    places = {birth: place for place, birth in enumerate(births)}
    at = np.array([places.get(birth, -1) for birth in own.tolist()], dtype=np.int64)
    at[at < 0] = _nearest(x[at < 0], centers)
    return at


def _nearest(x: Float64s, others: Float64s) -> Int64s:
    """int64 (B,): which of float64 (m, C) is nearest to each row of float64 (B, C); the first of several."""
    return np.array([int(np.square(others - row).sum(axis=1).argmin()) for row in x], dtype=np.int64)


def _ours(engine: "Engine") -> MicroClusters:
    assert isinstance(engine.clusterer, MicroClusters)
    return engine.clusterer
