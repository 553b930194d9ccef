"""The engine's state as one versioned blob (see blob.py), and back, exact to the bit.

The arrays are the clusterer's, the stream gate's (stream_gate/stored.py), the chronicle's and `known_counts`; the
ledger holds the counters, the parameters and the cluster lives. A blob of another bundle is refused, too: coordinates
mean nothing in another space. And one that contradicts itself is refused before anything is made of it, for the
checksum tells damage alone (state_check.py for the clusterer's arrays; here what the ledger says of them, and of
itself).
"""

import hashlib
import itertools
import math
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from model.bundle import KnownArrays
from service.clustering.arrivals import MOST_SPANS, SPAN
from service.clustering.audit import MOST_DECISIONS, MOST_UNDOABLE, Found
from service.clustering.blob import SnapshotUnreadable, pack, unpack
from service.clustering.chronicle import Mark
from service.clustering.emergence import MOST_STARTS
from service.clustering.engine import Engine
from service.clustering.kinship import Life
from service.clustering.lifecycle import JUDGED
from service.clustering.members import NEWEST, SAMPLE, rank
from service.clustering.moments import MOST_MOMENTS
from service.clustering.params import EngineParams
from service.clustering.promoted import MOST_LABELS
from service.clustering.state_check import demand, within
from service.clustering.variants import Cores
from service.decisions import Decided
from service.records import NO_CLUSTER, ClusterState, VerdictKind

__all__ = ["SnapshotUnreadable", "digest", "dump", "load"]

MAGIC = b"FSST"
VERSION = 8

_HUGE = 2**62
"""No counter or cluster id comes near it."""

_FURTHEST = 1e100
"""Embeddings are float32, and their projections not much larger; beyond this, squares of distances overflow."""

_PREFIX = "clusterer."
_STREAM_PREFIX = "stream."
_PROMOTED_PREFIX = "promoted."
_CHRONICLE_PREFIX = "chronicle."


class _Ledger(msgspec.Struct, forbid_unknown_fields=True):
    labels: tuple[str, ...]
    space: str
    seq: int
    next_cluster_id: int
    candidates_tested: int
    idle_check_at: int
    verdict_counts: dict[str, int]
    params: EngineParams
    squeeze: float
    cores: Cores
    lives: list[Life]
    marks: list[Mark]
    promoted_labels: tuple[str, ...]
    decided: list[Decided]
    found: dict[int, Found]


def dump(engine: Engine) -> bytes:
    """The state as bytes; equal states give equal bytes."""
    ledger = _Ledger(
        labels=engine.labels[: engine.bundle_classes],
        space=_space_of(engine),
        seq=engine.seq,
        next_cluster_id=engine.next_cluster_id,
        candidates_tested=engine.candidates_tested,
        idle_check_at=engine._idle_check_at,  # noqa: SLF001 - the snapshot is the engine's other half
        verdict_counts={kind.value: n for kind, n in engine.verdict_counts.items()},
        params=engine.params,
        squeeze=engine.gates.squeeze,
        cores=engine.cores,
        lives=list(engine.lives.values()),
        marks=engine.chronicle.marks,
        promoted_labels=engine.labels[engine.bundle_classes :],
        decided=list(engine.audit.decided.values()),
        found=engine.audit.found,
    )
    arrays = {
        **{f"{_PREFIX}{name}": array for name, array in engine.clusterer.state().items()},
        **{f"{_STREAM_PREFIX}{name}": array for name, array in engine.stream.state().items()},
        **{f"{_CHRONICLE_PREFIX}{name}": array for name, array in engine.chronicle.state().items()},
        **{f"{_PROMOTED_PREFIX}{name}": array for name, array in engine.gates.promoted.state().items()},
        "known_counts": engine.known_counts,
    }
    return pack(MAGIC, VERSION, arrays, ledger)


