"""`firstseen events`: what became of clusters, from the durable history; and on with what happens."""

from contextlib import closing
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from service.cli.calling import Patience, Service, asking
from service.cli.options import DEFAULT_URL, ApiKey, StreamName, Url
from service.cli.telling import say
from service.cli.watch import event_line

app = typer.Typer()
screen = Console(stderr=True, highlight=False)

_EPILOG = """
Exit status: 0 all are shown; 1 the service refuses it as things stand; 2 asked wrongly, or with a key that may not; 3
the service was away for too long; 130 Ctrl-C.
"""


@app.command(epilog=_EPILOG)
def events(
    after: Annotated[str, typer.Option(help=r"Only those behind the event of this id \[default: all].")] = "",
    kinds: Annotated[
        str,
        typer.Option("--events", help=r"Kinds of events, between commas, like emerged,gone \[default: all]."),
    ] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, a line an event.")] = False,
    url: Url = DEFAULT_URL,
    stream: StreamName = None,
    api_key: ApiKey = None,
    patience: Patience = 60.0,
) -> None:
    """Show what became of clusters, oldest first: the latest 10,000 events are kept, through restarts and upgrades.

    Unlike `firstseen watch` it begins with the past, and with --follow no restart loses an event.

    Example: [bold]firstseen events --events emerged,promoted[/bold]

    For programs: [bold]firstseen events --json --follow --after "$(cat last)" | jq --unbuffered -r .id[/bold]
    """
    import msgspec

    from service.client.history import FIRST

    wanted = {kind.strip() for kind in kinds.split(",") if kind.strip()}
    console = Console(highlight=False, soft_wrap=True)
    service = Service(url=url, stream=stream, api_key=api_key, patience=patience)
    with asking(service, screen) as client, closing(client.events(after or FIRST, follow=follow)) as found:
        for event in found:
            if event.gap:
                say(screen, f"Events before {event.id} have left: the latest 10,000 are kept.")
            if wanted and event.event not in wanted:
                continue
            if as_json:
                typer.echo(msgspec.json.encode(event))
            else:
                console.print(Text.assemble(event_line(event), (f" ({event.id})", "dim")))
