"""Classes that people made of clusters: which items are of one, without training the net anew.

A cluster that is promoted, or linked to a class, is a *prototype* from the next item on: up to some hundred of its
members, as they lie in cluster space, where classes that the net was never trained on come apart best. There may be
several prototypes of one class. An item is of the one whose nearest member is nearest to it, if it is near enough:

    s(z)  = distance to the nearest member
    s_i   = the same of member i, to the nearest of the *others* (leave-one-out)
    p(z)  = #{STRETCH s_i >= s(z)} / (n + 1)

The members' scores are what scores of fresh items of the class would be, were members a fair sample of it. They are
not: a cluster holds what lay within its balls, and the class reaches further; hence STRETCH, which was measured. And p
is rounded down, to 0 beyond the farthest: with 20 members, the usual 1 / (n + 1) would be above a rate of .02 for
whatever comes.

Such an item is *taken* for the class, where p is above the operator's rate, if no known class accepted it; and if one
did, where the nearest member is nearer than any reference item of the known classes: one of a class that the net has
not learnt may look like one of a class that it has (3 like 9), and a p-value of either says nothing of the other.

Prototypes are as they were made, for ever: what a class of people's is does not move with the stream. Its cluster does,
and what lies in the cluster is of the class as well (engine.py). Figures: docs/decisions/036-curation.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.bundle import KnownArrays
from service.clustering.cluster_space import ClusterSpace
from service.clustering.known import KnownGate
from service.clustering.state_check import demand, length, within
from service.records import NO_CLUSTER, Bools, Float32s, Float64s, Int64s

MOST_PROTOTYPES = 256
"""Clusters that are part of a class at a time. With more it is time to train: nobody can promote or link another."""

MOST_LABELS = 1_024
"""Classes that people ever made in a stream. Their labels stay, for stored verdicts hold their numbers."""

MOST_MEMBERS = 128
"""Members of a prototype."""

FEWEST_MEMBERS = 4
"""Members without which there is no spread to speak of."""

STRETCH = 1.3
"""How much further than its cluster a class reaches."""

_FURTHEST = 1e30
"""Beyond it, squares of distances overflow."""

_NUMBERS_AT_ONCE = 2**19
"""Bounds the memory of distances, not the result."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Prototype:
    """What is known of a class by one cluster: an entry of the log has it, so that a replay need not compute it.

    Attributes:
        centre: float32 (D,) mean of the members' embeddings: verdicts tell the distance to it.
        members: float32 (n, C) these in cluster space.
        scores: float32 (n,) of the members, leave-one-out, ascending.
    """

    centre: Float32s
    members: Float32s
    scores: Float32s


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What the prototypes say of a batch.

    Attributes:
        cluster: int64 (B,) the cluster whose prototype takes the item, NO_CLUSTER for none.
        label: int64 (B,) the class that this is part of; where there is none, any.
        p: float64 (B,) its p-value.
        distance: float64 (B,) Mahalanobis distance to its centre.
    """

    cluster: Int64s
    label: Int64s
    p: Float64s
    distance: Float64s


@dataclass(frozen=True, kw_only=True, slots=True)
class Near:
    """How near a batch is to every prototype, in order: float64 (B, P) `away` to the nearest member, and `p`."""

    away: Float64s
    p: Float64s


class Promoted:
    """The prototypes of one stream, by the cluster each was made of. Owned by the engine's gates.

    It changes with decisions alone, and so between two batches: what is said of an item depends on no batch.

    Args:
        known: A bundle's arrays.
        gate: The known gate that is made of them.
        space: The cluster space.
    """

    def __init__(self, known: KnownArrays, gate: KnownGate, space: ClusterSpace) -> None:
        self._gate = gate
        self._space = space
        self._reference_embeddings = known.reference_embeddings
        self._references: Float64s | None = None  # in cluster space; most streams have no use for them
        self.prototypes: dict[int, tuple[int, Prototype]] = {}
        """By cluster, in the order in which they were made: the class, an index of the engine's labels; and it."""

    def __len__(self) -> int:
        return len(self.prototypes)

    def made_of(self, members: Float32s) -> Prototype:
        """The prototype of a cluster: float32 (n, D) embeddings of members, FEWEST_MEMBERS to MOST_MEMBERS."""
        x = self._space.project(members).astype(np.float32)
        apart = nearest_of(x.astype(np.float64), x, is_same=True)
        return Prototype(
            centre=members.astype(np.float64).mean(axis=0).astype(np.float32),
            members=x,
            scores=np.sort(apart.astype(np.float32)),
        )

    def put(self, cluster: int, label: int, prototype: Prototype) -> None:
        """From the next item on the cluster is part of a class."""
        self.prototypes[cluster] = label, prototype

    def drop(self, cluster: int) -> None:
        """It is not any more."""
        del self.prototypes[cluster]

    @property
    def classes(self) -> dict[int, int]:
        """The class of each cluster that is part of one."""
        return {cluster: label for cluster, (label, _) in self.prototypes.items()}

    def has_class(self, label: int) -> bool:
        """Whether some cluster is part of it."""
        return any(own == label for own, _ in self.prototypes.values())

    # What is said of items

    def look(self, z: Float32s) -> Near:
        """How near items are to every prototype: float32 (B, D) embeddings, finite."""
        x = self._space.project(z)
        p, away = np.empty((2, len(z), len(self)), dtype=np.float64)
        for n, (_, prototype) in enumerate(self.prototypes.values()):
            away[:, n] = nearest_of(x, prototype.members)
            own = prototype.scores.astype(np.float64) * STRETCH
            p[:, n] = (len(own) - np.searchsorted(own, away[:, n], side="left")) / (len(own) + 1)
        return Near(away=away, p=p)

    def taken(self, z: Float32s, is_refused: Bools, rate: float) -> Taken:
        """Which items are of one of these classes.

        Args:
            z: float32 (B, D) embeddings, finite.
            is_refused: bool (B,) whether no known class accepted the item.
            rate: The p-value that is not enough.
        """
        B = len(z)
        found = Taken(
            cluster=np.full(B, NO_CLUSTER, dtype=np.int64),
            label=np.zeros(B, dtype=np.int64),
            p=np.zeros(B),
            distance=np.zeros(B),
        )
        if not (self.prototypes and B):
            return found
        near, every = self.look(z), np.arange(B)
        best = near.away.argmin(axis=1)
        away, p = near.away[every, best], near.p[every, best]
        is_near = p > rate
        asked = np.flatnonzero(is_near & ~is_refused)
        is_near[asked] = away[asked] < nearest_of(self._space.project(z[asked]), self._known_members())
        for n, (cluster, (label, prototype)) in enumerate(self.prototypes.items()):
            own = np.flatnonzero(is_near & (best == n))
            found.cluster[own], found.label[own], found.p[own] = cluster, label, p[own]
            found.distance[own] = self._gate.away(z[own], prototype.centre)
        return found

    def _known_members(self) -> Float64s:
        if self._references is None:
            self._references = self._space.project(self._reference_embeddings)
        return self._references

    # State

    def state(self) -> Mapping[str, Float32s | Int64s]:
        """All of it as flat arrays: clusters, labels, sizes int64 (P,); centres float32 (P, D); members, scores."""
        own = self.prototypes.values()
        return {
            "clusters": np.fromiter(self.prototypes, dtype=np.int64, count=len(own)),
            "labels": np.array([label for label, _ in own], dtype=np.int64),
            "sizes": np.array([len(one.scores) for _, one in own], dtype=np.int64),
            "centres": np.array([one.centre for _, one in own], dtype=np.float32).reshape(-1, self._gate.dim),
            "members": np.concatenate(
                [np.empty((0, self._space.dim), dtype=np.float32), *(one.members for _, one in own)]
            ),
            "scores": np.concatenate([np.empty(0, dtype=np.float32), *(one.scores for _, one in own)]),
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]], labels: int) -> None:
        """Go on from a stored state, `labels` being how many there are.

        Raises:
            SnapshotUnreadable: no prototypes of this bundle have such a state.
        """
        P, total = length(arrays, "clusters"), length(arrays, "scores")
        layout: dict[str, tuple[str, tuple[int, ...]]] = {
            **dict.fromkeys(("clusters", "labels", "sizes"), ("<i8", (P,))),
            "centres": ("<f4", (P, self._gate.dim)),
            "members": ("<f4", (total, self._space.dim)),
            "scores": ("<f4", (total,)),
        }
        demand(arrays.keys() == layout.keys(), f"the prototypes' arrays: {', '.join(sorted(arrays))}")
        for name, (dtype, shape) in layout.items():
            array = arrays[name]
            demand(array.dtype == np.dtype(dtype) and array.shape == shape, f"the prototypes' {name}")
            demand(array.dtype.kind != "f" or bool(np.isfinite(array).all()), f"the prototypes' {name}")
        clusters, sizes = arrays["clusters"], arrays["sizes"]
        demand(P <= MOST_PROTOTYPES and len(np.unique(clusters)) == P, "the prototypes' clusters")
        demand(within(clusters, 1, 2**62), "the prototypes' clusters")
        demand(within(arrays["labels"], 0, labels - 1), "the prototypes' classes")
        demand(within(sizes, 1, MOST_MEMBERS) and int(sizes.sum()) == total, "the prototypes' sizes")
        self.prototypes = {}
        stops = np.cumsum(sizes).tolist()
        for n, (cluster, label) in enumerate(zip(clusters.tolist(), arrays["labels"].tolist(), strict=True)):
            own = slice(stops[n] - int(sizes[n]), stops[n])
            prototype = Prototype(
                centre=arrays["centres"][n], members=arrays["members"][own], scores=arrays["scores"][own]
            )
            fault = fault_of(prototype, D=self._gate.dim, C=self._space.dim)
            demand(fault is None, f"a prototype: {fault}")
            self.put(cluster, label, prototype)

    def fault_of(self, prototype: Prototype) -> str | None:
        """What is wrong with a prototype from elsewhere; None where nothing is."""
        return fault_of(prototype, D=self._gate.dim, C=self._space.dim)


