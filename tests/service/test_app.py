"""The composition root: started and stopped as a whole, in order."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from model.bundle import Bundle
from service.app import create_app, drain
from service.settings import Settings
from service.state.errors import DataFolderInUse, StoreError, StoreMisconfigured
from tests.service import digits
from tests.service.inside import running
from tests.service.waiting import soon, until


def settings(folder: Path, **options: object) -> Settings:
    return Settings.read({}, data_dir=folder, **options)


async def test_starts_and_stops(tmp_path: Path, digits_bundle: Bundle) -> None:
    """It becomes ready, drains twice without harm, and gives the folder back for the next one."""
    for epoch in (1, 2):
        fatal: list[BaseException] = []
        app = create_app(settings(tmp_path), digits_bundle, on_fatal=fatal.append)
        async with app.router.lifespan_context(app):
            pipeline = app.state.context.streams.default.pipeline
            await soon(lambda pipeline=pipeline: pipeline.reason is None, "it is ready")  # type: ignore[misc]
            assert epoch == pipeline.epoch
            await drain(app)
            await drain(app)

        assert [] == fatal
        assert [] == [task for task in asyncio.all_tasks() if task.get_name().startswith("stream ")]


async def test_folder_in_use(tmp_path: Path, digits_bundle: Bundle) -> None:
    """A folder in use is told to the caller, and nothing is started."""
    fatal: list[BaseException] = []
    first = create_app(settings(tmp_path), digits_bundle, on_fatal=fatal.append)
    second = create_app(settings(tmp_path), digits_bundle, on_fatal=fatal.append)
    async with first.router.lifespan_context(first):
        assert [] == fatal
        async with second.router.lifespan_context(second):
            await drain(second)

    assert [DataFolderInUse] == [type(error) for error in fatal]


@pytest.mark.parametrize("url", ["ftp://example", "nonsense"])
async def test_bad_address(tmp_path: Path, digits_bundle: Bundle, url: str) -> None:
    """An address of Redis that is none is told to the caller."""
    fatal: list[BaseException] = []
    app = create_app(settings(tmp_path, redis_url=url), digits_bundle, on_fatal=fatal.append)
    async with app.router.lifespan_context(app):
        pass

    assert [StoreMisconfigured] == [type(error) for error in fatal]


def test_river_forms_the_clusters_where_it_is_chosen(tmp_path: Path, digits_bundle: Bundle) -> None:
    """It finds what is new, a restart goes on from there, and the stream is not served with another backend."""
    chosen = settings(tmp_path, backend="river")
    seen = []
    items = digits.stream_items()
    for part in (items[:600], items):
        with running(chosen, digits_bundle) as inside, httpx.Client(base_url=inside.url) as http:
            seen.append(http.get("/info").json()["state_hash"])
            verdicts = http.post("/classify", json={"items": part}).json()["results"]
            seen.append(http.get("/info").json()["state_hash"])
            clusters = http.get("/clusters").json()["clusters"]
            clusters += http.get("/clusters", params={"state": "gone"}).json()["clusters"]
    with running(settings(tmp_path), digits_bundle) as inside:
        until(lambda: inside.fatal, "it is refused")

    assert seen[1] == seen[2]
    assert len(set(seen)) == 3
    assert len(items) == len(verdicts)
    assert {v["cluster_id"] for v in verdicts} - {None} <= {c["id"] for c in clusters}
    assert "cluster" in {v["verdict"] for v in verdicts[:600]}
    assert [StoreError] == [type(error) for error in inside.fatal]
    assert "FIRSTSEEN_BACKEND=river" in str(inside.fatal[0])


def test_nothing_waits_for_what_is_prepared(tmp_path: Path, digits_bundle: Bundle) -> None:
    """Before it is ready the service lives, says why it takes nothing, and sends everybody away; then it serves."""
    go = threading.Event()

    async def slowly(say: Callable[[str], None]) -> None:
        say("compiling for a test")
        await asyncio.to_thread(go.wait)

    with (
        running(settings(tmp_path), digits_bundle, prepare=slowly) as inside,
        httpx.Client(base_url=inside.url, headers={"content-type": "application/json"}) as http,
    ):
        try:
            until(lambda: http.get("/readyz").json()["reason"] == "compiling for a test", "it says why")
            readiness = http.get("/readyz")
            refused = [
                http.post("/classify", json={"x": digits.raw()}),
                http.get("/clusters"),
                http.get("/info"),
            ]
            codes = []
            for path in ("/stream", "/watch"):
                with connect(f"{inside.ws_url}{path}") as socket:
                    with pytest.raises(ConnectionClosed):
                        deque(socket, maxlen=0)
                    codes.append(socket.close_code)

            assert 200 == http.get("/livez").status_code
            assert 503 == readiness.status_code
            assert [(503, "1")] * 3 == [(r.status_code, r.headers["retry-after"]) for r in refused]
            assert ["compiling for a test"] * 3 == [
                r.json()["detail"].rpartition(": ")[2][:-1] for r in refused
            ]
            assert [1012, 1012] == codes
        finally:
            go.set()
        until(lambda: http.get("/readyz").status_code == 200, "it is ready")
        assert 200 == http.post("/classify", json={"x": digits.raw()}).status_code


async def test_it_can_be_stopped_before_it_is_ready(tmp_path: Path, digits_bundle: Bundle) -> None:
    """What is being prepared is cancelled; the end is in order."""
    cancelled = []

    async def never(say: Callable[[str], None]) -> None:
        say("compiling for a test")
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    fatal: list[BaseException] = []
    app = create_app(settings(tmp_path), digits_bundle, on_fatal=fatal.append, prepare=never)
    async with app.router.lifespan_context(app):
        pipeline = app.state.context.streams.default.pipeline
        await soon(lambda: pipeline.reason == "compiling for a test", "it is being prepared")

    assert [True] == cancelled
    assert [] == fatal


async def test_what_cannot_be_prepared_is_fatal(tmp_path: Path, digits_bundle: Bundle) -> None:
    """The process should end, and say why; it does not stay up without ever being ready."""
    fatal: list[BaseException] = []

    async def fails(_say: Callable[[str], None]) -> None:
        raise RuntimeError("no compiler")

    app = create_app(settings(tmp_path), digits_bundle, on_fatal=fatal.append, prepare=fails)
    async with app.router.lifespan_context(app):
        await soon(lambda: fatal, "it is told")

    assert ["no compiler"] == [str(error) for error in fatal]
