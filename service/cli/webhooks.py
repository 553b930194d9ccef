"""`firstseen webhooks`: who is told what becomes of clusters.

Speaks HTTP to a running service, whose stream it is: nobody else may write to it. Exits 0 when all was done as asked, 1
when not, and 2 when it was asked wrongly.
"""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.access.tokens import BadToken, read_token
from service.cli.keys import seconds
from service.cli.options import DEFAULT_URL, StreamName, Url
from service.cli.telling import tame
from service.errors import FirstseenError

if TYPE_CHECKING:
    import httpx

app = typer.Typer(
    name="webhooks",
    help=(
        "Webhooks: tell an address when a cluster emerges, grows, fades, merges or splits. Messages are signed "
        "(Standard Webhooks), tried for three days, and told at least once. See docs/webhooks.md."
    ),
    no_args_is_help=True,
    rich_markup_mode="rich",
)
screen = Console(stderr=True)

_TIMEOUT_S = 60.0

ApiKey = Annotated[
    str | None,
    typer.Option(envvar="FIRSTSEEN_API_KEY", help="A key with the scope admin, where the service needs one."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Id = Annotated[str, typer.Argument(help="Its id, as `firstseen webhooks list` shows it.")]


class WebhooksFailed(FirstseenError):
    """What was asked could not be done; the message says why, and what to do."""


@app.command()
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
    url: Url = DEFAULT_URL,
    stream: StreamName = None,
    api_key: ApiKey = None,
    as_json: AsJson = False,
) -> None:
    """Tell an address from the next event on. The secret that signs is shown this once, alone on standard output.

    Example: [bold]firstseen webhooks add https://example.com/hook --events emerged --per-day 20 > secret[/bold]
    """
    body = {
        "url": target,
        "events": [kind.strip() for kind in events.split(",") if kind.strip()],
        "min_items": min_items,
        "min_per_hour": min_per_hour,
        "debounce_s": _seconds(debounce),
        "per_day": per_day,
        "note": note,
    }
    hook = _asked(url, api_key, stream, "POST", "/webhooks", body)
    _show_secret(hook, as_json=as_json)


@app.command("list")
def listed(
    url: Url = DEFAULT_URL, stream: StreamName = None, api_key: ApiKey = None, as_json: AsJson = False
) -> None:
    """Show all webhooks: where they go, what they want, and how they stand.

    Example: [bold]firstseen webhooks list --json | jq -r '.webhooks[] | select(.enabled | not) | .id'[/bold]
    """
    found = _asked(url, api_key, stream, "GET", "/webhooks")
    if as_json:
        _print(found)
    elif not found["webhooks"]:
        typer.echo("There is no webhook.")
    else:
        Console().print(_table(found["webhooks"]))


@app.command()
def show(id: Id, url: Url = DEFAULT_URL, stream: StreamName = None, api_key: ApiKey = None) -> None:
    """Show one, as JSON: what it wants, where it has come to, what was held back.

    Example: [bold]firstseen webhooks show wh_3f2a9c0d11e4b7a5[/bold]
    """
    _print(_asked(url, api_key, stream, "GET", f"/webhooks/{_part(id)}"))


@app.command()
def rotate(
    id: Id,
    overlap: Annotated[
        str, typer.Option(help="For how long the old secret signs, too, e.g. 24h, 0s.")
    ] = "24h",
    url: Url = DEFAULT_URL,
    stream: StreamName = None,
    api_key: ApiKey = None,
    as_json: AsJson = False,
) -> None:
    """Make a new secret. Meanwhile messages are signed with both, so that the receiver can change over in peace.

    Example: [bold]firstseen webhooks rotate wh_3f2a9c0d11e4b7a5 --overlap 24h[/bold]
    """
    body = {"overlap_s": _seconds(overlap)}
    hook = _asked(url, api_key, stream, "POST", f"/webhooks/{_part(id)}/rotate", body)
    _show_secret(hook, as_json=as_json)


@app.command("test")
def try_out(id: Id, url: Url = DEFAULT_URL, stream: StreamName = None, api_key: ApiKey = None) -> None:
    """Send a message that means nothing, now, and show how that went. Exits 1 when it was not taken.

    Example: [bold]firstseen webhooks test wh_3f2a9c0d11e4b7a5[/bold]
    """
    tried = _asked(url, api_key, stream, "POST", f"/webhooks/{_part(id)}/test")
    if tried["outcome"] != "delivered":
        raise WebhooksFailed(
            f"{id} was not told: {tried['error'] or 'it answered ' + str(tried['status'])}. {tried['response']}".strip()
        )
    _say(f"{id} answered {tried['status']} within {tried['ms']:g} ms.")


@app.command()
def deliveries(
    id: Id,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Most tries shown.")] = 20,
    url: Url = DEFAULT_URL,
    stream: StreamName = None,
    api_key: ApiKey = None,
    as_json: AsJson = False,
) -> None:
    """Show the latest tries, latest first: when, what, how it went, and when it is tried again.

    Example: [bold]firstseen webhooks deliveries wh_3f2a9c0d11e4b7a5 --limit 5[/bold]
    """
    found = _asked(url, api_key, stream, "GET", f"/webhooks/{_part(id)}/deliveries?limit={limit}")
    if as_json:
        _print(found)
    elif not found["deliveries"]:
        typer.echo("It was told nothing yet.")
    else:
        Console().print(_tries(found["deliveries"]))


@app.command()
def enable(
    id: Id,
    from_now: Annotated[
        bool,
        typer.Option("--from-now", help="Forget what waits and what it missed; begin with the next event."),
    ] = False,
    url: Url = DEFAULT_URL,
    stream: StreamName = None,
    api_key: ApiKey = None,
) -> None:
    """Send again to a webhook that was disabled: what waits is tried at once, and what it missed is told.

    Example: [bold]firstseen webhooks enable wh_3f2a9c0d11e4b7a5[/bold]
    """
    hook = _asked(url, api_key, stream, "POST", f"/webhooks/{_part(id)}/enable", {"from_now": from_now})
    _say(f"{id} is enabled; {hook['waiting']} messages wait for it.")


@app.command()
def remove(id: Id, url: Url = DEFAULT_URL, stream: StreamName = None, api_key: ApiKey = None) -> None:
    """Remove a webhook, and what it was still to be told.

    Example: [bold]firstseen webhooks remove wh_3f2a9c0d11e4b7a5[/bold]
    """
    _asked(url, api_key, stream, "DELETE", f"/webhooks/{_part(id)}")
    _say(f"{id} is removed.")


# What the commands have in common


def _asked(
    url: str,
    api_key: str | None,
    stream: str | None,
    method: str,
    path: str,
    body: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The answer; a problem is raised with what it says."""
    import httpx

    parameters = {} if stream is None else {"stream": stream}
    try:
        with _service(url, api_key) as service:
            where, _, query = path.partition("?")
            asked = httpx.QueryParams(query).merge(parameters)
            answer = service.request(method, where, params=asked, json=body)
            found: Any = answer.json()
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise WebhooksFailed(
            f"--url {url!r} cannot be used ({error}); give one like {DEFAULT_URL}."
        ) from None
    except httpx.TimeoutException:
        raise WebhooksFailed(
            f"The service at {url} did not answer within {_TIMEOUT_S:g} s. GET {url}/readyz says how it is."
        ) from None
    except httpx.HTTPError as error:
        raise WebhooksFailed(
            f"No service answers at {url} ({error}). Start it with `firstseen serve`, or give its address with --url."
        ) from None
    except ValueError:
        raise WebhooksFailed(f"What answers at {url} is no firstseen, or is behind something else.") from None
    if answer.is_success and isinstance(found, dict):
        return found
    detail = found.get("detail") if isinstance(found, dict) else None
    raise WebhooksFailed(
        str(detail or f"{url} answered {answer.status_code} to {method} {path}: is it this firstseen?")
    )


def _service(url: str, api_key: str | None) -> "httpx.Client":
    import httpx

    headers = {}
    if api_key is not None:
        try:
            read_token(api_key.strip())
        except BadToken as bad:
            raise WebhooksFailed(f"The key cannot be one: {bad}.") from None
        headers["authorization"] = f"Bearer {api_key.strip()}"
    try:
        return httpx.Client(base_url=url, timeout=_TIMEOUT_S, trust_env=False, headers=headers)
    except (httpx.InvalidURL, ValueError) as error:
        raise WebhooksFailed(
            f"--url {url!r} cannot be used ({error}); give one like {DEFAULT_URL}."
        ) from None


def _part(id: str) -> str:
    """An id as a part of a path."""
    from urllib.parse import quote

    return quote(id, safe="")


def _seconds(text: str) -> float:
    try:
        return seconds(text)
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong)) from None


def _show_secret(hook: dict[str, Any], *, as_json: bool) -> None:
    """The one time that it is seen."""
    if as_json:
        _print(hook)
        return
    _say(f"{hook['id']} tells {hook['url']}. Its secret is shown this once:")
    typer.echo(hook["secret"])


def _print(found: dict[str, Any]) -> None:
    typer.echo(json.dumps(found, indent=2))


def _table(hooks: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("id", "state", "url", "events", "waiting", "last ok (UTC)", "note"):
        table.add_column(name, overflow="fold", no_wrap=name in ("id", "state"))
    for hook in hooks:
        state = "disabled" if not hook["enabled"] else "failing" if hook["failing_since"] else "ok"
        cells = (
            hook["id"],
            state,
            hook["url"],
            ", ".join(hook["events"]) or "all",
            str(hook["waiting"]),
            (hook["last_ok"] or "never")[:19],
            hook["note"],
        )
        table.add_row(*(Text(tame(cell)) for cell in cells))
    return table


def _tries(tries: list[dict[str, Any]]) -> Table:
    """What receivers say is others' text: shown as text, without what drives a terminal."""
    table = Table(box=None, pad_edge=False)
    for name in ("when (UTC)", "type", "try", "outcome", "status", "ms", "next (UTC)", "said"):
        table.add_column(name, overflow="fold", no_wrap=name in ("when (UTC)", "outcome"))
    for one in tries:
        cells = (
            one["time"][:19],
            one["type"],
            str(one["try"]),
            one["outcome"],
            str(one["status"] or ""),
            f"{one['ms']:g}",
            (one["next"] or "")[:19],
            (one["error"] or one["response"])[:200],
        )
        table.add_row(*(Text(tame(cell)) for cell in cells))
    return table


def _say(sentence: str) -> None:
    screen.print(Text.assemble(("✓", "green"), f" {tame(sentence)}"), soft_wrap=True)
