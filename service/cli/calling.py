"""Commands that ask a running service, through the client: where to ask, and how they end when it goes wrong.

    @app.command(epilog=EPILOG)
    @calls
    def promote(call: Call, cluster: Id, label: ...) -> None:
        call.client.promote(cluster, label)

A command written so has --json, --url, --stream, --api-key and --patience as well, and its `Call` is made of them.

The client sends what was cut or refused for a moment again, under the same name, so a lost answer does nothing twice.
Exits 1 when the service refuses something as things stand, 2 when it was asked wrongly or with a key that may not, and
3 when the service was away for too long.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec

import typer
from rich.console import Console

from service.cli.options import DEFAULT_URL, ApiKey, StreamName, Url
from service.cli.telling import ended, why

if TYPE_CHECKING:
    from service.client import Client

P = ParamSpec("P")

EPILOG = """
Exit status: 0 done; 1 the service refuses it as things stand, or nobody said yes; 2 asked wrongly, or with a key that
may not; 3 the service was away for too long; 130 Ctrl-C.
"""

REFUSED = 1
ASKED_WRONGLY = 2
SERVICE_AWAY = 3

_WRONG = frozenset({400, 401, 403, 421, 422})

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Patience = Annotated[float, typer.Option(min=0, help="Seconds to wait for a service that is away.")]


@dataclass(frozen=True, kw_only=True)
class Service:
    """Where to ask, and how to tell."""

    url: str
    stream: str | None
    api_key: str | None
    patience: float
    as_json: bool = False


@contextmanager
def asking(service: Service, screen: Console) -> "Iterator[Client]":
    """A client; what goes wrong ends the command with one line, and its exit status."""
    from service.client import Client, GaveUp, Refused

    try:
        with Client(
            service.url, api_key=service.api_key, stream=service.stream, patience_s=service.patience
        ) as client:
            yield client
    except Refused as error:
        status = None if error.problem is None else error.problem.status
        raise ended(screen, why(error), ASKED_WRONGLY if status in _WRONG else REFUSED) from None
    except ValueError as error:
        raise ended(screen, str(error), ASKED_WRONGLY) from None
    except GaveUp as error:
        raise ended(screen, f"{error}.", SERVICE_AWAY) from None


@dataclass(frozen=True, kw_only=True)
class Call:
    """A client of the service, and whether to answer in JSON."""

    client: "Client"
    as_json: bool


def _options(
    *,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    stream: StreamName = None,
    api_key: ApiKey = None,
    patience: Patience = 60.0,
) -> None:
    """The options that each command of `calls` has."""


def calls(command: Callable[Concatenate[Call, P], None]) -> Callable[P, None]:
    """The command with these options, called with what they say."""
    common = inspect.signature(_options).parameters
    own = [*inspect.signature(command).parameters.values()][1:]

    @wraps(command)
    def called(*args: Any, **given: Any) -> None:  # noqa: ANN401 - whatever typer has read
        service = Service(**{name: given.pop(name) for name in common})
        with asking(service, Console(stderr=True, highlight=False)) as client:
            command(Call(client=client, as_json=service.as_json), *args, **given)

    by_name = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
    signature = inspect.Signature([*by_name, *common.values()])
    called.__signature__ = signature  # type: ignore[attr-defined]
    called.__annotations__ = {name: one.annotation for name, one in signature.parameters.items()}
    return called


def show_json(value: Any) -> None:  # noqa: ANN401 - anything msgspec encodes
    """On standard output, indented."""
    import msgspec

    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))
