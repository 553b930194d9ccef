"""What is told of a request or a batch to who draws traces: the port. `service.telemetry.tracing` makes spans of it.

    request span (of the client's trace) ◄── link ── batch span ─┬─ lookup
    request span (of another's)          ◄── link ───┘           ├─ embed
                                                                 ├─ step
                                                                 └─ commit

A batch belongs to no single request: it is a trace of its own, linked to the requests that it answers. Where nobody
draws traces there is no such object anywhere, and nothing is done.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Protocol

from service.telemetry.trace_context import TraceContext

MOST_LINKS = 128
"""Requests of a batch that it is linked to; a span is not to be as large as what it tells of."""


class RequestSpan(Protocol):
    """A request being served."""

    @property
    def context(self) -> TraceContext:
        """Its place in its trace."""

    def end(self, *, name: str, status: int, items: int | None) -> None:
        """It has been answered.

        Args:
            name: Method and route.
            status: Of the answer.
            items: How many it brought, where it brought any.
        """


class Spans(Protocol):
    """Makes spans."""

    def request(self, parent: TraceContext | None) -> RequestSpan:
        """Begin the span of a request, in its caller's trace if it has one."""

    def batch(
        self, stream: str, items: int, requests: Iterable[TraceContext | None]
    ) -> AbstractContextManager[None]:
        """The span of a batch of a stream, one at a time, linked to the requests whose items it has."""

    def stage(self, stream: str, name: str) -> AbstractContextManager[None]:
        """The span of a stage of the stream's batch; from any thread."""
