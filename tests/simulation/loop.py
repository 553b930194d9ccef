"""An event loop whose time is a number: it never sleeps, it jumps to the next timer.

    ready ──► run one ──► ready ──► ... ──► nothing ready: now = the earliest timer's time

All that happens on it follows from the code and from what a seeded generator decided, so a run can be made again to
the bit. Callbacks that are ready run first come first served, which asyncio promises and code may rely on; what is
left to chance is how long a message, a thread or a pause takes, and that is where orders come from.

Three things that a real operating system does to a process are done here to a `Host`:

    stop     its callbacks and timers wait (SIGSTOP); those that were due run when it goes on
    kill     none of them runs (SIGKILL), but for tearing the tasks down, when nobody listens any more
    fuse     either before the n-th callback from now: at any `await` of the code, in the midst of what it does

A callback belongs to the host in whose context it was made (`HOST`, a context variable): tasks inherit it, and so do
their timers and wake-ups. What belongs to no host (the network, the clients) always runs.

Work for a thread is done in one go at the moment at which the thread would have finished; one executor does one thing
after another. Work that was cancelled before its turn is not done; work under way is done, and nobody asks for it.

The idea is FoundationDB's. Reference: J. Zhou et al., "FoundationDB: a distributed unbundled transactional key value
store", SIGMOD 2021, section 4.
"""

import asyncio
import heapq
import itertools
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

HOST: ContextVar["Host | None"] = ContextVar("host", default=None)
"""Whose code runs now."""


class Host:
    """What can be stopped and killed as one.

    Attributes:
        tasks: Those of its code, oldest first.
        parked: Callbacks that wait for it to go on; None while it runs.
        fuse: Callbacks until `blow` is called; None for no fuse.
    """

    def __init__(self) -> None:
        self.parked: deque[asyncio.Handle] | None = None
        self.fuse: int | None = None
        self.tasks: dict[asyncio.Task[Any], None] = {}
        self.context = Context()
        self.context.run(HOST.set, self)

    def blow(self) -> None:
        """The fuse has burnt down."""


class Stuck(AssertionError):
    """Nothing will ever happen again, or far too much did."""


class VirtualLoop(asyncio.AbstractEventLoop):
    """One run's loop.

    Args:
        work_s: How long the next piece of work of a thread takes.
        most_callbacks: A run with more is stuck in a circle.
    """

    def __init__(self, work_s: Callable[[], float] = lambda: 0.001, most_callbacks: int = 1_000_000) -> None:
        self._now = 0.0
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._order = itertools.count()
        self._work_s = work_s
        self._busy_until: dict[object, float] = {}
        self._callbacks_left = most_callbacks
        self._is_running = False
        self._until = float("inf")
        self.failures: list[dict[str, Any]] = []

    # Time and callbacks

    def time(self) -> float:
        return self._now

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._order), handle))
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """A cancelled timer is passed over when its time comes."""

    def _run_once(self) -> bool:
        """Run the next callback; False when there is none up to `_until`."""
        while not self._ready:
            if not self._timers or self._timers[0][0] > self._until:
                return False
            when, _, timer = heapq.heappop(self._timers)
            if not timer.cancelled():
                self._now = max(self._now, when)
                self._ready.append(timer)
        handle = self._ready.popleft()
        if handle.cancelled():
            return True
        self._callbacks_left -= 1
        if self._callbacks_left < 0:
            raise Stuck(f"too many callbacks by t={self._now:.3f}")
        host = handle._context.get(HOST)  # type: ignore[attr-defined]
        if host is not None:
            if host.fuse is not None and host.parked is None:
                host.fuse -= 1
                if host.fuse <= 0:
                    host.fuse = None
                    host.blow()
            if host.parked is not None:
                host.parked.append(handle)
                return True
        handle._run()
        return True

    def stop_host(self, host: Host) -> None:
        """SIGSTOP."""
        if host.parked is None:
            host.parked = deque()

    def resume_host(self, host: Host) -> None:
        """SIGCONT: what was due comes in the order in which it was due."""
        parked, host.parked = host.parked, None
        self._ready.extend(parked or ())

    def cancel_tasks_of(self, host: Host) -> None:
        """Tear down what is left of a host that was killed."""
        for task in list(host.tasks):
            task.cancel()

    # Running

    def run_until_complete(self, work: Coroutine[Any, Any, T], *, at_most_s: float = 1e6) -> T:  # type: ignore[override]
        """Run until `work` is done.

        Raises:
            Stuck: It is not by then, or cannot be.
        """
        self._until = self._now + at_most_s
        self._is_running = True
        events._set_running_loop(self)
        try:
            task = self.create_task(work)
            while not task.done():
                if not self._run_once():
                    raise Stuck(f"nothing more happens before t={self._until:.1f}")
            return task.result()
        finally:
            events._set_running_loop(None)
            self._is_running = False

    def drain(self) -> None:
        """Let what is ready run, and forget the rest: nobody waits for it."""
        self._until = self._now
        events._set_running_loop(self)
        try:
            while self._run_once():
                pass
        finally:
            events._set_running_loop(None)
        self.close()

    def is_running(self) -> bool:
        return self._is_running

    def is_closed(self) -> bool:
        return False

    def close(self) -> None:
        """Forget all that would still happen."""
        self._ready.clear()
        self._timers.clear()

    def get_debug(self) -> bool:
        return False

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, T], *, name: str | None = None, context: Context | None = None
    ) -> "asyncio.Task[T]":
        if context is None:
            task = asyncio.Task(coro, loop=self, name=name)
        else:
            task = asyncio.Task(coro, loop=self, name=name, context=context)
        host = HOST.get() if context is None else context.get(HOST)
        if host is not None:
            host.tasks[task] = None
            task.add_done_callback(lambda done: host.tasks.pop(done, None))
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.failures.append(context)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        self.failures.append(context)

    # Threads

    def run_in_executor(  # type: ignore[override]
        self, executor: object, func: Callable[..., T], *args: Any
    ) -> "asyncio.Future[T]":
        future: asyncio.Future[T] = self.create_future()
        begins = max(self._now, self._busy_until.get(executor, 0.0))
        ends = begins + self._work_s()
        self._busy_until[executor] = ends
        cancelled_at = float("inf")

        def cancelled(_: object) -> None:
            nonlocal cancelled_at
            if future.cancelled():
                cancelled_at = self._now

        def finish() -> None:
            if cancelled_at <= begins and future.cancelled():
                return
            try:
                result = func(*args)
            except Exception as error:  # noqa: BLE001 - it is the waiter's
                if not future.done():
                    future.set_exception(error)
            else:
                if not future.done():
                    future.set_result(result)

        future.add_done_callback(cancelled)
        self.call_at(ends, finish)
        return future

    async def shutdown_asyncgens(self) -> None:
        """There is nothing to wait for."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncio's
        """There are no threads."""
