"""What a run is to do: inputs, output and checkpoint, opened and held against each other before anything is sent."""

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from service.errors import ClientError
from service.lines.checkpoint import Checkpoint, read_checkpoint
from service.lines.output import Output
from service.lines.parsing import Columns, Format
from service.lines.sources import Input, check_unchanged, open_input


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A run.

    Attributes:
        inputs: In order.
        columns: What some of their columns mean.
        output: Cut back to what `before` knows of.
        checkpoint: Where to keep how far it came; None: nowhere.
        before: How far it is.
        note: What a person should know, or None.
    """

    inputs: Sequence[Input]
    columns: Columns
    output: Output
    checkpoint: Path | None
    before: Checkpoint
    note: str | None = None


def make_plan(
    files: Sequence[Path],
    *,
    format: Format,  # noqa: A002 - the option's name
    columns: Columns,
    out: Path | None,
    checkpoint: Path | None,
    stream: str,
    stdin: Callable[[], BinaryIO],
    stdout: BinaryIO,
    drawn: str,
    open_files: ExitStack,
) -> Plan:
    """Open all there is.

    Args:
        files: Inputs; none, or `-`: standard input.
        format: Of all inputs.
        columns: What some of their columns mean.
        out: Output; None: standard output.
        checkpoint: Where to keep how far it came; one that is there is gone on from.
        stream: Where the items go; "" is the default one.
        stdin: Opens standard input, where it is read.
        stdout: Standard output.
        drawn: A name that no other run has.
        open_files: Closes what is opened here.

    Raises:
        ClientError: They do not fit together; the message says what to give.
        OSError: One of them cannot be opened.
    """
    before = None if checkpoint is None else read_checkpoint(checkpoint)
    run = drawn if before is None else before.run
    paths = [None if str(path) == "-" else path for path in files] or [None]
    if paths.count(None) > 1:
        raise ClientError("Standard input can be read once: give - once.")
    inputs = [open_input(path, stdin=stdin, format=format, drawn=run) for path in paths]
    for path, one in zip(paths, inputs, strict=True):
        if path is not None:
            open_files.enter_context(one.file)
    if before is not None:
        if before.stream != stream:
            raise ClientError(
                f"{checkpoint} is of {_named(before.stream)}, and this would go to {_named(stream)}: verdicts of two "
                "streams do not belong into one output. Give the same --stream, or another --checkpoint and --out."
            )
        inputs = _as_before(inputs, before, checkpoint)
    is_kept, goes_on = checkpoint is not None, before is not None
    written, readable = _opened(out, stdout, is_kept=is_kept, goes_on=goes_on, open_files=open_files)
    output = Output(written, readable=readable)
    if checkpoint is not None and not output.is_file:
        raise ClientError(
            "--checkpoint needs an output that can be cut back after a crash: give --out FILE, or send standard "
            "output to a file."
        )
    note = None
    if before is not None and not output.cut(before.output, before.tail):
        note = (
            "The output has been emptied, so all is sent again; ids keep their verdicts, and "
            "nothing counts twice."
        )
        before = None
    return Plan(
        inputs=inputs,
        columns=columns,
        output=output,
        checkpoint=checkpoint,
        before=before
        or Checkpoint(
            run=run,
            fingerprints=tuple(one.fingerprint for one in inputs),
            output=output.size,
            tail=output.tail(output.size),
            stream=stream,
        ),
        note=note,
    )


def _named(stream: str) -> str:
    return f"stream {stream}" if stream else "the default stream"


def _as_before(inputs: list[Input], before: Checkpoint, checkpoint: Path | None) -> list[Input]:
    """The inputs under the fingerprints that their ids were made from: a file may have grown since."""
    if len(before.fingerprints) != len(inputs):
        raise ClientError(
            f"{checkpoint} is of {len(before.fingerprints)} inputs, and {len(inputs)} are given; give the same, or "
            "another --checkpoint."
        )
    pairs = list(zip(inputs, before.fingerprints, strict=True))
    for one, fingerprint in pairs:
        check_unchanged(one, fingerprint)
    return [dataclasses.replace(one, fingerprint=fingerprint) for one, fingerprint in pairs]


def _opened(
    out: Path | None, stdout: BinaryIO, *, is_kept: bool, goes_on: bool, open_files: ExitStack
) -> tuple[BinaryIO, BinaryIO | None]:
    """The output for writing, and for reading where it may be cut."""
    if out is not None:
        written = open_files.enter_context(out.open("r+b" if goes_on and out.exists() else "wb"))
        return written, open_files.enter_context(out.open("rb")) if is_kept else None
    if not is_kept:
        return stdout, None
    try:
        again = Path(f"/dev/fd/{stdout.fileno()}").open("rb")  # noqa: SIM115 - closed with the rest
    except OSError:  # no file, or no such way to it on this system
        return stdout, None
    return stdout, open_files.enter_context(again)
