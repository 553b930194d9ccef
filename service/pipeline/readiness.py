"""Is the stream served right now, and if not, why? Told to readers, and to the queue, which then refuses new work.

Three things can be in the way: our own state (starting, replaying, another owner, stopping), a store that is away, and
one that was set up to forget what is acknowledged. The store is told first, since it is what an operator can mend.
Once stopping, nothing makes it ready again.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from service.errors import NotReady, StoreAway
from service.pipeline.batching import Queue
from service.telemetry.metrics import StreamMetrics

log = structlog.get_logger("firstseen.pipeline")

_STORE_UNSAFE = "Redis may forget what is acknowledged: {}. Nothing is taken until that is mended."
_STORE_AWAY = "Redis does not answer ({}). Nothing is lost; send the same again in a moment."


class Readiness:
    """The state of one pipeline as others see it.

    Args:
        queue: What waits; closed while not ready.
        metrics: What is counted.
    """

    def __init__(self, queue: Queue, metrics: StreamMetrics) -> None:
        self._queue = queue
        self._metrics = metrics
        self._state: str | None = "starting"
        self._away: str | None = None
        self._unsafe: str | None = None
        self.is_stopping = False
        self.settled = asyncio.Event()
        """Set once it is known whether the stream is served, or is not for a reason that may take its time."""
        self._is_brief = False
        self._show()

    @property
    def reason(self) -> str | None:
        """Why the stream is not served right now; None when it is."""
        return self._away or self._unsafe or self._state

    def unready(self, reason: str, *, for_long: bool = False) -> None:
        """It is not served, for this reason."""
        self._state = reason
        self._show()
        if for_long:
            self.settled.set()

    def ready(self) -> None:
        """It is served, if the store is there and nobody has told it to stop."""
        if not self.is_stopping:
            self._state = None
            self._show()

    @contextmanager
    def briefly(self) -> Iterator[None]:
        """What makes it unready in here will be over in a moment: what comes meanwhile waits, and is not refused."""
        self._is_brief = True
        try:
            yield
        finally:
            self._is_brief = False
            self._show()

    def stop(self) -> None:
        """It will not be served again."""
        self.is_stopping = True
        self.unready("stopping")

    def store_is_away(self, reason: str | None) -> None:
        """The store does not answer, or (None) does again."""
        if reason == self._away:
            return
        if reason is None or self._away is None:
            log.warning("store_away", reason=reason) if reason else log.info("store_back")
        self._away = reason
        self._show()

    def store_is_unsafe(self, reason: str | None) -> None:
        """The store may forget what is acknowledged, or (None) does not any more."""
        if reason != self._unsafe:
            log.error("store_unsafe", reason=reason) if reason else log.info("store_safe")
            self._unsafe = reason
            self._show()

    def _show(self) -> None:
        reason = self.reason
        self._metrics.ready.set(reason is None)
        self._metrics.store_up.set(self._away is None)
        self._metrics.store_safe.set(self._unsafe is None)
        if reason is None or self._away or self._unsafe or self.is_stopping:
            self.settled.set()
        if reason is None or (self._is_brief and self._away is None and not self.is_stopping):
            self._queue.open()
        elif self._away is not None and not self.is_stopping:
            self._queue.close(StoreAway(_STORE_AWAY.format(self._away)))
        elif self._unsafe is not None and not self.is_stopping:
            self._queue.close(StoreAway(_STORE_UNSAFE.format(self._unsafe)))
        else:
            self._queue.close(NotReady(f"The service is not ready: {self._state or reason}."))
