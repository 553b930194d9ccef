"""What a command that works on a stream's state opens: settings, bundle, items, store, a reader of it."""

import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from service.errors import InvalidSetting
from service.lines.parsing import Columns
from service.settings import PREFIX, Settings
from service.state.errors import BundleMismatch, DataFolderInUse, StoreError

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from model.bundle import Bundle
    from service.clustering.params import EngineParams
    from service.embedding import Embedder
    from service.roundtrip.sent import Sent
    from service.state.reading import StreamReader
    from service.state.wire import Wire


def settings_of(data_dir: Path | None, redis_url: str | None, stream: str | None) -> Settings:
    """As the service reads them; a data folder that is asked for wins over a Redis in the environment."""
    if data_dir is not None and redis_url is not None:
        raise InvalidSetting("Give --data-dir or --redis-url, not both: the state is in one of them.")
    environ = dict(os.environ)
    if data_dir is not None:
        environ.pop(f"{PREFIX}REDIS_URL", None)
    return Settings.read(environ, data_dir=data_dir, redis_url=redis_url, stream=stream)


def read(bundle: Path) -> "Bundle":
    """The bundle of a folder."""
    from model.bundle import read_bundle

    return read_bundle(bundle)


def net_of(bundle: "Bundle", settings: Settings) -> "Embedder":
    """The bundle's net. What it logs goes to standard error: standard output is for results."""
    from service.embedding import Embedder

    with redirect_stdout(sys.stderr):
        return Embedder(bundle, device=settings.device, threads=settings.threads)


def params_of(bundle: "Bundle", settings: Settings) -> "EngineParams":
    """What a stream that is of this bundle from now on decides with."""
    from service.pipeline.starting import starting_params

    calibration = bundle.manifest.calibration
    return starting_params(
        settings,
        bundle.known,
        known_error_rate=calibration.known_error_rate,
        cluster_radius=calibration.cluster_radius,
    )


def sent_items(files: Sequence[Path] | None, id_column: str | None, text_column: str | None) -> "Sent | None":
    """The items that their sender brings; None where there are none."""
    from service.roundtrip.sent import sent

    return sent(files, Columns(id=id_column, text=text_column)) if files else None


@asynccontextmanager
async def client_of(settings: Settings, *, makes_folder: bool = False) -> "AsyncIterator[Redis]":
    """A client of the store: of the Redis, or of the embedded server, started on its folder for as long as needed."""
    from service.state.embedded import EmbeddedServer, socket_of
    from service.state.wire import connect

    async with AsyncExitStack() as stack:
        url = settings.redis_url or ""
        if not url:
            folder = settings.data_dir
            if not makes_folder and not (folder / "redis").is_dir():
                raise StoreError(
                    f"There is no state in {folder}. Give the --data-dir that the service has, or its --redis-url."
                )
            try:
                url = (await stack.enter_async_context(EmbeddedServer(folder))).url
            except DataFolderInUse as used:
                where = socket_of(folder)
                through = (
                    f", or reach it while it runs: --redis-url unix://{where.absolute()}" if where else ""
                )
                raise DataFolderInUse(
                    f"{folder} is in use by process {used.pid or 'unknown'}, which may be a service: stop it{through} "
                    "(verify and export only read).",
                    pid=used.pid,
                ) from None
            except OSError as error:
                raise StoreError(
                    f"The data folder {folder} cannot be used ({error}); give another --data-dir."
                ) from error
        client = connect(url)
        stack.push_async_callback(client.aclose)
        yield client


@asynccontextmanager
async def connected(settings: Settings) -> "AsyncIterator[Wire]":
    """A wire to the store."""
    from service.state.wire import Wire

    async with client_of(settings) as client:
        yield Wire(client)


@asynccontextmanager
async def reader_of(
    wire: "Wire", stream: str, bundle: "Bundle", *, takes_anything: bool = False
) -> "AsyncIterator[StreamReader]":
    """A reader of a stream that is there; `takes_anything`: also of keys that cannot be a stream's."""
    from service.state.keys import Keys
    from service.state.reading import StreamReader, streams

    reader = StreamReader(wire, keys := Keys(stream, bundle.manifest.bundle_id))
    if wrong := await reader.of_wrong_type():
        if takes_anything:
            yield reader
            return
        raise StoreError(
            f"{wrong[0][0]} is a {wrong[0][1]}, which firstseen never writes: this is no stream of its."
        )
    stored = (await reader.cut()).bundle
    names = [] if stored is not None else await reader.names()
    if names and all(keys.is_staged(name) or name == keys.lease for name in names):
        raise StoreError(
            f"There is no stream {stream} here: an import into it has not ended. Wait for it, or import again."
        )
    if stored is None and not names:
        found = await streams(wire)
        listed = ", ".join(f"{name} (of bundle {owner})" for name, owner in found.items())
        raise StoreError(
            f"There is no stream {stream} here. "
            + (f"There is: {listed}; choose with --stream." if found else "There is none at all.")
        )
    if stored is not None and stored != bundle.manifest.bundle_id.encode():
        of = stored.decode("utf-8", "backslashreplace")
        raise BundleMismatch(
            f"Stream {stream} is of bundle {of}, and this is bundle {bundle.manifest.bundle_id}: give the bundle that "
            "it was served with, or another --stream.",
            stored=of,
            offered=bundle.manifest.bundle_id,
        )
    yield reader
