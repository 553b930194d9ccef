"""What the routes share: built once by the composition root, read from `request.app.state.context`."""

from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from model.bundle import Manifest
from service.api.budget import Budget
from service.api.formats.head import Limits
from service.api.idempotency import Fingerprints
from service.batching import Queue
from service.errors import ForeignOrigin, UnknownStream
from service.fanout import Fanout
from service.metrics import Metrics
from service.pipeline import Pipeline
from service.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Context:
    """One running service."""

    settings: Settings
    manifest: Manifest
    pipeline: Pipeline
    queue: Queue
    fanout: Fanout
    metrics: Metrics
    version: str
    device: str
    store: str

    @cached_property
    def bodies(self) -> Budget:
        """Bytes of all HTTP bodies that are being received or decoded."""
        return Budget(
            self.settings.max_bodies_bytes,
            when_full=(
                f"Bodies of {self.settings.max_bodies_bytes} bytes are being received, which is the most. "
                "Send the same again after the time in Retry-After."
            ),
        )

    @cached_property
    def limits(self) -> Limits:
        """What one request may bring."""
        return Limits(
            max_bytes=self.settings.max_body_bytes,
            max_items=self.settings.max_items,
            max_pixels=self.settings.max_pixels,
        )

    @cached_property
    def fingerprints(self) -> Fingerprints:
        """Which bodies came under which Idempotency-Key."""
        return Fingerprints()

    @cached_property
    def sockets(self) -> Budget:
        """Open WebSockets, of /stream and /watch together."""
        most = self.settings.ws_connections
        return Budget(most, when_full=f"{most} WebSockets are open; come back in a moment.")


def context_of(connection: HTTPConnection) -> Context:
    """The service that a request or WebSocket came to."""
    context: Context = connection.app.state.context
    return context


def check_stream(connection: HTTPConnection, context: Context) -> None:
    """Refuse a `?stream=` that is not served here.

    Raises:
        UnknownStream: It names another stream.
    """
    wanted = connection.query_params.get("stream")
    served = context.settings.stream
    if wanted is not None and wanted != served:
        raise UnknownStream(
            f"Stream {wanted[:64]!r} is not served here; send to {served!r}, or leave stream out."
        )


def check_origin(connection: HTTPConnection) -> None:
    """Refuse what a page of another site makes its reader's browser send.

    A browser names the page's origin (RFC 6454) in every WebSocket handshake and every cross-site POST, and no
    page can change it; programs send none. The service's own pages have the host and port of the Host header.

    Raises:
        ForeignOrigin: There is an Origin and its host:port is not the Host header's.
    """
    origin = connection.headers.get("origin")
    if origin is None:
        return
    try:
        place = urlsplit(origin).netloc.lower()
    except ValueError:  # brackets that are no IPv6 address
        place = ""
    if not place or place != connection.headers.get("host", "").lower():
        raise ForeignOrigin(
            f"A page of {origin[:100]!r} may not send items or watch here: use a page that this service shows, or a "
            "program that sends no Origin header."
        )
