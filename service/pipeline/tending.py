"""The stream gate's fits, between two batches: use the one that is ready, begin the one that is due.

They are made beside the stream (fits.py). What comes of one is an entry of the log, and counts from there on.
"""

import structlog

from service.clustering.engine import StepResult
from service.clustering.stream_gate import StreamFit
from service.pipeline.asking import Asking
from service.pipeline.fits import Fits
from service.pipeline.memory import Memory
from service.pipeline.payloads import Payloads
from service.state.errors import StoreError
from service.state.events import pack_events
from service.state.packing import pack_refit
from service.state.store import Append, StreamStore

log = structlog.get_logger("firstseen.pipeline")


class Tending:
    """Of one stream's gate.

    Args:
        memory: The engine.
        fits: Those under way.
        store: The stream's state.
        asking: To ask the store until it answers.
        payloads: Of clusters' members.
    """

    def __init__(
        self, memory: Memory, fits: Fits, store: StreamStore, asking: Asking, payloads: Payloads
    ) -> None:
        self._memory = memory
        self._fits = fits
        self._store = store
        self._ask = asking.until_answered
        self._payloads = payloads

    async def tend(self) -> bool:
        """Use the fit that is ready; begin one that is due.

        Returns:
            Whether that went well. If not, the engine is of no use any more; it is no item's fault.

        Raises:
            StoreError: What was made of it may be durable or not; the stream has to be taken anew.
        """
        engine = self._memory.engine()
        try:
            async with self._memory.at_rest:
                fit = self._fits.take(engine.seq)
                if fit is not None:
                    self._memory.committed(await self._use(fit))
                if engine.is_fit_due and self._fits.may_begin(engine.seq):
                    self._fits.begin(engine.stream, await self._memory.in_worker(engine.fit_job))
        except StoreError:
            raise
        except Exception:
            log.exception("refit_failed", seq=engine.seq)
            self._fits.failed(engine.seq)
            return False
        return True

    async def _use(self, fit: StreamFit) -> StepResult:
        """Decide by a fit from here on, and commit that."""
        engine = self._memory.engine()
        first_seq = engine.seq
        with self._memory.ahead():
            result = await self._memory.in_worker(lambda: engine.refit(fit))
            change = self._payloads.changed(engine)
            record = Append(
                first_seq=first_seq,
                count=1,
                payload=pack_refit(fit),
                verdicts=(),
                events=pack_events(result.events),
                forget=change.forget,
            )
            await self._ask(lambda: self._store.append(record))
        return result
