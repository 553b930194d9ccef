"""The one queue: pull-driven, bounded, first come first served.

There is no timer. When the pipeline is free it takes what is waiting, up to `max_batch` items; an idle service
answers a single item at once, a busy one forms large batches by itself.

What a person decides about a cluster waits in the same queue, as one item, and is a batch of its own: it holds for what
was sent after it, and for nothing that was sent before.

The bound is in items. When it is reached, `offer` (HTTP) raises Overloaded, so that the client gets 503 and
tries later; `put` (WebSocket) waits, so that the socket is not read and the sender feels it.

What nobody waits for any more falls out as the batch forms, before it is embedded: a job whose request gave up after
its timeout, whose deadline has passed, or whose client has closed its connection. Its waiter, if there is one, is
told that it was not counted. What was taken before that is decided and becomes durable all the same, and a resend
under the same ids gets those verdicts.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from enum import StrEnum

from service.decisions import Decided, Decision
from service.errors import ClientGone, DeadlineMissed, Overloaded, StoreAway, Unavailable
from service.ingest.intake import Refused
from service.pipeline.examined import Examined
from service.records import Item, Verdict
from service.telemetry.trace_context import TraceContext

Answer = Verdict | Refused | Examined
"""What becomes of an item that was queued: nearly always a verdict; with more to it, or not learnt, where that was
asked for."""


@dataclass(slots=True, eq=False)
class Job:
    """The items of one request, answered in order; large ones are cut over several batches.

    `results` fills up to the length of `items`; then `done` has them. `on_progress`, where given, is called in
    the event loop with each durable slice of answers. `is_retry`: a person wants these items tried although they
    are in quarantine. `learn`: False: a dry run, which is not looked up, written or counted. `explain`: say why as
    well. `trace`: the request's place in its trace. `offered`: since when it waits, in the loop's time; set by the
    queue. Only jobs that are alike in learn and explain share a batch. `deadline`: the time of the event loop from
    which on the answer is of no use. `is_gone`: says whether the client has gone. `decision`: what a person decided, in
    place of items; `decided` is its answer, set before `done`.
    """

    items: list[Item]
    done: asyncio.Future[list[Answer]]
    on_progress: Callable[[list[Answer]], None] | None = None
    is_retry: bool = False
    learn: bool = True
    explain: bool = False
    trace: TraceContext | None = None
    offered: float = 0.0
    deadline: float | None = None
    is_gone: Callable[[], bool] | None = None
    decision: Decision | None = None
    decided: Decided | None = None
    taken: int = 0
    results: list[Answer] = field(default_factory=list)

    @property
    def size(self) -> int:
        """What it takes of the queue's room."""
        return len(self.items) if self.decision is None else 1

    def decide(self, decided: Decided) -> None:
        """Hand over what came of the decision; it is durable."""
        self.decided = decided
        if not self.done.done():
            self.done.set_result([])

    def deliver(self, answers: list[Answer]) -> None:
        """Hand over the next answers; they are durable."""
        self.results += answers
        if self.done.done():
            return
        if self.on_progress is not None:
            self.on_progress(answers)
        if len(self.results) == len(self.items):
            self.done.set_result(self.results)

    def fail(self, error: BaseException) -> None:
        """The rest of the job will not be answered.

        Many jobs may fail by one error; each has its own copy, since a task that raises one writes its traceback there.
        """
        if self.done.done():
            return
        self.done.set_exception(copy(error))
        # Seen: who has gone without waiting for it leaves no "exception was never retrieved" in the log. What went
        # wrong is logged where it did.
        self.done.exception()

    def is_awaited(self, now: float) -> bool:
        """Whether its answer is still of use to somebody."""
        return not (self.done.done() or self.is_late(now) or (self.is_gone is not None and self.is_gone()))

    def is_late(self, now: float) -> bool:
        """Whether its deadline has passed."""
        return self.deadline is not None and now >= self.deadline

    def miss_deadline(self) -> None:
        """The deadline has passed; what is not taken by now will not be."""
        self.fail(DeadlineMissed(f"The deadline passed while the items waited. {self._counted()}"))

    def lose_client(self) -> None:
        """The client has gone; what is not taken by now will not be."""
        self.fail(ClientGone(f"The client closed its connection. {self._counted()}"))

    def _counted(self) -> str:
        if self.decision is not None:
            return "Nothing was decided."
        if not self.taken:
            return "None of them was counted."
        return (
            f"The first {self.taken} of {len(self.items)} items are counted, the others are not: send them again under "
            "the same ids."
        )


@dataclass(frozen=True, slots=True)
class Slice:
    """Items `start` to `stop` of a job, in one batch."""

    job: Job
    start: int
    stop: int

    @property
    def items(self) -> list[Item]:
        """The items of the slice."""
        return self.job.items[self.start : self.stop]


class Dropped(StrEnum):
    """Why items fell out of the queue."""

    TIMEOUT = "timeout"
    DEADLINE = "deadline"
    CLIENT_GONE = "client_gone"
    FAILED = "failed"
    """Their job has, with items of an earlier batch."""


