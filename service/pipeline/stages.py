"""The stages of a batch, each with its time, and its span where spans are made."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from prometheus_client import Histogram

from service.telemetry.spans import Spans


class Stage:
    """One stage of one stream's batches.

    Args:
        stream: Whose.
        name: Which.
        histogram: Of its times.
        spans: Where spans are made.
    """

    def __init__(self, stream: str, name: str, histogram: Histogram, spans: Spans | None) -> None:
        self._stream = stream
        self._name = name
        self._histogram = histogram
        self._spans = spans

    def time(self) -> AbstractContextManager[object]:
        """Observe how long what is done in here takes."""
        return self._histogram.time() if self._spans is None else self._traced(self._spans)

    @contextmanager
    def _traced(self, spans: Spans) -> Iterator[None]:
        with self._histogram.time(), spans.stage(self._stream, self._name):
            yield
