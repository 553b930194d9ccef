"""`firstseen state`: look after what a stream has learnt, when something happened to it, or before something may.

verify      is all of it there, and right?            reads only; also while the service runs
export      into one file, a backup                   reads only; also while the service runs
import      out of such a file, into an empty stream  all or nothing
snapshot    save now, so that the next start is short  the service must be stopped
"""

import asyncio
import json
import os
import secrets
import socket
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from service.cli.opening import client_of, connected, read, reader_of, settings_of
from service.cli.options import AsJson, DataDir, RedisUrl, StoredStream, StreamBundle
from service.cli.progress import stages
from service.state.errors import StoreError

if TYPE_CHECKING:
    from model.bundle import Bundle
    from service.state.inspecting import Inspected
    from service.state.verifying import Verified

app = typer.Typer(
    name="state",
    help=(
        "Verify, back up, restore and shorten a stream's state.\n\nThe state is where `firstseen serve` keeps it: in "
        "the data folder, or in the Redis of --redis-url. The service's settings and FIRSTSEEN_... variables hold here "
        "too."
    ),
    no_args_is_help=True,
    rich_markup_mode="rich",
)
screen = Console(stderr=True)

_SIGNS = {
    "ok": ("✓", "green"),
    "warning": ("!", "yellow"),
    "failed": ("✗", "bold red"),
    "skipped": ("-", "dim"),
}


@app.command()
def verify(
    bundle: StreamBundle,
    data_dir: DataDir = None,
    redis_url: RedisUrl = None,
    stream: StoredStream = None,
    as_json: AsJson = False,
) -> None:
    """Check every invariant of a stream's state, replay its log, and say what is wrong; exits 1 if anything is.

    Changes nothing. In a Redis, the service may run meanwhile; the data folder of a running service is reached
    through its socket, which the message names.

    Example: [bold]firstseen state verify bundles/digits[/bold]
    """
    from service.state.verifying import verify as verify_stream

    settings = settings_of(data_dir, redis_url, stream)

    async def run(found: "Bundle") -> "Verified":
        async with (
            connected(settings) as wire,
            reader_of(wire, settings.stream, found, takes_anything=True) as reader,
        ):
            with stages(screen) as progress:
                return await verify_stream(reader, found.known, found.manifest.labels, progress)

    verified = asyncio.run(run(read(bundle)))
    _tell(verified, as_json=as_json)
    raise typer.Exit(0 if verified.is_sound else 1)


