"""The composition root: the one place that makes clocks, clients, servers and threads, and ties them together.

settings, bundle ─► embedder, threads, store client (or embedded server) ─► streams: queue ─► pipeline ─► routes
"""

import asyncio
import contextlib
import os
import platform
import secrets
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from prometheus_client import CollectorRegistry, ProcessCollector

from model.bundle import Bundle
from service.access.allowances import Allowances, Limits, rate_of
from service.access.keyring import Keyring
from service.access.origins import read_hosts, read_origins
from service.api import (
    classify,
    clusters,
    dashboard,
    decisions,
    dlq,
    events,
    evidence,
    export,
    ingest_ws,
    overview,
    rest,
    streams,
    tickets,
    watch_ws,
)
from service.api import webhooks as webhook_routes
from service.api.access import Access, add_security
from service.api.context import Context
from service.api.direct import Direct
from service.api.failures import handle_failures
from service.api.headers import Guard, cors
from service.api.nowhere import nowhere
from service.api.openapi import complete
from service.api.seen import Seen
from service.cancelling import cancelled
from service.compiling import precompile
from service.compiling.precompile import Prepare
from service.embedding import Embedder
from service.errors import InvalidSetting
from service.overview.health import Usual
from service.overview.landmarks import Landmarks
from service.overview.ring import ROOM
from service.pipeline.batching import Queue
from service.pipeline.fanout import Fanout
from service.pipeline.pipeline import Pipeline
from service.pipeline.plotting import Plotter
from service.pipeline.starting import starting_params
from service.settings import Settings
from service.state.durability import Durability
from service.state.embedded import EmbeddedServer
from service.state.errors import StoreError
from service.state.key_store import KeyStore
from service.state.keys import Keys
from service.state.names import StreamNames
from service.state.reading import StreamReader
from service.state.store import StreamStore, connect
from service.state.wire import Wire
from service.streams.stream import Stream
from service.streams.streams import Streams
from service.streams.visits import Visits
from service.streams.workers import Workers
from service.telemetry.metrics import Metrics
from service.telemetry.request_id import namer
from service.webhooks.addresses import read_networks
from service.webhooks.outlook import stored_due
from service.webhooks.posting import Poster
from service.webhooks.webhooks import Webhooks

if TYPE_CHECKING:
    from service.telemetry.tracing import OtelSpans

log = structlog.get_logger("firstseen.app")

STOP_S = 2.0
"""How long what waits may still be answered when the service is told to stop."""

_AFTER_STOP_S = 0.8
"""... how long the last snapshots may take after that; what was not needed above they have, too ..."""

_STORE_STOP_S = 0.8
"""... and how long the embedded store may take to end; killed after that, it loses nothing."""

_TELEMETRY_S = 1.0
"""... and what waits to be told to a collector."""


