"""`firstseen backtest`: what would have differed, had the stream been decided otherwise."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.cli.opening import connected, net_of, params_of, read, reader_of, sent_items, settings_of
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

if TYPE_CHECKING:
    from model.bundle import Bundle
    from service.roundtrip.backtesting import Tested
    from service.roundtrip.comparing import Match

app = typer.Typer()
screen = Console(stderr=True)


@app.command()
def backtest(
    bundle: StreamBundle,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="A setting and its value, e.g. known_error_rate=.05; give it again for more."
        ),
    ] = None,
    through: Annotated[
        Path | None, typer.Option("--bundle", help="Another bundle to replay through; needs the items.")
    ] = None,
    items: Sent = None,
    id_column: IdColumn = None,
    text_column: TextColumn = None,
    data_dir: DataDir = None,
    redis_url: RedisUrl = None,
    stream: StoredStream = None,
    as_json: AsJson = False,
) -> None:
    """Replay what is left of a stream's log with other settings, or through another bundle, and show what would differ.

    Reads only, also while the service runs on that Redis. The log reaches back to the older of two snapshots. Of items
    that went to no cluster it has no embedding, so of some it cannot be told what stricter settings would have said:
    these are counted.

    Example: [bold]firstseen backtest bundles/digits --set known_error_rate=.05[/bold]

    Another bundle: [bold]firstseen backtest bundles/digits --bundle bundles/digits-2 --items items.jsonl[/bold]
    """
    from service.roundtrip.backtesting import backtest as replay_with
    from service.roundtrip.backtesting import through_another
    from service.roundtrip.standing import TRIES, NotReadable, head_of
    from service.roundtrip.twins import NotTested

    settings = settings_of(data_dir, redis_url, stream)
    wanted = _changes(changes or [])
    brought = sent_items(items, id_column, text_column)
    if not wanted and through is None:
        raise NotTested("Say what would have been otherwise: --set SETTING=VALUE, or --bundle FOLDER.")

    async def run(found: "Bundle", other: "Bundle | None") -> "Tested":
        async with connected(settings) as wire, reader_of(wire, settings.stream, found) as reader:
            for _ in range(TRIES):
                cut = await reader.cut()
                head = head_of(reader, cut)
                try:
                    with stages(screen) as progress:
                        if other is None:
                            return await replay_with(reader, head, found, changes=wanted, progress=progress)
                        return await through_another(
                            reader,
                            head,
                            found,
                            other,
                            params_of(other, settings),
                            changes=wanted,
                            embeds=net_of(other, settings).embed,
                            items=brought,
                            progress=progress,
                        )
                except NotReadable:
                    if cut.is_same_place(await reader.cut()):
                        raise
            raise NotReadable(f"Stream {settings.stream} was saved too often while it was read; try again.")

    tested = asyncio.run(run(read(bundle), None if through is None else read(through)))
    if as_json:
        typer.echo(json.dumps(_as_json(tested), indent=2))
    else:
        show(tested, Console())


def _changes(given: Sequence[str]) -> dict[str, Any]:
    """Settings by name, of the types that they have."""
    from service.clustering.params import EngineParams
    from service.roundtrip.twins import NotTested

    types = {field.name: type(getattr(EngineParams(), field.name)) for field in fields(EngineParams)}
    found: dict[str, Any] = {}
    for one in given:
        name, sign, value = (part.strip() for part in one.partition("="))
        if not sign or name not in types:
            raise NotTested(f"--set takes SETTING=VALUE, the setting one of {', '.join(types)}; not {one!r}.")
        try:
            found[name] = value.lower() in ("1", "true", "yes") if types[name] is bool else types[name](value)
        except ValueError:
            raise NotTested(f"{name} is a number, not {value!r}.") from None
    return found


def _as_json(tested: "Tested") -> dict[str, Any]:
    told = asdict(tested)
    for match, shown in zip(tested.compared.clusters, told["compared"]["clusters"], strict=True):
        shown["delay"] = match.delay
    return told | {"differs": tested.compared.differs}


def show(tested: "Tested", console: Console) -> None:
    """What would have differed, for people."""
    compared = tested.compared
    what = "other settings" if tested.bundle is None else f"bundle {tested.bundle}"
    _line(console, f"stream {tested.stream}, places {tested.from_seq} to {tested.to_seq}, with {what}")
    _line(console, f"  {compared.items:,} items: {compared.same:,} with the same answer")
    notes = (
        (compared.untold, "would be refused, and the log does not tell whether they would be of a cluster"),
        (tested.unfed, "would also have gone to the clusterer, and the log does not have their embeddings"),
        (tested.without_items, "are left out: their items are not at hand"),
        (tested.left_out, "decisions are left out: there would be no such cluster"),
        (tested.own_fits, "fits of the stream gate would have been others"),
    )
    for count, note in notes:
        if count:
            _line(console, f"  {count:,} {note}")
    if not compared.differs:
        _line(console, "  nothing would have differed")
    if compared.changes:
        table = Table("was", "would be", "items", "such as", box=None, pad_edge=False)
        for change in compared.changes:
            ids = ", ".join(id[:40] for id in change.ids)
            table.add_row(Text(change.was), Text(change.would), f"{change.items:,}", Text(ids))
        console.print(table)
    if compared.clusters:
        table = Table(
            "cluster",
            "name",
            "would be",
            "items",
            "would have",
            "shared",
            "announced",
            box=None,
            pad_edge=False,
        )
        for match in compared.clusters:
            table.add_row(
                _shown(match.was),
                Text(match.name or ""),
                _shown(match.would),
                f"{match.was_items:,}",
                f"{match.would_items:,}",
                f"{match.shared:,}",
                _when(match),
            )
        console.print(table)


def _line(console: Console, text: str) -> None:
    console.print(Text(text), soft_wrap=True)


def _shown(cluster: int | None) -> str:
    return "-" if cluster is None else str(cluster)


def _when(match: "Match") -> str:
    """Of the counterpart's announcement."""
    delay = match.delay
    if delay is None:
        return "never" if match.would_emerged is None else f"at {match.would_emerged:,}, where none was"
    if delay == 0:
        return "as it was"
    return f"{abs(delay):,} items {'later' if delay > 0 else 'earlier'}"
