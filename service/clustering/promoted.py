"""Classes that people made of clusters: which items are of one, without training the net anew.

A cluster that is promoted, or linked to a class, is a *prototype* from the next item on: up to MOST_MEMBERS of its
members. There may be several of one class. Two questions are asked of an item.

**Of which?** Linear discriminant analysis (Fisher 1936) in the embedding: classes are the bundle's, by its reference
items, and the prototypes; they share one covariance, that of all these items about their class, shrunk to a multiple of
the identity. A class that the net was not trained on lies wider, and along other axes, than those that it was: so the
members count, and the known gate's own covariance would not do. With n items a mean is uncertain:

    d_c(z) = (z - mean_c)' S^-1 (z - mean_c) n_c / (n_c + 1),     S = C + SHRINKAGE tr(C) / D I

**Is it near enough?** In cluster space, where classes come apart best that the net has not learnt, by the members of
the prototype that is nearest by d:

    s(z)  = distance to the nearest member
    s_i   = the same of member i, to the nearest of the *others* (leave-one-out)
    p(z)  = #{STRETCH s_i >= s(z)} / (n + 1)

The members' scores are what scores of fresh items of the class would be, were members a fair sample of it. They are
not: a cluster holds what lay within its balls, and the class reaches further; hence STRETCH, which was measured. And p
is rounded down, to 0 beyond the farthest: with 20 members, the usual 1 / (n + 1) would be above a rate of .02 for
whatever comes.

An item is *taken* for a class where p is above the operator's rate if no known class accepted it; and if one did, where
the prototype is nearer by d than each of the bundle's classes: an item of a class that the net has not learnt may look
like one of a class that it has (3 like 9), and a p-value of either says nothing of the other.

Prototypes are as they were made, for ever: what a class of people's is does not move with the stream. Its cluster does,
and what lies in the cluster is of the class as well (engine.py). Figures: docs/decisions/036-curation.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.bundle import KnownArrays
from model.scores.score import row_by_row
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

STRETCH = 1.4
"""How much further than its cluster a class reaches."""

SHRINKAGE = 0.1
"""Of the shared covariance."""

_LEAST_SPREAD = 1e-12
"""Where all items of each class are one."""

_FURTHEST = 1e30
"""Beyond it, squares of distances overflow."""

_NUMBERS_AT_ONCE = 2**19
"""Bounds the memory of distances, not the result."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Prototype:
    """What is known of a class by one cluster: an entry of the log has it, so that a replay need not compute it.

    Attributes:
        members: float32 (n, D) embeddings.
        scores: float32 (n,) of the members, leave-one-out, ascending.
    """

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


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Rule:
    """What follows from the prototypes there are: of them, and of the bundle's classes.

    Attributes:
        axes: float64 (D, D) where S is the identity.
        known: float64 (K, D) their means there; `prototypes` likewise (P, D).
        known_weight: float64 (K,) n / (n + 1); `prototype_weight` likewise (P,).
        centres: float32 (P, D) means of the prototypes.
        members: float64 (n, C) of each prototype, in cluster space.
        scores: float64 (n,) of each prototype, stretched.
        clusters, labels: int64 (P,) what each was made of, and is part of.
    """

    axes: Float64s
    known: Float64s
    known_weight: Float64s
    prototypes: Float64s
    prototype_weight: Float64s
    centres: Float32s
    members: tuple[Float64s, ...]
    scores: tuple[Float64s, ...]
    clusters: Int64s
    labels: Int64s


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
        self._references, self._reference_labels = known.reference_embeddings, known.reference_labels
        self._made: _Rule | None = None
        self.prototypes: dict[int, tuple[int, Prototype]] = {}
        """By cluster, in the order in which they were made: the class, an index of the engine's labels; and it."""

    def __len__(self) -> int:
        return len(self.prototypes)

    def made_of(self, members: Float32s) -> Prototype:
        """The prototype of a cluster: float32 (n, D) embeddings of members, FEWEST_MEMBERS to MOST_MEMBERS."""
        x = self._space.project(members)
        scores = np.sort(nearest_of(x, x, is_same=True).astype(np.float32))
        return Prototype(members=members.astype(np.float32), scores=scores)

    def put(self, cluster: int, label: int, prototype: Prototype) -> None:
        """From the next item on the cluster is part of a class."""
        self.prototypes[cluster], self._made = (label, prototype), None

    def drop(self, cluster: int) -> None:
        """It is not any more."""
        del self.prototypes[cluster]
        self._made = None

    @property
    def classes(self) -> dict[int, int]:
        """The class of each cluster that is part of one."""
        return {cluster: label for cluster, (label, _) in self.prototypes.items()}

    def has_class(self, label: int) -> bool:
        """Whether some cluster is part of it."""
        return any(own == label for own, _ in self.prototypes.values())

    # What is said of items

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
        rule = self._rule()
        white = row_by_row(z.astype(np.float64), rule.axes)
        away = _squares(white, rule.prototypes) * rule.prototype_weight
        best = away.argmin(axis=1)
        asked = np.flatnonzero(~is_refused)
        known = (_squares(white[asked], rule.known) * rule.known_weight).min(axis=1)
        is_its = is_refused.copy()
        is_its[asked] = away[asked, best[asked]] < known
        for n in np.unique(best[is_its]).tolist():
            own = np.flatnonzero(is_its & (best == n))
            p = self.p_of(z[own], n)
            own, p = own[p > rate], p[p > rate]
            found.cluster[own], found.label[own], found.p[own] = rule.clusters[n], rule.labels[n], p
            found.distance[own] = self._gate.away(z[own], rule.centres[n])
        return found

    def p_of(self, z: Float32s, n: int) -> Float64s:
        """float64 (B,): the p-value of each item of float32 (B, D), were it of prototype `n` in their order."""
        rule = self._rule()
        scores = rule.scores[n]
        score = nearest_of(self._space.project(z), rule.members[n])
        p: Float64s = (len(scores) - np.searchsorted(scores, score, side="left")) / (len(scores) + 1)
        return p

    def rounded(self, z: Float32s) -> Float64s:
        """float32 (B, D) to float64 (B, D): coordinates in which S is the identity, and classes are about round."""
        return row_by_row(z.astype(np.float64), self._rule().axes)

    def away(self, z: Float32s) -> tuple[Float64s, Float64s]:
        """How far items are from each prototype, in their order; there is one at least.

        Args:
            z: float32 (B, D) embeddings, finite.

        Returns:
            float64 (B, P) by d, which says of which an item is; and float64 (B, P) Mahalanobis distances to centres, as
            told in a verdict.
        """
        rule = self._rule()
        white = row_by_row(z.astype(np.float64), rule.axes)
        away = _squares(white, rule.prototypes) * rule.prototype_weight
        return away, np.stack([self._gate.away(z, centre) for centre in rule.centres], axis=1)

    def _rule(self) -> _Rule:
        """Made anew where the prototypes have changed."""
        if self._made is None:
            self._made = self._make_rule()
        return self._made

    def _make_rule(self) -> _Rule:
        own = [prototype for _, prototype in self.prototypes.values()]
        known = [self._references[self._reference_labels == k] for k in range(self._gate.classes)]
        groups = [group.astype(np.float64) for group in (*known, *(one.members for one in own)) if len(group)]
        means = np.stack([group.mean(axis=0) for group in groups])
        rest = np.concatenate([group - mean for group, mean in zip(groups, means, strict=True)])
        shared = rest.T @ rest / len(rest)
        D = len(shared)
        shared += (SHRINKAGE * max(float(np.trace(shared)) / D, _LEAST_SPREAD)) * np.eye(D)
        axes = np.ascontiguousarray(np.linalg.inv(np.linalg.cholesky(shared)).T)
        weights = np.array([len(group) / (len(group) + 1) for group in groups])
        white, K = row_by_row(means, axes), len(groups) - len(own)
        return _Rule(
            axes=axes,
            known=white[:K],
            known_weight=weights[:K],
            prototypes=white[K:],
            prototype_weight=weights[K:],
            centres=means[K:].astype(np.float32),
            members=tuple(self._space.project(one.members) for one in own),
            scores=tuple(one.scores.astype(np.float64) * STRETCH for one in own),
            clusters=np.fromiter(self.prototypes, dtype=np.int64),
            labels=np.array([label for label, _ in self.prototypes.values()], dtype=np.int64),
        )

    # State

    def state(self) -> Mapping[str, Float32s | Int64s]:
        """All of it as flat arrays: clusters, labels, sizes int64 (P,); members, scores."""
        own = self.prototypes.values()
        return {
            "clusters": np.fromiter(self.prototypes, dtype=np.int64, count=len(own)),
            "labels": np.array([label for label, _ in own], dtype=np.int64),
            "sizes": np.array([len(one.scores) for _, one in own], dtype=np.int64),
            "members": np.concatenate(
                [np.empty((0, self._gate.dim), dtype=np.float32), *(one.members for _, one in own)]
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
            "members": ("<f4", (total, self._gate.dim)),
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
            prototype = Prototype(members=arrays["members"][own], scores=arrays["scores"][own])
            fault = self.fault_of(prototype)
            demand(fault is None, f"a prototype: {fault}")
            self.put(cluster, label, prototype)

    def fault_of(self, prototype: Prototype) -> str | None:
        """What is wrong with a prototype from elsewhere; None where nothing is."""
        n = len(prototype.scores)
        if not FEWEST_MEMBERS <= n <= MOST_MEMBERS:
            return f"it has {n} members."
        if prototype.members.shape != (n, self._gate.dim) or prototype.scores.shape != (n,):
            return "its arrays have other shapes than this bundle's."
        arrays = (prototype.members, prototype.scores)
        if not all(np.isfinite(array).all() and (np.abs(array) < _FURTHEST).all() for array in arrays):
            return "it has numbers that are none."
        if not (prototype.scores[0] >= 0.0 and (np.diff(prototype.scores) >= 0.0).all()):
            return "its scores do not ascend."
        return None


def _squares(x: Float64s, means: Float64s) -> Float64s:
    """float64 (B, m): squared distances of float64 (B, D) to (m, D)."""
    found = np.empty((len(x), len(means)))
    for n, mean in enumerate(means):
        found[:, n] = np.square(x - mean).sum(axis=-1)
    return found


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