def create_app(
    settings: Settings,
    bundle: Bundle,
    *,
    on_fatal: Callable[[BaseException], None],
    prepare: Prepare = precompile.prepare,
) -> FastAPI:
    """The service as an ASGI application.

    Args:
        settings: Read once, by the caller.
        bundle: Verified, by the caller.
        on_fatal: Called when the stream cannot be served without a person; the process should end.
        prepare: What has to be done before the stream is taken; /readyz is 503 until then.

    Raises:
        BundleError: No runtime gives the bundle's golden embeddings.
        InvalidSetting: A GPU or a runtime was asked for and there is none, or the known error rate is one that the
            bundle's calibration cannot give.
    """
    embedder = Embedder(
        bundle,
        device=settings.device,
        threads=settings.threads,
        runtime=settings.runtime,
        clock=time.perf_counter,
    )
    calibration = bundle.manifest.calibration
    params = starting_params(
        settings,
        bundle.known,
        known_error_rate=calibration.known_error_rate,
        cluster_radius=calibration.cluster_radius,
    )
    landmarks = Landmarks(bundle.known)
    durability = settings.promised()
    release = version("firstseen")
    spans = _spans(settings, release)
    metrics = Metrics(CollectorRegistry(), spans)
    ProcessCollector(registry=metrics.registry)
    metrics.describe("build", version=release, python=platform.python_version())
    metrics.describe("bundle", bundle=bundle.manifest.bundle_id)
    kind = "redis" if settings.redis_url else "embedded"
    metrics.describe("store", kind=kind, durability=durability.tier.value)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if spans is not None:
                stack.push_async_callback(_ended, spans)
            revive = None
            url: str = settings.redis_url or ""
            try:
                if not url:
                    server = await stack.enter_async_context(_embedded(settings.data_dir, durability))
                    url, revive = server.url, partial(_revive, server, asyncio.Lock())
                client = connect(url)
            except (
                StoreError
            ) as error:  # raised from here it would be a traceback of uvicorn's, and exit status 3
                on_fatal(error)
                yield
                return
            stack.push_async_callback(client.aclose)
            access = make_access(settings, KeyStore(Wire(client)))
            await access.keyring.refresh()
            if (refusal := access.refusal()) is not None:
                on_fatal(refusal)
                yield
                return
            await stack.enter_async_context(_running(access.keyring.run()))
            poster = await stack.enter_async_context(
                Poster(allowed=read_networks(settings.webhooks_private or ""), clock=time.monotonic)
            )
            workers = Workers()
            stack.callback(workers.close)
            owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"

            def store_of(name: str) -> StreamStore:
                return StreamStore(
                    client,
                    stream=name,
                    bundle_id=bundle.manifest.bundle_id,
                    owner=owner,
                    lease_ms=settings.lease_ms,
                    horizon=settings.dedup_horizon,
                    allow_unsafe=settings.allow_unsafe_redis,
                    durability=durability,
                )

            async def due(name: str) -> float:
                store = store_of(name)
                return await stored_due(store.hooks, store.events)

            def make(name: str, prepare_first: Prepare | None) -> Stream:
                counted = metrics.of(name)
                queue = Queue(
                    max_items=settings.queue_items, max_batch=settings.max_batch, dropped=counted.dropped
                )
                store = store_of(name)
                webhooks = Webhooks(
                    stream=name,
                    bundle_id=bundle.manifest.bundle_id,
                    box=store.hooks,
                    outbox=store.events,
                    post=poster.post,
                    metrics=metrics.webhooks.of(name),
                    now=time.time,
                    draw=secrets.token_bytes,
                    version=release,
                )
                fanout = Fanout(settings.watch_queue, webhooks.wake)
                pipeline = Pipeline(
                    bundle=bundle,
                    embedder=embedder,
                    store=store,
                    queue=queue,
                    fanout=fanout,
                    metrics=counted,
                    now=time.time,
                    params=params,
                    lease_ms=settings.lease_ms,
                    snapshot_every_items=settings.snapshot_every_items,
                    holds_store_alone=not settings.redis_url,
                    revive_store=revive,
                    prepare=prepare_first,
                    version=release,
                    workers=workers,
                    plotter=Plotter(landmarks, ROOM if settings.dashboard else 0),
                    payload_limits=settings.payload_limits(),
                    beside=webhooks.run,
                )
                return Stream(
                    name=name,
                    pipeline=pipeline,
                    queue=queue,
                    fanout=fanout,
                    events=store.events,
                    webhooks=webhooks,
                    metrics=counted,
                )

            names = StreamNames(client, bundle.manifest.bundle_id)
            served = Streams(
                default=settings.stream,
                most=settings.max_streams,
                make=make,
                names=names,
                metrics=metrics,
                prepare=prepare,
                on_fatal=on_fatal,
            )
            app.state.context = Context(
                settings=settings,
                bundle=bundle,
                streams=served,
                metrics=metrics,
                access=access,
                version=release,
                embedder=embedder,
                store=kind,
                now=time.time,
                usual=Usual(bundle.known, params.known_error_rate),
                reading=lambda name: _reading(url, Keys(name, bundle.manifest.bundle_id)),
            )
            served.begin()
            await stack.enter_async_context(_running(Visits(served, names, due=due, now=time.time).run()))
            yield
            await drain(app)
            await served.close(within_s=STOP_S + _AFTER_STOP_S, grace_s=_AFTER_STOP_S)

    app = FastAPIOffline(
        title="firstseen",
        version=release,
        summary="Streaming novelty detection: known class, unnamed cluster, or outlier.",
        description=(
            "Items stream in; for each, firstseen says at once: a known class, a cluster that nobody has named "
            "yet, or an outlier. For streams use the WebSocket `/stream`; `/watch` tells when clusters emerge."
        ),
        lifespan=lifespan,
        redirect_slashes=False,  # behind a proxy that ends TLS it could lead to http, and a key with it
    )
    app.router.default = nowhere(app.router.default)
    modules = (
        *(classify, clusters, evidence, decisions, rest, overview, dashboard, streams),
        *(events, export, webhook_routes, dlq, tickets, ingest_ws, watch_ws),
    )
    for module in modules:
        app.include_router(module.router)
    routes = [*app.routes, *(route for module in modules for route in module.router.routes)]
    paths = {path for route in routes if "{" not in (path := getattr(route, "path", "{"))}

    handle_failures(app)
    app.add_middleware(Direct, routes={("POST", "/classify"): classify.classify})
    origins = read_origins(settings.origins or "")
    build = app.build_middleware_stack
    # Around the framework's own outermost layer, which answers for faults that nothing else caught; what the guard
    # refuses is seen as well.
    app.build_middleware_stack = lambda: Seen(  # type: ignore[method-assign]
        Guard(cors(build(), origins)),
        metrics=metrics.http,
        name=namer(secrets.token_hex(4)),
        logs=settings.log_requests,
        spans=spans,
        paths=paths,
    )
    complete(app.openapi(), bundle.manifest.input)  # the app keeps the schema and shows it
    add_security(app.openapi())
    return app


