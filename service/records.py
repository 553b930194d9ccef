"""The nouns of firstseen: who knows this file can guess the rest.

    Item      what a client sent, decoded and validated, waiting for its verdict
    Verdict   what firstseen answered, for ever: a known class, a cluster, or an outlier
    Cluster   what an operator sees of a cluster that the stream has formed
    Observed  one batch as the log keeps it: everything the engine needs to make the same step again

All are frozen values. Arrays say their shape; letters are the same everywhere in the sources:
B batch, D embedding dimension, C cluster-space dimension, K known classes, M micro-clusters,
U items of a batch that the known gate did not accept.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from model.inputs import Payload

Float32s = NDArray[np.float32]
Float64s = NDArray[np.float64]
Int64s = NDArray[np.int64]
Int32s = NDArray[np.int32]
Float16s = NDArray[np.float16]
UInt8s = NDArray[np.uint8]
Bools = NDArray[np.bool_]

NO_CLUSTER = 0
"""The cluster id that no cluster has: ids start at 1 and only grow."""

AUTO_ID_PREFIX = "~"
"""Ids that firstseen gives to items sent without one start with this; a client's id may not."""


class VerdictKind(StrEnum):
    """The three honest outcomes."""

    KNOWN = "known"
    CLUSTER = "cluster"
    OUTLIER = "outlier"


class ClusterState(StrEnum):
    """Where a cluster stands in its life; `service.clustering.lifecycle` holds the transitions."""

    CANDIDATE = "candidate"
    VARIANT = "variant"
    EMERGING = "emerging"
    ESTABLISHED = "established"
    FADING = "fading"
    GONE = "gone"


ANNOUNCED = frozenset({ClusterState.EMERGING, ClusterState.ESTABLISHED, ClusterState.FADING})
"""The states in which an item can get a cluster as its verdict."""

