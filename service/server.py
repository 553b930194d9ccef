"""The process around the service: uvicorn, signals, logs, exit status.

Ctrl-C or SIGTERM: nothing new is taken, what waits is answered, sockets are closed with 1012, the state is
snapshot, the lease is given back, the embedded store is stopped. A second Ctrl-C does not wait; nothing
acknowledged is lost by that, or by kill -9.
"""

import contextlib
import gc
import io
import logging
import resource
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import msgspec
import structlog
import uvicorn
from fastapi import FastAPI
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

from model.bundle import read_bundle
from service.access.scrubbing import scrub
from service.api.connection import BoundedHttp
from service.api.ws_connection import BoundedWebSocket
from service.app import create_app, drain
from service.errors import InvalidSetting
from service.settings import Settings

log = structlog.get_logger("firstseen")

_OTHER_FILES = 256
"""Open files besides connections: logs, libraries, the store."""


class _Server(uvicorn.Server):
    """Says where it listens, and answers what waits before it closes connections."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.should_exit:
            return
        for server in self.servers:
            for listening in server.sockets:
                host, port = listening.getsockname()[:2]
                log.info("listening", url=f"http://{host}:{port}", docs=f"http://{host}:{port}/docs")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await drain(self.config.app)  # type: ignore[arg-type]  # the FastAPI object that make_server was given
        await super().shutdown(sockets)


def run_server(settings: Settings, bundle_dir: Path) -> int:
    """Serve until a signal.

    Returns:
        The exit status.

    Raises:
        BundleError, InvalidSetting, StoreError: It cannot be served as asked; the message says what to do.
    """
    configure_logging(settings)
    allow_files(settings.connections + _OTHER_FILES)
    # The step multiplies small matrices: threads of their own cost more processor time than they save, and add up in
    # another order on a machine with another number of cores.
    threadpool_limits(limits=1, user_api="blas")
    bundle = read_bundle(bundle_dir)
    failures: list[BaseException] = []
    sockets: list[socket.socket] = []

    def on_fatal(error: BaseException) -> None:
        failures.append(error)
        server.should_exit = True
        if not server.started:
            sockets.clear()  # uvicorn would still listen for a moment

    server = make_server(settings, create_app(settings, bundle, on_fatal=on_fatal))
    gc.freeze()  # libraries and net stay: a full collection that walks them stops the loop for 0.2 s
    log.info("settings", **settings.shown())
    log.info("bundle", id=bundle.manifest.bundle_id, labels=bundle.manifest.labels, path=str(bundle_dir))
    with _bound(settings) as listening:
        sockets.append(listening)
        for signum in (
            signal.SIGINT,
            signal.SIGTERM,
        ):  # before uvicorn listens to them, and once more when it is done
            signal.signal(signum, lambda *_: setattr(server, "should_exit", True))
        server.run(sockets=sockets)
    if failures:
        raise failures[0]
    return 0 if server.started else 1


def allow_files(wanted: int) -> None:
    """Let the process have so many open files, each connection being one, as far as the system lets it.

    The usual limit of 1024 is one that any process may raise; beyond the hard one accepting would fail, so it is said.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        reached = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (reached, hard))
        if reached < wanted:
            log.warning("few_files", most=reached, wanted=wanted, hint="raise the hard limit (ulimit -Hn)")


def make_server(settings: Settings, app: FastAPI) -> uvicorn.Server:
    """Uvicorn as this service wants it; `run` serves, setting `should_exit` stops it in order."""
    return _Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            http=partial(  # type: ignore[arg-type]  # it is called, and no more
                BoundedHttp, head_s=settings.request_timeout_s, send_s=settings.send_timeout_s
            ),
            limit_concurrency=settings.connections + 1,  # uvicorn counts the one that asks
            ws=BoundedWebSocket,
            ws_max_size=settings.ws_max_bytes,
            ws_per_message_deflate=False,
            ws_ping_interval=settings.ws_ping_s,
            ws_ping_timeout=settings.ws_ping_s,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
            server_header=False,
        )
    )


def _bound(settings: Settings) -> socket.socket:
    """The listening socket, so that a port in use is our error and not a traceback."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        raise InvalidSetting(
            f"Cannot listen on {settings.host} port {settings.port} ({error.strerror}); give a --host of this "
            "machine, another --port, or 0 for a free one."
        ) from None
    return listening


class _Lossy(io.TextIOBase):
    """A stream that loses what cannot be written: a full disk under the log must not stop the service. Secrets stay out
    of it (scrubbing.py).
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(scrub(text))
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


class LibraryLines(logging.Handler):
    """What libraries log, as events of ours: in the same form, without secrets, and with the name of who wrote it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log it."""
        structlog.get_logger().log(
            record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info
        )


def _in_json(fields: dict[str, Any], *, default: Callable[[Any], Any]) -> str:
    """A line of the log; `default` makes something of what is no JSON."""
    return msgspec.json.encode(fields, enc_hook=default).decode()


def configure_logging(settings: Settings) -> None:
    """Events with fields, on stderr: for people on a terminal, JSON otherwise."""
    to_people = settings.log_format == "console" or (settings.log_format == "auto" and sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if to_people else [structlog.processors.format_exc_info]),
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
            if to_people
            else structlog.processors.JSONRenderer(_in_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        logger_factory=structlog.WriteLoggerFactory(_Lossy(sys.stderr)),  # type: ignore[arg-type]  # it writes to it
    )
    logging.basicConfig(level=logging.WARNING, handlers=[LibraryLines()])
