"""The threads of a process: all its streams share one for net and engine, and one for the stream gate's fits.

Compiled loops and most of what surrounds the net hold the interpreter's lock, so a thread a stream would make nothing
faster: the streams' threads would wait for one another, and the event loop for all of them, up to 5 ms each
(`sys.getswitchinterval`). With one thread the loop competes with one, however many streams are open, and the net, whose
buffers are not made for two callers, has one caller. A stream has one batch in hand and one that is embedded ahead
(`service.pipeline.ahead`), and calls queue in the order of arrival: a stream waits for at most two calls of each of
the others.
"""

from concurrent.futures import ThreadPoolExecutor


class Workers:
    """One thread for net and engine, one for fits. Close them when all who use them are done."""

    def __init__(self) -> None:
        self.engine = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")
        self.fits = ThreadPoolExecutor(max_workers=1, thread_name_prefix="fit")

    def close(self) -> None:
        """Begin nothing more, and wait for nobody."""
        for thread in (self.engine, self.fits):
            thread.shutdown(wait=False, cancel_futures=True)
