"""`firstseen upgrade`: move a stream to another bundle, after showing what would become of it; or one step back."""

import asyncio
import json
import os
import secrets
import shlex
import socket
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.cli.asking import confirmed
from service.cli.opening import client_of, net_of, params_of, read, reader_of, sent_items, settings_of
from service.cli.options import (
    AsJson,
    DataDir,
    IdColumn,
    RedisUrl,
    Sent,
    StoredStream,
    TextColumn,
)
from service.cli.progress import StagesBetweenQuestions

if TYPE_CHECKING:
    from model.bundle import Bundle
    from service.roundtrip.upgrading import Diff, Upgraded

app = typer.Typer()
screen = Console(stderr=True)

_SHOWN: Final = 10


@app.command()
def upgrade(
    bundle: Annotated[
        Path, typer.Argument(metavar="BUNDLE", help="Folder of the bundle that the stream is of now.")
    ],
    to: Annotated[
        Path,
        typer.Argument(
            metavar="TO", help="Folder of the bundle that it is to be of; with --back, of the one before."
        ),
    ],
    items: Sent = None,
    id_column: IdColumn = None,
    text_column: TextColumn = None,
    back: Annotated[
        bool,
        typer.Option("--back", help="Go back to what the latest upgrade left; what came since is unlearnt."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would become of it, and stop.")
    ] = False,
    data_dir: DataDir = None,
    redis_url: RedisUrl = None,
    stream: StoredStream = None,
    as_json: AsJson = False,
) -> None:
    """Move a stream that is not being served to another bundle: cluster ids, names and decisions are kept.

    Clusters are carried over by their members, embedded by the new net: by the payloads that the stream keeps, and by
    the items that you bring with --items. What would become of the stream is shown first. The verdict of an id never
    changes. The state that there was is kept until the next upgrade, for one step back.

    Example: [bold]firstseen upgrade bundles/digits bundles/digits-2 --items items.jsonl[/bold]

    Back: [bold]firstseen upgrade bundles/digits-2 bundles/digits --back[/bold]
    """
    from service.roundtrip.upgrading import NotUpgraded, Place, step_back
    from service.roundtrip.upgrading import upgrade as move
    from service.state.errors import BundleMismatch, StoreError, StoreUnavailable
    from service.state.reading import streams
    from service.state.store import StreamStore
    from service.state.wire import Wire

    settings = settings_of(data_dir, redis_url, stream)
    brought = sent_items(items, id_column, text_column)
    progress = StagesBetweenQuestions(screen)
    others: list[str] = []

    async def asks(diff: "Diff") -> bool:
        progress.put_away()
        if not as_json:
            show(diff, others, screen)
        if dry_run or yes:
            return yes and not dry_run
        return await confirmed("Shall it be so?", sys.stdin)

    async def run(found: "Bundle", wanted: "Bundle") -> "Upgraded":
        params, now = params_of(wanted, settings), found.manifest.bundle_id
        async with client_of(settings) as client, reader_of(Wire(client), settings.stream, found) as reader:
            there = await streams(Wire(client))
            others.extend(name for name, of in there.items() if of == now and name != settings.stream)
            store = StreamStore(
                client,
                stream=settings.stream,
                bundle_id=now,
                owner=f"upgrade-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}",
                lease_ms=settings.lease_ms,
                horizon=int((await reader.cut()).head.get(b"horizon", b"1")),
                allow_unsafe=settings.allow_unsafe_redis,
                durability=settings.promised(),
            )
            await store.open()
            with progress:
                place = Place(
                    wire=Wire(client),
                    store=store,
                    lease_s=settings.lease_ms / 1000,
                    is_alone=not settings.redis_url,
                    token=secrets.token_hex(8),
                    progress=progress,
                )
                if back:
                    return await step_back(place, found, wanted, asks=asks)
                net = net_of(wanted, settings)
                return await move(place, found, wanted, params, embeds=net.embed, items=brought, asks=asks)

    given: dict[str, Path | str | None] = {
        "--data-dir": data_dir,
        "--redis-url": redis_url,
        "--stream": stream,
    }
    where = [word for name, value in given.items() if value is not None for word in (name, str(value))]
    found, wanted = read(bundle), read(to)
    try:
        done = asyncio.run(run(found, wanted))
    except BundleMismatch as mismatch:
        if mismatch.stored != wanted.manifest.bundle_id:
            raise
        raise NotUpgraded(
            f"Stream {settings.stream} is of bundle {mismatch.stored} already: nothing is left to be done. Serve it: "
            f"{_command('serve', to, *where)}"
        ) from None
    except StoreUnavailable as away:
        log = "" if settings.redis_url else f", as {settings.data_dir / 'server.log'} may say"
        raise StoreError(
            f"The store went away ({away}). The stream is as it was, or moved whole: `firstseen state verify` with "
            f"either bundle tells which. See whether its disk has room{log}, and move it again."
        ) from away
    if as_json:
        told = {**asdict(done.diff), "others": others, "is_done": done.is_done, "bytes": done.size}
        typer.echo(json.dumps(told, indent=2))
    elif done.is_done:
        said = f" stream {done.diff.stream} is of bundle {done.diff.after} now; serve it: "
        screen.print(Text.assemble(("✓", "green"), said, _command("serve", to, *where)), soft_wrap=True)
        if not back:
            said = f"  One step back: {_command('upgrade', to, bundle, '--back', *where)}"
            screen.print(Text(said), soft_wrap=True)
    else:
        screen.print(Text("nothing was changed"), soft_wrap=True)
    if not done.is_done and not dry_run:
        if not as_json:
            screen.print(Text("Give --yes where nobody can be asked."), soft_wrap=True)
        raise typer.Exit(1)


def _command(*words: str | Path) -> str:
    return shlex.join(("firstseen", *map(str, words)))


def show(diff: "Diff", others: Sequence[str], console: Console) -> None:
    """What would become of a stream, for people; `others` stay with the bundle that it has."""
    lines = [f"stream {diff.stream} at seq {diff.seq}: from bundle {diff.before} to {diff.after}"]
    for what, labels in (("classes gained", diff.gained), ("classes lost", diff.lost)):
        if labels:
            lines.append(f"  {what}: {', '.join(labels)}")
    if diff.unlearnt is not None:
        of_them = f"{diff.undecided:,} of them decisions"
        lines.append(f"  {diff.unlearnt:,} places of the stream are unlearnt, {of_them}; verdicts stay")
    if diff.unfound:
        lines.append(f"  clusters that came since go: {', '.join(map(str, diff.unfound))}")
    if diff.dropped:
        lines.append(f"  {diff.dropped:,} candidates nobody has seen go; they form again")
    for line in lines:
        console.print(Text(line), soft_wrap=True)
    if others:
        console.print(
            Text.assemble(
                ("!", "yellow"),
                f" {len(others):,} other streams here stay with the bundle of before, so a service with the new one "
                f"cannot open them until they are moved, too (--stream): {', '.join(others[:_SHOWN])}",
                ", ..." if len(others) > _SHOWN else "",
            ),
            soft_wrap=True,
        )
    if not diff.fates:
        return
    table = Table("cluster", "name", "class", "members", "what becomes of it", box=None, pad_edge=False)
    for fate in diff.fates:
        becomes = Text("ends: no payload of it is at hand", style="yellow")
        if fate.is_kept:
            becomes = Text("kept")
            if fate.label in diff.gained:
                becomes = Text(f"kept; the new bundle knows its class {fate.label}")
            elif fate.share is not None and fate.share > 0.5:
                becomes = Text(f"kept; {fate.share:.0%} of it is {fate.becomes} to the new bundle")
        table.add_row(
            str(fate.cluster),
            Text(fate.name or ""),
            Text(fate.label or ""),
            f"{fate.embedded} of {fate.members}",
            becomes,
        )
    console.print(table)
    if ending := sum(not fate.is_kept for fate in diff.fates):
        console.print(
            Text.assemble(
                ("!", "yellow"),
                f" {ending:,} of {len(diff.fates):,} clusters end. Bring the items that were sent with --items FILE, "
                "and those of which one is a member are kept",
            ),
            soft_wrap=True,
        )
