"""Options of the commands that talk to a running service."""

from typing import Annotated, Final

import typer

DEFAULT_URL: Final = "http://127.0.0.1:8765"

Url = Annotated[str, typer.Option(help="Address of the running service.")]

StreamName = Annotated[
    str | None, typer.Option("--stream", help=r"Name of the stream \[default: the service's own].")
]

ApiKey = Annotated[
    str | None,
    typer.Option(
        help="Key, where the service asks for one; better in FIRSTSEEN_API_KEY, since others see command lines."
    ),
]