SHOWN = ANNOUNCED | {ClusterState.VARIANT}
"""The states in which people are shown a cluster unasked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One item on its way in.

    `x` is decoded: float32 of the bundle's input shape, scaled, or a text. `id` is None when the client gave
    none.
    """

    id: str | None
    x: Payload


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The answer for one item. The verdict of an id never changes.

    Attributes:
        id: The client's id, or one made from `seq` when it sent none.
        seq: The item's place in the stream. It only grows; a change of settings takes a place as well, the
            first of every stream.
        verdict: Known class, announced cluster, or outlier (none of these).
        label: The class when `verdict` is known, else None. It is `nearest`, but for an item of a cluster that a
            person made part of a class.
        cluster_id: The cluster when `verdict` is cluster, else None.
        novelty: 1 - p, p the share of known items that are as strange: in [0, 1), high is new.
        nearest: The known class nearest to the item, whatever the verdict.
        distance: Mahalanobis distance to the prototype of `nearest`, in standard deviations.
    """

    id: str
    seq: int
    verdict: VerdictKind
    label: str | None
    cluster_id: int | None
    novelty: float
    nearest: str
    distance: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """Why a cluster was announced (see `service.clustering.evidence`). Lengths are in cluster space, where the median
    known class has an RMS radius of 1.

    Attributes:
        trials: Stream items since the start of its sequential test that says most (see `service.clustering.emergence`).
        hits: How many of them fell into it.
        repeats: Items since its birth that were the same over again, and are not among the hits.
        p0: Upper bound on the rate at which items of known classes would.
        log10_e: log10 of the e-value of all starts together, weighted: it does not follow from trials and hits alone.
        log10_threshold: log10 of what it had to reach.
        unexplained: Share of the recent stream that no mix of known classes explains; None where no fit tells.
        cohesion: RMS distance of its hits from their mean; None for fewer than two.
        usual_cohesion: The least and the largest of the known classes.
        separation: Distance of that mean to the nearest known prototype.
        usual_separation: The least and the largest between a known class and the nearest other.
    """

    trials: int
    hits: int
    repeats: int
    p0: float
    log10_e: float
    log10_threshold: float
    unexplained: float | None
    cohesion: float | None
    usual_cohesion: tuple[float, float] | None
    separation: float | None
    usual_separation: tuple[float, float] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Missing:
    """Why a cluster is a drift of a known class: items in that class's core since the cluster came.

    Attributes:
        expected: How many there would have been, had it fared as the other classes.
        seen: How many there were.
    """

    expected: float
    seen: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """What an operator sees of a cluster.

    Attributes:
        id: Permanent; never given to another cluster.
        state: Where it stands in its life.
        name: What a person called it, or None.
        label: The known class that it is part of since a person promoted or linked it, or None.
        dismissed: Whether a person does not want to hear of it.
        items: Items it holds, those before it was announced included.
        items_to_emerge: Items it held when it was announced, or None if it has not been.
        weight: The same, faded: what DBSTREAM decides with.
        micro_clusters: How many strong micro-clusters it has now.
        born_seq, emerged_seq, last_seq: Places in the stream: candidate, announced, latest item.
        first_t, last_t: Times of its first candidate moment and latest item, seconds since 1970 (UTC).
        nearest: The known class nearest to its centre.
        nearest_distance: Distance of the two centres in cluster space, where known classes have radius 1.
        exemplars: Ids of its latest items, newest last.
        parent_id: The cluster it split from, or None.
        merged_into: The cluster that took it in, or None.
        variant_of: The known class that it is a drift of (see `service.clustering.variants`), or None.
        missing: How that was seen, or None.
        evidence: As of its announcement; for a candidate, as of now.
    """

    id: int
    state: ClusterState
    name: str | None
    label: str | None
    dismissed: bool
    items: int
    items_to_emerge: int | None
    weight: float
    micro_clusters: int
    born_seq: int
    emerged_seq: int | None
    last_seq: int
    first_t: float
    last_t: float
    nearest: str | None
    nearest_distance: float | None
    exemplars: tuple[str, ...]
    parent_id: int | None
    merged_into: int | None
    variant_of: str | None
    missing: Missing | None
    evidence: Evidence


@dataclass(frozen=True, kw_only=True, slots=True)
class Observed:
    """One batch after the known gate, before the clusterer: what a replay needs, and all it needs.

    Attributes:
        first_seq: Place of the first item in the stream.
        ids: (B,) the items' ids.
        t: float64 (B,) seconds since 1970 (UTC).
        nearest: int64 (B,) index of the nearest known class; where a class of people's took the item, of that.
        accepted: bool (B,) whether the gates took the item for one of that class.
        fed: bool (B,) whether the item goes to the clusterer: all that is not accepted, and what is by a hair
            (`EngineParams.feeding_rate`).
        core: int32 (B,) class in whose core the item lies, -1 for none (see `service.clustering.stream_gate`).
        claimed: int64 (B,) cluster that claims an item not accepted, NO_CLUSTER for none; announced when that was
            fitted, and it may have ended since.
        taken: int64 (B,) cluster that people made part of a class and that took the item for it (promoted.py),
            NO_CLUSTER for none.
        novelty: float64 (B,) 1 - p.
        distance: float64 (B,) Mahalanobis distance to the nearest class.
        features: float16 (B, F) what the stream gate keeps of every item; F = 0 where there is none.
        z_fed: float32 (U, D) embeddings of the items fed, in order.
    """

    first_seq: int
    ids: tuple[str, ...]
    t: Float64s
    nearest: Int64s
    accepted: Bools
    fed: Bools
    core: Int32s
    claimed: Int64s
    taken: Int64s
    novelty: Float64s
    distance: Float64s
    features: Float16s
    z_fed: Float32s

    def __len__(self) -> int:
        return len(self.ids)


def auto_id(seq: int) -> str:
    """The id of an item that was sent without one."""
    return f"{AUTO_ID_PREFIX}{seq}"
