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

from service.cli.calling import EPILOG, REFUSED, Call, calls, show_json
from service.cli.cluster_tables import about, clusters_table, decided, decisions_table, shown
from service.cli.evidence_tables import evidence_of, parts_of
from service.cli.keys import seconds
from service.cli.telling import ended, say

if TYPE_CHECKING:
    from service.client import Decision

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

Id = Annotated[int, typer.Argument(help="The cluster, as `firstseen clusters list` shows it.", min=1)]

Because = Annotated[str, typer.Option("--why", help="Why; it is kept with the decision.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

# Look


@app.command("list", epilog=EPILOG)
@calls
def listed(
    call: Call,
    state: Annotated[
        str | None,
        typer.Option(
            help=r"candidate, variant, emerging, established, fading or gone \[default: those announced]."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Only those whose name or class has this in it.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Those that were dismissed, too.")] = False,
    dismissed: Annotated[bool, typer.Option("--dismissed", help="Only those that were dismissed.")] = False,
) -> None:
    """Show the clusters there are: what they are called, how large they are, and what known class they are near.

    Example: [bold]firstseen clusters list[/bold]

    For programs: [bold]firstseen clusters list --json | jq '.clusters[] | select(.items > 100) | .id'[/bold]
    """
    if everything and dismissed:
        raise typer.BadParameter("give --all or --dismissed")
    found = call.client.clusters(state, name=name)
    wanted = [c for c in found.clusters if everything or c.dismissed is dismissed]
    if call.as_json:
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


@app.command(epilog=EPILOG)
@calls
def show(
    call: Call,
    cluster: Id,
) -> None:
    """Show a cluster: what it is and what sets it apart, members to look at, and what was decided about it.

    Example: [bold]firstseen clusters show 3[/bold]
    """
    import msgspec

    from service.client import Cluster

    found = call.client.evidence(cluster)
    if call.as_json:
        show_json(found)
        return
    out = Console()
    out.print(about(msgspec.convert(found["cluster"], Cluster)))
    out.print(evidence_of(found))
    if made := list(islice(call.client.decisions(cluster), 10)):
        out.print("", decisions_table(made))


@app.command(epilog=EPILOG)
@calls
def history(
    call: Call,
    cluster: Annotated[int | None, typer.Argument(help=r"Of this cluster \[default: of all].", min=1)] = None,
    most: Annotated[int, typer.Option(min=1, help="How many, at most.")] = 50,
) -> None:
    """Show what was decided: by which key, when, and why; newest first.

    Example: [bold]firstseen clusters history 3[/bold]

    For the record: [bold]firstseen clusters history --json --most 10000 > decisions.json[/bold]
    """
    made = list(islice(call.client.decisions(cluster), most))
    if call.as_json:
        show_json({"decisions": made})
    elif made:
        Console().print(decisions_table(made))
    else:
        typer.echo("Nothing was decided yet.")


# Decide


@app.command(epilog=EPILOG)
@calls
def name(
    call: Call,
    cluster: Id,
    label: Annotated[str, typer.Argument(help='What to call it; "" takes the name away.')],
    because: Because = "",
) -> None:
    """Call a cluster something. It stays a cluster, and its verdicts are as before.

    Example: [bold]firstseen clusters name 3 "scratched" --why "seen on line 3"[/bold]
    """
    _tell(call, call.client.name(cluster, label, why=because))


@app.command(epilog=EPILOG)
@calls
def promote(
    call: Call,
    cluster: Id,
    label: Annotated[str, typer.Argument(help="The label of the new class.")],
    because: Because = "",
    yes: Yes = False,
) -> None:
    """Make a cluster a known class: from the next item on, its items get the verdict `known` with this label.

    Nothing is trained: prototype, spread and calibration come from its members.

    Example: [bold]firstseen clusters promote 3 "7"[/bold]
    """
    _ask(call, cluster, f"Make it the known class {label!r}?", yes=yes)
    _tell(call, call.client.promote(cluster, label, why=because))


@app.command(epilog=EPILOG)
@calls
def link(
    call: Call,
    cluster: Id,
    label: Annotated[str, typer.Argument(help="The label of a known class.")],
    because: Because = "",
    yes: Yes = False,
) -> None:
    """Make a cluster part of a class that is known already: another form of it.

    Example: [bold]firstseen clusters link 5 "8" --why "an 8 with a gap"[/bold]
    """
    _ask(call, cluster, f"Make it part of the known class {label!r}?", yes=yes)
    _tell(call, call.client.link(cluster, label, why=because))


@app.command(epilog=EPILOG)
@calls
def merge(
    call: Call,
    cluster: Id,
    into: Annotated[int, typer.Argument(help="The cluster that takes it in.", min=1)],
    because: Because = "",
    yes: Yes = False,
) -> None:
    """Let a cluster go into another one. Its id goes on, and says into which; they stay one whatever the stream brings.

    Example: [bold]firstseen clusters merge 5 3[/bold] makes 5 a part of 3
    """
    if not yes:
        say(screen, f"The one that stays: {shown(call.client.cluster(into))}")
    _ask(call, cluster, f"Let it go into cluster {into}?", yes=yes)
    _tell(call, call.client.merge(cluster, into, why=because))


@app.command(epilog=EPILOG)
@calls
def split(
    call: Call,
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
) -> None:
    """Split a cluster: shows its parts first, and asks. Each part that leaves gets an id of its own, and stays apart.

    Example: [bold]firstseen clusters split 3 --preview[/bold], then [bold]firstseen clusters split 3 --part 2[/bold]
    """
    found = call.client.split_preview(cluster)
    if preview and call.as_json:
        show_json(found)
        return
    leaves = sorted(set(part or range(2, len(found.parts) + 1)))
    if not yes or preview:
        (Console() if preview else screen).print(parts_of(found, leaves))
    if preview:
        return
    if any(n > len(found.parts) for n in leaves) or not leaves or len(leaves) == len(found.parts):
        raise typer.BadParameter(
            f"cluster {cluster} has parts 1 to {len(found.parts)}; one at least leaves, and one at least stays"
        )
    numbers = ", ".join(map(str, leaves))
    _ask(call, cluster, f"Let part{'s' if len(leaves) > 1 else ''} {numbers} leave?", yes=yes)
    stays = [seq for n, one in enumerate(found.parts, start=1) if n not in leaves for seq in one.members]
    parts = [stays, *(found.parts[n - 1].members for n in leaves)]
    _tell(call, call.client.split(cluster, parts, why=because))


@app.command(epilog=EPILOG)
@calls
def dismiss(
    call: Call,
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
) -> None:
    """Hear no more of a cluster, until it comes so much more often, or until a date: whichever is first.

    Example: [bold]firstseen clusters dismiss 4 --until 3d --why "the lamp is being replaced"[/bold]
    """
    now = datetime.now(UTC)
    when = None if until is None else until_when(until, now=now)
    if when is not None and when <= now:
        raise typer.BadParameter(f"--until {until!r}: that is over; give a time to come")
    _tell(call, call.client.dismiss(cluster, until_rate=until_rate, until=when, why=because))


@app.command(epilog=EPILOG)
@calls
def undo(
    call: Call,
    cluster: Id,
    decision: Annotated[
        int | None,
        typer.Option(
            min=0, help=r"Which, by its number in `firstseen clusters history` \[default: the latest]."
        ),
    ] = None,
    because: Because = "",
) -> None:
    """Take a decision about a cluster back: the latest that stands, or one by its number.

    Example: [bold]firstseen clusters undo 3[/bold]
    """
    _tell(call, call.client.undo(cluster, decision, why=because))


# What the commands have in common


def _ask(call: Call, cluster: int, question: str, *, yes: bool) -> None:
    """Show the cluster and wait for a yes; without one the command ends."""
    if yes:
        return
    say(screen, shown(call.client.cluster(cluster)))
    try:
        is_yes = typer.confirm(question, err=True)
    except typer.Abort:  # there is nobody, or nobody wants to
        is_yes = False
    if not is_yes:
        raise ended(screen, "Nothing was decided. Give --yes where nobody can be asked.", REFUSED)


def _tell(call: Call, made: "Decision") -> None:
    if call.as_json:
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
