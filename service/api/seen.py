"""Every request is seen: named, counted, timed, logged once, and told to who draws traces.

    scope ─► name (X-Request-Id), trace (traceparent) ─► bound to every log line of the request
          ─► the service ─► answer: the same X-Request-Id; a problem has it as `instance`
          ─► counted and logged: method, route, status, time, items; never a payload, a query, a header

It is the outermost layer, so that the answer to a fault of ours is seen as well. Health checks are counted and not
logged. A log line has the route and not the path, which somebody may have put a secret into.

What only a route knows, it notes (`note`): how many items came, whose key it was.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.access import CALLER
from service.telemetry.http_metrics import OTHER, HttpMetrics
from service.telemetry.request_id import current_request_id
from service.telemetry.spans import Spans
from service.telemetry.trace_context import current_trace, parse_traceparent

log = structlog.get_logger("firstseen.requests")

HEALTH: Final = frozenset({"/livez", "/readyz", "/metrics"})
"""Routes that are asked all the time by machines: never logged."""

_NOTES: Final = "firstseen.notes"

_CLIENT_WENT: Final = 499
"""What a request counts as whose client went before its answer began."""


def note(connection: HTTPConnection, **fields: Any) -> None:  # noqa: ANN401 - whatever a log line can hold
    """Add to the log line of a request: `items` it brought, whose `key` it was, the `stream`."""
    notes: dict[str, Any] | None = connection.scope.get(_NOTES)
    if notes is not None:
        notes.update(fields)


@dataclass(slots=True)
class _Exchange:
    """What is known of one request."""

    status: int = 0
    received: int = 0
    sent: int = 0
    content_type: str = ""
    notes: dict[str, Any] = field(default_factory=dict)


class Seen:
    """The outermost ASGI layer.

    Args:
        app: The service.
        metrics: What is counted.
        name: Gives a request its name; see `service.telemetry.request_id`.
        logs: Whether there is a log line for each request.
        spans: Who draws traces, if anybody does.
        paths: Routes without parameters, which are known by their path.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: HttpMetrics,
        name: Callable[[bytes | None], str],
        logs: bool,
        spans: Spans | None = None,
        paths: Iterable[str] = (),
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._name = name
        self._logs = logs
        self._spans = spans
        self._paths = frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, and see."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        exchange, id = _Exchange(), None
        traceparent = None
        for header, value in scope["headers"]:
            if header == b"x-request-id":
                id = value
            elif header == b"content-type":
                exchange.content_type = value.decode("latin-1")
            elif header == b"traceparent":
                traceparent = value.decode("latin-1")
        name = self._name(id)
        scope[_NOTES] = exchange.notes
        bound = {"request_id": name}
        trace = None if traceparent is None else parse_traceparent(traceparent)
        span = None
        if self._spans is not None and scope["type"] == "http":
            span = self._spans.request(trace)
            trace = span.context
        if trace is not None:
            bound |= {"trace_id": trace.trace_id, "span_id": trace.span_id}
        # Each request is a task with a context of its own: nothing has to be unbound.
        current_request_id.set(name)
        current_trace.set(trace)
        structlog.contextvars.bind_contextvars(**bound)
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send, exchange)
            return
        clock = asyncio.get_running_loop().time
        started = clock()
        answer_id = (b"x-request-id", name.encode())

        async def count_received() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                exchange.received += len(message.get("body", b""))
            return message

        async def count_sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message["headers"] = [*message.get("headers", ()), answer_id]
            elif message["type"] == "http.response.body":
                exchange.sent += len(message.get("body", b""))
            await send(message)

        try:
            with self._metrics.in_flight.track_inprogress():
                await self._app(scope, count_received, count_sent)
        except Exception:
            exchange.status = exchange.status or 500
            raise
        finally:
            status, seconds = exchange.status or _CLIENT_WENT, clock() - started
            route = self._route(scope)
            self._metrics.answered(
                method=scope["method"],
                route=route,
                status=status,
                content_type=exchange.content_type,
                seconds=seconds,
                received=exchange.received,
                sent=exchange.sent,
            )
            if span is not None:
                span.end(name=f"{scope['method']} {route}", status=status, items=exchange.notes.get("items"))
            if self._logs and route not in HEALTH:
                (log.error if status == 500 else log.info)(
                    "request",
                    method=scope["method"][:16],
                    route=route,
                    status=status,
                    ms=round(seconds * 1000, 2),
                    **self._noted(scope, exchange),
                )

    async def _socket(self, scope: Scope, receive: Receive, send: Send, exchange: _Exchange) -> None:
        clock = asyncio.get_running_loop().time
        started = clock()
        route = self._route(scope)
        codes: list[int] = []

        async def see_close(message: Message) -> None:
            if message["type"] == "websocket.close":
                codes.append(message.get("code", 1000))
            await send(message)

        async def see_gone() -> Message:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                codes.append(message.get("code", 1005))
            return message

        try:
            with self._metrics.sockets.labels(route).track_inprogress():
                await self._app(scope, see_gone, see_close)
        finally:
            if self._logs:
                ms = round((clock() - started) * 1000, 2)
                log.info(
                    "socket",
                    route=route,
                    code=codes[0] if codes else None,
                    ms=ms,
                    **self._noted(scope, exchange),
                )

    def _noted(self, scope: Scope, exchange: _Exchange) -> dict[str, Any]:
        key = getattr(scope.get(CALLER), "name", None)
        return exchange.notes if key is None else {**exchange.notes, "key": key}

    def _route(self, scope: Scope) -> str:
        """The route's template, one of the service's own, or `other`."""
        path = getattr(scope.get("route"), "path", None)
        if isinstance(path, str):
            return path
        return scope["path"] if scope["path"] in self._paths else OTHER
