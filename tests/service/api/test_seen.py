"""Every request is named, counted, timed and logged once, and nothing secret is in its line."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import structlog
from prometheus_client import CollectorRegistry
from structlog.testing import LogCapture

from service.api.access import CALLER
from service.api.failures import response_of
from service.api.seen import HEALTH, Seen, note
from service.errors import InvalidBody
from service.telemetry.http_metrics import HttpMetrics
from service.telemetry.request_id import current_request_id, namer
from service.telemetry.trace_context import current_trace
from tests.service import digits
from tests.service.inside import Inside
from tests.service.waiting import until

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SECRET = "hush-hush"  # noqa: S105 - nobody's

App = Callable[..., Awaitable[None]]


@pytest.fixture
def lines() -> Any:
    """The log lines, as dictionaries."""
    capture = LogCapture()
    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, capture],
        wrapper_class=structlog.BoundLogger,
    )
    yield capture.entries
    structlog.configure(**before)


async def answers(_scope: Any, receive: Any, send: Any) -> None:
    """An app that reads its request and answers."""
    while (await receive()).get("more_body"):
        pass
    structlog.get_logger("inner").info("inside")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
    await send({"type": "http.response.body", "body": b"four"})


class Asked:
    """One request to an app behind `Seen`."""

    def __init__(
        self, app: App = answers, *, path: str = "/classify", kind: str = "http", **options: Any
    ) -> None:
        self.registry = CollectorRegistry()
        self.sent: list[Any] = []
        self._app = Seen(
            app,
            metrics=HttpMetrics(self.registry),
            name=namer("p"),
            logs=options.pop("logs", True),
            spans=options.pop("spans", None),
            paths=["/classify", "/stream", *HEALTH],
        )
        self.scope: dict[str, Any] = {
            "type": kind,
            "method": "POST",
            "path": path,
            "query_string": SECRET.encode(),
            "headers": [],
        }

    async def make(self, *headers: tuple[bytes, bytes]) -> "Asked":
        self.scope["headers"] = headers
        messages = iter(
            [
                {"type": "http.request", "body": b"half", "more_body": True},
                {"type": "http.request", "body": b"way"},
            ]
        )

        async def receive() -> Any:
            return next(messages)

        async def send(message: Any) -> None:
            self.sent.append(message)

        # As in the server: each request is a task of its own.
        await asyncio.create_task(self._app(self.scope, receive, send))  # type: ignore[arg-type]
        return self

    def sample(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


async def test_an_answer_has_the_name_that_its_lines_have(lines: Any) -> None:
    """The client's, if it is sane; every line of the request has it."""
    asked = await Asked().make((b"x-request-id", b"abc.1"))

    assert (b"x-request-id", b"abc.1") in asked.sent[0]["headers"]
    assert (b"a", b"b") in asked.sent[0]["headers"]
    assert [("inside", "abc.1"), ("request", "abc.1")] == [(one["event"], one["request_id"]) for one in lines]
    assert None is current_request_id.get()
    assert {} == structlog.contextvars.get_contextvars()


async def test_one_that_is_not_sane_is_replaced(lines: Any) -> None:
    """By one of ours, in the answer as in the lines."""
    asked = await Asked().make((b"x-request-id", b'evil"\n'))

    assert (b"x-request-id", b"p-1") in asked.sent[0]["headers"]
    assert {"p-1"} == {one["request_id"] for one in lines}


async def test_a_line_says_what_was_asked_and_how_it_went(lines: Any) -> None:
    """Method, route, status, time, and what the route noted; no path, no query, no header."""

    async def notes(scope: Any, receive: Any, send: Any) -> None:
        note(httpx_connection(scope), items=3, key="sensor")
        await answers(scope, receive, send)

    await Asked(notes).make((b"authorization", f"Bearer {SECRET}".encode()))
    (line,) = [one for one in lines if one["event"] == "request"]

    assert {"method": "POST", "route": "/classify", "status": 200, "items": 3, "key": "sensor"}.items() <= (
        line.items()
    )
    assert line["ms"] >= 0
    assert SECRET not in repr(lines)


