"""One decision of a person: find out whether it was made before, prepare it, carry it out, commit.

    key ─► made before? its answer ─┐
             │ no                   │
             └► prepare ─► carry out ─► commit ─► answer

It is done between two batches, and answered once it is durable. Sent again under its key, as a client does that had no
answer, it is not made again. What is refused changes nothing, and the stream goes on; so it does where preparing fails,
which only reads. Where carrying out fails the engine is halfway: the memory is dropped, and read again from the store,
which has nothing of it.
"""

import asyncio
from collections.abc import Callable

import structlog

from service.clustering.curation import Curation
from service.clustering.engine import StepResult
from service.decisions import Decided, Decision
from service.errors import ClientError, InternalError, NotReady
from service.pipeline.asking import Asking
from service.pipeline.batching import Job
from service.pipeline.memory import Memory
from service.pipeline.payloads import Payloads
from service.state.errors import StoreError
from service.state.events import pack_events
from service.state.packing import pack_curate
from service.state.store import Append, StreamStore
from service.telemetry.metrics import StreamMetrics

log = structlog.get_logger("firstseen.pipeline")


class Curating:
    """Of one stream.

    Args:
        memory: The engine.
        store: The stream's state.
        asking: To ask the store until it answers.
        metrics: What is counted.
        payloads: Of clusters' members.
    """

    def __init__(
        self, memory: Memory, store: StreamStore, asking: Asking, metrics: StreamMetrics, payloads: Payloads
    ) -> None:
        self._memory = memory
        self._store = store
        self._ask = asking.until_answered
        self._metrics = metrics
        self._payloads = payloads

    async def settle(self, job: Job) -> bool:
        """Answer a job that is a decision, or fail it.

        Returns:
            Whether the engine is as it should be. If not, the memory was dropped; nothing of the decision is durable.

        Raises:
            StoreError: It may be durable or not; the stream has to be taken anew.
        """
        assert job.decision is not None
        is_halfway = False

        def halfway() -> None:
            nonlocal is_halfway
            is_halfway = True

        try:
            job.decide(await self.decide(job.decision, halfway))
        except ClientError as refused:
            job.fail(refused)
        except (StoreError, asyncio.CancelledError):
            job.fail(NotReady("The stream moved to another process, or is stopping. Send the same again."))
            raise
        except Exception:
            log.exception("decision_failed", action=job.decision.action.value, cluster=job.decision.cluster)
            job.fail(InternalError("The decision could not be carried out."))
            return not is_halfway
        return True

    async def decide(self, decision: Decision, halfway: Callable[[], None]) -> Decided:
        """Carry a decision out; durable when this returns. `halfway` is called before anything is changed.

        Raises:
            DecisionRefused, KeyReused: Nothing was changed.
            StoreError: It may be durable or not; the stream has to be taken anew.
        """
        async with self._memory.at_rest:
            engine = self._memory.engine()
            before = engine.audit.again(decision)
            if before is not None:
                return before
            prepared = await self._memory.in_worker(lambda: engine.prepared(decision))
            halfway()
            with self._memory.ahead():
                result = await self._commit(prepared)
            self._memory.committed(result)
            decided = engine.decisions[-1]
            self._tell(decided)
            return decided

    def _tell(self, decided: Decided) -> None:
        """Count and log a decision that is durable, without what people wrote."""
        decision = decided.decision
        self._metrics.decided(decision.action)
        log.info(
            "decided",
            decision=decided.seq,
            action=decision.action.value,
            cluster=decision.cluster,
            created=list(decided.created),
            key=decision.who,
        )

    async def _commit(self, prepared: Curation) -> StepResult:
        engine = self._memory.engine()
        first_seq = engine.seq
        result = await self._memory.in_worker(lambda: engine.carry_out(prepared))
        record = Append(
            first_seq=first_seq,
            count=1,
            payload=pack_curate(prepared),
            verdicts=(),
            events=pack_events(result.events),
            forget=self._payloads.changed(engine).forget,
        )
        await self._ask(lambda: self._store.append(record))
        return result
