"""`firstseen keys`: who may ask the service, and for what.

Writes to the store itself, so it needs no key, and whoever can reach the store (the data folder, or Redis) is the one
who decides. Beside a running service it goes through the socket of the service's store; without one it starts the
embedded store on the folder for as long as it needs.

Exits 0 when it was done, 1 when it could not be, and 2 when it was asked wrongly.
"""

import asyncio
import json
import os
import re
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.access.rights import MOST_NOTE, Key, KeyState, read_scopes, read_streams
from service.cli.telling import tame
from service.errors import InvalidSetting
from service.settings import PREFIX, Settings
from service.state.errors import DataFolderInUse, StoreError

if TYPE_CHECKING:
    from service.state.key_store import KeyStore, StoredKeys

T = TypeVar("T")

app = typer.Typer(
    name="keys",
    help=(
        "API keys: add, list, revoke and rotate them.\n\nAs soon as there is one, `firstseen serve` wants one from "
        "everybody (FIRSTSEEN_KEYS). Changes count within some three seconds, also for a service that runs. The store "
        "is that of --data-dir or --redis-url, as `firstseen serve` has it."
    ),
    no_args_is_help=True,
    rich_markup_mode="rich",
)
screen = Console(stderr=True)

DataDir = Annotated[
    Path | None, typer.Option(help=r"Folder of the embedded store \[default: firstseen-data].")
]
RedisUrl = Annotated[str | None, typer.Option(help="Use this Redis instead of the embedded store.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Id = Annotated[str, typer.Argument(help="Its id, as `firstseen keys list` shows it: the part behind fs_.")]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


@app.command()
def add(
    scopes: Annotated[
        str, typer.Option(help="What it may do: ingest, read, curate, admin; between commas.")
    ] = "ingest,read",
    streams: Annotated[
        str, typer.Option(help="Where: names of streams, and beginnings like team-*; between commas.")
    ] = "*",
    expires: Annotated[
        str | None, typer.Option(help=r"For how long, e.g. 90d, 12h, 30m \[default: for ever].")
    ] = None,
    items_per_s: Annotated[
        float | None,
        typer.Option(min=0.001, help=r"Items a second \[default: FIRSTSEEN_KEY_ITEMS_PER_S]."),
    ] = None,
    burst: Annotated[
        int | None, typer.Option(min=1, help=r"Items at once \[default: those of a second].")
    ] = None,
    connections: Annotated[
        int | None, typer.Option(min=1, help=r"WebSockets at once \[default: FIRSTSEEN_KEY_CONNECTIONS].")
    ] = None,
    new_streams: Annotated[
        int | None, typer.Option(min=0, help=r"Streams it may create \[default: FIRSTSEEN_KEY_STREAMS].")
    ] = None,
    note: Annotated[str, typer.Option(help="Whose it is, or what for.")] = "",
    data_dir: DataDir = None,
    redis_url: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """Make a key, and show it: this once, since only its hash is kept.

    The key alone goes to standard output, so it can be put where it belongs:

    Example: [bold]firstseen keys add --streams 'line-*' --scopes ingest --note "line 3" > line3.key[/bold]
    """
    if burst is not None and items_per_s is None:
        raise typer.BadParameter("--burst goes with --items-per-s")
    if len(note) > MOST_NOTE:
        raise typer.BadParameter(f"a note has at most {MOST_NOTE} characters")
    now = time.time()
    id, text, digest = _made()
    key = Key(
        id=id,
        family=id,
        digest=digest,
        scopes=_read(read_scopes, scopes),
        streams=_read(read_streams, streams),
        created=now,
        expires=None if expires is None else now + _read(seconds, expires),
        items_per_s=items_per_s,
        burst=burst,
        connections=connections,
        new_streams=new_streams,
        note=note,
    )
    _in_store(data_dir, redis_url, lambda store: store.add(key), makes_folder=True)
    _show(key, text, as_json=as_json)


@app.command("list")
def listed(data_dir: DataDir = None, redis_url: RedisUrl = None, as_json: AsJson = False) -> None:
    """Show all keys, without their secrets: what they may do, until when, and when they were last used.

    Example: [bold]firstseen keys list --json | jq -r '.keys[] | select(.state == "valid") | .id'[/bold]
    """
    stored = _in_store(data_dir, redis_url, lambda store: store.load())
    now = time.time()
    keys = sorted(stored.keys.values(), key=lambda key: key.created)
    if as_json:
        told = [{**_plain(key, now), "last_used": _when(stored.used.get(key.id))} for key in keys]
        typer.echo(json.dumps({"keys": told, "unreadable": list(stored.unreadable)}, indent=2))
        return
    if not len(stored):
        typer.echo("There is no key.")
        return
    Console().print(_table(keys, stored, now))
    for id in stored.unreadable:
        screen.print(
            Text.assemble(("!", "yellow"), f" key {id} cannot be read: it opens nothing"), soft_wrap=True
        )


@app.command()
def revoke(
    id: Id,
    forget: Annotated[
        bool, typer.Option("--forget", help="Drop it from the list, too: its user is told nothing any more.")
    ] = False,
    data_dir: DataDir = None,
    redis_url: RedisUrl = None,
) -> None:
    """End a key, now. It stays in the list, as revoked.

    Should Redis be away from the service at this moment, the key goes on there until it is back.

    Example: [bold]firstseen keys revoke k3x9p2qa[/bold]
    """

    async def end(store: "KeyStore") -> None:
        stored = await store.load()
        if id not in stored.keys and id not in stored.unreadable:
            raise _unknown(id, stored)
        if forget:
            await store.forget(id)
        else:
            await store.revoke(id, time.time())

    _in_store(data_dir, redis_url, end)
    _say(
        f"{id} is {'forgotten' if forget else 'revoked'}; a service that runs takes it for some three seconds more."
    )


@app.command()
def rotate(
    id: Id,
    overlap: Annotated[
        str, typer.Option(help="For how long the old one still works, e.g. 24h, 30m, 0s.")
    ] = "24h",
    data_dir: DataDir = None,
    redis_url: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """Make a key that takes the place of another: same rights and limits, one quota for both, and time to change over.

    Example: [bold]firstseen keys rotate k3x9p2qa --overlap 24h[/bold]
    """
    now = time.time()
    end = now + _read(seconds, overlap)
    new_id, text, digest = _made()

    async def change(store: "KeyStore") -> Key:
        stored = await store.load()
        old = stored.keys.get(id)
        if old is None:
            raise _unknown(id, stored)
        if (state := old.state(now)) is not KeyState.VALID:
            raise StoreError(f"Key {id} is {state}; make a new one with `firstseen keys add`.")
        lifetime = None if old.expires is None else old.expires - old.created
        new = replace(
            old, id=new_id, digest=digest, created=now, expires=None if lifetime is None else now + lifetime
        )
        await store.rotate(old, expires=end if old.expires is None else min(end, old.expires), new=new)
        return new

    key = _in_store(data_dir, redis_url, change)
    _show(key, text, as_json=as_json)


# What the commands have in common


def seconds(text: str) -> float:
    """A length of time, `90d`, `12h`, `30m`, `10s`. ValueError says what to send."""
    found = re.fullmatch(r"(\d{1,6})([smhdw])", text.strip())
    if found is None:
        raise ValueError(f"{text!r}: give a number and s, m, h, d or w, like 90d or 12h")
    return float(int(found[1]) * _UNITS[found[2]])


def _read(reader: Callable[[str], T], text: str) -> T:
    try:
        return reader(text)
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong)) from None


def _made() -> tuple[str, str, bytes]:
    """Id, text and digest of a new key."""
    from service.access.tokens import ID_BYTES, SECRET_BYTES, make_token, read_token

    text = make_token(secrets.token_bytes(ID_BYTES), secrets.token_bytes(SECRET_BYTES))
    token = read_token(text)
    return token.id, text, token.digest


def _in_store(
    data_dir: Path | None,
    redis_url: str | None,
    work: Callable[["KeyStore"], Awaitable[T]],
    *,
    makes_folder: bool = False,
) -> T:
    """Do something in the store that the service has."""
    if data_dir is not None and redis_url is not None:
        raise InvalidSetting("Give --data-dir or --redis-url, not both: the keys are in one of them.")
    environ = dict(os.environ)
    if data_dir is not None:
        environ.pop(f"{PREFIX}REDIS_URL", None)
    settings = Settings.read(environ, data_dir=data_dir, redis_url=redis_url)

    async def run() -> T:
        async with _store(settings, makes_folder=makes_folder) as store:
            return await work(store)

    return asyncio.run(run())


@asynccontextmanager
async def _store(settings: Settings, *, makes_folder: bool) -> "AsyncIterator[KeyStore]":
    from service.state.embedded import EmbeddedServer, socket_of
    from service.state.key_store import KeyStore
    from service.state.wire import Wire, connect

    async with AsyncExitStack() as stack:
        url = settings.redis_url or ""
        folder = settings.data_dir
        if not url:
            if not makes_folder and not (folder / "redis").is_dir():
                raise StoreError(
                    f"There is no state in {folder}. Give the --data-dir that the service has, or its --redis-url."
                )
            server = EmbeddedServer(folder, appendfsync=settings.promised().appendfsync)
            try:
                url = (await stack.enter_async_context(server)).url
            except DataFolderInUse:
                where = socket_of(folder)  # of the service that runs
                if where is None:
                    raise
                url = "unix://" + where.absolute().as_uri().removeprefix("file://")
            except OSError as error:
                raise StoreError(
                    f"The data folder {folder} cannot be used ({error}); give another --data-dir."
                ) from error
        client = connect(url)
        stack.push_async_callback(client.aclose)
        yield KeyStore(Wire(client))


def _unknown(id: str, stored: "StoredKeys") -> StoreError:
    from service.state.key_store import ids_like

    bare = id.removeprefix("fs_")[:8]
    close = ids_like(stored, bare)
    hint = f" Did you mean {close[0]}?" if close else " `firstseen keys list` shows those there are."
    return StoreError(f"There is no key {bare!r}.{hint}")


def _when(t: float | None) -> str | None:
    return None if t is None else datetime.fromtimestamp(t, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _plain(key: Key, now: float) -> dict[str, Any]:
    return {
        "id": key.id,
        "state": key.state(now).value,
        "scopes": sorted(key.scopes),
        "streams": list(key.streams),
        "created": _when(key.created),
        "expires": _when(key.expires),
        "revoked": _when(key.revoked),
        "replaces_family": None if key.family == key.id else key.family,
        "items_per_s": key.items_per_s,
        "burst": key.burst,
        "connections": key.connections,
        "new_streams": key.new_streams,
        "note": key.note,
    }


def _show(key: Key, text: str, *, as_json: bool) -> None:
    """The one time that the secret is seen."""
    if as_json:
        typer.echo(json.dumps({"key": text, **_plain(key, key.created)}, indent=2))
        return
    until = "" if key.expires is None else f", until {_when(key.expires)}"
    _say(
        f"{key.id}: {', '.join(sorted(key.scopes))} on {', '.join(key.streams)}{until}. It is shown this once:"
    )
    typer.echo(text)


def _table(keys: list[Key], stored: "StoredKeys", now: float) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("id", "state", "scopes", "streams", "created", "expires", "last used", "note"):
        table.add_column(name, overflow="fold", no_wrap=name in ("id", "state"))
    for key in keys:
        day, used = _when(key.created), _when(stored.used.get(key.id))
        cells = (
            key.id,
            key.state(now).value,
            ", ".join(sorted(key.scopes)),
            ", ".join(key.streams),
            (day or "")[:10],
            "never" if key.expires is None else _when(key.expires) or "",
            "never" if used is None else used[:16],
            tame(key.note),
        )
        table.add_row(*map(Text, cells))
    return table


def _say(sentence: str) -> None:
    screen.print(Text.assemble(("✓", "green"), f" {sentence}"), soft_wrap=True)
