"""`firstseen classify`: a file of items in, a file of verdicts out, in the same order, of any length.

Options, exit status and what is said to people; the work is `service.lines`. Knows the clock and luck, as a command.
"""

import io
import sys
import time
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import Console

from service.cli.options import DEFAULT_URL, ApiKey, StreamName, Url
from service.cli.telling import ended, say, why
from service.errors import ClientError
from service.lines.parsing import Columns, Format

app = typer.Typer()

SOME_REFUSED = 1
ASKED_WRONGLY = 2
SERVICE_AWAY = 3


_EPILOG = """
Exit status: 0 all classified; 1 some lines were refused (each has its problem in its place in the output);
2 asked wrongly, or with a key that may not; 3 the service was away for too long; 130 Ctrl-C.
"""


@app.command(epilog=_EPILOG)
def classify(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help="Files of items; none, or -: standard input."),
    ] = None,
    url: Url = DEFAULT_URL,
    stream: StreamName = None,
    api_key: ApiKey = None,
    out: Annotated[
        Path | None, typer.Option(help="Write verdicts to this file instead of standard output.")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="Keep here how far it came; the same command again goes on from there."),
    ] = None,
    format: Annotated[  # noqa: A002 - the option's name
        Format,
        typer.Option(
            help="How items lie in the input; auto goes by the file's name, and is jsonl for a pipe."
        ),
    ] = Format.AUTO,
    id: Annotated[
        str | None, typer.Option(help="Column that is the id of a row, and not part of it.")
    ] = None,
    text: Annotated[
        str | None, typer.Option(help="Column that is the text to classify, of a csv or tsv file.")
    ] = None,
    learn: Annotated[
        bool,
        typer.Option("--learn/--no-learn", help="no: only ask; nothing is remembered, counted or learnt."),
    ] = True,
    explain: Annotated[
        bool, typer.Option("--explain", help="Write why, too: each verdict's explanation.")
    ] = False,
    batch: Annotated[int, typer.Option(min=1, max=4096, help="Items sent at once, at most.")] = 256,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for a service that is away or full.")
    ] = 60.0,
) -> None:
    """Classify a file of items, line by line: verdicts in the same order, on standard output.

    Example: [bold]firstseen classify < items.jsonl > verdicts.jsonl[/bold]

    A line is an item, [bold]{"id": "a", "x": ...}[/bold], or its x alone: numbers, a text, a row of a table. An item
    without an id gets one from file and line, so the same file again counts nothing twice. A bad line has its problem
    in its place in the output.

    Long ones: [bold]firstseen classify items.jsonl --out verdicts.jsonl --checkpoint progress.json[/bold], and after
    Ctrl-C, a crash or a power cut the same command again. Nothing is doubled, nothing is left out.

    Texts: [bold]firstseen classify tickets.csv --text question --id number > verdicts.jsonl[/bold]

    As they come: [bold]tail -f flows.jsonl | firstseen classify --stream flows | jq .verdict[/bold]
    """
    from service.client import Client, GaveUp, Refused
    from service.lines.plan import make_plan
    from service.lines.progress import showing
    from service.lines.run import run

    screen = Console(stderr=True, highlight=False)
    with ExitStack() as open_files:
        try:
            plan = make_plan(
                files or [],
                format=format,
                columns=Columns(id=id, text=text),
                out=out,
                checkpoint=checkpoint,
                stream=stream or "",
                stdin=_standard_input,
                stdout=sys.stdout.buffer,
                drawn=uuid.uuid4().hex,
                open_files=open_files,
            )
            client = open_files.enter_context(
                Client(url, api_key=api_key, stream=stream, patience_s=patience, timeout_s=max(patience, 1.0))
            )
        except (ClientError, OSError, ValueError) as error:
            raise ended(screen, str(error), ASKED_WRONGLY) from None
        if plan.note is not None:
            say(screen, plan.note)
        try:
            with showing(screen, plan.inputs, plan.before.counts, time.monotonic) as show:
                tally = run(
                    client, plan, show=show, now=time.monotonic, learn=learn, explain=explain, batch=batch
                )
        except Refused as error:
            raise ended(screen, why(error), ASKED_WRONGLY) from None
        except ClientError as error:
            raise ended(screen, str(error), ASKED_WRONGLY) from None
        except GaveUp as error:
            again = "" if checkpoint is None else " The same command goes on from the checkpoint."
            raise ended(screen, f"{error}.{again}", SERVICE_AWAY) from None
    for line in [*tally.reasons(), f"{tally.items:,} items: {tally.line()}"]:
        say(screen, line)
    if tally.refused:
        raise typer.Exit(SOME_REFUSED)


def _standard_input() -> BinaryIO:
    """Standard input with a buffer of its own: no thread may wait on that of sys.stdin when Python ends."""
    return io.BufferedReader(io.FileIO(sys.stdin.fileno(), closefd=False))
