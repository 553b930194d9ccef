"""What an entry of the log and a stored verdict look like as bytes. MessagePack, no pickle.

An entry is one of

    items      a batch after the gates (`Observed`), and the cluster each item got. Features of every item, for the
               stream gate's window; embeddings only of those that reached the clusterer. A replay needs no more.
    configure  the engine's parameters from here on. The first entry of every stream is one.
    refit      a fit of the stream gate, used from here on (`StreamFit`).
    curate     what a person decided about a cluster, and what was computed for that (`Curation`).

It is an array, its kind first. Columns of fractions are raw little-endian arrays; whole numbers, mostly small, are
MessagePack's own, a byte each; a time that all items share is there once. So an item of a known class costs some 22
bytes, its id, and two bytes a feature.
A stored verdict is a MessagePack array [seq, kind, nearest, cluster, novelty, distance], floats in full, so that a
repeated id gets exactly the answer it got before; and the class, where that is another than the nearest (an item of a
cluster that people made part of a class). Classes are places among the engine's labels, which only grow; or names,
where the stream was moved to a bundle that does not have them (moving.py).

A replay reads many entries at once (`unpack_entries`): what one batch says and what two say that follow each other is
the same to the engine, and columns are joined as bytes before they become arrays.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from service.clustering.curation import Curation
from service.clustering.dividing import Division
from service.clustering.params import EngineParams
from service.clustering.promoted import Prototype
from service.clustering.stream_gate import StreamFit
from service.decisions import Action, Decision
from service.records import NO_CLUSTER, Bools, Float64s, Int64s, Observed, Verdict, VerdictKind

MOST_JOINED = 4096
"""Items of one joined batch: bounds the memory of a replay. A batch that was larger in the log stays whole."""

_KINDS = (VerdictKind.KNOWN, VerdictKind.CLUSTER, VerdictKind.OUTLIER)

_Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class _Items(msgspec.Struct, tag="items", array_like=True, forbid_unknown_fields=True, gc=False):
    ids: list[str]
    t: float | bytes
    nearest: list[_Whole]
    accepted: bytes
    fed: bytes
    core: list[_Whole]
    claimed: list[_Whole]
    novelty: bytes
    distance: bytes
    features: bytes
    width: int
    z_fed: bytes
    dim: int
    clusters: list[_Whole]
    taken: list[_Whole] = []


class _Refit(msgspec.Struct, tag="refit", array_like=True, forbid_unknown_fields=True):
    weights: bytes
    shares: bytes
    members: bytes
    clusters: bytes
    joins: bytes
    partings: bytes


class _Configure(msgspec.Struct, tag="configure", array_like=True, forbid_unknown_fields=True):
    params: EngineParams


class _Division(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    parts: tuple[tuple[int, ...], ...]
    of: bytes
    centers: bytes
    counts: bytes
    members: bytes


class _Curate(msgspec.Struct, tag="curate", array_like=True, forbid_unknown_fields=True):
    decision: Decision
    prototype: tuple[bytes, bytes] | None
    births: tuple[int, ...]
    division: _Division | None = None


_Natural = Annotated[int, msgspec.Meta(ge=0)]


class _Stored(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    seq: _Natural
    kind: _Natural
    nearest: _Natural | str
    cluster: _Natural
    novelty: float
    distance: float
    label: _Natural | str | None = None


_decode = msgspec.msgpack.Decoder(_Items | _Configure | _Refit | _Curate).decode

Entry = tuple[Observed, Int64s] | EngineParams | StreamFit | Curation
"""A batch with the cluster each item got, parameters, a fit, or a decision.