def load(blob: bytes, known: KnownArrays, labels: tuple[str, ...]) -> Engine:
    """The engine that `dump` was given.

    Args:
        blob: What `dump` returned.
        known: Arrays of the same bundle.
        labels: Its class names.

    Raises:
        SnapshotUnreadable: The blob is damaged, of another version or of another bundle, or contradicts itself.
    """
    arrays, ledger = unpack(blob, MAGIC, VERSION, _Ledger)
    if ledger.labels != labels:
        raise SnapshotUnreadable(
            f"The stored state knows the classes {', '.join(ledger.labels)}; the bundle {', '.join(labels)}. "
            "Serve the bundle the state was made with."
        )
    space = _digest_of_space(known)
    if ledger.space != space:
        raise SnapshotUnreadable(
            "The stored state was made with another bundle: the classes have the same names, but what was learnt lies "
            "in another space. Serve the bundle the state was made with."
        )
    _check_ledger(ledger)
    demand("known_counts" in arrays, "no counts of the known classes")
    counts = arrays["known_counts"]
    stored, stream, promoted, history = (
        _of(prefix, arrays) for prefix in (_PREFIX, _STREAM_PREFIX, _PROMOTED_PREFIX, _CHRONICLE_PREFIX)
    )
    demand(
        len(stored) + len(stream) + len(promoted) + len(history) + 1 == len(arrays),
        f"the names of the arrays: {', '.join(sorted(arrays))}",
    )
    _check_known_counts(counts, ledger)
    engine = Engine(known, labels, ledger.params)
    engine._space_digest = space  # noqa: SLF001 - the snapshot is the engine's other half
    engine.restore_clusterer(stored)
    engine.restore_stream(stream)
    engine.chronicle.restore(history, ledger.marks, seq=ledger.seq)
    engine.labels = (*labels, *ledger.promoted_labels)
    engine.gates.promoted.restore(promoted, len(engine.labels))
    engine.audit.restore(ledger.decided, ledger.found)
    demand(
        ledger.params.gates != "items" or not (len(stream["cores"]) or "fit.weights" in stream),
        "a window or a fit where the stream gate is off",
    )
    _check_clusterer(stored, ledger)
    demand(
        float(np.abs(stored["centers"]).max(initial=0.0)) < _FURTHEST, "centres that no embedding can have"
    )
    engine.known_counts = counts.copy()
    engine.seq = ledger.seq
    engine.next_cluster_id = ledger.next_cluster_id
    engine.candidates_tested = ledger.candidates_tested
    engine._idle_check_at = ledger.idle_check_at  # noqa: SLF001 - the snapshot is the engine's other half
    engine.verdict_counts = {kind: ledger.verdict_counts[kind.value] for kind in engine.verdict_counts}
    engine.gates.squeeze = ledger.squeeze
    engine.cores = ledger.cores
    for life in ledger.lives:
        _check_points(life, engine.space.dim)
        _check_members(life, engine.gate.dim, ledger.seq)
        _check_arrivals(life, ledger.seq)
    engine.lives = {life.id: life for life in ledger.lives}
    return engine


def copy_of(engine: Engine) -> Engine:
    """Another engine in the same state, to try something on."""
    return load(dump(engine), engine._known, engine.labels[: engine.bundle_classes])  # noqa: SLF001 - the snapshot is the engine's other half


