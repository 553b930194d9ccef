"""The engine: step(state, embeddings, items, time) -> verdicts and events.

    z ─┬► known gate ──┬─► accepted: a known class
       └► stream gate ─┴─► refused ─► cluster space ─► clusterer ─► lineage ─► emergence ─► life cycle

`decide` is read-only. `apply` is the only thing that changes state, and needs nothing but what the log keeps
of a batch (`Observed`), so live and replayed states are the same to the bit. Both go item by item in order:
a batch gives exactly what its items give one by one. An item's verdict comes from the state before it is
learnt (decide, then learn). No clock, no IO, no randomness.

Now and then the stream gate is fitted anew. That is a step of its own between two batches: when `is_fit_due`, whoever
drives the engine takes a `fit_job`, solves it when and where it likes, and gives the fit to `refit`. So is what people
decide (curation.py): `prepared` reads, `carry_out` changes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.bundle import KnownArrays
from service.clustering import chronicle, clusterer, curation, facts, joining, kinship, splitting
from service.clustering.audit import Audit
from service.clustering.cluster_space import ClusterSpace
from service.clustering.cluster_view import items_of, view_of
from service.clustering.clusterer import BackendChanged
from service.clustering.curation import Curation
from service.clustering.emergence import begin_anew, rounded
from service.clustering.gates import Gates, Said
from service.clustering.kinship import Life, Lives, absorb, count_item, elder, forget, forget_oldest, heir
from service.clustering.lifecycle import JUDGED, items_until_any_change, next_transition
from service.clustering.members import Members, member_of
from service.clustering.observed_check import check_observed
from service.clustering.params import EngineParams
from service.clustering.saying import home_of, said_of
from service.clustering.shape import Shape, usual_of
from service.clustering.stream_gate import FitJob, Misfit, StreamFit
from service.clustering.variants import Cores
from service.clustering.verdicts import tally, verdicts_of
from service.decisions import Decided, Decision, SplitPreview
from service.events import ClusterEvent, EventKind
from service.records import (
    ANNOUNCED,
    NO_CLUSTER,
    SHOWN,
    Cluster,
    ClusterState,
    Float32s,
    Float64s,
    Int64s,
    Observed,
    Verdict,
    VerdictKind,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class StepResult:
    """What one batch gave: a verdict an item, in order, and the events it caused, in order."""

    verdicts: tuple[Verdict, ...]
    events: tuple[ClusterEvent, ...]


_WEIGH_EVERY = 100
"""Items after which it is asked anew what announced clusters claim of known items."""


class Engine:
    """The state of one stream and the only code that changes it."""

    def __init__(self, known: KnownArrays, labels: tuple[str, ...], params: EngineParams) -> None:
        self.labels = labels
        """The bundle's classes, then those that people made; these only grow: stored verdicts hold their places."""
        self.bundle_classes = len(labels)
        self.space = ClusterSpace(known)
        self.gates = Gates(known, self.space, params)
        self.gate, self.stream = self.gates.known, self.gates.stream
        self._known = known
        self._space_digest: str | None = None  # filled by snapshot.py, the engine's other half
        self.prototypes = self.space.project(known.prototypes)
        self.usual = usual_of(
            self.space.project(known.calibration_embeddings), known.calibration_labels, self.prototypes
        )
        self.seq = self._idle_check_at = 0
        self.known_counts: Int64s = np.zeros(len(labels), dtype=np.int64)
        self.verdict_counts = dict.fromkeys(VerdictKind, 0)
        self.cores = Cores.of(len(labels))
        self.lives: Lives = {}
        self.chronicle, self.audit = chronicle.Chronicle(), Audit()
        self.next_cluster_id, self.candidates_tested = 1, 0
        self.clusterer = clusterer.made(self.space.dim, params)
        self._learnt: Int64s = np.zeros((4, 1), dtype=np.int64)
        self._use(params)

    def configure(self, params: EngineParams) -> None:
        """Decide with other parameters from the next item on; what is learnt stays.

        It is an entry of the stream's log, and takes a place in the stream like an item.

        Raises:
            BackendChanged: They name another clusterer than the one this stream began with; nothing was changed.
        """
        self.check(params)
        if not self.seq:  # a log begins with its parameters: what the engine was made with leaves no trace
            self.clusterer = clusterer.made(self.space.dim, params)
        self._account(self.clusterer.retune(params))
        self._use(params)
        self.seq += 1

    def check(self, params: EngineParams) -> None:
        """Raises BackendChanged where `configure` would; a stream chooses its clusterer with its first entry."""
        if self.seq and params.backend != self.params.backend:
            raise BackendChanged(own=self.params.backend, wanted=params.backend)

    def restore_clusterer(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take the micro-clusters of a stored state; raises SnapshotUnreadable for what cannot be one."""
        self.clusterer = clusterer.restored(arrays, self.space.dim, self.params)

    def restore_stream(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take the stream gate of a stored state; raises SnapshotUnreadable for what cannot be one."""
        self.stream.restore(arrays)
        self.gates.look_at_held_out()

    def _use(self, params: EngineParams) -> None:
        self.params = params
        self._idle_check_at = 0
        self.gates.use(params)
        self._weigh_claims()

    def _weigh_claims(self) -> None:
        told = [life.id for life in self.lives.values() if life.state in ANNOUNCED]
        self.gates.weigh_claims(facts.inside(self, cluster) for cluster in told)

    # The stream gate's fits

    @property
    def is_fit_due(self) -> bool:
        """Whether the stream gate is to be fitted anew."""
        return self.gates.has_stream and self.stream.is_due

    def fit_job(self) -> FitJob:
        """What to fit now: copies, to be worked on beside the stream. See `StreamGate.solve`."""
        db = self.clusterer
        is_ours = self.params.backend == "firstseen"  # river's clusters can neither be joined nor given items
        return self.stream.job(
            {
                birth: life.id
                for life in self.lives.values()
                if is_ours and life.state in ANNOUNCED
                for birth in db.births(db.rows_of(life.id)).tolist()
            }
        )

    def refit(self, fit: StreamFit) -> StepResult:
        """Decide by another fit from the next item on. It is an entry of the log, and takes a place in the stream.

        Memberships of clusters that merged or went since the fit was begun are sorted out here, and only here: between
        two fits what the gates say of an item depends on nothing that happens, and so on no batch. Until the next fit
        a claim for a cluster that has ended is one for its heir, or for none (`_place`).

        Returns:
            No verdicts; events, where clusters turned out to be one.

        Raises:
            Misfit: It is a fit of another stream gate; nothing was changed.
        """
        if not self.gates.has_stream:
            raise Misfit("there is a fit, and no stream gate.")
        self.stream.check(fit)
        events = [*joining.join(self, fit), *joining.part(self, fit)]
        self.stream.use(fit, self.goes_by)
        self.gates.look_at_held_out()
        self._weigh_claims()
        self.seq += 1
        return StepResult(verdicts=(), events=tuple(events))

    # What people decide

    @property
    def decisions(self) -> tuple[Decided, ...]:
        """What people decided, oldest first, as far as it is remembered (audit.py)."""
        return tuple(self.audit.decided.values())

    def curate(self, decision: Decision) -> StepResult:
        """Carry out a decision, from the next item on: `carry_out(prepared(decision))`. It takes a place in the stream.

        Raises:
            DecisionRefused: It cannot be carried out (UnknownCluster, UnknownDecision, CannotDecide, InvalidDecision);
                nothing was changed.
        """
        return self.carry_out(self.prepared(decision))

    def prepared(self, decision: Decision) -> Curation:
        """What carries a decision out, an entry of the log; changes nothing, and raises as `curate`."""
        return curation.prepared(self, decision)

    def carry_out(self, prepared: Curation) -> StepResult:
        """Carry out what was prepared, live or from the log; raises as `curate`."""
        events = tuple(curation.carried_out(self, prepared))
        self._idle_check_at = 0
        self._weigh_claims()
        self.seq += 1
        return StepResult(verdicts=(), events=events)

    def splits(self, cluster: int) -> SplitPreview:
        """What a cluster could be split into; changes nothing. Raises UnknownCluster or CannotDecide."""
        return splitting.preview(self, cluster)

    def class_of(self, label: str) -> int:
        """The place of a class among `labels`, where it gets one if it has none."""
        if label not in self.labels:
            self.labels = (*self.labels, label)
            self.known_counts = np.append(self.known_counts, 0)
        return self.labels.index(label)

    # The step

    def step(self, z: Float32s, ids: tuple[str, ...], t: Float64s) -> StepResult:
        """Decide and learn a batch: `apply(decide(...))`."""
        return self.apply(self.decide(z, ids, t))

    def decide(self, z: Float32s, ids: tuple[str, ...], t: Float64s) -> Observed:
        """What the gates say of a batch; changes nothing.

        Args:
            z: float32 (B, D) embeddings, finite.
            ids: B ids.
            t: float64 (B,) seconds since 1970 (UTC).
        """
        assert z.shape == (len(ids), self.gate.dim), z.shape
        assert np.isfinite(z).all(), "embeddings must be finite"
        return self.gates.decide(z, ids, t, first_seq=self.seq)

    def apply(self, batch: Observed) -> StepResult:
        """Learn a batch that the gates have seen, live or from the log.

        Raises:
            Misfit: These gates cannot have seen it; nothing was changed.
        """
        said, named, events = self._learn(batch)
        return StepResult(verdicts=verdicts_of(batch, said, self.labels, named=named), events=tuple(events))

    def relearn(self, batch: Observed) -> Int64s:
        """`apply` for a replay: int64 (B,) the cluster each item got, NO_CLUSTER for none; raises as that."""
        return np.array([cluster for _, cluster, _ in self._learn(batch)[0]], dtype=np.int64)

    def _learn(self, batch: Observed) -> tuple[list[Said], dict[int, int], list[ClusterEvent]]:
        """Item by item; those in a row that do not go to the clusterer, and change no more than counts, at once."""
        assert batch.first_seq == self.seq
        width = self.stream.dim if self.gates.has_stream else 0
        rate = self.params.known_error_rate
        own = self.gates.promoted.classes
        check_observed(batch, D=self.gate.dim, K=self.bundle_classes, F=width, rate=rate, promoted=own)
        births = np.zeros(len(batch), dtype=np.int64)
        t, core, claimed = batch.t.tolist(), batch.core.tolist(), batch.claimed.tolist()
        novelty, accepted, taken = batch.novelty.tolist(), batch.accepted.tolist(), batch.taken.tolist()
        others = (batch.accepted & (batch.taken == NO_CLUSTER))[batch.fed]
        zs = [None if known else z for z, known in zip(batch.z_fed, others, strict=True)]
        fed_at = zip(self.space.project(batch.z_fed), zs, strict=True)
        said, named, events, at = list[Said](), dict[int, int](), list[ClusterEvent](), 0
        for fed in [*np.flatnonzero(batch.fed).tolist(), len(batch)]:
            while at < fed:
                stop = min(fed, at + self._items_until_a_look())
                said += self.gates.passed(novelty[at:stop], accepted[at:stop])
                self.cores.count(core[at:stop])
                self._moved_on(stop - at, t[stop - 1], events)
                at = stop
            if at < len(batch):
                self.cores.count(core[at : at + 1])
                x, z = next(fed_at)
                cluster, births[at] = self._place(x, z, batch.ids[at], t[at], claimed[at], taken[at], events)
                one, label = said_of(self, cluster, taken[at], novelty[at], accepted=accepted[at])
                said.append(one)
                if label is not None:
                    named[at] = label
                self._moved_on(1, t[at], events)
                at += 1
        tally(batch, said, self.verdict_counts, self.known_counts, self.chronicle, named)
        if self.gates.has_stream:
            self.stream.observe(batch.features, batch.core, births)
        return said, named, events

    def _items_until_a_look(self) -> int:
        """Items from now, at least 1, of which no earlier one than the last makes `_moved_on` look at clusters."""
        return max(1, min(_WEIGH_EVERY - self.seq % _WEIGH_EVERY, self._idle_check_at - self.seq))

    def _moved_on(self, items: int, t: float, events: list[ClusterEvent]) -> None:
        """So many more items have gone by, the last one at t; look at the clusters if it is time for that."""
        self.seq += items
        if self.seq % _WEIGH_EVERY == 0:
            self._weigh_claims()
        if self.seq >= self._idle_check_at:
            self._check_idle(t, events)

    def _place(
        self,
        x: Float64s,
        z: Float32s | None,
        id: str,
        t: float,
        claimed: int,
        taken: int,
        events: list[ClusterEvent],
    ) -> tuple[int, int]:
        """One fed item: its announced cluster or NO_CLUSTER; then learn it. z: None where a known class took it.

        The ball it lies in has the first word, a cluster that claims it from afar the second. Whichever cluster's item
        it is said to be, that cluster has had an item. One that a class of people's took whose cluster is gone is not
        learnt: the class needs no cluster.

        Returns:
            The cluster, and the birth of the micro-cluster it went to.
        """
        db = self.clusterer
        self.catch_up(t, id, events)
        if taken != NO_CLUSTER and self.goes_by(taken) == NO_CLUSTER:
            return NO_CLUSTER, 0
        run = db.learn(x[None], None, 0, self._learnt)
        home, birth, row, _ = self._learnt[:, 0].tolist()
        verdict = home_of(self, home, claimed, taken)
        # What one claims, or a class took, is no evidence for another.
        if home != NO_CLUSTER and self.goes_by(claimed) == NO_CLUSTER and taken == NO_CLUSTER:
            count_item(self.lives[home], x, self.seq)
        for cluster in {home, verdict} - {NO_CLUSTER}:
            life = self.lives[cluster]
            life.last_seq, life.last_t = self.seq, t
            life.exemplars = [*life.exemplars, id][-self.params.exemplars :]
        self._account(run.removed)
        if db.is_stale:
            self._regroup(t, id, row, events)
        elif run.removed:
            self._advance_all(t, events)
        if z is not None:
            kinship.join(self.lives, db.cluster_of(row), verdict, member_of(id, self.seq, t, birth, z))
        for cluster in dict.fromkeys((db.cluster_of(row), verdict)):
            left = self.lives.get(cluster)
            if left is not None:  # it may have gone since, and its micro-clusters with it
                self._escalate(left, t, events)
                self._advance(left, t, events, had_item=True)
        return verdict, birth

    def _escalate(self, life: Life, t: float, events: list[ClusterEvent]) -> None:
        """A dismissed cluster has had an item: is it to be heard of again?"""
        dismissed = life.dismissed
        if dismissed is not None and dismissed.is_over(life.arrivals, self.seq + 1, t, since=life.born_seq):
            life.dismissed = None
            events.append(self.event(EventKind.ESCALATED, life, t))

    def _account(self, removed: Iterable[tuple[int, int]]) -> None:
        """Items of micro-clusters that left still count for their cluster."""
        for cluster, items in removed:
            if cluster != NO_CLUSTER:
                self.lives[cluster].residual += items

    def announced(self, cluster: int) -> int:
        """The cluster itself if people know it, else the one it is splitting from, else none."""
        return elder(self.lives, cluster)

    def goes_by(self, cluster: int) -> int:
        """The announced cluster that one goes by now, itself mostly; NO_CLUSTER where nothing is left of it."""
        return self.announced(heir(self.lives, cluster))

    # Lineage and life cycle

    def catch_up(self, t: float, id: str, events: list[ClusterEvent]) -> None:
        """Regroup for what happened since the last item: other parameters, or clusters that went."""
        while self.clusterer.is_stale:
            self._regroup(t, id, None, events)

    def _regroup(self, t: float, id: str, row: int | None, events: list[ClusterEvent]) -> None:
        """Clusters joined or parted as item `id` went to the micro-cluster at `row`: carry the ids over."""
        db = self.clusterer
        shown = {c for c, life in self.lives.items() if life.state in SHOWN}
        united = [c for c in shown if self.lives[c].is_united]
        # Where a fit can tell that two are one, a chain does not.
        apart = shown if self.gates.has_stream and len(shown) > 1 else set[int]()
        pairs = kinship.apart_pairs(self.lives, shown)
        found = db.regroup(self.next_cluster_id, shown, united, apart, pairs)
        self.next_cluster_id = found.next_id
        own = NO_CLUSTER if row is None else db.cluster_of(row)
        for cluster, parent in [*((c, None) for c in found.born), *found.split]:
            self.born(cluster, t, parent, exemplars=[id] if cluster == own else [])
        for cluster, into in found.merged:
            self.merge(self.lives[cluster], self.lives[into], t, events)
        if found.born or found.split or found.merged:  # else it was looked at in vain, which must not show
            self._advance_all(t, events)

    def born(self, cluster: int, t: float, parent: int | None, *, exemplars: list[str]) -> Life:
        """A cluster begins, from nothing or as a part of another."""
        self.candidates_tested += 1
        self._idle_check_at = 0
        life = self.lives[cluster] = Life(
            id=cluster,
            ordinal=self.candidates_tested,
            born_seq=self.seq,
            first_t=t,
            last_seq=self.seq,
            last_t=t,
            parent_id=parent,
            usual=self.cores.usual(),
            cores=list(self.cores.counts),
            exemplars=exemplars,
        )
        if parent is not None:
            own = self.clusterer.births(self.clusterer.rows_of(cluster))
            life.members.take_in(self.lives[parent].members.part(own.tolist()))
        return life

    def _advance_all(self, t: float, events: list[ClusterEvent]) -> None:
        for life in list(self.lives.values()):
            if life.state is not ClusterState.GONE:
                self._advance(life, t, events)

    def merge(self, life: Life, into: Life, t: float, events: list[ClusterEvent]) -> None:
        """A cluster ends in another, which has its micro-clusters already."""
        was_shown = life.state in SHOWN
        absorb(self.lives, life, into, exemplars=self.params.exemplars)
        if was_shown:
            events.append(self.event(EventKind.MERGED, life, t, into.id))
        if life.emerged_seq is None and life.id not in self.audit.concerned:  # no verdict has its id
            del self.lives[life.id]
        else:
            forget_oldest(self.lives, self.audit.concerned)

    def _advance(self, life: Life, t: float, events: list[ClusterEvent], *, had_item: bool = False) -> None:
        """Move a cluster along its life cycle as far as it goes now.

        Whether it is proven, and whether it is new, is asked when it `had_item`: nothing else speaks for it.
        """
        while True:
            if life.state is ClusterState.CANDIDATE:
                begin_anew(life.starts, self.seq)
                if had_item or not life.p0:
                    life.p0 = max(life.p0, rounded(facts.p0_of(self, life)))
            arrow = next_transition(life.state, facts.facts(self, life, had_item=had_item), self.params)
            if arrow is None:
                return
            evidence = facts.evidence(self, life)
            life.state = arrow.target
            kind, other = arrow.event, None
            if kind is EventKind.EMERGED:
                life.emerged_seq, life.items_to_emerge = self.seq, self.items(life)
                life.variant_of, life.missing = None, None
                self._idle_check_at = 0
                other = self.announced(life.parent_id or NO_CLUSTER) or None
                if other is not None:  # from what people know, or else it comes from nothing
                    kind = EventKind.SPLIT
            if life.state is ClusterState.VARIANT:
                judgement = facts.judgement(self, life)
                life.variant_of, life.missing = judgement.drifted, judgement.missing
            if life.starts:  # it was a candidate until now
                life.evidence, life.starts = evidence, []
                life.moments, life.shape, life.repeats = [], Shape(), 0
            if life.state not in JUDGED:
                life.usual, life.cores = [], []
            if kind is not None:
                events.append(self.event(kind, life, t, other))
            if life.state is ClusterState.GONE:
                life.residual, life.members = self.items(life), Members()
                self.clusterer.drop(life.id)
                if life.emerged_seq is None and life.id not in self.audit.concerned:
                    forget(self.lives, life.id)
                else:
                    forget_oldest(self.lives, self.audit.concerned)
                return

    def _check_idle(self, t: float, events: list[ClusterEvent]) -> None:
        """Let clusters without items fade and go; sets when to look next."""
        self._advance_all(t, events)
        latest = [life.last_seq for life in self.lives.values() if life.state is not ClusterState.GONE]
        self._idle_check_at = self.seq + items_until_any_change(self.seq, latest, self.params)

    def items(self, life: Life) -> int:
        """Items that a cluster holds."""
        return items_of(life, self.clusterer)

    def event(self, kind: EventKind, life: Life, t: float, other: int | None = None) -> ClusterEvent:
        """Something happened to a cluster, as it is now."""
        event = ClusterEvent(kind=kind, seq=self.seq, t=t, cluster=self._view(life), other_id=other)
        return self.chronicle.told(event)

    # Views

    def clusters(self) -> tuple[Cluster, ...]:
        """All clusters it remembers, candidates and gone ones included, by id."""
        return tuple(self._view(life) for life in self.lives.values())

    def _view(self, life: Life) -> Cluster:
        return view_of(
            life,
            self.clusterer,
            prototypes=self.prototypes,
            labels=self.labels,
            evidence=life.evidence or facts.evidence(self, life),
        )
