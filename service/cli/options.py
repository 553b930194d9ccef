"""Options that several commands have: those that talk to a running service, and those that work where its state is."""

from pathlib import Path
from typing import Annotated, Final

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

# Of a running service

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

# Of a state

StreamBundle = Annotated[
    Path, typer.Argument(metavar="BUNDLE", help="Folder of the bundle that the stream is of.")
]
DataDir = Annotated[
    Path | None, typer.Option(help=r"Folder of the embedded store \[default: firstseen-data].")
]
RedisUrl = Annotated[str | None, typer.Option(help="Use this Redis instead of the embedded store.")]
StoredStream = Annotated[
    str | None, typer.Option("--stream", help=r"Name of the stream \[default: default].")
]

# Of items that their sender still has

Sent = Annotated[
    list[Path] | None,
    typer.Option(
        "--items",
        help="File of the items that were sent (jsonl, csv, tsv or txt), joined by id; give it again for more files.",
    ),
]
IdColumn = Annotated[
    str | None, typer.Option("--id", help="Column of such a file that is the id, as for firstseen classify.")
]
TextColumn = Annotated[
    str | None, typer.Option("--text", help="Column of such a file that is the text, likewise.")
]
