"""The single writer: takes what waits, embeds, decides, commits, and only then answers.

    acquire ─► load ─► replay ─► serve: take ─► look up ─► embed ─► step ─► commit ─► publish, answer
       ▲                                                                  │
       └────────── fenced, or a step that failed: drop the memory ◄───────┘

The pipeline owns the engine. It makes no step before the one in hand is durable, so memory is at most one batch
ahead of the store, and what it is ahead by nobody has been told. When the store does not answer, the batch in
hand is sent again, unchanged, until it does: the store knows a batch it has. When another owner has fenced us,
or a step failed halfway, the memory is dropped and the state is read again from the store. What becomes of one batch
is in deciding.py, and so is what happens to an item that crashes the engine.

Engine and net run in threads that all streams of a process share (workers.py), so the event loop stays free;
`_at_rest` guards the engine between it and readers.

Snapshots are written beside the stream (saving.py), and the stream gate's fits are made beside it (tending.py). What
comes of a fit becomes an entry of the log between two batches, and counts from there on. A fit under way when the
memory is dropped, or the service stops, is dropped with it.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import TypeVar

import structlog

from model.bundle import Bundle
from service.cancelling import cancelled
from service.clustering import snapshot
from service.clustering.clusterer import BackendChanged
from service.clustering.engine import Engine, StepResult
from service.clustering.params import EngineParams
from service.clustering.snapshot import SnapshotUnreadable
from service.decisions import Decided, Decision
from service.errors import EngineFails, FirstseenError, InternalError, NotReady, TooManyQuarantined
from service.pipeline.asking import RETRY_S, Asking
from service.pipeline.batching import Answer, Job, Queue, Slice
from service.pipeline.curating import Curating
from service.pipeline.dead_letters import DeadLetters
from service.pipeline.deciding import Decider
from service.pipeline.examining import Embeds
from service.pipeline.exhibits import Exhibits
from service.pipeline.fanout import Fanout
from service.pipeline.fits import Fits
from service.pipeline.memory import Memory
from service.pipeline.pausing import Pausing
from service.pipeline.payload_limits import PayloadLimits
from service.pipeline.payloads import Payloads
from service.pipeline.plotting import Plotter
from service.pipeline.readiness import Readiness
from service.pipeline.restoring import Restoring
from service.pipeline.saving import Saving
from service.pipeline.store_check import StoreCheck
from service.pipeline.stream_view import StreamView, view_of
from service.pipeline.tending import Tending
from service.pipeline.unsynced import Unsynced
from service.records import Item
from service.state.errors import (
    DuplicateIds,
    Fenced,
    LeaseHeld,
    SequenceConflict,
    StoreError,
    StoreUnavailable,
)
from service.state.packing import EntryUnreadable
from service.state.store import StreamStore
from service.streams.workers import Workers
from service.telemetry.metrics import StreamMetrics

log = structlog.get_logger("firstseen.pipeline")

T = TypeVar("T")

_READ_WAIT_S = 0.25
"""How long a reader waits for the engine to come to rest before it gets the last view, marked stale."""

_LONG_LOG = 1000
"""Items behind the last snapshot from which on a new one is saved after a crash, so that the next is got over soon."""


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
        metrics: StreamMetrics,
        now: Callable[[], float],
        params: EngineParams,
        lease_ms: int,
        snapshot_every_items: int,
        holds_store_alone: bool = False,
        revive_store: Callable[[], Awaitable[None]] | None = None,
        prepare: Callable[[Callable[[str], None]], Awaitable[None]] | None = None,
        version: str = "?",
        workers: Workers | None = None,
        plotter: Plotter | None = None,
        payload_limits: PayloadLimits | None = None,
        beside: Callable[[], Coroutine[None, None, None]] | None = None,
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
            holds_store_alone: A lock elsewhere proves that no other owner lives: a lease that is left can be taken.
            revive_store: Called when the store is away: restarts an embedded server that died.
            prepare: Called before the stream is taken, with a function to tell why that is not done yet.
            version: Of firstseen, for what is kept of items that crash the engine.
            workers: The threads that it shares with other streams; None gives it its own.
            plotter: The map, if one is kept.
            payload_limits: How much is kept of what items looked like; None: as is usual.
            beside: What else runs while the stream is ours.
        """
        self._store, self._metrics = store, metrics
        self._queue, self._fanout = queue, fanout
        self._lease_s = lease_ms / 1000
        self._alone = holds_store_alone
        self._prepare, self._beside = prepare, beside
        self._workers = Workers() if workers is None else workers
        self._shares_workers = workers is not None
        self._fits = Fits(metrics, self._workers.fits)
        self._at_rest = asyncio.Lock()
        self._engine: Engine | None = None
        self._view: StreamView | None = None
        self._unsynced = Unsynced(lambda: asyncio.get_running_loop().time())
        self._saving = Saving(store, metrics, every_items=snapshot_every_items, dump=self._dump)
        # It falls only where the durability lets Redis forget, not when the memory is dropped.
        self._durable_seq = 0
        self._is_serving = False
        self._readiness = Readiness(queue, metrics)
        self.plotter = plotter or Plotter.off(bundle.known)
        self._asking = Asking(store, self._readiness, revive_store)
        self._restoring = Restoring(
            bundle=bundle,
            params=params,
            store=store,
            asking=self._asking,
            in_worker=self._workers.in_engine,
            metrics=metrics,
            plotter=self.plotter,
        )
        self._store_check = StoreCheck(store, self._asking, self._readiness)
        self.dead_letters = DeadLetters(store, self._asking, metrics, now, version)
        memory = Memory(
            at_rest=self._at_rest,
            engine=self._present,
            in_worker=self._workers.in_engine,
            in_net=self._workers.in_net,
            committed=self._committed,
            forget=self._forget,
            rebuild=self._rebuild,
        )
        payloads = Payloads(store, self._asking, metrics, payload_limits)
        self.exhibits = Exhibits(bundle, store, memory, payloads)
        self._tending = Tending(memory, self._fits, store, self._asking, payloads)
        self._curating = Curating(memory, store, self._asking, metrics, payloads)
        self._decider = Decider(
            bundle=bundle,
            embedder=embedder,
            memory=memory,
            store=store,
            asking=self._asking,
            metrics=metrics,
            now=now,
            dead_letters=self.dead_letters,
            payloads=payloads,
            waiting=queue.peek,
            plotter=self.plotter,
        )
        self._pausing = Pausing(queue, self._readiness, self._decider)
        self.epoch = 0

    @property
    def reason(self) -> str | None:
        """Why the stream is not served right now; None when it is."""
        return self._readiness.reason

    @property
    def is_settled(self) -> bool:
        """Whether `settled` is over."""
        return self._readiness.settled.is_set()

    async def settled(self) -> None:
        """Wait until it is served for the first time, or it is clear that this will take its time."""
        await self._readiness.settled.wait()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What an operator should know although the stream is served."""
        return self._store_check.warnings + self.dead_letters.warnings

    @property
    def last_durable_seq(self) -> int:
        """The latest durable item, -1 before the first."""
        return self._durable_seq - 1

    @property
    def unsynced_items(self) -> int:
        """Acknowledged items that a crash of Redis might take, at most; 0 but in the tier `relaxed`."""
        return self._unsynced.items

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
                except (SequenceConflict, DuplicateIds) as conflict:
                    self._step_down(f"the store is ahead of us: {conflict}")
                except StoreUnavailable as away:  # while reading the log: start over
                    self._step_down(str(away))
                    await asyncio.sleep(RETRY_S[-1])
                except (SnapshotUnreadable, EntryUnreadable, BackendChanged) as unusable:
                    raise StoreError(str(unusable)) from unusable
        finally:
            self._readiness.stop()  # for good, and whatever else is in the way: nobody shall wait for it
            self._queue.fail_all(
                NotReady("The stream is closed here. Send the same again, or to the next one.")
            )
            self._fanout.end()
            self._fits.drop()
            if not self._shares_workers:
                self._workers.close()

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
        """Become the owner."""
        await self._store_check.open()
        while True:
            try:
                self.epoch = await self._asking.until_answered(lambda: self._store.acquire(steal=self._alone))
                break
            except LeaseHeld as held:
                self._readiness.unready(f"another process ({held.owner}) owns the stream", for_long=True)
                log.info("lease_held", owner=held.owner, remaining_ms=held.remaining_ms)
                await asyncio.sleep(min(held.remaining_ms, 500) / 1000)
        self._metrics.epoch.set(self.epoch)
        log.info("acquired", epoch=self.epoch)

    async def _restore(self) -> None:
        """Snapshot, then log; then the parameters that the operator wants, as an entry of the log."""
        self._readiness.unready("replaying the log")
        self._engine = None
        self._fits.drop()
        engine, self._saving.seq = await self._restoring.restore(confirmed=self._durable_seq, era=self.epoch)
        self._engine, self._durable_seq = engine, engine.seq
        self._unsynced.restored(engine.seq)
        self._metrics.seq.set(engine.seq)
        self._view = self._look(engine)
        self._fanout.end()  # who came meanwhile has an old hello: they come back for a fresh one

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
        serve = asyncio.create_task(self._restore_and_serve())
        # Also while the log is read, which may take longer than a lease.
        renew = asyncio.create_task(self._renew())
        tasks = [serve, renew, *([] if self._beside is None else [asyncio.create_task(self._beside())])]
        try:
            await asyncio.wait({serve, renew}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._is_serving = False
            await cancelled(*tasks)
        for task in tasks:
            if task.done() and not task.cancelled() and (fault := task.exception()) is not None:
                raise fault
        with contextlib.suppress(StoreUnavailable):  # only now: a lease given back must not be renewed
            await self._store.release()

    async def _renew(self) -> None:
        """Keep the lease, and find out that the store is away also when nothing is to be written."""
        while True:
            await asyncio.sleep(self._lease_s / 3)
            await self._asking.until_answered(self._store.renew)
            await self._store_check.again()

    async def _restore_and_serve(self) -> None:
        await self._restore()
        self._readiness.ready()
        log.info("ready", seq=self._durable_seq, epoch=self.epoch)
        self._is_serving = True
        await self._serve()

    async def _serve(self) -> None:
        await self._decider.begin(self.epoch)
        reading = asyncio.create_task(self._store.new_ids.read())
        try:
            while batch := await self._queue.take():
                if batch[0].job.decision is None:
                    await self._process(batch)
                elif not await self._curating.settle(batch[0].job):
                    await self._start_over("a decision failed; reading the state again")
                if not await self._tending.tend():
                    await self._start_over("a fit failed; reading the state again")
                await self._saving.tend(self._durable_seq)
            await self._saving.now(self._durable_seq)
            await self._decider.leave()
        finally:
            reading.cancel()
            await self._saving.drop()

    async def _dump(self) -> tuple[bytes, int]:
        async with self._at_rest:
            return await self._workers.in_engine(partial(snapshot.dump, self._present())), self._durable_seq

    # Starting over

    async def _start_over(self, reason: str) -> None:
        """Something failed that nobody foresaw: drop the memory, take the stream anew, and read the state again."""
        self._readiness.unready(reason)
        self._fanout.end()  # should it be durable after all, its events are lost: watchers start anew
        try:
            self.epoch = await self._asking.until_answered(self._store.acquire)
        except LeaseHeld as held:
            raise Fenced(str(held), ours=self.epoch, current=0) from None
        self._metrics.epoch.set(self.epoch)
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
        owners = [part.job for part in batch for _ in part.items]
        retried = frozenset(n for n, job in enumerate(owners) if job.is_retry)
        try:
            with self._metrics.in_batch(len(items), (part.job.trace for part in batch)):
                answers = await self._answered(batch, items, retried)
        except (StoreError, asyncio.CancelledError):
            # It may be durable: only who takes the stream anew can tell.
            self._readiness.unready("the stream is not ours any more")
            self._fail(
                batch, NotReady("The stream moved to another process, or is stopping. Send the same again.")
            )
            raise
        except (EngineFails, TooManyQuarantined) as trouble:
            self._metrics.failed.inc(len(items))
            self._fail(batch, trouble)
            await self._pausing.pause(trouble)
            return
        except Exception:
            log.exception("batch_failed", items=len(items))
            self._readiness.unready("a batch failed")
            self._metrics.failed.inc(len(items))
            self._fail(batch, InternalError("These items could not be classified."))
            await self._start_over("a batch failed; reading the state again")
            return
        at = 0
        for part in batch:
            n = part.stop - part.start
            part.job.deliver(answers[at : at + n])
            at += n

    async def _answered(self, batch: list[Slice], items: list[Item], retried: frozenset[int]) -> list[Answer]:
        job = batch[0].job  # the others are like it
        if not job.learn:
            return await self._decider.try_out(items, explained=job.explain)
        return await self._decider.answer(items, retried=retried, explained=job.explain)

    def _fail(self, batch: list[Slice], error: FirstseenError) -> None:
        for part in batch:
            part.job.fail(error)

    def _present(self) -> Engine:
        if self._engine is None:
            raise NotReady("The state is being read; ask again in a moment.")
        return self._engine

    def _committed(self, result: StepResult) -> None:
        self._durable_seq = self._present().seq
        self.plotter.committed(self._durable_seq)
        self._metrics.seq.set(self._durable_seq)
        if self._store.durability.may_forget:
            self._unsynced.stands(self._durable_seq)
        self._metrics.count(result.verdicts)
        self._tell(result)

    def _forget(self) -> None:
        self._engine = None

    async def _rebuild(self, reason: str) -> None:
        """Read the state again after an engine crashed; what is sent meanwhile waits."""
        with contextlib.nullcontext() if self._pausing.is_paused else self._readiness.briefly():
            self._readiness.unready(reason)
            await self._restore()
            if self._durable_seq - self._saving.seq >= _LONG_LOG:  # it may crash again, and soon
                await self._saving.now(self._durable_seq)
            if not self._pausing.is_paused:
                self._readiness.ready()

    # Deciding about clusters, and reading

    async def curate(self, decision: Decision) -> Decided:
        """Carry out a decision in its turn; durable when this returns. Sent again under its key, the same answer.

        Raises:
            DecisionRefused, KeyReused: Nothing was changed.
            Unavailable: It may or may not be durable: send the same again.
        """
        job = Job([], asyncio.get_running_loop().create_future(), decision=decision)
        self._queue.offer(job)
        await job.done
        assert job.decided is not None
        return job.decided

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
