"""What the routes share: built once by the composition root, read from `request.app.state.context`."""

from dataclasses import dataclass

from starlette.requests import HTTPConnection

from model.bundle import Manifest
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
    version: str
    device: str
    store: str


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
