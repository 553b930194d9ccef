"""An engine in another embedding space: what a stream has learnt, carried over to a new bundle by its exemplars.

    life of each cluster ─► ids, lineage, names, decisions: kept as they are
    members, embedded anew ─► cluster space of the new bundle ─► balls of radius r ─► micro-clusters

A cluster's new micro-clusters are what DBSTREAM makes of its members alone, one after another; they share its weight of
before, so that it fades as it would have. Its members lie wherever the new net puts them, so it is kept as one cluster
from now on, whatever the partition says (`is_united`); what is learnt next links to it as to any other.

A class that people made goes on under its label, its prototype made anew of the members; where the new bundle has a
class of that name, it is that class. Decisions stay listed, and can be undone where what they found still means
something: a merge cannot, since it goes by micro-clusters of before.

What cannot be carried over is told: a cluster of which no member can be embedded ends, its id stays listed; candidates
go without a word, as they came, and form again. The stream gate begins anew, as at the beginning of a stream. Counts go
on by the names of the classes; of a class that the new bundle does not have, the items are counted no more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from model.bundle import KnownArrays
from service.clustering.engine import Engine
from service.clustering.kernels import state as at
from service.clustering.kinship import Life, forget
from service.clustering.members import Members, member_of
from service.clustering.micro_clusters import MicroClusters
from service.clustering.params import EngineParams
from service.clustering.promoted import FEWEST_MEMBERS
from service.clustering.shape import Shape
from service.clustering.variants import Cores
from service.decisions import Action
from service.records import ClusterState, Float32s, Float64s, Int64s, VerdictKind


@dataclass(frozen=True, kw_only=True, slots=True)
class Fate:
    """What becomes of one cluster that people know.

    Attributes:
        cluster: Its id.
        name: What people called it.
        label: The class that it is part of.
        members: Its members that are remembered.
        embedded: Those that could be embedded anew.
        share: The share of these that the new bundle takes for the class `becomes`; None where there are none.
        becomes: The class of the new bundle that most of them are nearest to.
        is_kept: Whether it goes on.
    """

    cluster: int
    name: str | None
    label: str | None
    members: int
    embedded: int
    share: float | None
    becomes: str | None
    is_kept: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved:
    """The engine under the new bundle, and what became of the clusters. dropped: candidates that went."""

    engine: Engine
    fates: tuple[Fate, ...]
    dropped: int


def moved(
    engine: Engine,
    known: KnownArrays,
    labels: tuple[str, ...],
    params: EngineParams,
    embedded: Mapping[str, Float32s],
) -> Moved:
    """The state of a stream under another bundle; `engine` is not changed, and of no further use.

    Args:
        engine: At the head of the stream.
        known: Arrays of the new bundle.
        labels: Its class names.
        params: What it shall decide with; its backend is the stream's.
        embedded: float32 (D,) by id: items as the new bundle embeds them.
    """
    return _Move(engine, known, labels, params, embedded).run()


class _Move:
    """One move."""

    def __init__(
        self,
        engine: Engine,
        known: KnownArrays,
        labels: tuple[str, ...],
        params: EngineParams,
        embedded: Mapping[str, Float32s],
    ) -> None:
        self._old = engine
        self._new = Engine(known, labels, params)
        self._params = params
        self._embedded = embedded
        self._balls = _Balls(self._new.space.dim, params)

    def run(self) -> Moved:
        old, new = self._old, self._new
        candidates = [life.id for life in old.lives.values() if life.state is ClusterState.CANDIDATE]
        for cluster in candidates:
            forget(old.lives, cluster)
        new.seq = old.seq
        new.next_cluster_id, new.candidates_tested = old.next_cluster_id, old.candidates_tested
        for label in old.labels[old.bundle_classes :]:
            new.class_of(label)
        for life in old.lives.values():
            self._take_over(life)
        self._keep_classes()
        self._keep_decisions()
        fates = [self._fate(life) for life in old.lives.values() if life.state is not ClusterState.GONE]
        for life in list(new.lives.values()):
            is_unseen = life.emerged_seq is None and life.id not in new.audit.concerned
            if life.state is ClusterState.GONE and is_unseen:
                forget(new.lives, life.id)
        self._count()
        new.restore_clusterer(self._balls.state(now=self._now()))
        new._use(self._params)  # noqa: SLF001 - the state that it takes stock of was made here
        return Moved(engine=new, fates=tuple(fates), dropped=len(candidates))

    def _take_over(self, life: Life) -> None:
        """A life under the new bundle, with micro-clusters of its members."""
        old, new, db = self._old, self._new, self._old.clusterer
        kept = [member for member in life.members if member.id in self._embedded]
        moved = new.lives[life.id] = _copy_of(life)
        moved.members, moved.usual, moved.cores = Members(), [], []
        if life.label is not None:
            moved.label = new.class_of(old.labels[life.label])
        if life.variant_of is not None:
            moved.variant_of = self._class_of(life.variant_of, [member.id for member in kept])
        if life.state is ClusterState.GONE:
            return
        moved.residual = life.residual + db.items_of(life.id)
        if not kept:
            moved.state = ClusterState.GONE
            return
        z = np.stack([self._embedded[member.id] for member in kept])
        weight = float(db.weights(db.rows_of(life.id)).sum())
        births = self._balls.add(life.id, new.space.project(z), weight=weight)
        moved.members.take_in(
            member_of(member.id, member.seq, member.t, birth, row)
            for member, birth, row in zip(kept, births.tolist(), z, strict=True)
        )
        moved.residual, moved.is_united = max(0, moved.residual - len(kept)), True

    def _keep_classes(self) -> None:
        """Prototypes of the classes that people made, in the order in which they were made."""
        new, promoted = self._new, self._new.gates.promoted
        for cluster, (label, _) in self._old.gates.promoted.prototypes.items():
            life = new.lives.get(cluster)
            if life is not None and len(life.members) >= FEWEST_MEMBERS:
                promoted.put(cluster, new.class_of(self._old.labels[label]), promoted.made_of(life.members.z))

    def _keep_decisions(self) -> None:
        """All of them; of what they found what means something to the new state."""
        old, new = self._old.audit, self._new
        found = {}
        for seq, what in old.found.items():
            made = old.decided[seq].decision
            is_class = made.action in (Action.PROMOTE, Action.LINK)
            if made.action is Action.MERGE or (
                is_class and made.cluster not in new.gates.promoted.prototypes
            ):
                continue
            variant_of = None if what.variant_of is None else self._class_of(what.variant_of, [])
            found[seq] = msgspec.structs.replace(what, variant_of=variant_of)
        new.audit.restore(list(old.decided.values()), found)

    def _class_of(self, before: int, kept_ids: Sequence[str]) -> int:
        """The class that a variant is a drift of: of the same name, or else the nearest of the bundle."""
        own = self._new.labels[: self._new.bundle_classes]
        if self._old.labels[before] in own:
            return own.index(self._old.labels[before])
        if not kept_ids:
            return 0
        z = np.stack([self._embedded[id] for id in kept_ids])
        return int(np.bincount(self._new.gate.decide(z).nearest).argmax())

    def _fate(self, life: Life) -> Fate:
        new = self._new
        ids = [member.id for member in life.members]
        z = [self._embedded[id] for id in ids if id in self._embedded]
        share, becomes = None, None
        if z:
            said = new.gate.decide(np.stack(z))
            most = int(np.bincount(said.nearest).argmax())
            share = float(((said.nearest == most) & (said.p > self._params.known_error_rate)).mean())
            becomes = new.labels[most]
        return Fate(
            cluster=life.id,
            name=life.name,
            label=None if life.label is None else self._old.labels[life.label],
            members=len(ids),
            embedded=len(z),
            share=share,
            becomes=becomes,
            is_kept=new.lives[life.id].state is not ClusterState.GONE,
        )

    def _count(self) -> None:
        """Counts by the names of the classes."""
        old, new = self._old, self._new
        for k, label in enumerate(old.labels):
            if label in new.labels:
                new.known_counts[new.labels.index(label)] += int(old.known_counts[k])
        new.verdict_counts = dict(old.verdict_counts)
        new.verdict_counts[VerdictKind.KNOWN] = int(new.known_counts.sum())
        total = sum(new.verdict_counts.values())
        none = [0] * new.bundle_classes
        new.cores = Cores(counts=[*none, total], marks=[[*none, total]])

    def _now(self) -> float:
        """The clusterer's time, in items that reached it: as it was, as far as what is still counted allows."""
        counts = self._new.verdict_counts
        total = sum(counts.values())
        at_least = total - counts[VerdictKind.KNOWN]
        return float(min(max(float(self._old.clusterer.state()["clock"][0]), at_least), total))