def fault_of(prototype: Prototype, *, D: int, C: int) -> str | None:
    """What is wrong with a prototype of D dimensions, C in cluster space; None where nothing is."""
    n = len(prototype.scores)
    if not FEWEST_MEMBERS <= n <= MOST_MEMBERS:
        return f"it has {n} members."
    if prototype.centre.shape != (D,) or prototype.members.shape != (n, C) or prototype.scores.shape != (n,):
        return "its arrays have other shapes than this bundle's."
    arrays = (prototype.centre, prototype.members, prototype.scores)
    if not all(np.isfinite(array).all() and (np.abs(array) < _FURTHEST).all() for array in arrays):
        return "it has numbers that are none."
    if not (prototype.scores[0] >= 0.0 and (np.diff(prototype.scores) >= 0.0).all()):
        return "its scores do not ascend."
    return None


def nearest_of(x: Float64s, members: Float32s | Float64s, *, is_same: bool = False) -> Float64s:
    """float64 (B,): distance of each row of float64 (B, C) to the nearest of (n, C).

    Args:
        x: Rows.
        members: n at least 1.
        is_same: The rows are the members, and each is compared with the others; n at least 2.
    """
    found = np.empty(len(x), dtype=np.float64)
    rows = max(1, _NUMBERS_AT_ONCE // members.size)
    for start in range(0, len(x), rows):
        part = x[start : start + rows]
        squares = np.square(part[:, None, :] - members).sum(axis=-1)
        if is_same:
            own = np.arange(len(part))
            squares[own, own + start] = np.inf
        found[start : start + rows] = np.sqrt(squares.min(axis=1))
    return found
