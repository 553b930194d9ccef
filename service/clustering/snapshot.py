"""The engine's state as one versioned blob, and back, exact to the bit.

    offset  size  content
    0       4     magic "FSST"
    4       4     format version, uint32 little-endian
    8       32    SHA-256 of all that follows
    40      ...   safetensors: the clusterer's arrays, `known_counts`, and `ledger` (uint8: MessagePack of the
                  counters, the parameters and the cluster lives)

A blob that is cut, flipped, of a newer version, or of another bundle is refused; a state is never half read.
"""

import hashlib
import struct

import msgspec
import numpy as np
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from model.bundle import KnownArrays
from service.clustering.dbstream import DBSTREAM
from service.clustering.engine import Engine, Life
from service.clustering.params import EngineParams

MAGIC = b"FSST"
VERSION = 1
_HEAD = struct.Struct("<4sI32s")


class SnapshotUnreadable(ValueError):
    """A stored state that this version of firstseen cannot or must not read."""


class _Ledger(msgspec.Struct, forbid_unknown_fields=True):
    labels: tuple[str, ...]
    seq: int
    next_cluster_id: int
    candidates_tested: int
    idle_check_at: int
    verdict_counts: dict[str, int]
    params: EngineParams
    lives: list[Life]


def dump(engine: Engine) -> bytes:
    """The state as bytes; equal states give equal bytes."""
    ledger = _Ledger(
        labels=engine.labels,
        seq=engine.seq,
        next_cluster_id=engine.next_cluster_id,
        candidates_tested=engine.candidates_tested,
        idle_check_at=engine._idle_check_at,  # noqa: SLF001 - the snapshot is the engine's other half
        verdict_counts={kind.value: n for kind, n in engine.verdict_counts.items()},
        params=engine.params,
        lives=list(engine.lives.values()),
    )
    arrays = {
        **{f"clusterer.{name}": array for name, array in engine.clusterer.state().items()},
        "known_counts": engine.known_counts,
        "ledger": np.frombuffer(msgspec.msgpack.encode(ledger), dtype=np.uint8),
    }
    body = save_arrays({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    return _HEAD.pack(MAGIC, VERSION, hashlib.sha256(body).digest()) + body


def load(blob: bytes, known: KnownArrays, labels: tuple[str, ...]) -> Engine:
    """The engine that `dump` was given.

    Args:
        blob: What `dump` returned.
        known: Arrays of the same bundle.
        labels: Its class names.

    Raises:
        SnapshotUnreadable: The blob is damaged, newer than this code, or of another bundle.
    """
    if len(blob) < _HEAD.size:
        raise SnapshotUnreadable(
            f"The stored state is cut: {len(blob)} bytes, at least {_HEAD.size} expected."
        )
    magic, version, checksum = _HEAD.unpack_from(blob)
    if magic != MAGIC:
        raise SnapshotUnreadable("The stored state is not one of firstseen's: it does not start with FSST.")
    if version != VERSION:
        raise SnapshotUnreadable(
            f"The stored state has format version {version}; this firstseen reads {VERSION}. Upgrade firstseen."
        )
    body = blob[_HEAD.size :]
    if hashlib.sha256(body).digest() != checksum:
        raise SnapshotUnreadable("The stored state is damaged: its checksum does not match.")
    arrays = load_arrays(body)
    ledger = msgspec.msgpack.decode(arrays["ledger"].tobytes(), type=_Ledger)
    if ledger.labels != labels:
        raise SnapshotUnreadable(
            f"The stored state knows the classes {', '.join(ledger.labels)}; the bundle {', '.join(labels)}. "
            "Serve the bundle the state was made with."
        )
    engine = Engine(known, labels, ledger.params)
    prefix = "clusterer."
    stored = {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
    engine.clusterer = DBSTREAM.from_state(stored, ledger.params)
    engine.known_counts = arrays["known_counts"].copy()
    engine.seq = ledger.seq
    engine.next_cluster_id = ledger.next_cluster_id
    engine.candidates_tested = ledger.candidates_tested
    engine._idle_check_at = ledger.idle_check_at  # noqa: SLF001 - the snapshot is the engine's other half
    engine.verdict_counts = {kind: ledger.verdict_counts[kind.value] for kind in engine.verdict_counts}
    engine.lives = {life.id: life for life in ledger.lives}
    return engine


def digest(engine: Engine) -> str:
    """SHA-256 of the state: equal states have equal digests."""
    return hashlib.sha256(dump(engine)).hexdigest()
