"""What the routes share: built once by the composition root, read from `request.app.state.context`."""

from dataclasses import dataclass
from functools import cached_property

from starlette.requests import HTTPConnection

from model.bundle import Manifest
from service.api.access import Access
from service.api.budget import Budget
from service.batching import Queue
from service.errors import UnknownStream
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
    access: Access
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
    def sockets(self) -> Budget:
        """Open WebSockets, of /stream and /watch together."""
        most = self.settings.ws_connections
        return Budget(most, when_full=f"{most} WebSockets are open; come back in a moment.")


def context_of(connection: HTTPConnection) -> Context:
    """The service that a request or WebSocket came to."""
    context: Context = connection.app.state.context
    return context


def stream_named(connection: HTTPConnection, context: Context) -> str:
    """The stream that a request names; the service's own where it names none."""
    return connection.query_params.get("stream", context.settings.stream)


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
