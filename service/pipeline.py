"""The single writer: takes what waits, embeds, decides, commits, and only then answers.

    acquire ─► load ─► replay ─► serve: take ─► look up ─► embed ─► step ─► commit ─► answer, publish
       ▲                                                                  │
       └────────── fenced, or a step that failed: drop the memory ◄───────┘

The pipeline owns the engine. It makes no step before the one in hand is durable, so memory is at most one batch
ahead of the store, and what it is ahead by nobody has been told. When the store does not answer, the batch in
hand is sent again, unchanged, until it does: the store knows a batch it has. When another owner has fenced us,
or a step failed halfway, the memory is dropped and the state is read again from the store.

Engine and net run in one worker thread, so the event loop stays free; `_at_rest` guards the engine between it
and readers.

The stream gate's fits are made beside the stream (fits.py). What comes of one becomes an entry of the log between two
batches, and counts from there on. A fit under way when the memory is dropped, or the service stops, is dropped with it.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Protocol, TypeVar

import numpy as np
import structlog

from model.bundle import Bundle
from model.inputs import Payload
from service.asking import RETRY_S, Asking
from service.batching import Queue, Slice
from service.clustering import snapshot
from service.clustering.clusterer import BackendChanged
from service.clustering.engine import Engine, StepResult
from service.clustering.params import EngineParams
from service.clustering.snapshot import SnapshotUnreadable
from service.clustering.stream_gate import StreamFit
from service.errors import InternalError, NotReady
from service.fanout import Fanout
from service.fits import Fits
from service.metrics import Metrics
from service.readiness import Readiness
from service.records import Float32s, Item, Observed, Verdict, auto_id
from service.recovery import replay_entry
from service.state.errors import Fenced, LeaseHeld, SequenceConflict, StoreError, StoreUnavailable
from service.state.packing import (
    EntryUnreadable,
    pack_configure,
    pack_items,
    pack_refit,
    pack_verdict,
    unpack_entry,
    unpack_verdict,
)
from service.state.store import Append, StreamStore
from service.stream_view import StreamView, view_of

log = structlog.get_logger("firstseen.pipeline")

T = TypeVar("T")

_READ_WAIT_S = 0.25
"""How long a reader waits for the engine to come to rest before it gets the last view, marked stale."""


class Embeds(Protocol):
    """What the pipeline needs of an embedder."""

    def embed(self, items: Sequence[Payload], /) -> Float32s:
        """B payloads to float32 (B, D)."""


class Pipeline:
    """One stream's owner while it is ours."""

    def __init__(
        self,
        *,
        bundle: Bundle,
        embedder: Embeds,
        store: StreamStore,
        queue: Queue,
        fanout: Fanout,
        metrics: Metrics,
        now: Callable[[], float],
        params: EngineParams,
        lease_ms: int,
        snapshot_every_items: int,
        holds_store_alone: bool = False,
        revive_store: Callable[[], Awaitable[None]] | None = None,
        prepare: Callable[[Callable[[str], None]], Awaitable[None]] | None = None,
    ) -> None:
        """Nothing happens before `run`.

        Args:
            bundle: What the stream is decided with.
            embedder: The bundle's net.
            store: The stream's state.
            queue: What waits.
            fanout: Who watches.
            metrics: What is counted.
            now: The clock, seconds since 1970 (UTC).
            params: What the engine shall decide with from now on.
            lease_ms: The store's lease.
            snapshot_every_items: Items between snapshots.
            holds_store_alone: A lock elsewhere proves that no other owner lives, so a lease that is left can
                be taken at once.
            revive_store: Called when the store is away: restarts an embedded server that died.
            prepare: Called before the stream is taken, with a function to tell why that is not done yet.
        """
        self._bundle = bundle
        self._labels = bundle.manifest.labels
        self._embedder = embedder
        self._store = store
        self._queue = queue
        self._fanout = fanout
        self._metrics = metrics
        self._now = now
        self._params = params
        self._lease_s = lease_ms / 1000
        self._snapshot_every = snapshot_every_items
        self._alone = holds_store_alone
        self._prepare = prepare
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")
        self._fits = Fits(metrics)
        self._at_rest = asyncio.Lock()
        self._engine: Engine | None = None
        self._view: StreamView | None = None
        self._snapshot_seq = 0
        self._durable_seq = 0  # never falls, not even when the memory is dropped
        self._warnings: tuple[str, ...] = ()
        self._is_serving = False
        self._readiness = Readiness(queue, metrics)
        self._asking = Asking(store, self._readiness, revive_store)
        self.epoch = 0

    @property
    def reason(self) -> str | None:
        """Why the stream is not served right now; None when it is."""
        return self._readiness.reason

    @property
    def warnings(self) -> tuple[str, ...]:
        """What an operator should know although the stream is served."""
        return self._warnings

    @property
    def last_durable_seq(self) -> int:
        """The latest durable item, -1 before the first."""
        return self._durable_seq - 1

    # Owning the stream

    async def run(self) -> None:
        """Own and serve the stream until `stop`.

        Raises:
            StoreError: A person must act: state of another bundle or backend, an unsafe Redis, a damaged log.
        """
        try:
            if self._prepare is not None:
                await self._prepare(self._readiness.unready)
                self._readiness.unready("starting")
            while not self._readiness.is_stopping:
                try:
                    await self._own()
                    await self._serve_and_renew()
                except Fenced as fenced:
                    self._step_down(f"the stream is not ours any more: {fenced}")
                except SequenceConflict as conflict:
                    self._step_down(f"the store is ahead of us: {conflict}")
                except StoreUnavailable as away:  # while reading the log: start over
                    self._step_down(str(away))
                    await asyncio.sleep(RETRY_S[-1])
                except (SnapshotUnreadable, EntryUnreadable, BackendChanged) as unusable:
                    raise StoreError(str(unusable)) from unusable
        finally:
            self._readiness.unready("stopping")
            self._queue.fail_all(NotReady("The service is stopping. Send the same to the next one."))
            self._fanout.end()
            self._worker.shutdown(wait=False, cancel_futures=True)
            self._fits.close()

    async def stop(self, *, grace_s: float) -> bool:
        """Take nothing new, answer what waits within `grace_s`. `run` then snapshots, releases and returns.

        Returns:
            Whether all was answered. If not, `run` has to be cancelled: it then fails what still waits.
        """
        if not self._readiness.is_stopping:
            self._readiness.stop()
            self._queue.finish()
            if self._is_serving:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(grace_s):
                        await self._queue.drained()
        return self._queue.is_drained

    async def _own(self) -> None:
        """Become the owner and bring the engine to the state of the store."""
        self._warnings = tuple((await self._asking.until_answered(self._store.open)).warnings)
        for warning in self._warnings:
            log.warning("redis_unsafe", warning=warning)
        while True:
            try:
                self.epoch = await self._asking.until_answered(lambda: self._store.acquire(steal=self._alone))
                break
            except LeaseHeld as held:
                self._readiness.unready(f"another process ({held.owner}) owns the stream")
                log.info("lease_held", owner=held.owner, remaining_ms=held.remaining_ms)
                await asyncio.sleep(min(held.remaining_ms, 500) / 1000)
        self._metrics.epoch.set(self.epoch)
        log.info("acquired", epoch=self.epoch)
        await self._restore()
        self._readiness.ready()
        log.info("ready", seq=self._durable_seq, epoch=self.epoch)

    async def _restore(self) -> None:
        """Snapshot, then log; then the parameters that the operator wants, as an entry of the log."""
        self._readiness.unready("replaying the log")
        self._engine = None
        self._fits.drop()
        loaded = await self._asking.until_answered(self._store.load)
        for warning in loaded.warnings:
            log.warning("snapshot_skipped", warning=warning)
        if loaded.snapshot is None:
            engine = Engine(self._bundle.known, self._labels, self._params)
        else:
            engine = snapshot.load(loaded.snapshot, self._bundle.known, self._labels)
        self._snapshot_seq = loaded.snapshot_seq
        entries = 0
        async for record in self._store.replay(loaded):
            entry = unpack_entry(record.payload, first_seq=record.first_seq)
            await self._in_worker(partial(replay_entry, engine, entry))
            entries += 1
        if engine.seq < self._durable_seq:
            raise StoreError(
                f"Redis came back with {engine.seq} entries where {self._durable_seq} had been confirmed: it was "
                "emptied, or a replica that lagged took over. Restore it from a backup, or start firstseen again to go "
                "on from what is there."
            )
        log.info("restored", snapshot_seq=loaded.snapshot_seq, entries=entries, seq=engine.seq)
        if engine.seq == 0 or engine.params != self._params:
            engine.check(self._params)  # before it is in the log
            wanted = Append(first_seq=engine.seq, count=1, payload=pack_configure(self._params), verdicts=())
            await self._asking.until_answered(lambda: self._store.append(wanted))
            engine.configure(self._params)
        self._engine, self._durable_seq = engine, engine.seq
        self._view = self._look(engine)

    def _step_down(self, reason: str) -> None:
        log.warning("stepped_down", reason=reason)
        self._readiness.unready(reason)
        self._engine = None
        self._fits.drop()
        self._fanout.end()  # who watches would miss what another owner does: they come back for a fresh hello
        self.epoch = 0
        self._metrics.epoch.set(0)
        self._queue.fail_all(NotReady("The stream moved to another process. Send the same again."))

    async def _serve_and_renew(self) -> None:
        serve = asyncio.create_task(self._serve())
        renew = asyncio.create_task(self._renew())
        self._is_serving = True
        try:
            await asyncio.wait({serve, renew}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._is_serving = False
            for task in (serve, renew):
                task.cancel()
            results = await asyncio.gather(serve, renew, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result
        with contextlib.suppress(StoreUnavailable):  # only now: a lease given back must not be renewed
            await self._store.release()

    async def _renew(self) -> None:
        """Keep the lease, and find out that the store is away also when nothing is to be written."""
        while True:
            await asyncio.sleep(self._lease_s / 3)
            await self._asking.until_answered(self._store.renew)

    async def _serve(self) -> None:
        while batch := await self._queue.take():
            await self._process(batch)
            await self._tend_stream_gate()
            if self._durable_seq - self._snapshot_seq >= self._snapshot_every:
                await self._snapshot()
        if self._durable_seq > self._snapshot_seq:
            await self._snapshot()

    async def _snapshot(self) -> None:
        assert self._engine is not None
        async with self._at_rest:
            blob = await self._in_worker(partial(snapshot.dump, self._engine))
            try:
                await self._store.save_snapshot(blob, seq=self._durable_seq)
            except StoreUnavailable as away:  # the log has it all; the next one will do
                log.warning("snapshot_failed", reason=str(away))
                self._snapshot_seq = self._durable_seq - self._snapshot_every // 2
                return
        self._snapshot_seq = self._durable_seq
        self._metrics.snapshots.inc()
        log.info("snapshot", seq=self._snapshot_seq, bytes=len(blob))

    # The stream gate's fits

    async def _tend_stream_gate(self) -> None:
        """Use the fit that is ready; begin one that is due."""
        engine = self._engine
        if engine is None:
            return
        try:
            async with self._at_rest:
                fit = self._fits.take(engine.seq)
                result = None if fit is None else await self._use_fit(engine, fit)
                if engine.is_fit_due and self._fits.may_begin(engine.seq):
                    self._fits.begin(engine.stream, await self._in_worker(engine.fit_job))
        except (Fenced, SequenceConflict):
            raise
        except Exception:
            log.exception("refit_failed", seq=engine.seq)
            self._fits.failed(engine.seq)
            await self._start_over("a fit failed; reading the state again")
            return
        if result is not None:
            self._tell(result)

    async def _use_fit(self, engine: Engine, fit: StreamFit) -> StepResult:
        """Decide by a fit from here on, and commit that."""
        record = Append(first_seq=engine.seq, count=1, payload=pack_refit(fit), verdicts=())
        result = await self._in_worker(partial(engine.refit, fit))
        await self._asking.until_answered(lambda: self._store.append(record))
        self._durable_seq = engine.seq
        self._metrics.seq.set(engine.seq)
        return result

    async def _start_over(self, reason: str) -> None:
        """A step failed halfway: drop the memory and read the state again."""
        self._readiness.unready(reason)
        self._fanout.end()  # should it be durable after all, its events are lost: watchers start anew
        await self._restore()
        self._readiness.ready()

    def _tell(self, result: StepResult) -> None:
        """Log and publish what became of clusters; it is durable."""
        for event in result.events:
            log.info(event.kind.value, cluster=event.cluster.id, items=event.cluster.items, seq=event.seq)
        if result.events:
            self._fanout.publish(result.events)

    # One batch

    async def _process(self, batch: list[Slice]) -> None:
        """Answer a batch, or fail it; never half."""
        self._metrics.queue_items.set(self._queue.waiting)
        items = [item for part in batch for item in part.items]
        try:
            async with self._at_rest:
                verdicts, result = await self._decide(items)
        except (Fenced, SequenceConflict, asyncio.CancelledError):
            self._readiness.unready("the stream is not ours any more")
            for part in batch:
                part.job.fail(
                    NotReady("The stream moved to another process, or is stopping. Send the same again.")
                )
            raise
        except Exception:
            log.exception("batch_failed", items=len(items))
            self._metrics.failed.inc(len(items))
            for part in batch:
                part.job.fail(InternalError("These items could not be classified."))
            await self._start_over("a batch failed; reading the state again")
            return
        at = 0
        for part in batch:
            n = part.stop - part.start
            part.job.deliver(verdicts[at : at + n])
            at += n
        if result is not None:
            self._metrics.count(result.verdicts)
            self._tell(result)
        self._metrics.repeats.inc(len(items) - (len(result.verdicts) if result else 0))

    async def _decide(self, items: list[Item]) -> tuple[list[Verdict], StepResult | None]:
        """The verdict of every item, in order; durable when this returns."""
        assert self._engine is not None
        known_ids = list(dict.fromkeys(item.id for item in items if item.id is not None))
        with self._metrics.lookup.time():
            stored = await self._asking.until_answered(lambda: self._store.lookup(known_ids))
        by_id = {
            id: unpack_verdict(data, id=id, labels=self._labels)
            for id, data in zip(known_ids, stored, strict=True)
            if data is not None
        }
        new: list[Item] = []
        new_ids: set[str] = set()
        for item in items:
            if item.id is None:
                new.append(item)
            elif item.id not in by_id and item.id not in new_ids:
                new.append(item)
                new_ids.add(item.id)
        result = await self._learn(new) if new else None
        fresh = iter(result.verdicts if result else ())
        by_id |= {v.id: v for v in (result.verdicts if result else ())}
        auto = (v for v in fresh if v.id not in new_ids)
        return [next(auto) if item.id is None else by_id[item.id] for item in items], result

    async def _learn(self, new: list[Item]) -> StepResult:
        """Embed, step and commit items that have no verdict yet."""
        engine = self._engine
        assert engine is not None
        ids = tuple(auto_id(engine.seq + n) if item.id is None else item.id for n, item in enumerate(new))
        t = np.full(len(new), self._now(), dtype=np.float64)
        self._metrics.batch_items.observe(len(new))

        def step() -> tuple[Observed, StepResult, Append]:
            with self._metrics.embed.time():
                z = self._embedder.embed([item.x for item in new])
            with self._metrics.step.time():
                observed = engine.decide(z, ids, t)
                result = engine.apply(observed)
            record = Append(
                first_seq=observed.first_seq,
                count=len(observed),
                payload=pack_items(observed, result.verdicts),
                verdicts=[
                    (v.id, pack_verdict(v, self._labels))
                    for v, item in zip(result.verdicts, new, strict=True)
                    if item.id is not None
                ],
            )
            return observed, result, record

        _, result, record = await self._in_worker(step)
        with self._metrics.commit.time():
            await self._asking.until_answered(lambda: self._store.append(record))
        self._durable_seq = engine.seq
        self._metrics.seq.set(engine.seq)
        return result

    async def _in_worker(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, call)

    # Reading

    async def view(self, *, with_hash: bool = False) -> StreamView:
        """The durable state now; the last one seen when the store keeps us waiting.

        It is marked stale whenever the stream is not served: another process may have taken it on by then.

        Raises:
            NotReady: There is no state to show yet.
        """
        try:
            async with asyncio.timeout(_READ_WAIT_S), self._at_rest:
                if self._engine is not None:
                    self._view = self._look(self._engine, with_hash=with_hash)
                    return replace(self._view, stale=self.reason is not None)
        except TimeoutError:
            pass
        if self._view is None:
            raise NotReady(f"There is no state to show yet: {self.reason}.")
        return replace(self._view, stale=True)

    def _look(self, engine: Engine, *, with_hash: bool = False) -> StreamView:
        view = view_of(engine, with_hash=with_hash)
        self._metrics.show_clusters([c.state for c in view.clusters])
        return view
