"""`firstseen dlq`: look at the items that crashed the engine, try them again, or drop them.

Speaks HTTP to a running service, whose stream it is: nobody else may write to it. Exits 0 when all was done as asked, 1
when not, and 2 when it was asked wrongly.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.access.tokens import BadToken, read_token
from service.cli.options import DEFAULT_URL, Url
from service.cli.telling import tame
from service.errors import FirstseenError

if TYPE_CHECKING:
    import httpx

app = typer.Typer(
    name="dlq",
    help=(
        "Items in quarantine: each crashed the engine twice, the last time alone, or ended the process. Look at them, "
        "mend what they show, and retry them; or drop what is garbage."
    ),
    no_args_is_help=True,
    rich_markup_mode="rich",
)

_TIMEOUT_S = 60.0

ApiKey = Annotated[
    str | None,
    typer.Option(
        envvar="FIRSTSEEN_API_KEY",
        help="A key for the service, where it needs one: scope read to list, admin for the rest.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class DlqFailed(FirstseenError):
    """What was asked could not be done; the message says why, and what to do."""


@app.command("list")
def listed(url: Url = DEFAULT_URL, api_key: ApiKey = None, as_json: AsJson = False) -> None:
    """Show what is in quarantine, oldest first: when, why, how often it was tried, how large it is.

    Example: [bold]firstseen dlq list --json | jq -r .items[].id[/bold]
    """
    with _service(url, api_key) as service:
        letters = sorted(_letters(service), key=lambda letter: letter["t"])
    if as_json:
        typer.echo(json.dumps({"items": letters}, indent=2))
        return
    if not letters:
        typer.echo("Nothing is in quarantine.")
        return
    Console().print(_table(letters))


@app.command()
def retry(
    id: Annotated[str, typer.Argument(help="Its id, as `firstseen dlq list` shows it.")],
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
    as_json: AsJson = False,
) -> None:
    """Run an item through the engine again, alone. With a verdict it leaves quarantine; else this exits 1.

    Example: [bold]firstseen dlq retry order-17[/bold]
    """
    with _service(url, api_key) as service:
        verdict = _asked(service, "POST", "/dlq/retry", id=id)
    if as_json:
        typer.echo(json.dumps(verdict, indent=2))
        return
    what = {"known": f"class {verdict['label']}", "cluster": f"cluster {verdict['cluster_id']}"}
    found = what.get(verdict["verdict"], "an outlier")
    _say(f"{id}: {found}, seq {verdict['seq']}. It is not in quarantine any more.")


@app.command()
def drop(
    id: Annotated[str | None, typer.Argument(help="Its id, as `firstseen dlq list` shows it.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Drop all there are.")] = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Forget an item, or all. It was never counted, and its id may be sent anew.

    Example: [bold]firstseen dlq drop order-17[/bold], or [bold]firstseen dlq drop --all[/bold]
    """
    if (id is None) is not everything:
        raise typer.BadParameter("give an id, or --all")
    with _service(url, api_key) as service:
        asked = {"all": "true"} if id is None else {"id": id}
        dropped = _asked(service, "DELETE", "/dlq", **asked)["dropped"]
    _say(f"Dropped {dropped} item{'' if dropped == 1 else 's'}.")


def _service(url: str, api_key: str | None) -> "httpx.Client":
    import httpx

    try:
        headers = {} if api_key is None else {"authorization": f"Bearer {_checked(api_key)}"}
    except BadToken as bad:
        raise DlqFailed(f"The key cannot be one: {bad}.") from None
    try:
        return httpx.Client(base_url=url, timeout=_TIMEOUT_S, trust_env=False, headers=headers)
    except (httpx.InvalidURL, ValueError) as error:
        raise DlqFailed(f"--url {url!r} cannot be used ({error}); give one like {DEFAULT_URL}.") from None


def _checked(api_key: str) -> str:
    """The key, if it can be one."""
    text = api_key.strip()
    read_token(text)
    return text


def _asked(service: "httpx.Client", method: str, path: str, **parameters: str) -> dict[str, Any]:
    """The answer; a problem is raised with what it says."""
    import httpx

    url = str(service.base_url).rstrip("/")
    try:
        answer = service.request(method, path, params=parameters)
        body: Any = answer.json()
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise DlqFailed(f"--url {url!r} cannot be used ({error}); give one like {DEFAULT_URL}.") from None
    except httpx.TimeoutException:
        raise DlqFailed(
            f"The service at {url} did not answer within {_TIMEOUT_S:g} s. GET {url}/readyz says how it is."
        ) from None
    except httpx.HTTPError as error:
        raise DlqFailed(
            f"No service answers at {url} ({error}). Start it with `firstseen serve`, or give its address with --url."
        ) from None
    except ValueError:
        raise DlqFailed(f"What answers at {url} is no firstseen, or is behind something else.") from None
    if answer.is_success and isinstance(body, dict):
        return body
    detail = body.get("detail") if isinstance(body, dict) else None
    raise DlqFailed(
        str(detail or f"{url} answered {answer.status_code} to {method} {path}: is it this firstseen?")
    )


def _letters(service: "httpx.Client") -> Iterator[dict[str, Any]]:
    after: str | None = ""
    while after is not None:
        page = _asked(service, "GET", "/dlq", after=after)
        yield from page["items"]
        after = page["next"]


def _table(letters: list[dict[str, Any]]) -> Table:
    """For people. Ids and reasons are others' text: shown as text, without what drives a terminal."""
    table = Table(box=None, pad_edge=False)
    for name in ("id", "when (UTC)", "tried", "bytes", "reason"):
        table.add_column(
            name,
            justify="right" if name in ("tried", "bytes") else "left",
            overflow="fold",
            no_wrap=name == "when (UTC)",
        )
    for letter in letters:
        when = datetime.fromtimestamp(letter["t"], UTC).strftime("%Y-%m-%d %H:%M:%S")
        size = f"{letter['size']}" + ("" if letter["kept"] else " (not kept)")
        cells = (letter["id"], when, str(letter["attempts"]), size, letter["reason"])
        table.add_row(*(Text(tame(cell)) for cell in cells))
    return table


def _say(text: str) -> None:
    typer.echo(tame(text))