@app.command()
def export(
    bundle: StreamBundle,
    out: Annotated[Path, typer.Option(help="File to write, e.g. digits.fsar.")],
    data_dir: DataDir = None,
    redis_url: RedisUrl = None,
    stream: StoredStream = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a stream's whole state into one file that any later firstseen can import, on any Redis.

    The file is the stream at one instant, also when the service runs on that Redis meanwhile, and is written at once:
    either whole, checked and on disk, or not at all. Equal states give equal files. Keep the bundle with it.

    Example: [bold]firstseen state export bundles/digits --out digits.fsar[/bold]
    """
    from service.cli.writable import check_writable, written_at_once
    from service.state.exporting import export_stream

    settings = settings_of(data_dir, redis_url, stream)
    check_writable(out, "--out")

    async def run(found: "Bundle") -> dict[str, Any]:
        async with connected(settings) as wire, reader_of(wire, settings.stream, found) as reader:
            with stages(screen) as progress, written_at_once(out, replace=force) as file:
                done = await export_stream(reader, file, out.absolute().parent, progress)
                return {**fields_of(done), "file": str(out), "bytes": file.tell()}

    told = asyncio.run(run(read(bundle)))
    _say(
        told,
        f"{out}: stream {told['stream']} up to seq {told['seq']}, {told['ids']} ids, {told['bytes']} bytes",
        as_json=as_json,
    )


@app.command(name="import")
def import_(
    bundle: StreamBundle,
    file: Annotated[Path, typer.Argument(help="What `firstseen state export` wrote.")],
    data_dir: DataDir = None,
    redis_url: RedisUrl = None,
    stream: Annotated[
        str | None, typer.Option(help=r"What the stream shall be called here \[default: as in the file].")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a stream of an exported file, where there is none of its name, and verify it.

    The file is checked to the byte before anything is written. An import that is interrupted leaves no stream; import
    again. Where the stream is there already, or a part of one, nothing is changed.

    Example: [bold]firstseen state import bundles/digits digits.fsar --data-dir firstseen-data[/bold]
    """
    from service.state.importing import import_stream
    from service.state.inspecting import inspect
    from service.state.keys import Keys
    from service.state.reading import StreamReader
    from service.state.store import StreamStore
    from service.state.verifying import verify as verify_stream
    from service.state.wire import Wire

    settings = settings_of(data_dir, redis_url, stream)
    if not (file.is_file() and os.access(file, os.R_OK)):
        raise StoreError(f"There is no file {file} to read; give one that `firstseen state export` wrote.")

    async def run(found: "Bundle", archive: "Inspected") -> tuple[dict[str, Any], "Verified"]:
        bundle_id, token = found.manifest.bundle_id, secrets.token_hex(8)
        owner = f"import-{socket.gethostname()}-{os.getpid()}-{token}"
        name = stream or archive.start.stream
        async with client_of(settings, makes_folder=True) as client:
            store = StreamStore(
                client,
                stream=name,
                bundle_id=bundle_id,
                owner=owner,
                allow_unsafe=settings.allow_unsafe_redis,
                durability=settings.promised(),
            )
            await store.open()
            wire = Wire(client)
            with stages(screen) as progress:
                done = await import_stream(
                    wire,
                    archive,
                    bundle_id=bundle_id,
                    stream=name,
                    owner=owner,
                    token=token,
                    progress=progress,
                )
                reader = StreamReader(wire, Keys(name, bundle_id))
                verified = await verify_stream(reader, found.known, found.manifest.labels, progress)
            return fields_of(done), verified

    with file.open("rb") as reading:
        told, verified = asyncio.run(run(read(bundle), inspect(reading)))
    if as_json:
        typer.echo(json.dumps({**told, "verified": _as_json(verified)}, indent=2))
    else:
        _say(told, f"stream {told['stream']} up to seq {told['seq']}, epoch {told['epoch']}", as_json=False)
        _tell(verified, as_json=False)
    if told["stream"] != settings.stream:
        screen.print(
            Text.assemble(("!", "yellow"), f" serve it with --stream {told['stream']}"), soft_wrap=True
        )
    raise typer.Exit(0 if verified.is_sound else 1)


@app.command()
def snapshot(
    bundle: StreamBundle,
    data_dir: DataDir = None,
    redis_url: RedisUrl = None,
    stream: StoredStream = None,
    as_json: AsJson = False,
) -> None:
    """Save a snapshot of a stream that is not being served, and trim its log: before an upgrade, or for a quick start.

    A service that runs does so by itself, every FIRSTSEEN_SNAPSHOT_EVERY_ITEMS items and when it is stopped.

    Example: [bold]firstseen state snapshot bundles/digits[/bold]
    """
    from service.state.checkpoint import checkpoint
    from service.state.checks import parse_head
    from service.state.store import StreamStore
    from service.state.wire import Wire

    settings = settings_of(data_dir, redis_url, stream)
    started = time.monotonic()

    async def run(found: "Bundle") -> dict[str, Any]:
        async with client_of(settings) as client, reader_of(Wire(client), settings.stream, found) as reader:
            try:
                head = parse_head((await reader.cut()).head)
            except ValueError as error:
                raise StoreError(f"The head of stream {settings.stream} is damaged: {error}.") from None
            store = StreamStore(
                client,
                stream=settings.stream,
                bundle_id=found.manifest.bundle_id,
                owner=f"snapshot-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}",
                lease_ms=settings.lease_ms,
                horizon=head.horizon,
                allow_unsafe=settings.allow_unsafe_redis,
                durability=settings.promised(),
            )
            await store.open()
            with stages(screen) as progress:
                done = await checkpoint(
                    store,
                    found.known,
                    found.manifest.labels,
                    lease_s=settings.lease_ms / 1000,
                    is_alone=not settings.redis_url,
                    progress=progress,
                )
            return fields_of(done)

    told = asyncio.run(run(read(bundle)))
    told["seconds"] = round(time.monotonic() - started, 2)
    _say(
        told,
        f"snapshot at seq {told['seq']}: {told['size']} bytes, {told['replayed']} entries replayed, "
        f"{told['trimmed']} trimmed, {told['seconds']} s",
        as_json=as_json,
    )


# What the commands have in common


def fields_of(record: Any) -> dict[str, Any]:  # noqa: ANN401 - a dataclass
    """The fields of a result, counts of an archive among them."""
    import msgspec

    fields = {name: getattr(record, name) for name in record.__dataclass_fields__}
    counts = fields.pop("counts", None)
    return fields | ({} if counts is None else msgspec.structs.asdict(counts))


def _say(told: dict[str, Any], sentence: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(told, indent=2))
    else:
        screen.print(Text.assemble(("✓", "green"), f" {sentence}"), soft_wrap=True)


def _as_json(verified: "Verified") -> dict[str, Any]:
    return {**asdict(verified), "ok": verified.is_sound}


def _tell(verified: "Verified", *, as_json: bool) -> None:
    """One line a check, and one a fault."""
    if as_json:
        typer.echo(json.dumps(_as_json(verified), indent=2))
        return
    output = Console()
    output.print(
        Text(f"stream {verified.stream} of bundle {verified.bundle_id}, up to seq {verified.seq}"),
        soft_wrap=True,
    )
    for check in verified.checks:
        sign, style = _SIGNS[check.outcome.value]
        for n, detail in enumerate(check.details):
            shown = check.name if n == 0 else ""
            output.print(
                Text.assemble((sign if n == 0 else " ", style), f" {shown:<10} {detail}"), soft_wrap=True
            )
    failed = sum(check.outcome.value == "failed" for check in verified.checks)
    if verified.is_sound:
        output.print(Text(f"sound; state {verified.state_hash}"), soft_wrap=True)
    else:
        output.print(Text(f"NOT sound: {failed} of {len(verified.checks)} checks failed"), soft_wrap=True)