async def test_who_asked_is_in_the_line(lines: Any) -> None:
    """By the name of his key, once a route knows it."""

    async def knows(scope: Any, receive: Any, send: Any) -> None:
        scope[CALLER] = SimpleNamespace(name="sensor", secret=SECRET)
        await answers(scope, receive, send)

    await Asked(knows).make()
    (line,) = [one for one in lines if one["event"] == "request"]

    assert "sensor" == line["key"]
    assert SECRET not in repr(lines)


def httpx_connection(scope: Any) -> Any:
    from starlette.requests import HTTPConnection

    return HTTPConnection(scope)


async def test_it_is_counted_with_its_bytes_and_time() -> None:
    """By route, method, status and format."""
    asked = await Asked(logs=False).make((b"content-type", b"application/octet-stream"))

    assert 1 == asked.sample(
        "firstseen_http_requests_total", method="POST", route="/classify", status="200", format="raw"
    )
    assert 7 == asked.sample("firstseen_http_received_bytes_total", route="/classify")
    assert 4 == asked.sample("firstseen_http_sent_bytes_total", route="/classify")
    assert 1 == asked.sample("firstseen_http_request_seconds_count", route="/classify")
    assert 0 == asked.sample("firstseen_http_requests_in_flight")


@pytest.mark.parametrize("path", sorted(HEALTH))
async def test_health_checks_are_counted_and_not_logged(lines: Any, path: str) -> None:
    """They come every second, and say nothing."""
    asked = await Asked(path=path).make()

    assert ["inside"] == [one["event"] for one in lines]
    assert 1 == asked.sample("firstseen_http_request_seconds_count", route=path)


async def test_a_path_that_is_not_ours_is_other(lines: Any) -> None:
    """A path may be a secret, and there are many: it is in no label and no line."""
    asked = await Asked(path=f"/{SECRET}").make()

    assert 1 == asked.sample("firstseen_http_request_seconds_count", route="other")
    assert SECRET not in repr(lines)


async def test_a_fault_of_ours_is_an_error(lines: Any) -> None:
    """It goes on its way, and has been counted."""

    async def breaks(*_: Any) -> None:
        raise RuntimeError("a fault")

    asked = Asked(breaks)
    with pytest.raises(RuntimeError):
        await asked.make()

    assert [("request", 500, "error")] == [(one["event"], one["status"], one["log_level"]) for one in lines]
    assert 1 == asked.sample(
        "firstseen_http_requests_total", method="POST", route="/classify", status="500", format="none"
    )


async def test_a_client_that_went_is_counted_as_one(lines: Any) -> None:
    """A request that is cancelled before its answer began has no status of its own."""

    async def waits(*_: Any) -> None:
        raise asyncio.CancelledError

    asked = Asked(waits)
    with pytest.raises(asyncio.CancelledError):
        await asked.make()

    assert [499] == [one["status"] for one in lines]
    assert 0 == asked.sample("firstseen_http_requests_in_flight")


@pytest.mark.parametrize(
    ("header", "trace"),
    [(TRACEPARENT, "0af7651916cd43dd8448eb211c80319c"), ("00-nonsense", None), (None, None)],
)
async def test_the_callers_trace_is_in_the_lines(lines: Any, header: str | None, trace: str | None) -> None:
    """Where its header is valid; else there is none, and the request is served all the same."""
    seen = []

    async def looks(scope: Any, receive: Any, send: Any) -> None:
        seen.append(current_trace.get())
        await answers(scope, receive, send)

    await Asked(looks).make(*([] if header is None else [(b"traceparent", header.encode())]))

    assert {trace} == {one.get("trace_id") for one in lines}
    assert [header if trace else None] == [context and context.header for context in seen]


