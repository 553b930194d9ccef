"""What the routes share: built once by the composition root, read from `request.app.state.context`."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import cached_property

from starlette.requests import HTTPConnection

from model.bundle import Bundle, Manifest
from service.api.access import Access, Caller
from service.api.budget import Budget
from service.api.formats.head import Limits
from service.api.idempotency import Fingerprints
from service.dashboard.files import File, read_files
from service.embedding import Embedder
from service.overview.health import Usual
from service.settings import Settings
from service.state.reading import StreamReader
from service.streams.stream import Stream
from service.streams.streams import Streams
from service.telemetry.metrics import Metrics
from service.webhooks.addresses import Networks, read_networks


@dataclass(frozen=True, kw_only=True)
class Context:
    """One running service. `now`: seconds since 1970 (UTC); `reading`: a reader of the stream of a name as it is
    stored, with a client of its own.
    """

    settings: Settings
    bundle: Bundle
    streams: Streams
    metrics: Metrics
    access: Access
    version: str
    embedder: Embedder
    store: str
    now: Callable[[], float]
    usual: Usual
    reading: Callable[[str], AbstractAsyncContextManager[StreamReader]]

    @property
    def manifest(self) -> Manifest:
        """What the bundle says of itself."""
        return self.bundle.manifest

    @cached_property
    def bodies(self) -> Budget:
        """Bytes of all HTTP bodies that are being received or decoded; a key gets half, or one body of any size."""
        return Budget(
            self.settings.max_bodies_bytes,
            each=max(self.settings.max_bodies_bytes // 2, self.settings.max_body_bytes),
            when_full=(
                f"Bodies of {self.settings.max_bodies_bytes} bytes are received at once at most. "
                "Send the same again after the time in Retry-After."
            ),
        )

    @cached_property
    def exports(self) -> Budget:
        """Exports that are made or sent."""
        return Budget(
            1, when_full="Another export is under way, and one is made at a time; come back in a moment."
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
    def webhook_networks(self) -> Networks:
        """Where webhooks may go beside public addresses."""
        return read_networks(self.settings.webhooks_private or "")

    @cached_property
    def fingerprints(self) -> Fingerprints:
        """Which bodies came under which Idempotency-Key."""
        return Fingerprints()

    @cached_property
    def dashboard(self) -> Mapping[str, File]:
        """The files of the page for people, read when first asked for; `VendorMissing` while libraries are missing."""
        return read_files()

    @cached_property
    def sockets(self) -> Budget:
        """Open WebSockets and streams of lines: they may stay for days, and leave the rest to short requests."""
        most = self.settings.ws_connections
        return Budget(
            most, when_full=f"{most} WebSockets and streams of lines are open; come back in a moment."
        )


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


async def stream_to_feed(connection: HTTPConnection, context: Context, caller: Caller) -> Stream:
    """The stream that somebody sends items to: made where there is none, if he may make another.

    Enter its `in_use` before you wait for anything.

    Raises:
        OverQuota: He has made as many as he may.
        FirstseenError: As `Streams.open`.
    """
    name, streams = stream_name(connection, context), context.streams
    if not caller.counts_streams or streams.peek(name) is not None or await streams.exists(name):
        return await streams.open(name, may_create=True)
    with caller.making(name) as is_counted:
        stream = await streams.open(name, may_create=True)
        if is_counted:
            with stream.in_use():
                await caller.made_one()
        return stream
