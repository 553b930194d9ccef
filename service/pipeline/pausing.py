"""Pauses: while the engine fails at anything, or too many items go into quarantine, nothing is served.

Not items are to blame then, so none is convicted: all that waits is told to come again, and the stream goes on when the
engine is well, or quarantine has room. An engine that does not get well ends the process: one that starts anew may.
"""

import asyncio

import structlog

from service.errors import EngineFails, TooManyQuarantined
from service.pipeline.batching import Queue
from service.pipeline.deciding import Decider
from service.pipeline.readiness import Readiness

log = structlog.get_logger("firstseen.pipeline")

_PATIENCE_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Pauses before an engine that fails at anything is tried again; after the last, the process ends."""


class Pausing:
    """Of one stream.

    Args:
        queue: What waits is failed.
        readiness: Is told.
        decider: Tells whether the engine is well.
    """

    def __init__(self, queue: Queue, readiness: Readiness, decider: Decider) -> None:
        self._queue = queue
        self._readiness = readiness
        self._decider = decider
        self.is_paused = False

    async def pause(self, trouble: EngineFails | TooManyQuarantined) -> None:
        """Serve nothing until the engine is well again, or quarantine has room.

        Raises:
            EngineFails: It does not get well. A process that starts anew may; what it had in hand is noted.
        """
        self.is_paused = True
        self._readiness.unready(str(trouble))
        self._queue.fail_all(trouble)
        try:
            if isinstance(trouble, TooManyQuarantined):
                while not self._decider.has_room and not self._readiness.is_stopping:  # noqa: ASYNC110 - time has to pass
                    await asyncio.sleep(_PATIENCE_S[0])
            else:
                await self._until_well(trouble)
        finally:
            self.is_paused = False
        log.info("goes_on", after=type(trouble).__name__)
        self._readiness.ready()

    async def _until_well(self, trouble: EngineFails) -> None:
        for pause in _PATIENCE_S:
            await asyncio.sleep(pause)
            if self._readiness.is_stopping or await self._decider.is_well(with_step=True):
                return
            self._readiness.unready(str(trouble))
        raise trouble
