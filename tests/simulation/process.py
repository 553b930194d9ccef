"""One process of the service: a pipeline and all that it holds in memory, which can be stopped and killed."""

import asyncio
from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry

from service.clustering.params import EngineParams
from service.decisions import Decided, Decision
from service.errors import FirstseenError
from service.pipeline.batching import Answer, Job, Queue
from service.pipeline.fanout import Fanout
from service.pipeline.pipeline import Pipeline
from service.records import Item
from service.state.store import StreamStore
from service.telemetry.metrics import Metrics
from tests.simulation import small
from tests.simulation.client import SimulatedRedis
from tests.simulation.loop import Host, VirtualLoop
from tests.simulation.network import Line, Network

STREAM = "simulated"
DAY_S = 86_400.0
_BEGAN = 1_750_000_000.0

_metrics: list[Metrics] = []


def metrics() -> Metrics:
    """One for all runs: nothing reads them, and a thousand registries take their time."""
    if not _metrics:
        _metrics.append(Metrics(CollectorRegistry()))
    return _metrics[0]


class Lost(Exception):
    """The connection to the process broke, or it gave no answer in time."""


class Process(Host):
    """From its start to its end; the next one has a name of its own.

    Attributes:
        pipeline: What runs in it.
        is_dead: It was killed: nothing of it reaches the world any more.
        skew_s: What its clock is wrong by.
        error: What ended it, where that was an error of its own.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        network: Network,
        *,
        name: str,
        params: EngineParams = small.PARAMS,
        max_batch: int,
        snapshot_every: int,
        horizon: int,
        lease_ms: int,
        is_alone: bool,
        skew_s: float,
        make_store: Callable[..., StreamStore] = StreamStore,
        make_pipeline: Callable[..., Pipeline] = Pipeline,
    ) -> None:
        super().__init__()
        self._loop = loop
        self.name = name
        self.skew_s = skew_s
        self.is_dead = False
        self.error: BaseException | None = None
        self._then: Callable[[], None] = lambda: None
        self._line = Line(network, self)
        self._answers: dict[asyncio.Future[Any], None] = {}
        self.queue = Queue(max_items=200, max_batch=max_batch)
        self.pipeline: Pipeline = self.context.run(
            make_pipeline,
            bundle=small.bundle(),
            embedder=small.TableNet(),
            store=make_store(
                SimulatedRedis.on(self._line),
                stream=STREAM,
                bundle_id=small.bundle().manifest.bundle_id,
                owner=name,
                lease_ms=lease_ms,
                horizon=horizon,
            ),
            queue=self.queue,
            fanout=Fanout(100),
            metrics=metrics().of(STREAM),
            now=lambda: _BEGAN + self.skew_s + loop.time(),
            params=params,
            lease_ms=lease_ms,
            snapshot_every_items=snapshot_every,
            holds_store_alone=is_alone,
        )
        self.task = loop.create_task(self.pipeline.run(), context=self.context)

    @property
    def is_running(self) -> bool:
        return self.parked is None and not self.task.done()

    @property
    def is_ready(self) -> bool:
        return self.is_running and self.pipeline.reason is None

    def light(self, callbacks: int, then: Callable[[], None]) -> None:
        """Let something happen to it before its n-th callback from now."""
        self.fuse, self._then = callbacks, then

    def blow(self) -> None:
        self._then()

    def kill(self) -> None:
        """SIGKILL. What is torn down afterwards neither writes nor tells anybody."""
        self.is_dead = self._line.is_cut = True
        self.fuse = None
        for answer in self._answers:
            if not answer.done():
                answer.set_exception(Lost("the process was killed"))
        self._loop.resume_host(self)
        self._loop.cancel_tasks_of(self)

    async def decide(self, decision: Decision, delay_s: float, at_most_s: float) -> Decided:
        """Send a decision; raises as `ask`."""
        job = Job(items=[], done=self._loop.create_future(), decision=decision)
        await self._send(job, delay_s, at_most_s)
        assert job.decided is not None
        return job.decided

    async def ask(
        self, items: list[Item], heard: Callable[[list[Answer]], None], delay_s: float, at_most_s: float
    ) -> list[Answer]:
        """Send items as a client, `delay_s` away; `heard` gets each slice as the process lets go of it.

        Raises:
            Lost: No answer came.
            FirstseenError: It refused.
        """
        job = Job(items=items, done=self._loop.create_future())

        def told(verdicts: list[Answer]) -> None:
            if not self.is_dead:
                heard(verdicts)

        job.on_progress = told
        return await self._send(job, delay_s, at_most_s)

    async def _send(self, job: Job, delay_s: float, at_most_s: float) -> list[Answer]:
        answer: asyncio.Future[list[Answer]] = self._loop.create_future()

        def arrive() -> None:
            if self.is_dead or self.task.done():
                settle(error=Lost("nobody listens"))
                return
            job.done.add_done_callback(settle)
            try:
                self.queue.offer(job)
            except FirstseenError as refused:
                job.done.cancel()
                settle(error=refused)

        def settle(
            done: "asyncio.Future[list[Answer]] | None" = None, error: Exception | None = None
        ) -> None:
            if done is not None and not done.cancelled():
                error = done.exception()  # type: ignore[assignment]
            if answer.done() or self.is_dead or (done is not None and done.cancelled()):
                return
            if error is not None:
                answer.set_exception(error)
            else:
                assert done is not None
                answer.set_result(done.result())

        self._answers[answer] = None
        self._loop.call_later(delay_s, arrive, context=self.context.copy())
        try:
            async with asyncio.timeout(at_most_s):
                return await answer
        except TimeoutError:
            self._loop.call_soon(job.done.cancel, context=self.context.copy())
            raise Lost("no answer in time") from None
        finally:
            del self._answers[answer]
            answer.cancel()
