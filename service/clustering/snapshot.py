"""The engine's state as one versioned blob (see blob.py), and back, exact to the bit.

The arrays are the clusterer's and `known_counts`; the ledger holds the counters, the parameters and the cluster
lives. A blob of another bundle is refused, too.
"""

import hashlib

import msgspec

from model.bundle import KnownArrays
from service.clustering.blob import SnapshotUnreadable, pack, unpack
from service.clustering.engine import Engine, Life
from service.clustering.params import EngineParams

__all__ = ["SnapshotUnreadable", "digest", "dump", "load"]

MAGIC = b"FSST"
VERSION = 2


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
    }
    return pack(MAGIC, VERSION, arrays, ledger)


def load(blob: bytes, known: KnownArrays, labels: tuple[str, ...]) -> Engine:
    """The engine that `dump` was given.

    Args:
        blob: What `dump` returned.
        known: Arrays of the same bundle.
        labels: Its class names.

    Raises:
        SnapshotUnreadable: The blob is damaged, newer than this code, or of another bundle.
    """
    arrays, ledger = unpack(blob, MAGIC, VERSION, _Ledger)
    if ledger.labels != labels:
        raise SnapshotUnreadable(
            f"The stored state knows the classes {', '.join(ledger.labels)}; the bundle {', '.join(labels)}. "
            "Serve the bundle the state was made with."
        )
    engine = Engine(known, labels, ledger.params)
    prefix = "clusterer."
    stored = {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
    engine.restore_clusterer(stored)
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
