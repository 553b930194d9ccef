"""`firstseen watch`: what happens to clusters, for people or as JSON; and something that a script can wait for."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from service.cli.options import DEFAULT_URL, ApiKey, StreamName, Url
from service.cli.telling import ended, tame, why

if TYPE_CHECKING:
    from service.client import Cluster, Clusters, Event

app = typer.Typer()

NOT_IN_TIME = 1
ASKED_WRONGLY = 2
SERVICE_AWAY = 3

_STYLES = {
    "emerged": "bold magenta",
    "established": "magenta",
    "drifted": "yellow",
    "split": "cyan",
    "merged": "cyan",
    "revived": "green",
    "named": "bold green",
    "promoted": "bold green",
    "linked": "bold green",
    "escalated": "bold yellow",
    "faded": "dim",
    "dismissed": "dim",
    "gone": "dim",
}
_RELATIONS = {"merged": "into", "split": "from"}
_EPILOG = """
Exit status: 0 so many emerged; 1 not within --timeout; 2 asked wrongly, or with a key that may not; 3 the service
was away for too long; 130 Ctrl-C.
"""


@app.command(epilog=_EPILOG)
def watch(
    url: Url = DEFAULT_URL,
    stream: StreamName = None,
    api_key: ApiKey = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, a line an event.")] = False,
    until_emerged: Annotated[
        int | None,
        typer.Option(
            min=1, help="Exit 0 when so many clusters have emerged, those before it watched counted."
        ),
    ] = None,
    timeout: Annotated[float | None, typer.Option(min=0, help="Exit 1 after so many seconds.")] = None,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for a service that is away.")
    ] = 60.0,
) -> None:
    """Watch clusters emerge, settle, fade, merge and split. It connects again when the service restarts.

    Example: [bold]firstseen watch[/bold]

    In a script: [bold]firstseen watch --until-emerged 1 --timeout 600 && notify-send "something new"[/bold]

    For programs: [bold]firstseen watch --json | jq 'select(.event == "emerged") | .cluster.id'[/bold]
    """
    from service.client import AsyncClient, GaveUp, Refused

    screen = Console(stderr=True, highlight=False)
    show = _as_json if as_json else _as_lines(Console(highlight=False, soft_wrap=True))
    emerged: set[int] = set()

    async def run() -> bool:
        """Whether so many emerged in time."""
        try:
            async with (
                asyncio.timeout(timeout),
                AsyncClient(url, api_key=api_key, stream=stream, patience_s=patience) as client,
                aclosing(client.watch()) as events,
            ):
                async for told in events:
                    show(told)
                    emerged.update(_emerged(told))
                    if until_emerged is not None and len(emerged) >= until_emerged:
                        return True
        except TimeoutError:
            pass
        return False

    try:
        reached = asyncio.run(run())
    except Refused as error:
        raise ended(screen, why(error), ASKED_WRONGLY) from None
    except ValueError as error:
        raise ended(screen, str(error), ASKED_WRONGLY) from None
    except GaveUp as error:
        raise ended(screen, f"{error}.", SERVICE_AWAY) from None
    if not reached:
        wanted = "" if until_emerged is None else f" of {until_emerged}"
        n = f"{len(emerged)}{wanted} cluster{'' if until_emerged == 1 else 's'}"
        raise ended(screen, f"{n} emerged within {timeout:g} s.", NOT_IN_TIME)


def _emerged(told: "Clusters | Event") -> set[int]:
    """The clusters that it shows to have emerged: one by an event, or all when it looked, or looked again."""
    from service.client import Clusters

    clusters = told.clusters if isinstance(told, Clusters) else (told.cluster,)
    return {cluster.id for cluster in clusters if cluster.emerged_seq is not None}


def _as_json(told: "Clusters | Event") -> None:
    """As the protocol has it."""
    import msgspec

    from service.client import Clusters

    kind = "hello" if isinstance(told, Clusters) else "event"
    typer.echo(msgspec.json.encode({"type": kind, **msgspec.to_builtins(told)}))


def _as_lines(console: Console) -> "Callable[[Clusters | Event], None]":
    """A function that prints a line an event."""
    from service.client import Clusters

    def show(told: "Clusters | Event") -> None:
        if isinstance(told, Clusters):
            console.print(Text(f"item {told.seq:,}: {_count(len(told.clusters))} now"), style="dim")
            for cluster in told.clusters:
                console.print(Text.assemble("  ", *_shown(cluster, cluster.state)))
            return
        console.print(event_line(told, "%H:%M:%S"))

    return show


def event_line(told: "Event", when: str = "%Y-%m-%d %H:%M:%S") -> Text:
    """An event, for people; `when` is how its time is written."""
    time = datetime.fromtimestamp(told.t, UTC).strftime(when)
    other = "" if told.other_id is None else f" ({_RELATIONS.get(told.event, 'with')} {told.other_id})"
    return Text.assemble((f"{time} item {told.seq:,}: ", "dim"), *_shown(told.cluster, told.event), other)


def _shown(cluster: "Cluster", what: str) -> list[tuple[str, str]]:
    """The cluster and what happened to it. Names and labels are others' text: nothing in it may drive a terminal."""
    name = f" {tame(cluster.name)!r}" if cluster.name else ""
    near = (
        f", near class {tame(cluster.nearest)} at {cluster.nearest_distance:.1f}"
        if cluster.nearest is not None and cluster.nearest_distance is not None
        else ""
    )
    own = f", of class {tame(cluster.label)}" if cluster.label else ""
    drift = f", class {tame(cluster.variant_of)} in another form" if cluster.variant_of else ""
    evidence = f"evidence 10^{cluster.evidence.log10_e:.1f} : 1"
    return [
        (f"cluster {cluster.id}{name} {what}", _STYLES.get(what, "bold")),
        (f" with {cluster.items:,} items{own}{near}{drift}, {evidence}", ""),
    ]


def _count(n: int) -> str:
    return f"{n} cluster{'' if n == 1 else 's'}"