def _of(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _space_of(engine: Engine) -> str:
    """Taken once: it reads all held-out items, some ten megabytes."""
    if engine._space_digest is None:  # noqa: SLF001 - the snapshot is the engine's other half
        engine._space_digest = _digest_of_space(engine._known)  # noqa: SLF001
    return engine._space_digest  # noqa: SLF001


def _digest_of_space(known: KnownArrays) -> str:
    """SHA-256 of what gives a stored coordinate and a count its meaning: the cluster space and the known classes."""
    space = hashlib.sha256()
    for array in (
        known.cluster_mean,
        known.cluster_projection,
        known.prototypes,
        known.stream_mean,
        known.stream_projection,
        known.calibration_embeddings,
    ):
        space.update(f"{array.dtype.str}{array.shape}".encode())
        space.update(np.ascontiguousarray(array).tobytes())
    return space.hexdigest()


def _check_ledger(ledger: _Ledger) -> None:
    counts = ledger.verdict_counts
    demand(counts.keys() == {kind.value for kind in VerdictKind}, "the kinds of verdicts")
    demand(all(0 <= n < _HUGE for n in counts.values()), "the counts of verdicts")
    demand(sum(counts.values()) <= ledger.seq < _HUGE, "how many entries there were")
    demand(
        0 <= ledger.idle_check_at <= ledger.seq + ledger.params.gone_after_items,
        "when to look for idle clusters",
    )
    demand(0.0 < ledger.squeeze <= 1.0, "what is left of the operator's rate")
    demand(0 <= ledger.candidates_tested < _HUGE and 1 <= ledger.next_cluster_id < _HUGE, "the counters")
    _check_cores(ledger)
    lives = {life.id: life for life in ledger.lives}
    demand(len(lives) == len(ledger.lives), "a cluster that is there twice")
    demand(all(1 <= cluster < ledger.next_cluster_id for cluster in lives), "the ids of the clusters")
    for life in lives.values():
        _check_life(life, ledger)
    _check_ancestors({cluster: life.parent_id for cluster, life in lives.items()}, lives)
    # What took a cluster in may be forgotten by now.
    into = {cluster: life.merged_into for cluster, life in lives.items()}
    demand(
        all(other is None or 1 <= other < ledger.next_cluster_id for other in into.values()),
        "what clusters merged into",
    )
    _check_ancestors({cluster: other if other in lives else None for cluster, other in into.items()}, lives)
    _check_decisions(ledger, lives)


def _check_cores(ledger: _Ledger) -> None:
    what = "the counts of the known classes' cores"
    K, cores = len(ledger.labels), ledger.cores
    demand(1 <= len(cores.marks) <= 2, what)
    rising = [*cores.marks, cores.counts]
    demand(all(len(counts) == K + 1 and sum(counts[:-1]) <= counts[-1] for counts in rising), what)
    demand(all(0 <= n < _HUGE for counts in rising for n in counts), what)
    demand(
        all(a <= b for early, late in itertools.pairwise(rising) for a, b in zip(early, late, strict=True)),
        what,
    )
    demand(cores.counts[-1] == sum(ledger.verdict_counts.values()), what)


def _check_life(life: Life, ledger: _Ledger) -> None:
    what = f"what is told of cluster {life.id}"
    demand(1 <= life.ordinal <= ledger.candidates_tested, what)
    demand(0 <= life.born_seq <= life.last_seq <= ledger.seq, what)
    demand(0 <= life.residual < _HUGE and len(life.starts) <= MOST_STARTS, what)
    numbers, seqs = [start.number for start in life.starts], [start.seq for start in life.starts]
    demand(numbers == sorted(set(numbers)) and all(1 <= n < _HUGE for n in numbers), what)
    demand(seqs == sorted(set(seqs)) and all(life.born_seq <= seq <= ledger.seq for seq in seqs), what)
    demand(all(0 <= start.hits < _HUGE for start in life.starts), what)
    demand(0.0 < life.p0 <= 1.0, what)
    demand(math.isfinite(life.first_t) and math.isfinite(life.last_t), what)
    is_candidate = life.state is ClusterState.CANDIDATE
    demand((life.evidence is None) == is_candidate, what)
    demand((life.emerged_seq is None) == (life.items_to_emerge is None), what)
    may_be_unannounced = life.state in (ClusterState.VARIANT, ClusterState.GONE)
    demand(
        life.emerged_seq is None if is_candidate else may_be_unannounced or life.emerged_seq is not None, what
    )
    demand(is_candidate or not (life.starts or life.moments or life.shape.items or life.repeats), what)
    demand(0 <= life.repeats < _HUGE and len(life.moments) <= MOST_MOMENTS, what)
    demand(all(life.born_seq <= moment.seq <= ledger.seq for moment in life.moments), what)
    demand((life.missing is None) == (life.variant_of is None), what)
    demand(life.variant_of is not None or life.state is not ClusterState.VARIANT, what)
    demand(life.variant_of is None or life.state in (ClusterState.VARIANT, ClusterState.GONE), what)
    demand(life.variant_of is None or 0 <= life.variant_of < len(ledger.labels), what)
    for counts in (life.usual, life.cores):
        demand(not counts or (life.state in JUDGED and len(counts) == len(ledger.labels) + 1), what)
        demand(all(0 <= n < _HUGE for n in counts) and sum(counts[:-1]) <= sum(counts[-1:]), what)
    demand(all(now >= then for now, then in zip(ledger.cores.counts, life.cores, strict=False)), what)
    demand(life.merged_into is None or life.state is ClusterState.GONE, what)


def _check_decisions(ledger: _Ledger, lives: Mapping[int, Life]) -> None:
    what = "what people decided"
    known = {*ledger.labels, *ledger.promoted_labels}
    demand(len(known) == len(ledger.labels) + len(ledger.promoted_labels), "a class that is there twice")
    demand(len(ledger.promoted_labels) <= MOST_LABELS, "the classes that people made")
    for life in lives.values():
        demand(life.label is None or 0 <= life.label < len(known), f"the class of cluster {life.id}")
        apart = [lives.get(other) for other in life.apart]
        demand(life.apart == sorted(set(life.apart)), f"what stays apart from cluster {life.id}")
        demand(
            all(other and life.id in other.apart for other in apart),
            f"what stays apart from cluster {life.id}",
        )
        if (dismissed := life.dismissed) is not None:
            demand(0 <= dismissed.items < _HUGE and 1 <= dismissed.of < _HUGE, what)
    seqs = [one.seq for one in ledger.decided]
    demand(seqs == sorted(set(seqs)) and all(0 <= seq < ledger.seq for seq in seqs), what)
    demand(len(seqs) <= MOST_DECISIONS and len(ledger.found) <= MOST_UNDOABLE, what)
    demand(len({one.decision.key for one in ledger.decided}) == len(seqs), what)
    demand(list(ledger.found) == sorted(set(ledger.found) & set(seqs)), what)


def _check_arrivals(life: Life, seq: int) -> None:
    """They came in spans that there have been."""
    what, first, counts = f"the arrivals of cluster {life.id}", life.arrivals.first, life.arrivals.counts
    demand(len(counts) <= MOST_SPANS and all(0 <= n < _HUGE for n in counts), what)
    demand(first >= 0 and (not counts or first + len(counts) - 1 <= max(0, seq - 1) // SPAN), what)


def _check_points(life: Life, dim: int) -> None:
    """The places that a candidate remembers are places."""
    what, shape = f"where cluster {life.id} lies", life.shape
    demand(all(len(moment.x) == 4 * dim for moment in life.moments), what)
    demand(all(np.isfinite(np.frombuffer(moment.x, dtype="<f4")).all() for moment in life.moments), what)
    demand(0 <= shape.items < _HUGE and len(shape.total) == (dim if shape.items else 0), what)
    demand(all(abs(x) < _FURTHEST for x in shape.total) and 0.0 <= shape.squares < _FURTHEST, what)


def _check_members(life: Life, dim: int, seq: int) -> None:
    """They are in order, and each lies somewhere."""
    what, newest, sample = f"the members of cluster {life.id}", life.members.newest, life.members.sample
    demand(len(newest) <= NEWEST and len(sample) <= SAMPLE and 0 <= life.members.turn < _HUGE, what)
    demand(not sample or len(newest) == NEWEST, what)
    demand(not newest or life.state is not ClusterState.GONE, what)
    seqs = [member.seq for member in life.members]
    demand(seqs == sorted(set(seqs)) and all(0 <= at < seq for at in seqs), what)
    demand(list(map(rank, sample)) == sorted(map(rank, sample)), what)
    for member in (*newest, *sample):
        demand(1 <= member.birth < _HUGE and math.isfinite(member.t) and len(member.z) == 4 * dim, what)
        demand(bool(np.isfinite(np.frombuffer(member.z, dtype="<f4")).all()), what)


def _check_ancestors(above: Mapping[int, int | None], lives: Mapping[int, Life]) -> None:
    """Whoever goes from a cluster to the one above it, and so on, comes to an end."""
    ends: set[int] = set()
    for cluster in above:
        way: set[int] = set()
        at: int | None = cluster
        while at is not None and at not in ends:
            demand(at in lives and at not in way, f"what cluster {cluster} came from, or went into")
            way.add(at)
            at = above[at]
        ends |= way


def _check_known_counts(counts: NDArray[Any], ledger: _Ledger) -> None:
    demand(
        counts.dtype == np.dtype("<i8")
        and counts.shape == (len(ledger.labels) + len(ledger.promoted_labels),),
        "the counts of the known classes",
    )
    demand(within(counts, 0, _HUGE), "the counts of the known classes")
    demand(
        sum(counts.tolist()) == ledger.verdict_counts[VerdictKind.KNOWN.value],
        "the counts of the known classes and of the verdicts",
    )


def _check_clusterer(arrays: Mapping[str, NDArray[Any]], ledger: _Ledger) -> None:
    """Does the clusterer, which is sound by itself, fit the ledger?"""
    is_river = ledger.params.backend == "river"
    counts = ledger.verdict_counts
    now = arrays["counters" if is_river else "clock"][0]
    fewest = sum(counts.values()) - counts[VerdictKind.KNOWN.value]
    demand(fewest <= now <= sum(counts.values()), "how many items the clusterer has learnt")
    demand(
        is_river or (arrays["clock"][1] == 0 and arrays["counters"][2] == 0),
        "items that bring their own times",
    )
    alive = {life.id for life in ledger.lives if life.state is not ClusterState.GONE}
    # No more than that: other parameters may have let all micro-clusters of a cluster go, which then goes with the
    # next item.
    demand(
        set(arrays["clusters"].tolist()) - {NO_CLUSTER} <= alive,
        "micro-clusters of clusters that are not there",
    )


def digest(engine: Engine) -> str:
    """SHA-256 of the state: equal states have equal digests."""
    return hashlib.sha256(dump(engine)).hexdigest()
