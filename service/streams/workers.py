"""The threads of a process: all its streams share one for the engine, one for what is embedded ahead, one for fits.

Compiled loops and most of what surrounds the net hold the interpreter's lock, so a thread a stream would make nothing
faster: the streams' threads would wait for one another, and the event loop for all of them, up to 5 ms each
(`sys.getswitchinterval`). The net itself lets go of that lock while it computes: so what comes next is embedded in a
thread of its own, beside the step in hand (`service.pipeline.ahead`). What was not embedded ahead, as a single item
that nobody waited behind, is embedded where it is stepped, which saves a thread its waking; that the net has one caller
at a time is the embedder's business. A stream has one batch in hand and one that is embedded ahead, and calls queue in
the order of arrival: a stream waits for at most one call of each kind of each of the others.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Workers:
    """A thread for the engine, one for what is embedded ahead, one for fits. Close them when all users are done."""

    def __init__(self) -> None:
        self.engine = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")
        self.net = ThreadPoolExecutor(max_workers=1, thread_name_prefix="net")
        self.fits = ThreadPoolExecutor(max_workers=1, thread_name_prefix="fit")

    def in_engine(self, call: Callable[[], T]) -> "asyncio.Future[T]":
        """The result of a call in the engine's thread."""
        return asyncio.get_running_loop().run_in_executor(self.engine, call)

    def in_net(self, call: Callable[[], T]) -> "asyncio.Future[T]":
        """The result of a call in the thread of what is embedded ahead."""
        return asyncio.get_running_loop().run_in_executor(self.net, call)

    def close(self) -> None:
        """Begin nothing more, and wait for nobody."""
        for thread in (self.engine, self.net, self.fits):
            thread.shutdown(wait=False, cancel_futures=True)