Of clusters, int64 (B,): NO_CLUSTER for none; -1 - k for an item that its cluster alone made known, of class k.
"""


class EntryUnreadable(ValueError):
    """An entry of the log, or a stored verdict, that this version of firstseen cannot read."""


def pack_items(batch: Observed, verdicts: Sequence[Verdict], labels: Sequence[str] = ()) -> bytes:
    """An `items` entry; of the classes `labels` it says which an item is known as by its cluster alone."""
    t = batch.t.astype("<f8")
    is_shared = len(t) > 0 and t.tobytes() == t[:1].tobytes() * len(t)
    return msgspec.msgpack.encode(
        _Items(
            ids=list(batch.ids),
            t=float(t[0]) if is_shared else t.tobytes(),
            nearest=batch.nearest.tolist(),
            accepted=np.packbits(batch.accepted).tobytes(),
            fed=np.packbits(batch.fed).tobytes(),
            core=batch.core.tolist(),
            claimed=batch.claimed.tolist(),
            novelty=batch.novelty.astype("<f8").tobytes(),
            distance=batch.distance.astype("<f8").tobytes(),
            features=batch.features.astype("<f2").tobytes(),
            width=batch.features.shape[1],
            z_fed=batch.z_fed.astype("<f4").tobytes(),
            dim=batch.z_fed.shape[1],
            clusters=[v.cluster_id or NO_CLUSTER for v in verdicts]
            if not labels
            else _given(batch, verdicts, labels),
            taken=batch.taken.tolist() if batch.taken.any() else [],
        )
    )


def _given(batch: Observed, verdicts: Sequence[Verdict], labels: Sequence[str]) -> list[int]:
    return [
        -1 - labels.index(v.label)
        if v.label is not None and not (is_accepted and v.label == labels[nearest])
        else v.cluster_id or NO_CLUSTER
        for v, is_accepted, nearest in zip(
            verdicts, batch.accepted.tolist(), batch.nearest.tolist(), strict=True
        )
    ]


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


def pack_curate(curation: Curation) -> bytes:
    """A `curate` entry."""
    own = curation.prototype
    return msgspec.msgpack.encode(
        _Curate(
            decision=curation.decision,
            prototype=None
            if own is None
            else (own.members.astype("<f4").tobytes(), own.scores.astype("<f4").tobytes()),
            births=curation.births,
            division=None if curation.division is None else _packed(curation.division),
        )
    )


def _packed(made: Division) -> _Division:
    return _Division(
        parts=made.parts,
        of=made.of.astype("<i8").tobytes(),
        centers=made.centers.astype("<f8").tobytes(),
        counts=made.counts.astype("<i8").tobytes(),
        members=made.members.astype("<i8").tobytes(),
    )


def _division(packed: _Division) -> Division:
    of, centers = np.frombuffer(packed.of, dtype="<i8"), np.frombuffer(packed.centers, dtype="<f8")
    return Division(
        parts=packed.parts,
        of=of,
        centers=centers.reshape(len(of), -1) if len(of) else centers.reshape(0, 0),
        counts=np.frombuffer(packed.counts, dtype="<i8"),
        members=np.frombuffer(packed.members, dtype="<i8"),
    )


def _unpack_curate(entry: _Curate) -> Curation:
    prototype = None
    if entry.prototype is not None:
        members, scores = (np.frombuffer(part, dtype="<f4") for part in entry.prototype)
        prototype = Prototype(
            members=members.reshape(len(scores), -1) if len(scores) else members, scores=scores
        )
    if entry.decision.action is Action.SPLIT and entry.division is None:
        raise ValueError(
            "a split by micro-clusters, as none is made any more: serve the stream with the version that made it until "
            "that has written a snapshot, with firstseen state snapshot, and then with this one"
        )
    division = None if entry.division is None else _division(entry.division)
    return Curation(decision=entry.decision, prototype=prototype, births=entry.births, division=division)


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


def unpack_entry(payload: bytes, *, first_seq: int) -> Entry:
    """One entry.

    Raises:
        EntryUnreadable: Not an entry of this version.
    """
    return next(unpack_entries([(first_seq, payload)]))


def unpack_entries(entries: Iterable[tuple[int, bytes]]) -> Iterator[Entry]:
    """Entries in order, each (first seq, payload); batches that follow each other joined, up to MOST_JOINED items.

    Raises:
        EntryUnreadable: One is not an entry of this version; those before it may not have been given out.
    """
    parts: list[_Items] = []
    start = items = 0
    for first_seq, payload in entries:
        try:
            entry = _decode(payload)
            if isinstance(entry, _Items):
                _check_lengths(entry)
        except (msgspec.DecodeError, ValueError) as error:
            raise _unreadable(first_seq, error) from None
        goes_on = (
            isinstance(entry, _Items)
            and start + items == first_seq
            and items + len(entry.ids) <= MOST_JOINED
            and (entry.width, entry.dim) == (parts[0].width, parts[0].dim)
            if parts
            else False
        )
        if parts and not goes_on:
            yield _joined(parts, start)
            parts, items = [], 0
        if isinstance(entry, _Items):
            start = start if parts else first_seq
            parts.append(entry)
            items += len(entry.ids)
        elif isinstance(entry, _Configure):
            yield entry.params
        else:
            try:
                found = _unpack_refit(entry) if isinstance(entry, _Refit) else _unpack_curate(entry)
            except ValueError as error:
                raise _unreadable(first_seq, error) from None
            yield found
    if parts:
        yield _joined(parts, start)


def _unreadable(first_seq: int, error: Exception) -> EntryUnreadable:
    return EntryUnreadable(
        f"The log entry at seq {first_seq} cannot be read ({error}). It was written by another version of "
        "firstseen, or is damaged."
    )


def _check_lengths(entry: _Items) -> None:
    """Raises ValueError unless every column is of as many items as there are ids, and can be joined to others."""
    B = len(entry.ids)
    bits = -(-B // 8)
    fed = int.from_bytes(entry.fed, "big") >> (8 * bits - B)
    if not (
        (isinstance(entry.t, float) or len(entry.t) == 8 * B)
        and len(entry.nearest) == len(entry.core) == len(entry.claimed) == len(entry.clusters) == B
        and len(entry.taken) in (0, B)
        and len(entry.accepted) == len(entry.fed) == bits
        and len(entry.novelty) == len(entry.distance) == 8 * B
        and entry.width >= 0
        and len(entry.features) == 2 * B * entry.width
        and entry.dim >= 0
        and len(entry.z_fed) == 4 * fed.bit_count() * entry.dim
    ):
        raise ValueError(f"its columns are not those of {B} items")
    if not (_fits_int32(entry.nearest) and _fits_int32(entry.core)):
        raise ValueError("a class that cannot be")


def _fits_int32(column: list[int]) -> bool:
    return not column or (min(column) >= -(2**31) and max(column) < 2**31)


def _joined(parts: Sequence[_Items], first_seq: int) -> tuple[Observed, Int64s]:
    """Parts that follow each other, as one batch."""
    counts = [len(part.ids) for part in parts]
    B, width, dim = sum(counts), parts[0].width, parts[0].dim
    fed = _bits([part.fed for part in parts], counts)
    batch = Observed(
        first_seq=first_seq,
        ids=tuple(id for part in parts for id in part.ids),
        t=_times(parts, counts),
        nearest=_whole([part.nearest for part in parts]),
        accepted=_bits([part.accepted for part in parts], counts),
        fed=fed,
        core=_whole([part.core for part in parts]).astype(np.int32),
        claimed=_whole([part.claimed for part in parts]),
        taken=_whole([part.taken or [NO_CLUSTER] * len(part.ids) for part in parts]),
        novelty=np.frombuffer(b"".join([part.novelty for part in parts]), dtype="<f8"),
        distance=np.frombuffer(b"".join([part.distance for part in parts]), dtype="<f8"),
        features=np.frombuffer(b"".join([part.features for part in parts]), dtype="<f2").reshape(B, width),
        z_fed=np.frombuffer(b"".join([part.z_fed for part in parts]), dtype="<f4").reshape(
            int(fed.sum()), dim
        ),
    )
    return batch, _whole([part.clusters for part in parts])


def _times(parts: Sequence[_Items], counts: Sequence[int]) -> Float64s:
    shared = [part.t if isinstance(part.t, float) else None for part in parts]
    if None not in shared:
        return np.repeat(np.array(shared, dtype=np.float64), counts)
    each = [
        np.full(n, part.t) if isinstance(part.t, float) else np.frombuffer(part.t, dtype="<f8")
        for part, n in zip(parts, counts, strict=True)
    ]
    return np.concatenate(each)


def _whole(columns: Sequence[list[int]]) -> Int64s:
    return np.array([number for column in columns for number in column], dtype=np.int64)


def _bits(columns: Sequence[bytes], counts: Sequence[int]) -> Bools:
    """Bool (B,): each column is of so many bits, and ends with its byte."""
    if len(columns) == 1:
        return _unpacked(columns[0])[: counts[0]]
    n = np.array(counts)
    whole = -(-n // 8) * 8
    place = np.arange(int(whole.sum())) - np.repeat(np.cumsum(whole) - whole, whole)
    bits: Bools = _unpacked(b"".join(columns))[place < np.repeat(n, whole)]
    return bits


def _unpacked(packed: bytes) -> NDArray[np.bool_]:
    return np.unpackbits(np.frombuffer(packed, dtype=np.uint8)).astype(np.bool_)


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
            label=None if verdict.label in (None, verdict.nearest) else labels.index(verdict.label),
        )
    )


def unpack_verdict(data: bytes, *, id: str, labels: Sequence[str]) -> Verdict:
    """The verdict that `pack_verdict` was given.

    Raises:
        EntryUnreadable: Not a verdict of this version.
    """
    try:
        stored = msgspec.msgpack.decode(data, type=_Stored)
        kind = _KINDS[stored.kind]
        nearest = _named(stored.nearest, labels)
        label = nearest if stored.label is None else _named(stored.label, labels)
    except (msgspec.DecodeError, IndexError) as error:
        raise EntryUnreadable(f"The stored verdict of id {id!r} cannot be read ({error}).") from None
    return Verdict(
        id=id,
        seq=stored.seq,
        verdict=kind,
        label=label if kind is VerdictKind.KNOWN else None,
        cluster_id=stored.cluster or None,
        novelty=stored.novelty,
        nearest=nearest,
        distance=stored.distance,
    )


def _named(label: int | str, labels: Sequence[str]) -> str:
    return label if isinstance(label, str) else labels[label]


def repacked(data: bytes, numbers: Sequence[int | str]) -> bytes:
    """A stored verdict that says the same under other labels.

    Args:
        data: Of `pack_verdict`.
        numbers: For each label so far, its number among those to be, or its name where it has none.

    Raises:
        EntryUnreadable: Not a verdict of this version.
    """
    try:
        stored = msgspec.msgpack.decode(data, type=_Stored)
        if isinstance(stored.nearest, int):
            stored.nearest = numbers[stored.nearest]
        if isinstance(stored.label, int):
            stored.label = numbers[stored.label]
    except (msgspec.DecodeError, IndexError) as error:
        raise EntryUnreadable(f"A stored verdict cannot be read ({error}).") from None
    return msgspec.msgpack.encode(stored)


def seq_of_verdict(data: bytes) -> int | None:
    """The place of the item that a stored verdict is of; None where it is not a verdict of this version."""
    try:
        return msgspec.msgpack.decode(data, type=_Stored).seq
    except msgspec.DecodeError:
        return None
