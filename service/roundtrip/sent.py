"""Items that their sender still has, read from files as `firstseen classify` reads them, to be joined by id.

An item without an id has the one that `firstseen classify` gave it, which depends on file, line and what is in it
(service/lines/sources.py), so the very file that was classified can be brought back.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from service.client.answers import Refusal
from service.errors import ClientError
from service.lines.parsing import Columns, Format
from service.lines.sources import Place, open_input, records

Sent = Callable[[], Iterator[tuple[str | None, object]]]
"""(id, item as it is sent) of each item, from the first; a line that is none has no id, and its problem as the item."""


def sent(paths: Sequence[Path], columns: Columns, form: Format = Format.AUTO) -> Sent:
    """What the files hold.

    Args:
        paths: Files of items; each can be read again and again.
        columns: Which columns mean something.
        form: How items lie in them.

    Raises:
        ClientError: One of them cannot be read; also while they are.
    """
    for path in paths:
        if not path.is_file():
            raise ClientError(f"There is no file {path} to read items from.")

    def read() -> Iterator[tuple[str | None, object]]:
        with ExitStack() as stack:
            inputs = [open_input(path, stdin=_no_pipe, format=form, drawn="") for path in paths]
            for one in inputs:
                stack.enter_context(one.file)
            for record in records(inputs, columns, Place()):
                if isinstance(record.item, Refusal):
                    yield None, record.item.problem.detail
                else:
                    yield record.item.id, record.item.x

    return read


def _no_pipe() -> BinaryIO:
    raise ClientError("Items to be joined are read from files, not from standard input.")
