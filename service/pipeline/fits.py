"""The stream gate's fits, made beside the stream: one at a time, in a thread that has nothing else to do, on copies.

    due ─► begin ─► (a thread, 10 to 40 ms; batches go on) ─► ready ─► an entry of the log, and used from there on
                              │
                              └──► dropped, when the memory is: the next one is soon due

They wait for nobody, and nobody waits for them. One that fails is counted and forgotten: deciding goes on by the fit
before, and the next is begun EVERY items later.
"""

import asyncio
from concurrent.futures import Executor
from functools import partial

import structlog

from service.clustering.stream_gate import FitJob, StreamFit, StreamGate, constants
from service.telemetry.metrics import StreamMetrics

log = structlog.get_logger("firstseen.pipeline")


class Fits:
    """The fit under way, if there is one. Lives in one event loop.

    Args:
        metrics: What is counted.
        thread: Where it is made.
    """

    def __init__(self, metrics: StreamMetrics, thread: Executor) -> None:
        self._metrics = metrics
        self._thread = thread
        self._under_way: asyncio.Future[StreamFit] | None = None
        self._not_before = 0

    def may_begin(self, seq: int) -> bool:
        """Whether a fit that is due at `seq` can be begun: none is under way, and none failed just now."""
        return self._under_way is None and seq >= self._not_before

    def begin(self, gate: StreamGate, job: FitJob) -> None:
        """Begin a fit; only when `may_begin`."""
        assert self._under_way is None, "one at a time"
        loop = asyncio.get_running_loop()
        self._under_way = loop.run_in_executor(self._thread, partial(self._solve, gate, job))

    def _solve(self, gate: StreamGate, job: FitJob) -> StreamFit:
        with self._metrics.fit.time():
            return gate.solve(job)

    def take(self, seq: int) -> StreamFit | None:
        """The fit that is ready at `seq`, once; None if there is none, or it failed."""
        if self._under_way is None or not self._under_way.done():
            return None
        ready, self._under_way = self._under_way, None
        try:
            return ready.result()
        except Exception:
            log.exception("fit_failed")
            self.failed(seq)
            return None

    def failed(self, seq: int) -> None:
        """Count one that failed, as it was made or used, at `seq`; the next one is not begun at once."""
        self._metrics.fits_failed.inc()
        self._not_before = seq + constants.EVERY

    def drop(self) -> None:
        """Forget the fit under way: what it was made for is no more."""
        if self._under_way is not None:
            self._under_way.cancel()  # if its thread has begun, it goes on, and nobody asks what came of it
            self._under_way = None
