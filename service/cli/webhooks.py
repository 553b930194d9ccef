"""`firstseen webhooks`: who is told what becomes of clusters.

Speaks HTTP to a running service, through the client. Exits 0 when it was done, 1 when the service refuses it as things
stand or a receiver did not take a test, 2 when it was asked wrongly or with a key that may not, and 3 when the service
was away for too long.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.cli.calling import REFUSED, AsJson, Patience, Service, asking, show_json
from service.cli.keys import seconds
from service.cli.options import DEFAULT_URL, ApiKey, StreamName, Url
from service.cli.telling import ended, tame

if TYPE_CHECKING:
    from service.client import Delivery, Webhook

app = typer.Typer(
    name="webhooks",
    help=(
        "Webhooks: tell an address when a cluster emerges, grows, fades, merges or splits. Messages are signed "
        "(Standard Webhooks), tried for three days, and told at least once. See docs/webhooks.md."
    ),
    no_args_is_help=True,
    rich_markup_mode="rich",
)
screen = Console(stderr=True, highlight=False)

_EPILOG = """
Exit status: 0 done; 1 the service refuses it as things stand, or a test was not taken; 2 asked wrongly, or with a key
that may not; 3 the service was away for too long; 130 Ctrl-C.
"""

Id = Annotated[str, typer.Argument(help="Its id, as `firstseen webhooks list` shows it.")]


@app.command(epilog=_EPILOG)
def add(
    target: Annotated[str, typer.Argument(help="Where messages go, like https://example.com/hook.")],
    events: Annotated[
        str, typer.Option(help=r"Kinds of events, between commas, like emerged,drifted \[default: all].")
    ] = "",
    min_items: Annotated[int, typer.Option(min=0, help="Only of clusters with so many items.")] = 0,
    min_per_hour: Annotated[float, typer.Option(min=0, help="... and so many an hour.")] = 0.0,
    debounce: Annotated[
        str, typer.Option(help="A cluster is not told again for so long, e.g. 10m, 1h.")
    ] = "0s",
    per_day: Annotated[
        int | None, typer.Option(min=1, help=r"Most messages in a UTC day \[default: any].")
    ] = None,
    note: Annotated[str, typer.Option(help="Whose it is, or what for.")] = "",
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    stream: StreamName = None,
    api_key: ApiKey = None,
    patience: Patience = 60.0,
) -> None:
    """Tell an address from the next event on. The secret that signs is shown this once, alone on standard output.

    Example: [bold]firstseen webhooks add https://example.com/hook --events emerged --per-day 20 > secret[/bold]
    """
    debounce_s = _seconds(debounce)
    service = Service(url=url, stream=stream, api_key=api_key, patience=patience, as_json=as_json)
    with asking(service, screen) as client:
        hook = client.add_webhook(
            target,
            events=_kinds(events),
            min_items=min_items,
            min_per_hour=min_per_hour,
            debounce_s=debounce_s,
            per_day=per_day,
            note=note,
        )
    _show_secret(hook, service)


@app.command("list", epilog=_EPILOG)
def listed(
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    stream: StreamName = None,
    api_key: ApiKey = None,
    patience: Patience = 60.0,
) -> None:
    """Show all webhooks: where they go, what they want, and how they stand.

    Example: [bold]firstseen webhooks list --json | jq -r '.webhooks[] | select(.enabled | not) | .id'[/bold]
    """
    service = Service(url=url, stream=stream, api_key=api_key, patience=patience, as_json=as_json)
    with asking(service, screen) as client:
        found = client.webhooks()
    if as_json:
        show_json({"webhooks": found})
    elif not found:
        typer.echo("There is no webhook.")
    else:
        Console().print(_table(found))


@app.command(epilog=_EPILOG)
def show(
    id: Id,
    url: Url = DEFAULT_URL,
    stream: StreamName = None,
    api_key: ApiKey = None,
    patience: Patience = 60.0,
) -> None:
    """Show one, as JSON: what it wants, where it has come to, what was held back.

    Example: [bold]firstseen webhooks show wh_3f2a9c0d11e4b7a5[/bold]
    """
    service = Service(url=url, stream=stream, api_key=api_key, patience=patience)
    with asking(service, screen) as client:
        show_json(client.webhook(id))


@app.command(epilog=_EPILOG)
def change(
    id: Id,
    target: Annotated[str | None, typer.Option("--to", help="Where messages go.")] = None,
    events: Annotated[str | None, typer.Option(help="Kinds of events, between commas; or all.")] = None,
    min_items: Annotated[int | None, typer.Option(min=0, help="Only of clusters with so many items.")] = None,
    min_per_hour: Annotated[float | None, typer.Option(min=0, help="... and so many an hour.")] = None,
    debounce: Annotated[
        str | None, typer.Option(help="A cluster is not told again for so long, e.g. 10m, 1h.")
    ] = None,
    per_day: Annotated[
        int | None, typer.Option(min=0, help="Most messages in a UTC day; 0 is any number.")
    ] = None,
    note: Annotated[str | None, typer.Option(help="Whose it is, or what for.")] = None,
    disable: Annotated[bool, typer.Option("--disable", help="Send nothing until it is enabled.")] = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    stream: StreamName = None,
    api_key: ApiKey = None,
    patience: Patience = 60.0,
) -> None:
    """Change what is given; the rest stays as it is.

    Example: [bold]firstseen webhooks change wh_3f2a9c0d11e4b7a5 --events all --per-day 50[/bold]
    """
    from msgspec import UNSET

    debounce_s = None if debounce is None else _seconds(debounce)
    service = Service(url=url, stream=stream, api_key=api_key, patience=patience, as_json=as_json)
    with asking(service, screen) as client:
        hook = client.change_webhook(
            id,
            url=target,
            events=None if events is None else _kinds(events),
            min_items=min_items,
            min_per_hour=min_per_hour,
            debounce_s=debounce_s,
            per_day=UNSET if per_day is None else per_day or None,
            note=note,
            enabled=False if disable else None,
        )
    if as_json:
        show_json(hook)
    else:
        _say(f"{id} is changed" + ("." if hook.enabled else ", and disabled."))


@app.command(epilog=_EPILOG)
def rotate(
    id: Id,
    overlap: Annotated[
        str, typer.Option(help="For how long the old secret signs, too, e.g. 24h, 0s.")
    ] = "24h",
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    stream: StreamName = None,
    api_key: ApiKey = None,
    patience: Patience = 60.0,
) -> None:
    """Make a new secret. Meanwhile messages are signed with both, so that the receiver can change over in peace.

    Example: [bold]firstseen webhooks rotate wh_3f2a9c0d11e4b7a5 --overlap 24h[/bold]
    """
    overlap_s = _seconds(overlap)
    service = Service(url=url, stream=stream, api_key=api_key, patience=patience, as_json=as_json)
    with asking(service, screen) as client:
        hook = client.rotate_webhook(id, overlap_s=overlap_s)
    _show_secret(hook, service)


@app.command("test", epilog=_EPILOG)
def try_out(
    id: Id,
    url: Url = DEFAULT_URL,
    stream: StreamName = None,
    api_key: ApiKey = None,
    patience: Patience = 60.0,
) -> None:
    """Send a message that means nothing, now, and show how that went. Exits 1 when it was not taken.

    Example: [bold]firstseen webhooks test wh_3f2a9c0d11e4b7a5[/bold]
    """
    service = Service(url=url, stream=stream, api_key=api_key, patience=patience)
    with asking(service, screen) as client:
        tried = client.test_webhook(id)
    if tried.outcome != "delivered":
        reason = tried.error or f"it answered {tried.status}"
        raise ended(screen, f"{id} was not told: {reason}. {tried.response}".strip(), REFUSED)
    _say(f"{id} answered {tried.status} within {tried.ms:g} ms.")


@app.command(epilog=_EPILOG)
def deliveries(
    id: Id,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Most tries shown.")] = 20,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    stream: StreamName = None,
    api_key: ApiKey = None,
    patience: Patience = 60.0,
) -> None:
    """Show the latest tries, latest first: when, what, how it went, and when it is tried again.

    Example: [bold]firstseen webhooks deliveries wh_3f2a9c0d11e4b7a5 --limit 5[/bold]
    """
    service = Service(url=url, stream=stream, api_key=api_key, patience=patience, as_json=as_json)
    with asking(service, screen) as client:
        found = client.deliveries(id, limit=limit)
    if as_json:
        show_json({"deliveries": found})
    elif not found:
        typer.echo("It was told nothing yet.")
    else:
        Console().print(_tries(found))


@app.command(epilog=_EPILOG)
def enable(
    id: Id,
    from_now: Annotated[
        bool,
        typer.Option("--from-now", help="Forget what waits and what it missed; begin with the next event."),
    ] = False,
    url: Url = DEFAULT_URL,
    stream: StreamName = None,
    api_key: ApiKey = None,
    patience: Patience = 60.0,
) -> None:
    """Send again to a webhook that was disabled: what waits is tried at once, and what it missed is told.

    Example: [bold]firstseen webhooks enable wh_3f2a9c0d11e4b7a5[/bold]
    """
    service = Service(url=url, stream=stream, api_key=api_key, patience=patience)
    with asking(service, screen) as client:
        hook = client.enable_webhook(id, from_now=from_now)
    _say(f"{id} is enabled; {hook.waiting} messages wait for it.")


@app.command(epilog=_EPILOG)
def remove(
    id: Id,
    url: Url = DEFAULT_URL,
    stream: StreamName = None,
    api_key: ApiKey = None,
    patience: Patience = 60.0,
) -> None:
    """Remove a webhook, and what it was still to be told.

    Example: [bold]firstseen webhooks remove wh_3f2a9c0d11e4b7a5[/bold]
    """
    service = Service(url=url, stream=stream, api_key=api_key, patience=patience)
    with asking(service, screen) as client:
        client.remove_webhook(id)
    _say(f"{id} is removed.")


# What the commands have in common


def _kinds(listed: str) -> list[str]:
    """Kinds of events, between commas; none, or `all`: all."""
    kinds = [kind.strip() for kind in listed.split(",") if kind.strip()]
    return [] if kinds == ["all"] else kinds


def _seconds(text: str) -> float:
    try:
        return seconds(text)
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong)) from None


def _show_secret(hook: "Webhook", service: Service) -> None:
    """The one time that it is seen."""
    if service.as_json:
        show_json(hook)
        return
    _say(f"{hook.id} tells {hook.url}. Its secret is shown this once:")
    typer.echo(hook.secret)


def _table(hooks: "Sequence[Webhook]") -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("id", "state", "url", "events", "waiting", "last ok (UTC)", "note"):
        table.add_column(name, overflow="fold", no_wrap=name in ("id", "state"))
    for hook in hooks:
        state = "disabled" if not hook.enabled else "failing" if hook.failing_since else "ok"
        cells = (
            hook.id,
            state,
            hook.url,
            ", ".join(hook.events) or "all",
            str(hook.waiting),
            (hook.last_ok or "never")[:19],
            hook.note,
        )
        table.add_row(*(Text(tame(cell)) for cell in cells))
    return table


def _tries(tries: "Sequence[Delivery]") -> Table:
    """What receivers say is others' text: shown as text, without what drives a terminal."""
    table = Table(box=None, pad_edge=False)
    for name in ("when (UTC)", "type", "try", "outcome", "status", "ms", "next (UTC)", "said"):
        table.add_column(name, overflow="fold", no_wrap=name in ("when (UTC)", "outcome"))
    for one in tries:
        cells = (
            one.time[:19],
            one.type,
            str(one.try_),
            one.outcome,
            str(one.status or ""),
            f"{one.ms:g}",
            (one.next or "")[:19],
            (one.error or one.response)[:200],
        )
        table.add_row(*(Text(tame(cell)) for cell in cells))
    return table


def _say(sentence: str) -> None:
    screen.print(Text.assemble(("✓", "green"), f" {tame(sentence)}"), soft_wrap=True)
