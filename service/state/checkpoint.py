"""A snapshot of a stream that nobody serves: own it, replay what the log holds behind the last one, save, let go.

What the service does by itself every so many items and when it stops, for whoever stopped it by force, is about to
upgrade, or wants the next start to be short.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from model.bundle import KnownArrays
from service.clustering import snapshot
from service.clustering.clusterer import BackendChanged
from service.clustering.engine import Engine
from service.clustering.params import EngineParams
from service.pipeline.recovery import replay_entry
from service.state.errors import LeaseHeld, StoreError
from service.state.packing import EntryUnreadable, unpack_entry
from service.state.store import StreamStore

Progress = Callable[[str, int, int, str], None]
"""stage, done, total, note."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """seq: what is in the snapshot; size: its bytes; replayed: entries; trimmed: entries that left the log."""

    seq: int
    size: int
    replayed: int
    trimmed: int


async def checkpoint(
    store: StreamStore,
    known: KnownArrays,
    labels: tuple[str, ...],
    *,
    lease_s: float,
    is_alone: bool,
    progress: Progress,
) -> Checkpoint:
    """Save the state at the head.

    Args:
        store: Open, of a stream that is there.
        known: Arrays of the stream's bundle.
        labels: Its class names.
        lease_s: The store's lease.
        is_alone: A lock elsewhere proves that no owner lives, so a lease that is left can be taken.
        progress: Told how far it is.

    Raises:
        StoreError: Somebody serves the stream; or it is damaged, or of another version.
    """
    try:
        await store.acquire(steal=is_alone)
    except LeaseHeld as held:
        raise LeaseHeld(
            f"{held}. A service that runs saves by itself, every FIRSTSEEN_SNAPSHOT_EVERY_ITEMS items and when it is "
            "stopped (SIGTERM); so stop it, if you want a snapshot now.",
            owner=held.owner,
            remaining_ms=held.remaining_ms,
        ) from None
    async with lease_kept(store, lease_s):
        try:
            engine, replayed = await _replayed(store, known, labels, progress)
        except (snapshot.SnapshotUnreadable, EntryUnreadable, BackendChanged) as unusable:
            raise StoreError(str(unusable)) from unusable
        before = (await store.info()).log_entries
        blob = await asyncio.to_thread(snapshot.dump, engine)
        await store.save_snapshot(blob, seq=engine.seq)
        after = (await store.info()).log_entries
    return Checkpoint(seq=engine.seq, size=len(blob), replayed=replayed, trimmed=before - after)


async def _replayed(
    store: StreamStore, known: KnownArrays, labels: tuple[str, ...], progress: Progress
) -> tuple[Engine, int]:
    """The engine at the head, and how many entries led to it from the last snapshot."""
    loaded = await store.load()
    engine = None if loaded.snapshot is None else snapshot.load(loaded.snapshot, known, labels)
    entries = 0
    async for record in store.replay(loaded):
        entry = unpack_entry(record.payload, first_seq=record.first_seq)
        if engine is None:
            if not isinstance(entry, EngineParams):
                raise StoreError(
                    "The log does not begin with the stream's parameters; see `firstseen state verify`."
                )
            engine = Engine(known, labels, entry)
        await asyncio.to_thread(replay_entry, engine, entry)
        entries += 1
        progress("replay", engine.seq - loaded.snapshot_seq, loaded.next_seq - loaded.snapshot_seq, "items")
    if engine is None:
        raise StoreError("The stream is empty: there is nothing to save.")
    return engine, entries


@asynccontextmanager
async def lease_kept(store: StreamStore, lease_s: float) -> AsyncIterator[None]:
    """Keep the lease while the context is open, then give it back."""

    async def renew() -> None:
        while True:
            await asyncio.sleep(lease_s / 3)
            await store.renew()

    renewing = asyncio.create_task(renew())
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.gather(
            renewing, return_exceptions=True
        )  # one that failed shows in the next write: fenced
        with contextlib.suppress(StoreError):
            await store.release()
