"""OpenTelemetry: spans of requests, and of batches with their stages; an extra, loaded only where it is asked for.

    firstseen: POST /classify      server span, in the trace of the caller's `traceparent`
    firstseen: batch               consumer span, a trace of its own, links to the requests that it answers
       ├─ lookup  ├─ embed  ├─ step  └─ commit

Names and attributes follow the semantic conventions for HTTP. Where to, how often, under which name, and which share
of traces is kept say the standard variables (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER, ...),
which the SDK reads by itself. Spans wait in the SDK's queue for its thread; when it is full they are dropped, and the
service does not wait. A payload, an id, a key or a query is in no span.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, StatusCode, TraceFlags

from service.telemetry.spans import MOST_LINKS
from service.telemetry.trace_context import TraceContext

_FLUSH_MS = 1000


def otlp_provider(version: str) -> TracerProvider:
    """What sends spans to the collector that the OTEL_ variables name."""
    own = Resource({SERVICE_NAME: "firstseen", SERVICE_VERSION: version})
    provider = TracerProvider(
        resource=own.merge(OTELResourceDetector().detect()),
        shutdown_on_exit=False,  # the service says when, and does not wait for a collector that is away
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


class OtelSpans:
    """`service.telemetry.spans.Spans`, as spans of OpenTelemetry.

    Args:
        provider: Where they go.
        version: Of firstseen.
    """

    def __init__(self, provider: TracerProvider, version: str) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("firstseen", version)
        self._batches: dict[str, Span] = {}
        """Of each stream, the batch in hand."""

    def request(self, parent: TraceContext | None) -> "OtelRequestSpan":
        """Begin the span of a request, in its caller's trace if it has one."""
        context = None
        if parent is not None:
            context = trace.set_span_in_context(NonRecordingSpan(_span_context(parent)))
        return OtelRequestSpan(self._tracer.start_span("request", context=context, kind=SpanKind.SERVER))

    @contextmanager
    def batch(self, stream: str, items: int, requests: Iterable[TraceContext | None]) -> Iterator[None]:
        """The span of a batch of a stream, one at a time, linked to the requests whose items it has."""
        linked = dict.fromkeys(request for request in requests if request is not None)
        span = self._tracer.start_span(
            "batch",
            context=trace.set_span_in_context(trace.INVALID_SPAN),  # not a part of whatever task began it
            kind=SpanKind.CONSUMER,
            links=[Link(_span_context(request)) for request in list(linked)[:MOST_LINKS]],
            attributes={
                "firstseen.stream": stream,
                "firstseen.items": items,
                "firstseen.requests": len(linked),
            },
        )
        self._batches[stream] = span
        try:
            yield
        except BaseException as error:
            span.set_status(StatusCode.ERROR, type(error).__name__)
            raise
        finally:
            del self._batches[stream]
            span.end()

    @contextmanager
    def stage(self, stream: str, name: str) -> Iterator[None]:
        """The span of a stage of the stream's batch; from any thread."""
        batch = self._batches.get(stream)
        if batch is None:  # outside a batch: a process that tries whether it is well
            yield
            return
        span = self._tracer.start_span(name, context=trace.set_span_in_context(batch))
        try:
            yield
        except BaseException as error:
            span.set_status(StatusCode.ERROR, type(error).__name__)
            raise
        finally:
            span.end()

    def close(self) -> None:
        """Send what waits, for a moment at most, and end; blocks meanwhile."""
        self._provider.force_flush(_FLUSH_MS)
        self._provider.shutdown()


class OtelRequestSpan:
    """A request being served."""

    def __init__(self, span: Span) -> None:
        self._span = span

    @property
    def context(self) -> TraceContext:
        """Its place in its trace."""
        context = self._span.get_span_context()
        return TraceContext(
            trace.format_trace_id(context.trace_id),
            trace.format_span_id(context.span_id),
            context.trace_flags.sampled,
        )

    def end(self, *, name: str, status: int, items: int | None) -> None:
        """It has been answered; see `service.telemetry.spans.RequestSpan`."""
        span = self._span
        if span.is_recording():
            method, _, route = name.partition(" ")
            span.update_name(name)
            span.set_attribute("http.request.method", method)
            span.set_attribute("http.route", route)
            span.set_attribute("http.response.status_code", status)
            if items is not None:
                span.set_attribute("firstseen.items", items)
            if status >= 500:
                span.set_status(StatusCode.ERROR)
        span.end()


def _span_context(place: TraceContext) -> SpanContext:
    return SpanContext(
        trace_id=int(place.trace_id, 16),
        span_id=int(place.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED if place.is_sampled else TraceFlags.DEFAULT),
    )
