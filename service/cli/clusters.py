"""`firstseen clusters`: look at clusters, and decide about them.

Speaks HTTP to a running service, through the client: what a decision is called is drawn before it is sent, so one whose
answer was lost is sent again, and made once. Exits 0 when it was done, 1 when the service refuses it as things stand or
nobody said yes, 2 when it was asked wrongly or with a key that may not, and 3 when the service was away for too long.
"""

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from service.cli.calling import REFUSED, AsJson, Patience, Service, asking, show_json
from service.cli.cluster_tables import about, clusters_table, decided, decisions_table, parts_table, shown
from service.cli.keys import seconds
from service.cli.options import DEFAULT_URL, ApiKey, StreamName, Url
from service.cli.telling import ended, say

if TYPE_CHECKING:
    from service.client import Client, Decision

app = typer.Typer(
    name="clusters",
    help=(
        "Clusters that the stream has formed: look at them, and decide what they are.\n\nWhat is decided counts "
        "from the next item on; verdicts that were given stay as they are. Each decision can be taken back with "
        "[bold]firstseen clusters undo[/bold], and [bold]firstseen clusters history[/bold] says who decided what, when "
        "and why."
    ),
    no_args_is_help=True,
    rich_markup_mode="rich",
)
screen = Console(stderr=True, highlight=False)

_EPILOG = """
Exit status: 0 done; 1 the service refuses it as things stand, or nobody said yes; 2 asked wrongly, or with a key that
may not; 3 the service was away for too long; 130 Ctrl-C.
"""

Id = Annotated[int, typer.Argument(help="The cluster, as `firstseen clusters list` shows it.", min=1)]