def _spans(settings: Settings, release: str) -> "OtelSpans | None":
    """Who draws traces; nothing of it is loaded where nobody does.

    Raises:
        InvalidSetting: It is wanted, and the extra is not installed.
    """
    if settings.telemetry == "off":
        return None
    try:
        from service.telemetry.tracing import OtelSpans, otlp_provider  # noqa: PLC0415 - an extra
    except ImportError as missing:
        raise InvalidSetting(
            f"FIRSTSEEN_TELEMETRY={settings.telemetry} needs OpenTelemetry ({missing}): "
            "pip install 'firstseen[telemetry]'."
        ) from None
    return OtelSpans(otlp_provider(release), release)


async def _ended(spans: "OtelSpans") -> None:
    """Let spans that wait be sent; a collector that is away must not hold up the end of the process."""
    closing = threading.Thread(target=spans.close, daemon=True)
    closing.start()
    await asyncio.to_thread(closing.join, _TELEMETRY_S)


def make_access(settings: Settings, store: KeyStore) -> Access:
    """Who may come in, by the settings and by the keys of the store."""
    keyring = Keyring(store, now=time.time)
    defaults = Limits(
        rate=rate_of(settings.key_items_per_s, settings.key_burst),
        connections=settings.key_connections,
        new_streams=settings.key_streams,
    )
    return Access(
        mode=settings.keys,
        host=settings.host,
        allow_open=settings.allow_open,
        origins=read_origins(settings.origins or ""),
        hosts=read_hosts(settings.hosts or ""),
        keyring=keyring,
        store=store,
        allowances=Allowances(defaults, clock=time.monotonic, families=keyring.families),
        draw=secrets.token_bytes,
    )


@asynccontextmanager
async def _running(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """A task, for as long as the context is open."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        await cancelled(task)


async def drain(app: FastAPI) -> None:
    """Take no more items and answer those that wait: with their verdicts, or else with a 503. May be called twice."""
    context: Context | None = getattr(app.state, "context", None)
    if context is not None:  # else it could not even start
        await context.streams.drain(grace_s=STOP_S)


@asynccontextmanager
async def _reading(url: str, keys: Keys) -> AsyncIterator[StreamReader]:
    """A reader of a stream, in whichever event loop asks for it."""
    client = connect(url)
    try:
        yield StreamReader(Wire(client), keys)
    finally:
        await client.aclose()


@asynccontextmanager
async def _embedded(data_dir: Path, durability: Durability) -> AsyncIterator[EmbeddedServer]:
    """The store that comes with firstseen, for as long as the context is open."""
    server = EmbeddedServer(data_dir, appendfsync=durability.appendfsync)
    try:
        await server.start()
    except OSError as error:
        raise StoreError(
            f"The data folder {data_dir} cannot be used ({error}); give another --data-dir."
        ) from error
    try:
        yield server
    finally:
        with contextlib.suppress(TimeoutError):  # it was killed
            async with asyncio.timeout(_STORE_STOP_S):
                await server.stop()


async def _revive(server: EmbeddedServer, one_at_a_time: asyncio.Lock) -> None:
    """Start the embedded server again if it died."""
    async with one_at_a_time:
        if not server.is_alive():
            log.warning("embedded_store_restarts")
            await server.restart()
