"""The real service in a thread of the test process: real uvicorn, real sockets, real embedded store."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI

from model.bundle import Bundle
from service.app import create_app
from service.compiling import precompile
from service.compiling.precompile import Prepare
from service.server import make_server
from service.settings import Settings
from tests.service.waiting import until


@dataclass(frozen=True)
class Inside:
    """A running service."""

    url: str
    app: FastAPI
    server: uvicorn.Server
    fatal: list[BaseException]

    @property
    def ws_url(self) -> str:
        return self.url.replace("http://", "ws://")

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@contextmanager
def running(settings: Settings, bundle: Bundle, *, prepare: Prepare | None = None) -> Iterator[Inside]:
    """Serve `bundle` on a free port until the context closes; with `prepare`, do not wait until it is ready."""
    fatal: list[BaseException] = []
    app = create_app(settings, bundle, on_fatal=fatal.append, prepare=prepare or precompile.prepare)
    server = make_server(settings, app)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            until(lambda: server.started or not thread.is_alive(), "the service starts")
            assert server.started
            if prepare is None:
                until(
                    lambda: app.state.context.streams.default.pipeline.reason is None or fatal,
                    "the service is ready",
                )
            yield Inside(f"http://127.0.0.1:{port}", app, server, fatal)
        finally:
            server.should_exit = True
            thread.join(60)
            assert not thread.is_alive()
