"""Spans: a request in its caller's trace, a batch linked to its requests, its stages below it; nothing when off."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("opentelemetry.sdk", reason="needs the extra telemetry")

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from model.bundle import Bundle
from service import app as composition
from service.errors import InvalidSetting
from service.settings import Settings
from service.telemetry.spans import MOST_LINKS
from service.telemetry.trace_context import TraceContext, parse_traceparent
from service.telemetry.tracing import OtelSpans, otlp_provider
from tests.service import digits
from tests.service.inside import running

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ROOT = Path(__file__).parents[3]


class Drawn:
    """Spans, and what has become of them."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.spans = OtelSpans(provider, "0")

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]


@pytest.fixture
def drawn() -> Drawn:
    return Drawn()


def context_of(span: ReadableSpan) -> Any:
    assert span.context is not None
    return span.context


def test_a_request_is_in_its_callers_trace(drawn: Drawn) -> None:
    """Its own span below the caller's; its context is what its batch will be linked to."""
    request = drawn.spans.request(parse_traceparent(PARENT))
    context = request.context
    request.end(name="POST /classify", status=200, items=3)
    (span,) = drawn.named("POST /classify")

    assert span.kind is SpanKind.SERVER
    assert span.parent is not None
    assert PARENT.split("-")[1:3] == [f"{span.parent.trace_id:032x}", f"{span.parent.span_id:016x}"]
    assert (f"{context_of(span).trace_id:032x}", f"{context_of(span).span_id:016x}") == (
        context.trace_id,
        context.span_id,
    )
    assert {
        "http.request.method": "POST",
        "http.route": "/classify",
        "http.response.status_code": 200,
        "firstseen.items": 3,
    } == dict(span.attributes or {})


def test_without_a_caller_it_begins_a_trace(drawn: Drawn) -> None:
    """A fault of ours is an error, a client's is not."""
    for status, error in ((503, True), (422, False)):
        request = drawn.spans.request(None)
        request.end(name=f"GET /{status}", status=status, items=None)
        (span,) = drawn.named(f"GET /{status}")

        assert span.parent is None
        assert error == (span.status.status_code is StatusCode.ERROR)


def test_a_batch_is_linked_to_its_requests_and_its_stages_are_below_it(drawn: Drawn) -> None:
    """Each request once, those without a trace not; stages may run in another thread."""
    places = [TraceContext(f"{n:032x}", f"{n:016x}", True) for n in (1, 2)]

    def stage() -> None:
        with drawn.spans.stage("a", "embed"):
            pass

    with drawn.spans.batch("a", 5, [places[0], None, places[1], places[0]]):
        thread = threading.Thread(target=stage)
        thread.start()
        thread.join()
    (batch,), (embed,) = drawn.named("batch"), drawn.named("embed")

    assert [1, 2] == [link.context.trace_id for link in batch.links]
    assert {"firstseen.stream": "a", "firstseen.items": 5, "firstseen.requests": 2} == dict(
        batch.attributes or {}
    )
    assert batch.parent is None
    assert embed.parent is not None
    assert context_of(batch).span_id == embed.parent.span_id


def test_links_are_bounded(drawn: Drawn) -> None:
    """A batch of many requests tells how many, and is linked to the first."""
    with drawn.spans.batch("a", 500, [TraceContext(f"{n:032x}", f"{n:016x}", True) for n in range(1, 500)]):
        pass
    (batch,) = drawn.named("batch")

    assert MOST_LINKS == len(batch.links)
    assert 499 == (batch.attributes or {})["firstseen.requests"]


def test_what_fails_is_an_error_without_its_message(drawn: Drawn) -> None:
    """A message may hold what somebody sent."""
    with (
        pytest.raises(ValueError, match="hush"),
        drawn.spans.batch("a", 1, []),
        drawn.spans.stage("a", "step"),
    ):
        raise ValueError("hush")

    for name in ("batch", "step"):
        (span,) = drawn.named(name)
        assert (StatusCode.ERROR, "ValueError") == (span.status.status_code, span.status.description)
        assert () == span.events


def test_a_stage_outside_a_batch_is_no_span(drawn: Drawn) -> None:
    """And two streams' batches do not mix."""
    with drawn.spans.stage("a", "embed"):
        pass
    with drawn.spans.batch("a", 1, []), drawn.spans.batch("b", 1, []), drawn.spans.stage("a", "step"):
        pass
    of_a, of_b = sorted(
        drawn.named("batch"), key=lambda span: str((span.attributes or {})["firstseen.stream"])
    )
    (step,) = drawn.named("step")

    assert [] == drawn.named("embed")
    assert step.parent is not None
    assert context_of(of_a).span_id == step.parent.span_id
    assert context_of(of_a).trace_id != context_of(of_b).trace_id


def test_the_standard_variables_name_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """And unless they do, it is firstseen."""
    provider = otlp_provider("1.2")
    assert ("firstseen", "1.2") == (
        provider.resource.attributes["service.name"],
        provider.resource.attributes["service.version"],
    )
    provider.shutdown()
    monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
    provider = otlp_provider("1.2")
    assert "mine" == provider.resource.attributes["service.name"]
    assert "test" == provider.resource.attributes["deployment.environment"]
    provider.shutdown()


@pytest.fixture
def served(
    drawn: Drawn, tmp_path: Path, digits_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    monkeypatch.setattr(composition, "_spans", lambda *_: drawn.spans)
    with running(Settings.read({}, data_dir=tmp_path), digits_bundle) as inside:
        yield inside.url


def test_where_the_extra_is_missing_the_setting_is_refused(
    tmp_path: Path, digits_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the command that installs it."""
    monkeypatch.setitem(sys.modules, "service.telemetry.tracing", None)
    wanted = Settings.read({"FIRSTSEEN_TELEMETRY": "otlp"}, data_dir=tmp_path)
    with pytest.raises(InvalidSetting, match=r"firstseen\[telemetry\]"):
        composition.create_app(wanted, digits_bundle, on_fatal=lambda _: None)


def test_from_end_to_end(drawn: Drawn, served: str) -> None:
    """A request's batch, with every stage, is linked to it; the caller's trace is kept."""
    headers = {"traceparent": PARENT}
    assert 200 == httpx.post(f"{served}/classify", json={"x": digits.raw()}, headers=headers).status_code
    request, batch = drawn.named("POST /classify")[0], drawn.named("batch")[0]

    assert context_of(request).trace_id == int(PARENT.split("-")[1], 16)
    assert [context_of(request).span_id] == [link.context.span_id for link in batch.links]
    for stage in ("embed", "step", "commit"):
        (span,) = drawn.named(stage)
        assert span.parent is not None
        assert context_of(batch).span_id == span.parent.span_id


def test_when_it_is_off_nothing_of_it_is_loaded() -> None:
    """Neither ours nor what sends spans; a library of ours may look whether parts of the SDK are there."""
    code = (
        "import sys, service.app, service.server; "
        "print([m for m in sys.modules if m == 'service.telemetry.tracing' or m.startswith('opentelemetry.exporter')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )

    assert "[]" == done.stdout.strip()