def _copy_of(life: Life) -> Life:
    """Another of the same, without what a candidate alone has."""
    return replace(life, starts=[], moments=[], shape=Shape(), repeats=0)


class _Balls:
    """The micro-clusters of several clusters, each formed by itself; then all of them as one clusterer's state."""

    def __init__(self, dim: int, params: EngineParams) -> None:
        self._dim = dim
        self._params = params
        self._centers: list[Float64s] = []
        self._weights: list[Float64s] = []
        self._counts: list[Int64s] = []
        self._clusters: list[Int64s] = []
        self._next = 1

    def add(self, cluster: int, x: Float64s, *, weight: float) -> Int64s:
        """Form those of one cluster.

        Args:
            cluster: Its id.
            x: float64 (n, C) its members, in order of the stream.
            weight: What they shall weigh together.

        Returns:
            int64 (n,): the birth of the micro-cluster of each.
        """
        db = MicroClusters(self._dim, self._params)
        out = np.zeros((4, len(x)), dtype=np.int64)
        at = 0
        x = np.ascontiguousarray(x, dtype=np.float64)
        while at < len(x):
            at = db.learn(x, None, at, out).next
            if db.is_stale:
                db.regroup(cluster)
        rows = db.rows()
        own, place = np.unique(out[1], return_inverse=True)
        births = db.births(rows)
        shares = db.weights(rows)
        self._centers.append(db.centers(rows))
        self._weights.append(shares / shares.sum() * weight)
        self._counts.append(db.counts(rows))
        self._clusters.append(np.full(len(rows), cluster, dtype=np.int64))
        renumbered = self._next + np.searchsorted(births, own)
        self._next += len(rows)
        numbers: Int64s = renumbered[place].astype(np.int64)
        return numbers

    def state(self, *, now: float) -> dict[str, NDArray[Any]]:
        """As `MicroClusters.state` gives it: all alive at one moment, and nothing shared yet."""
        n, params = self._next - 1, self._params
        empty = np.empty(0, dtype=np.float64)
        weights = np.concatenate([empty, *self._weights])
        age = params.fading_factor * now  # forward decay: kernels/state.py
        rebased = at.REBASE_AT * (age // at.REBASE_AT)
        unit = 2.0 ** (age - rebased)
        return {
            "clock": np.array([now, 0.0, rebased, unit]),
            "counters": np.array([self._next, now // params.cleanup_interval, 0, 0], dtype=np.int64),
            "centers": np.concatenate([np.empty((0, self._dim)), *self._centers]),
            "weights": weights * unit,
            "updated": np.full(n, now),
            "births": np.arange(1, n + 1, dtype=np.int64),
            "counts": np.concatenate([empty.astype(np.int64), *self._counts]),
            "clusters": np.concatenate([empty.astype(np.int64), *self._clusters]),
            "strong": (weights >= params.minimum_weight).astype(np.uint8),
            "pair_rows": np.empty((2, 0), dtype=np.int64),
            "pair_shared": empty,
            "pair_linked": np.empty(0, dtype=np.uint8),
            "pair_since": empty,
        }