async def test_a_problem_names_the_request() -> None:
    """As its `instance`, so that somebody who reads it can find the lines."""

    async def refuses(scope: Any, receive: Any, send: Any) -> None:
        await response_of(InvalidBody("It is not."))(scope, receive, send)

    asked = await Asked(refuses, logs=False).make((b"x-request-id", b"abc"))

    assert b'"instance":"urn:firstseen:request:abc"}' in asked.sent[1]["body"]
    assert b"instance" not in response_of(InvalidBody("It is not.")).body


async def test_a_socket_is_logged_when_it_closes(lines: Any) -> None:
    """With its route and close code."""

    async def closes(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "websocket.close", "code": 1012})

    asked = await Asked(closes, kind="websocket", path="/stream").make()

    assert [("socket", "/stream", 1012)] == [(one["event"], one["route"], one["code"]) for one in lines]
    assert 0 == asked.sample("firstseen_websockets", route="/stream")


async def test_what_is_no_request_passes() -> None:
    """The start and the end of the service."""
    passed = []

    async def starts(scope: Any, *_: Any) -> None:
        passed.append(scope["type"])

    await Asked(starts, kind="lifespan").make()
    assert ["lifespan"] == passed


class TestInTheService:
    def test_names_and_instances(self, http: httpx.Client) -> None:
        """Answers, problems and what is not there have the name; a problem has it in its body, too."""
        fine = http.post("/classify", json={"x": digits.raw()}, headers={"x-request-id": "fine-1"})
        problem = http.post("/classify", json={"x": "no"}, headers={"x-request-id": "bad-1"})
        nowhere = http.get("/nowhere")

        assert "fine-1" == fine.headers["x-request-id"]
        assert "bad-1" == problem.headers["x-request-id"]
        assert "urn:firstseen:request:bad-1" == problem.json()["instance"]
        assert nowhere.json()["instance"].endswith(nowhere.headers["x-request-id"])
        assert http.get("/livez").headers["x-request-id"] != nowhere.headers["x-request-id"]

    @pytest.mark.parametrize(
        ("path", "route"),
        [
            ("/clusters", "/clusters"),
            ("/clusters/123456", "/clusters/{cluster_id}"),
            ("/livez", "/livez"),
            ("/docs", "/docs"),
            ("/nothing/like/it", "other"),
        ],
    )
    def test_routes_are_templates(self, http: httpx.Client, service: Inside, path: str, route: str) -> None:
        """So that there are few of them."""
        registry = service.app.state.context.metrics.registry
        labels = {"route": route}

        def count() -> float:
            return registry.get_sample_value("firstseen_http_request_seconds_count", labels) or 0.0

        before = count()
        http.get(path)
        until(lambda: count() == before + 1, "it is counted")

    def test_sockets_are_counted_by_route(self, service: Inside) -> None:
        """While they are open."""
        from websockets.sync.client import connect

        registry = service.app.state.context.metrics.registry
        with connect(f"{service.ws_url}/watch") as socket:
            socket.recv()
            assert 1 == registry.get_sample_value("firstseen_websockets", {"route": "/watch"})
        until(
            lambda: registry.get_sample_value("firstseen_websockets", {"route": "/watch"}) == 0, "it is gone"
        )

    def test_the_counts_of_a_request(self, http: httpx.Client, service: Inside) -> None:
        """Of a stream as of the process, with its format."""
        registry = service.app.state.context.metrics.registry
        labels = {"method": "POST", "route": "/classify", "status": "200", "format": "json"}

        def count() -> float:
            return registry.get_sample_value("firstseen_http_requests_total", labels) or 0.0

        before = count()
        assert 200 == http.post("/classify", json={"x": digits.raw()}).status_code
        until(lambda: count() == before + 1, "it is counted")
        scraped = http.get("/metrics").text
        assert "firstseen_build_info{" in scraped
        assert 'firstseen_queue_age_seconds{stream="' in scraped
        assert "process_resident_memory_bytes" in scraped
