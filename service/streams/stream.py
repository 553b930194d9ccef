"""One open stream: its pipeline, and what stands around it."""

from collections.abc import Iterator
from contextlib import contextmanager

from service.pipeline.batching import Queue
from service.pipeline.fanout import Fanout
from service.pipeline.pipeline import Pipeline
from service.state.events import EventBox
from service.telemetry.metrics import StreamMetrics
from service.webhooks.webhooks import Webhooks


class Stream:
    """A stream that this process has open; `service.streams.streams.Streams` opens and closes it.

    Attributes:
        name: Its name.
        pipeline: Its single writer.
        queue: What waits for it.
        fanout: Who watches it.
        events: What became of its clusters, as it is stored.
        webhooks: Who is told of that.
        metrics: What is counted of it.
        used: When it was used last, by a count of uses.
        is_closing: Its place is needed: it takes nothing more.
    """

    def __init__(
        self,
        *,
        name: str,
        pipeline: Pipeline,
        queue: Queue,
        fanout: Fanout,
        events: EventBox,
        webhooks: Webhooks,
        metrics: StreamMetrics,
    ) -> None:
        self.name = name
        self.pipeline = pipeline
        self.queue = queue
        self.fanout = fanout
        self.events = events
        self.webhooks = webhooks
        self.metrics = metrics
        self.used = 0
        self.is_closing = False
        self._users = 0

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """While this is open the stream is not closed for another. Enter it before you wait for anything."""
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1

    @property
    def is_idle(self) -> bool:
        """Whether nobody would miss it right now: no request, no socket, nothing that waits."""
        return not self._users and not self.queue.waiting
