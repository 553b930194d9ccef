"""What is counted of requests, in labels that are bounded whatever clients send.

A route is one of the service's own, as a template (`/clusters/{cluster_id}`), or `other`; a method, one of nine, or
`other`; a format, one of those below. So there are no more series than routes x methods x statuses x formats that
really occur: a few dozen.
"""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

OTHER: Final = "other"

METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE"})

FORMATS: Final = {
    "": "none",
    "application/json": "json",
    "application/msgpack": "msgpack",
    "application/x-msgpack": "msgpack",
    "application/vnd.msgpack": "msgpack",
    "application/octet-stream": "raw",
    "application/vnd.apache.arrow.stream": "arrow",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
}
"""The media type of a body -> its label; any other is `other`."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


def format_of(content_type: str) -> str:
    """The label of a content type."""
    return FORMATS.get(content_type.partition(";")[0].strip().lower(), OTHER)


class HttpMetrics:
    """Of all requests of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "firstseen_http_requests",
            "Requests answered; `format` is of the body that came.",
            ["method", "route", "status", "format"],
            registry=registry,
        )
        self._counts: dict[tuple[str, str, int, str], Counter] = {}
        self._seconds = Histogram(
            "firstseen_http_request_seconds",
            "From the head of a request to the end of its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._times: dict[str, Histogram] = {}
        self._received = Counter(
            "firstseen_http_received_bytes", "Bytes of bodies that came.", ["route"], registry=registry
        )
        self._sent = Counter(
            "firstseen_http_sent_bytes", "Bytes of bodies sent.", ["route"], registry=registry
        )
        self.in_flight = Gauge(
            "firstseen_http_requests_in_flight", "Requests being answered.", registry=registry
        )
        self.sockets = Gauge("firstseen_websockets", "Open WebSockets.", ["route"], registry=registry)

    def answered(
        self,
        *,
        method: str,
        route: str,
        status: int,
        content_type: str,
        seconds: float,
        received: int,
        sent: int,
    ) -> None:
        """A request has been answered, or its client went."""
        key = (method if method in METHODS else OTHER, route, status, format_of(content_type))
        count = self._counts.get(key)
        if count is None:  # looking series up by their labels takes longer than counting
            count = self._counts[key] = self._requests.labels(key[0], route, str(status), key[3])
        count.inc()
        times = self._times.get(route)
        if times is None:
            times = self._times[route] = self._seconds.labels(route)
        times.observe(seconds)
        if received:
            self._received.labels(route).inc(received)
        if sent:
            self._sent.labels(route).inc(sent)
