"""From the store to an engine: the snapshot, then the log behind it, then the parameters that the operator wants.

    load ─► snapshot ─► replay, page by page ─► nothing confirmed is missing? ─► parameters, as an entry of the log

How far the replay is from its end is shown while it runs (`firstseen_replay_items`).
"""

import asyncio
from dataclasses import replace
from functools import partial

import structlog

from model.bundle import Bundle
from service.clustering import snapshot
from service.clustering.engine import Engine
from service.clustering.params import EngineParams
from service.pipeline.asking import Asking
from service.pipeline.memory import InWorker
from service.pipeline.plotting import Plotter
from service.pipeline.recovery import look_back, replay
from service.state.errors import StoreError
from service.state.packing import EntryUnreadable, pack_configure
from service.state.store import Append, Loaded, StreamStore
from service.telemetry.metrics import StreamMetrics

log = structlog.get_logger("firstseen.pipeline")


class Restoring:
    """Reads one stream's state.

    Args:
        bundle: What the stream is decided with.
        params: What the engine shall decide with from now on.
        store: The stream's state.
        asking: To ask the store until it answers.
        in_worker: Runs a call in the engine's thread.
        metrics: What is counted.
        plotter: The map, which is told of what the log still has.
    """

    def __init__(
        self,
        *,
        bundle: Bundle,
        params: EngineParams,
        store: StreamStore,
        asking: Asking,
        in_worker: InWorker,
        metrics: StreamMetrics,
        plotter: Plotter,
    ) -> None:
        self._bundle = bundle
        self._params = params
        self._store = store
        self._asking = asking
        self._in_worker = in_worker
        self._metrics = metrics
        self._plotter = plotter

    async def restore(self, *, confirmed: int, era: int) -> tuple[Engine, int]:
        """The engine as the store has it, and where its latest snapshot stands.

        Args:
            confirmed: How far items have been acknowledged by this process.
            era: Whose turn it is, for the map: the epoch.

        Raises:
            StoreError: The store has less than that, and may not.
            SnapshotUnreadable, EntryUnreadable, BackendChanged: What it has cannot be gone on from.
        """
        started = asyncio.get_running_loop().time()
        loaded = await self._asking.until_answered(self._store.load)
        for warning in loaded.warnings:
            log.warning("snapshot_skipped", warning=warning)
        known, labels = self._bundle.known, self._bundle.manifest.labels
        if loaded.snapshot is None:
            begin = partial(Engine, known, labels, self._params)
        else:
            begin = partial(snapshot.load, loaded.snapshot, known, labels)
        engine = await self._in_worker(begin)
        self._metrics.snapshot_seq.set(loaded.snapshot_seq)
        self._plotter.begin(era, next_seq=loaded.next_seq)
        if self._plotter.is_empty():
            await self._look_back(loaded)
        entries = 0
        try:
            self._metrics.replay_items.set(loaded.next_seq - engine.seq)
            async for page in self._store.replay_pages(loaded):
                await self._in_worker(partial(replay, engine, page, self._plotter.replayed))
                entries += len(page)
                self._metrics.replay_items.set(loaded.next_seq - engine.seq)
        finally:
            self._metrics.replay_items.set(0)
        await self._in_worker(partial(self._plotter.seed, engine.lives.values()))
        self._metrics.replay_seconds.set(asyncio.get_running_loop().time() - started)
        self._look_for_missing(engine, confirmed - engine.seq)
        log.info("restored", snapshot_seq=loaded.snapshot_seq, entries=entries, seq=engine.seq)
        await self._configure(engine)
        return engine, loaded.snapshot_seq

    async def _look_back(self, loaded: Loaded) -> None:
        """Tell the map of what the log still has from before the snapshot; a stream is served without it, too."""
        earlier = replace(loaded, snapshot_seq=loaded.log_seq, next_seq=loaded.snapshot_seq)
        try:
            async for page in self._store.replay_pages(earlier):
                await self._in_worker(partial(look_back, page, self._plotter.replayed))
        except (StoreError, EntryUnreadable) as error:
            log.warning("map_without_past", reason=str(error))

    def _look_for_missing(self, engine: Engine, forgotten: int) -> None:
        if forgotten <= 0:
            return
        if not self._store.durability.may_forget:
            raise StoreError(
                f"Redis came back with {engine.seq} items where {engine.seq + forgotten} had been confirmed: it was "
                "emptied, or a replica that lagged took over. Restore it from a backup, or start firstseen again to go "
                "on from what is there."
            )
        log.error("forgotten", items=forgotten, seq=engine.seq)
        self._metrics.forgotten.inc(forgotten)

    async def _configure(self, engine: Engine) -> None:
        if engine.seq and engine.params == self._params:
            return
        engine.check(self._params)  # before it is in the log
        wanted = Append(first_seq=engine.seq, count=1, payload=pack_configure(self._params), verdicts=())
        await self._asking.until_answered(lambda: self._store.append(wanted))
        engine.configure(self._params)
