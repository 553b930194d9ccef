"""Snapshots, written beside the stream: one at a time, of the state between two batches.

    due ─► dump (between two batches) ─► written, chunk by chunk (batches go on) ─► flipped, and the log trimmed
                                                  │
                                                  └──► the store is away: the log has it all; the next one will do

A snapshot stays one of its own place in the stream, whatever is appended while it is written.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from service.state.errors import SaveOvertaken, StoreUnavailable
from service.state.store import StreamStore
from service.telemetry.metrics import StreamMetrics

log = structlog.get_logger("firstseen.pipeline")


class Saving:
    """The snapshot under way, if there is one. Lives in one event loop.

    Args:
        store: Where to.
        metrics: What is counted.
        every_items: Items between snapshots.
        dump: The state as of now, and the seq that it ends before.
    """

    def __init__(
        self,
        store: StreamStore,
        metrics: StreamMetrics,
        *,
        every_items: int,
        dump: Callable[[], Awaitable[tuple[bytes, int]]],
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._every = every_items
        self._dump = dump
        self._under_way: asyncio.Task[None] | None = None
        self.seq = 0
        """Where the last one stands, as far as is known."""

    async def tend(self, durable_seq: int) -> None:
        """Learn what became of the last one, and begin one that is due.

        Raises:
            Fenced: The stream is not ours any more.
        """
        if self._under_way is not None and self._under_way.done():
            await self._finish()
        if self._under_way is None and durable_seq - self.seq >= self._every:
            self._under_way = asyncio.create_task(self._save(*await self._dump()))

    async def now(self, durable_seq: int) -> None:
        """Save what is not in a snapshot, and wait for it. Raises the same."""
        await self._finish()
        if durable_seq > self.seq:
            await self._save(*await self._dump())

    async def drop(self) -> None:
        """Leave the one under way; the next owner clears up."""
        saving, self._under_way = self._under_way, None
        if saving is not None:
            saving.cancel()
            await asyncio.gather(saving, return_exceptions=True)

    async def _finish(self) -> None:
        saving, self._under_way = self._under_way, None
        if saving is not None:
            await saving

    async def _save(self, blob: bytes, seq: int) -> None:
        try:
            await self._store.save_snapshot(blob, seq=seq)
        except (StoreUnavailable, SaveOvertaken) as away:
            log.warning("snapshot_failed", reason=str(away))
            self._metrics.snapshots_failed.inc()
            self.seq = seq - self._every // 2
            return
        self.seq = seq
        self._metrics.snapshots.inc()
        self._metrics.snapshot_seq.set(seq)
        log.info("snapshot", seq=seq, bytes=len(blob))
