"""What an entry of the log and a stored verdict look like as bytes. MessagePack, no pickle.

An entry is one of

    items      a batch after the gates (`Observed`), and the cluster each item got. Features of every item, for the
               stream gate's window; embeddings only of those that reached the clusterer. A replay needs no more.
    configure  the engine's parameters from here on. The first entry of every stream is one.
    refit      a fit of the stream gate, used from here on (`StreamFit`).

Columns are raw little-endian arrays. An item of a known class costs some 50 bytes, its id, and two bytes a feature.
A stored verdict is a MessagePack array [seq, kind, nearest, cluster, novelty, distance], floats in full, so that a
repeated id gets exactly the answer it got before.
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec
import numpy as np

from service.clustering.params import EngineParams
from service.clustering.stream_gate import StreamFit
from service.records import NO_CLUSTER, Int64s, Observed, Verdict, VerdictKind

_KINDS = (VerdictKind.KNOWN, VerdictKind.CLUSTER, VerdictKind.OUTLIER)


class _Items(msgspec.Struct, tag="items", tag_field="entry", forbid_unknown_fields=True):
    ids: tuple[str, ...]
    t: bytes
    nearest: bytes
    accepted: bytes
    fed: bytes
    core: bytes
    claimed: bytes
    novelty: bytes
    distance: bytes
    features: bytes
    width: int
    z_fed: bytes
    dim: int
    clusters: bytes


class _Refit(msgspec.Struct, tag="refit", tag_field="entry", forbid_unknown_fields=True):
    weights: bytes
    shares: bytes
    members: bytes
    clusters: bytes
    joins: bytes
    partings: bytes


class _Configure(msgspec.Struct, tag="configure", tag_field="entry", forbid_unknown_fields=True):
    params: EngineParams


_Natural = Annotated[int, msgspec.Meta(ge=0)]


class _Stored(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    seq: _Natural
    kind: _Natural
    nearest: _Natural
    cluster: _Natural
    novelty: float
    distance: float


class EntryUnreadable(ValueError):
    """An entry of the log, or a stored verdict, that this version of firstseen cannot read."""


def pack_items(batch: Observed, verdicts: Sequence[Verdict]) -> bytes:
    """An `items` entry."""
    clusters = np.array([v.cluster_id or NO_CLUSTER for v in verdicts], dtype="<i8")
    return msgspec.msgpack.encode(
        _Items(
            ids=batch.ids,
            t=batch.t.astype("<f8").tobytes(),
            nearest=batch.nearest.astype("<i4").tobytes(),
            accepted=np.packbits(batch.accepted).tobytes(),
            fed=np.packbits(batch.fed).tobytes(),
            core=batch.core.astype("<i4").tobytes(),
            claimed=batch.claimed.astype("<i8").tobytes(),
            novelty=batch.novelty.astype("<f8").tobytes(),
            distance=batch.distance.astype("<f8").tobytes(),
            features=batch.features.astype("<f2").tobytes(),
            width=batch.features.shape[1],
            z_fed=batch.z_fed.astype("<f4").tobytes(),
            dim=batch.z_fed.shape[1],
            clusters=clusters.tobytes(),
        )
    )


def pack_configure(params: EngineParams) -> bytes:
    """A `configure` entry."""
    return msgspec.msgpack.encode(_Configure(params=params))


def pack_refit(fit: StreamFit) -> bytes:
    """A `refit` entry."""
    return msgspec.msgpack.encode(
        _Refit(
            weights=fit.weights.astype("<f4").tobytes(),
            shares=fit.shares.astype("<f4").tobytes(),
            members=fit.members.astype("<f4").tobytes(),
            clusters=fit.clusters.astype("<i8").tobytes(),
            joins=fit.joins.astype("<i8").tobytes(),
            partings=fit.partings.astype("<i8").tobytes(),
        )
    )


def _unpack_refit(entry: _Refit) -> StreamFit:
    weights = np.frombuffer(entry.weights, dtype="<f4")
    return StreamFit(
        weights=weights,
        shares=np.frombuffer(entry.shares, dtype="<f4"),
        members=np.frombuffer(entry.members, dtype="<f4").reshape(-1, 2 * len(weights)),
        clusters=np.frombuffer(entry.clusters, dtype="<i8"),
        joins=np.frombuffer(entry.joins, dtype="<i8").reshape(-1, 2),
        partings=np.frombuffer(entry.partings, dtype="<i8").reshape(-1, 2),
    )


def _unpack_items(entry: _Items, first_seq: int) -> tuple[Observed, Int64s]:
    B = len(entry.ids)
    accepted, fed = (
        np.unpackbits(np.frombuffer(bits, dtype=np.uint8), count=B).astype(np.bool_)
        for bits in (entry.accepted, entry.fed)
    )
    batch = Observed(
        first_seq=first_seq,
        ids=entry.ids,
        t=np.frombuffer(entry.t, dtype="<f8").reshape(B),
        nearest=np.frombuffer(entry.nearest, dtype="<i4").reshape(B).astype(np.int64),
        accepted=accepted,
        fed=fed,
        core=np.frombuffer(entry.core, dtype="<i4").reshape(B),
        claimed=np.frombuffer(entry.claimed, dtype="<i8").reshape(B),
        novelty=np.frombuffer(entry.novelty, dtype="<f8").reshape(B),
        distance=np.frombuffer(entry.distance, dtype="<f8").reshape(B),
        features=np.frombuffer(entry.features, dtype="<f2").reshape(B, entry.width),
        z_fed=np.frombuffer(entry.z_fed, dtype="<f4").reshape(int(fed.sum()), entry.dim),
    )
    return batch, np.frombuffer(entry.clusters, dtype="<i8").reshape(B)


def unpack_entry(payload: bytes, *, first_seq: int) -> tuple[Observed, Int64s] | EngineParams | StreamFit:
    """An entry: a batch with the cluster each item got (int64 (B,), NO_CLUSTER for none), parameters, or a fit.

    Raises:
        EntryUnreadable: Not an entry of this version.
    """
    try:
        entry = msgspec.msgpack.decode(payload, type=_Items | _Configure | _Refit)
        if isinstance(entry, _Refit):
            return _unpack_refit(entry)
        if isinstance(entry, _Configure):
            return entry.params
        return _unpack_items(entry, first_seq)
    except (msgspec.DecodeError, ValueError) as error:
        raise EntryUnreadable(
            f"The log entry at seq {first_seq} cannot be read ({error}). It was written by another version of "
            "firstseen, or is damaged."
        ) from None


def pack_verdict(verdict: Verdict, labels: Sequence[str]) -> bytes:
    """A verdict for the store."""
    return msgspec.msgpack.encode(
        _Stored(
            seq=verdict.seq,
            kind=_KINDS.index(verdict.verdict),
            nearest=labels.index(verdict.nearest),
            cluster=verdict.cluster_id or NO_CLUSTER,
            novelty=verdict.novelty,
            distance=verdict.distance,
        )
    )


def unpack_verdict(data: bytes, *, id: str, labels: Sequence[str]) -> Verdict:
    """The verdict that `pack_verdict` was given.

    Raises:
        EntryUnreadable: Not a verdict of this version.
    """
    try:
        stored = msgspec.msgpack.decode(data, type=_Stored)
        kind, nearest = _KINDS[stored.kind], labels[stored.nearest]
    except (msgspec.DecodeError, IndexError) as error:
        raise EntryUnreadable(f"The stored verdict of id {id!r} cannot be read ({error}).") from None
    return Verdict(
        id=id,
        seq=stored.seq,
        verdict=kind,
        label=nearest if kind is VerdictKind.KNOWN else None,
        cluster_id=stored.cluster or None,
        novelty=stored.novelty,
        nearest=nearest,
        distance=stored.distance,
    )


def seq_of_verdict(data: bytes) -> int | None:
    """The place of the item that a stored verdict is of; None where it is not a verdict of this version."""
    try:
        return msgspec.msgpack.decode(data, type=_Stored).seq
    except msgspec.DecodeError:
        return None
