"""What the routes share: built once by the composition root, read from `request.app.state.context`."""

from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from model.bundle import Manifest
from service.api.budget import Budget
from service.api.formats.head import Limits
from service.api.idempotency import Fingerprints
from service.errors import ForeignOrigin
from service.metrics import Metrics
from service.settings import Settings
from service.stream import Stream
from service.streams import Streams


@dataclass(frozen=True, kw_only=True)
class Context:
    """One running service."""

    settings: Settings
    manifest: Manifest
    streams: Streams
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


def stream_name(connection: HTTPConnection, context: Context) -> str:
    """The stream that a request or WebSocket is for: the one of its `?stream=`, else the default one."""
    name: str = connection.query_params.get("stream", context.settings.stream)
    return name


async def stream_of(connection: HTTPConnection, context: Context, *, may_create: bool = False) -> Stream:
    """The stream that a request or WebSocket is for, opened if it is not.

    Enter its `in_use` before you wait for anything: then it is not closed for another.

    Args:
        connection: Who asks.
        context: The service.
        may_create: Whether it may be made; who only looks makes none.

    Raises:
        FirstseenError: As `Streams.open`.
    """
    return await context.streams.open(stream_name(connection, context), may_create=may_create)


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
