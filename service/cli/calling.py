"""Commands that call a running service through the client: what they have in common, said once.

    @app.command(epilog=EPILOG)
    @calls
    def promote(call: Call, cluster: Id, label: ...) -> None:
        call.tell(call.client.promote(cluster, label))

A command written so also has --json, --url, --stream, --api-key and --patience, and its `Call` is made of them. What
goes wrong ends it with one line, and an exit status.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, Final, ParamSpec

import typer
from rich.console import Console

from service.cli.options import DEFAULT_URL, ApiKey, StreamName, Url
from service.cli.telling import ended, why

if TYPE_CHECKING:
    from service.client import Client

P = ParamSpec("P")

REFUSED: Final = 1
ASKED_WRONGLY: Final = 2
SERVICE_AWAY: Final = 3

EPILOG: Final = """
Exit status: 0 done; 1 the service refuses it as things stand, or nobody said yes; 2 asked wrongly, or with a key that
may not; 3 the service was away for too long; 130 Ctrl-C.
"""

_WRONG: Final = frozenset({400, 401, 403, 421, 422})

screen = Console(stderr=True, highlight=False)


@dataclass(frozen=True, kw_only=True)
class Call:
    """A client of the service, and whether to answer in JSON."""

    client: "Client"
    as_json: bool

    def print_json(self, value: Any) -> None:  # noqa: ANN401 - anything msgspec encodes
        """An answer for a program."""
        import msgspec

        typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))


def _options(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    url: Url = DEFAULT_URL,
    stream: StreamName = None,
    api_key: ApiKey = None,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for a service that is away.")
    ] = 60.0,
) -> None:
    """The options that each of them has."""


def calls(command: Callable[Concatenate[Call, P], None]) -> Callable[P, None]:
    """The command with these options, called with what they say."""
    common = inspect.signature(_options).parameters
    own = [*inspect.signature(command).parameters.values()][1:]

    @wraps(command)
    def called(*args: Any, **given: Any) -> None:  # noqa: ANN401 - whatever typer has read
        asked = {name: given.pop(name) for name in common}
        _call(asked, lambda call: command(call, *args, **given))

    by_name = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
    signature = inspect.Signature([*by_name, *common.values()])
    called.__signature__ = signature  # type: ignore[attr-defined]
    called.__annotations__ = {name: one.annotation for name, one in signature.parameters.items()}
    return called


def _call(asked: dict[str, Any], command: Callable[[Call], None]) -> None:
    from service.client import Client, GaveUp, Refused

    try:
        with Client(
            asked["url"], api_key=asked["api_key"], stream=asked["stream"], patience_s=asked["patience"]
        ) as client:
            command(Call(client=client, as_json=asked["as_json"]))
    except Refused as error:
        status = None if error.problem is None else error.problem.status
        raise ended(screen, why(error), ASKED_WRONGLY if status in _WRONG else REFUSED) from None
    except ValueError as error:
        raise ended(screen, str(error), ASKED_WRONGLY) from None
    except GaveUp as error:
        raise ended(screen, f"{error}.", SERVICE_AWAY) from None