class Queue:
    """Jobs waiting for the pipeline. Lives in one event loop; the pipeline alone takes.

    Args:
        max_items: Most that wait.
        max_batch: Most that are taken at once.
        dropped: Told why how many items fell out.
    """

    def __init__(
        self, *, max_items: int, max_batch: int, dropped: Callable[[Dropped, int], None] = lambda *_: None
    ) -> None:
        self._dropped = dropped
        self._jobs: deque[Job] = deque()
        self._max_items = max_items
        self._max_batch = max_batch
        self._waiting = 0
        self._closed: Unavailable | None = None
        self._arrived = asyncio.Event()
        self._left = asyncio.Event()
        self._finishing = False
        self._drained = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Items in the queue."""
        return self._waiting

    @property
    def age_s(self) -> float:
        """How long what waits longest has waited; 0 when nothing waits."""
        if not self._jobs:
            return 0.0
        return asyncio.get_running_loop().time() - self._jobs[0].offered

    @property
    def is_drained(self) -> bool:
        """Whether everything has been taken and answered, and no more will come."""
        return self._drained.is_set()

    def offer(self, job: Job) -> None:
        """Queue a job now or not at all. A job larger than the whole queue is taken when the queue is empty.

        Raises:
            Overloaded: No room.
            Unavailable: The queue is closed; the reason it was closed with.
        """
        if self._closed is not None:
            raise copy(
                self._closed
            )  # one that is raised again and again holds what all who raised it had in hand
        if self._waiting and self._waiting + job.size > self._max_items:
            raise Overloaded(
                f"{self._waiting} items are waiting, which is near the most that may ({self._max_items}). "
                "Send the same again after the time in Retry-After."
            )
        job.offered = asyncio.get_running_loop().time()
        self._jobs.append(job)
        self._waiting += job.size
        self._arrived.set()

    async def put(self, job: Job) -> None:
        """Queue a job as soon as there is room and the store answers.

        Raises:
            Unavailable: The queue is closed for another reason.
        """
        while True:
            try:
                self.offer(job)
            except (Overloaded, StoreAway):
                self._left.clear()
                await self._left.wait()
            else:
                return

    async def take(self) -> list[Slice]:
        """Wait for work, then take up to `max_batch` items of it, in order; [] when no more will come."""
        while True:
            self._arrived.clear()
            if batch := self._form():
                return batch
            if self._finishing:
                self._drained.set()
                return []
            await self._arrived.wait()

    def peek(self) -> list[Item]:
        """What the next batch would hold, were it formed now; nothing is taken, and of dry runs nothing is shown."""
        found: list[Item] = []
        first: Job | None = None
        now = asyncio.get_running_loop().time()
        for job in self._jobs:
            if len(found) >= self._max_batch:
                break
            if not job.is_awaited(now):
                continue
            first = first or job
            if job.decision is not None or not job.learn or job.explain != first.explain:
                break
            found += job.items[job.taken : job.taken + self._max_batch - len(found)]
        return found

    def _form(self) -> list[Slice]:
        batch: list[Slice] = []
        room = self._max_batch
        now = asyncio.get_running_loop().time()
        while self._jobs and room:
            job = self._jobs[0]
            left = job.size - job.taken
            if (why := _why_dropped(job, now)) is not None:
                self._jobs.popleft()
                self._waiting -= left
                self._dropped(why, left)
                continue
            if batch and (
                job.decision is not None
                or batch[0].job.decision is not None
                or (job.learn, job.explain) != (batch[0].job.learn, batch[0].job.explain)
            ):
                break  # in its turn: a dry run, or a decision, sees what was sent before it
            n = min(left, room)
            batch.append(Slice(job, job.taken, job.taken + n))
            job.taken += n
            room -= n
            self._waiting -= n
            if job.taken == job.size:
                self._jobs.popleft()
        self._left.set()
        return batch

    def close(self, reason: Unavailable) -> None:
        """Refuse new jobs with `reason`; what waits can still be taken."""
        self._closed = reason
        self._left.set()
        self._arrived.set()

    def open(self) -> None:
        """Take jobs again."""
        self._closed = None
        self._left.set()

    def finish(self) -> None:
        """No more will come: once what waits is taken, `take` returns []."""
        self._finishing = True
        self._arrived.set()

    async def drained(self) -> None:
        """Wait until everything has been taken and answered."""
        await self._drained.wait()

    def fail_all(self, error: Unavailable) -> None:
        """Answer everything that waits with `error`."""
        while self._jobs:
            self._jobs.popleft().fail(error)
        self._waiting = 0
        self._left.set()


def _why_dropped(job: Job, now: float) -> Dropped | None:
    """Why nobody waits for this job any more, None while somebody does; who still waits for its answer gets one."""
    if job.is_awaited(now):
        return None
    if job.done.cancelled():
        return Dropped.DEADLINE if job.is_late(now) else Dropped.TIMEOUT
    if job.done.done():
        return Dropped.DEADLINE if isinstance(job.done.exception(), DeadlineMissed) else Dropped.FAILED
    if job.is_late(now):
        job.miss_deadline()
        return Dropped.DEADLINE
    job.lose_client()
    return Dropped.CLIENT_GONE
