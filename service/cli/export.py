"""`firstseen export`: a stream as tables that other programs read, and that `firstseen train` learns from."""

import asyncio
import json
from collections.abc import Sequence
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from service.cli.opening import connected, read, reader_of, sent_items, settings_of
from service.cli.options import (
    AsJson,
    DataDir,
    IdColumn,
    RedisUrl,
    Sent,
    StoredStream,
    StreamBundle,
    TextColumn,
)
from service.cli.progress import stages
from service.cli.writable import CannotWrite, check_writable, folder_written_at_once
from service.errors import ClientError

if TYPE_CHECKING:
    from model.bundle import Bundle
    from service.roundtrip.exporting import Exported

app = typer.Typer()
screen = Console(stderr=True)


class TableFormat(StrEnum):
    """How tables are written."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
    HUGGINGFACE = "huggingface"


@app.command()
def export(
    bundle: StreamBundle,
    out: Annotated[Path, typer.Option(help="Folder to write, which is not there yet.")],
    form: Annotated[
        TableFormat, typer.Option("--format", help=r"parquet and huggingface need firstseen\[parquet].")
    ] = TableFormat.JSONL,
    what: Annotated[
        str, typer.Option(help="items, verdicts, clusters, decisions, with commas between them; or all.")
    ] = "all",
    items: Sent = None,
    id_column: IdColumn = None,
    text_column: TextColumn = None,
    data_dir: DataDir = None,
    redis_url: RedisUrl = None,
    stream: StoredStream = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier export in that folder.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a stream's items, verdicts, clusters and decisions as tables: jsonl, CSV, Parquet, or a dataset folder.

    Each verdict is as it was given, and beside it stands what holds now: the cluster that its cluster went into, and
    the class that a person made of that. Items are there where the stream keeps them, or you bring them: --items.
    Reads only, also while the service runs on that Redis; the folder is there whole, or not at all.

    Example: [bold]firstseen export bundles/digits --out digits-export --items items.jsonl[/bold]

    Then: [bold]firstseen train digits-export --with digits[/bold]
    """
    from service.roundtrip.exporting import export as write

    settings = settings_of(data_dir, redis_url, stream)
    wanted = _what(what)
    check_writable(out.absolute(), "--out", is_folder=True)
    _check_replaceable(out, force=force)
    brought = sent_items(items, id_column, text_column)

    async def run(found: "Bundle") -> "Exported":
        async with connected(settings) as wire, reader_of(wire, settings.stream, found) as reader:
            with stages(screen) as progress, folder_written_at_once(out.absolute(), replace=force) as folder:
                return await write(
                    reader,
                    found,
                    folder,
                    form=form.value,
                    what=wanted,
                    items=brought,
                    version=version("firstseen"),
                    progress=progress,
                )

    done = asyncio.run(run(read(bundle)))
    _tell(done, out, as_json=as_json)


def _check_replaceable(out: Path, *, force: bool) -> None:
    """A folder that is there has to be an export, or empty: what else is in it would be gone."""
    from service.roundtrip.exporting import MANIFEST

    if not out.is_dir():
        return
    if not force:
        raise CannotWrite(f"{out} is there already; give another --out, or --force to replace an export.")
    if any(out.iterdir()) and not (out / MANIFEST).is_file():
        raise CannotWrite(
            f"{out} holds something else than an export, which --force would lose; give another --out."
        )


def _what(listed: str) -> Sequence[str]:
    from service.roundtrip.exporting import WHAT

    names = WHAT if listed == "all" else tuple(name.strip() for name in listed.split(",") if name.strip())
    if not names or (unknown := [name for name in names if name not in WHAT]):
        raise ClientError(
            f"--what takes {', '.join(WHAT)} or all, not {unknown[0] if names else 'nothing'!r}."
        )
    return names


def _tell(done: "Exported", out: Path, *, as_json: bool) -> None:
    counts = done.counts
    rows = {one.table.name: one.rows for one in done.tables}
    if as_json:
        told = {"stream": done.stream, "bundle": done.bundle_id, "seq": done.seq, "folder": str(out)}
        told |= {"rows": rows, "labelled": counts.labelled}
        told |= {"strangers": counts.strangers, "repeated": counts.repeated, "unreadable": counts.unreadable}
        typer.echo(json.dumps(told, indent=2))
        return
    shown = ", ".join(f"{n:,} {name}" for name, n in rows.items())
    screen.print(
        Text.assemble(("✓", "green"), f" {out}: stream {done.stream} up to seq {done.seq}: {shown}"),
        soft_wrap=True,
    )
    if "items" in rows:
        notes = [f"{counts.labelled:,} of {rows['items']:,} items are of a class as of now"]
        if counts.strangers:
            notes.append(f"{counts.strangers:,} items were left out: no verdict of their id is kept")
        if counts.repeated:
            notes.append(f"{counts.repeated:,} items were left out: their id came before")
        if counts.unreadable:
            notes.append(f"{counts.unreadable:,} were left out: they are none for this bundle")
        notes += list(counts.told)
        if not rows["items"]:
            notes.append("The stream keeps no payloads; bring the items that were sent with --items FILE")
        for note in notes:
            screen.print(Text.assemble(("!", "yellow"), f" {note}"), soft_wrap=True)
