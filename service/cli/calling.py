"""Commands that ask a running service, through the client: where to ask, and how they end when it goes wrong.

The client sends what was cut or refused for a moment again, under the same name, so a lost answer does nothing twice.
Exits 1 when the service refuses something as things stand, 2 when it was asked wrongly or with a key that may not, and
3 when the service was away for too long.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from service.cli.telling import ended, why

if TYPE_CHECKING:
    from service.client import Client

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


def show_json(value: Any) -> None:  # noqa: ANN401 - anything msgspec encodes
    """On standard output, indented."""
    import msgspec

    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))