Because = Annotated[str, typer.Option("--why", help="Why; it is kept with the decision.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


# Look


@app.command("list", epilog=_EPILOG)
def listed(
    state: Annotated[
        str | None,
        typer.Option(
            help=r"candidate, variant, emerging, established, fading or gone \[default: those announced]."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Only those whose name or class has this in it.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Those that were dismissed, too.")] = False,
    dismissed: Annotated[bool, typer.Option("--dismissed", help="Only those that were dismissed.")] = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    stream: StreamName = None,
    api_key: ApiKey = None,
    patience: Patience = 60.0,
) -> None:
    """Show the clusters there are: what they are called, how large they are, and what known class they are near.

    Example: [bold]firstseen clusters list[/bold]

    For programs: [bold]firstseen clusters list --json | jq '.clusters[] | select(.items > 100) | .id'[/bold]
    """
    if everything and dismissed:
        raise typer.BadParameter("give --all or --dismissed")
    service = Service(url=url, stream=stream, api_key=api_key, patience=patience, as_json=as_json)
    with asking(service, screen) as client:
        found = client.clusters(state, name=name)
    wanted = [c for c in found.clusters if everything or c.dismissed is dismissed]
    if as_json:
        show_json({"seq": found.seq, "stale": found.stale, "clusters": wanted})
        return
    if wanted:
        Console().print(clusters_table(wanted))
    else:
        typer.echo("There is no such cluster." if state or name or dismissed else "There is no cluster yet.")
    if (hidden := len(found.clusters) - len(wanted)) and not dismissed:
        say(
            screen,
            f"{hidden} more {'is' if hidden == 1 else 'are'} not shown; --all shows what was dismissed.",
        )


@app.command(epilog=_EPILOG)
def show(
    cluster: Id,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    stream: StreamName = None,
    api_key: ApiKey = None,
    patience: Patience = 60.0,
) -> None:
    """Show a cluster, with what it was announced for and what was decided about it.

    Example: [bold]firstseen clusters show 3[/bold]
    """
    service = Service(url=url, stream=stream, api_key=api_key, patience=patience, as_json=as_json)
    with asking(service, screen) as client:
        found = client.cluster(cluster)
        made = [] if as_json else list(islice(client.decisions(cluster), 10))
    if as_json:
        show_json(found)
        return
    Console().print(about(found))
    if made:
        Console().print(decisions_table(made))


@app.command(epilog=_EPILOG)
def history(
    cluster: Annotated[int | None, typer.Argument(help=r"Of this cluster \[default: of all].", min=1)] = None,
    most: Annotated[int, typer.Option(min=1, help="How many, at most.")] = 50,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    stream: StreamName = None,
    api_key: ApiKey = None,
    patience: Patience = 60.0,
) -> None:
    """Show what was decided: by which key, when, and why; newest first.

    Example: [bold]firstseen clusters history 3[/bold]

    For the record: [bold]firstseen clusters history --json --most 10000 > decisions.json[/bold]
    """
    service = Service(url=url, stream=stream, api_key=api_key, patience=patience, as_json=as_json)
    with asking(service, screen) as client:
        made = list(islice(client.decisions(cluster), most))
    if as_json:
        show_json({"decisions": made})
    elif made:
        Console().print(decisions_table(made))
    else:
        typer.echo("Nothing was decided yet.")


# Decide


@app.command(epilog=_EPILOG)
def name(
    cluster: Id,
    label: Annotated[str, typer.Argument(help='What to call it; "" takes the name away.')],
    because: Because = "",
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    stream: StreamName = None,
    api_key: ApiKey = None,
    patience: Patience = 60.0,
) -> None:
    """Call a cluster something. It stays a cluster, and its verdicts are as before.

    Example: [bold]firstseen clusters name 3 "scratched" --why "seen on line 3"[/bold]
    """
    service = Service(url=url, stream=stream, api_key=api_key, patience=patience, as_json=as_json)
    with asking(service, screen) as client:
        _tell(client.name(cluster, label, why=because), service)


@app.command(epilog=_EPILOG)
def promote(
    cluster: Id,
    label: Annotated[str, typer.Argument(help="The label of the new class.")],
    because: Because = "",
    yes: Yes = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    stream: StreamName = None,
    api_key: ApiKey = None,
    patience: Patience = 60.0,
) -> None:
    """Make a cluster a known class: from the next item on, its items get the verdict `known` with this label.

    Nothing is trained: prototype, spread and calibration come from its members.

    Example: [bold]firstseen clusters promote 3 "7"[/bold]
    """
    service = Service(url=url, stream=stream, api_key=api_key, patience=patience, as_json=as_json)
    with asking(service, screen) as client:
        _ask(client, cluster, f"Make it the known class {label!r}?", yes=yes)
        _tell(client.promote(cluster, label, why=because), service)


@app.command(epilog=_EPILOG)
def link(
    cluster: Id,
    label: Annotated[str, typer.Argument(help="The label of a known class.")],
    because: Because = "",
    yes: Yes = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    stream: StreamName = None,
    api_key: ApiKey = None,
    patience: Patience = 60.0,
) -> None:
    """Make a cluster part of a class that is known already: another form of it.

    Example: [bold]firstseen clusters link 5 "8" --why "an 8 with a gap"[/bold]
    """
    service = Service(url=url, stream=stream, api_key=api_key, patience=patience, as_json=as_json)
    with asking(service, screen) as client:
        _ask(client, cluster, f"Make it part of the known class {label!r}?", yes=yes)
        _tell(client.link(cluster, label, why=because), service)


@app.command(epilog=_EPILOG)
def merge(
    cluster: Id,
    into: Annotated[int, typer.Argument(help="The cluster that takes it in.", min=1)],
    because: Because = "",
    yes: Yes = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    stream: StreamName = None,
    api_key: ApiKey = None,
    patience: Patience = 60.0,
) -> None:
    """Let a cluster go into another one. Its id goes on, and says into which; they stay one whatever the stream brings.

    Example: [bold]firstseen clusters merge 5 3[/bold] makes 5 a part of 3
    """
    service = Service(url=url, stream=stream, api_key=api_key, patience=patience, as_json=as_json)
    with asking(service, screen) as client:
        if not yes:
            say(screen, f"The one that stays: {shown(client.cluster(into))}")
        _ask(client, cluster, f"Let it go into cluster {into}?", yes=yes)
        _tell(client.merge(cluster, into, why=because), service)


@app.command(epilog=_EPILOG)
def split(
    cluster: Id,
    part: Annotated[
        list[int] | None,
        typer.Option(
            "--part",
            min=1,
            help=r"A part that leaves, by its number; may be given again \[default: all but the first].",
        ),
    ] = None,
    because: Because = "",
    preview: Annotated[bool, typer.Option("--preview", help="Only show the parts.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    stream: StreamName = None,
    api_key: ApiKey = None,
    patience: Patience = 60.0,
) -> None:
    """Split a cluster: shows its parts first, and asks. Each part that leaves gets an id of its own, and stays apart.

    Example: [bold]firstseen clusters split 3 --preview[/bold], then [bold]firstseen clusters split 3 --part 2[/bold]
    """
    service = Service(url=url, stream=stream, api_key=api_key, patience=patience, as_json=as_json)
    with asking(service, screen) as client:
        found = client.split_preview(cluster)
        if preview and as_json:
            show_json(found)
            return
        leaves = sorted(set(part or range(2, len(found.parts) + 1)))
        if not yes or preview:
            (Console() if preview else screen).print(parts_table(found, leaves))
        if preview:
            return
        if any(n > len(found.parts) for n in leaves) or not leaves or len(leaves) == len(found.parts):
            raise typer.BadParameter(
                f"cluster {cluster} has parts 1 to {len(found.parts)}; one at least leaves, and one at least stays"
            )
        numbers = ", ".join(map(str, leaves))
        _ask(client, cluster, f"Let part{'s' if len(leaves) > 1 else ''} {numbers} leave?", yes=yes)
        _tell(client.split(cluster, [found.parts[n - 1].births for n in leaves], why=because), service)


@app.command(epilog=_EPILOG)
def dismiss(
    cluster: Id,
    until: Annotated[
        str | None,
        typer.Option(
            help="A date (UTC), a time, or for how long: 2026-12-24, 2026-12-24T18:00+01:00, 3d, 12h."
        ),
    ] = None,
    until_rate: Annotated[
        float | None,
        typer.Option(
            min=1, help=r"Until it comes so many times as often as now \[default: 5, without --until]."
        ),
    ] = None,
    because: Because = "",
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    stream: StreamName = None,
    api_key: ApiKey = None,
    patience: Patience = 60.0,
) -> None:
    """Hear no more of a cluster, until it comes so much more often, or until a date: whichever is first.

    Example: [bold]firstseen clusters dismiss 4 --until 3d --why "the lamp is being replaced"[/bold]
    """
    now = datetime.now(UTC)
    when = None if until is None else until_when(until, now=now)
    if when is not None and when <= now:
        raise typer.BadParameter(f"--until {until!r}: that is over; give a time to come")
    service = Service(url=url, stream=stream, api_key=api_key, patience=patience, as_json=as_json)
    with asking(service, screen) as client:
        _tell(client.dismiss(cluster, until_rate=until_rate, until=when, why=because), service)


@app.command(epilog=_EPILOG)
def undo(
    cluster: Id,
    decision: Annotated[
        int | None,
        typer.Option(
            min=0, help=r"Which, by its number in `firstseen clusters history` \[default: the latest]."
        ),
    ] = None,
    because: Because = "",
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    stream: StreamName = None,
    api_key: ApiKey = None,
    patience: Patience = 60.0,
) -> None:
    """Take a decision about a cluster back: the latest that stands, or one by its number.

    Example: [bold]firstseen clusters undo 3[/bold]
    """
    service = Service(url=url, stream=stream, api_key=api_key, patience=patience, as_json=as_json)
    with asking(service, screen) as client:
        _tell(client.undo(cluster, decision, why=because), service)


# What the commands have in common


def _ask(client: "Client", cluster: int, question: str, *, yes: bool) -> None:
    """Show the cluster and wait for a yes; without one the command ends."""
    if yes:
        return
    say(screen, shown(client.cluster(cluster)))
    try:
        is_yes = typer.confirm(question, err=True)
    except typer.Abort:  # there is nobody, or nobody wants to
        is_yes = False
    if not is_yes:
        raise ended(screen, "Nothing was decided. Give --yes where nobody can be asked.", REFUSED)


def _tell(made: "Decision", service: Service) -> None:
    if service.as_json:
        show_json(made)
    else:
        say(Console(highlight=False), decided(made))


def until_when(text: str, *, now: datetime) -> datetime:
    """A date, a time, or a length of time from now; what has no time zone is UTC.

    Raises:
        typer.BadParameter: It is none of these; the message shows some.
    """
    try:
        return now + timedelta(seconds=seconds(text))
    except (ValueError, OverflowError):
        pass
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError:
        raise typer.BadParameter(
            f"--until {text!r}: give a date, a time, or for how long, such as 2026-12-24, 2026-12-24T18:00Z, 3d or 12h"
        ) from None
    return when if when.tzinfo is not None else when.replace(tzinfo=UTC)
