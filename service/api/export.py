"""GET /export: a table of a stream as a file, to the byte what `firstseen export` writes.

    the cut ─► replayed beside the stream, into a temporary folder ─► sent, with its length ─► gone

It is made in a thread, with an event loop and a client of the store of its own, so that nobody else waits for it. It is
made first and sent then: so it is of one instant, and one that is cut off lacks what its length says. A replay
costs what a restart does, so one export is made or sent at a time; another is told to come back. It is given up when
its client goes, or reads too little (connection.py), or the service stops.
"""

import asyncio
import tempfile
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Annotated, BinaryIO, Final, Literal

import structlog
from fastapi import APIRouter, Query, Request
from starlette.responses import Response
from starlette.types import Receive, Send
from starlette.types import Scope as Connection

from service.access.rights import Scope
from service.api.access import admit, needs
from service.api.context import Context, context_of, stream_name, stream_of
from service.api.formats.answers import LINES
from service.api.patience import is_gone
from service.api.schemas import STREAM, STREAM_PROBLEMS
from service.errors import NotReady, StoreAway
from service.roundtrip.card import Written
from service.roundtrip.exporting import export as write
from service.state.errors import StoreError, StoreUnavailable

router = APIRouter()
log = structlog.get_logger("firstseen.export")

TableName = Literal["items", "verdicts", "clusters", "decisions"]
MEDIA_TYPES: Final = {"jsonl": LINES, "csv": "text/csv; charset=utf-8"}
_AT_ONCE: Final = 1 << 18
_LOOK_S: Final = 0.5
"""How often it is looked whether anybody still waits."""


@router.get(
    "/export",
    summary="The stream as a table: verdicts, items, clusters or decisions",
    description=(
        "As of one instant, in the columns of `firstseen export`: each verdict as it was given, and beside it what "
        "holds now. Lines of JSON, or CSV that no spreadsheet takes for formulas. Items are those that the stream "
        "keeps. One export at a time: 503 with Retry-After meanwhile."
    ),
    response_class=Response,
    responses={
        **STREAM_PROBLEMS,
        200: {
            "description": "The table, a row a line.",
            "content": {
                kind.partition(";")[0]: {"schema": {"type": "string"}} for kind in MEDIA_TYPES.values()
            },
        },
    },
    openapi_extra=needs(Scope.READ, **STREAM),
)
async def export(
    request: Request,
    table: Annotated[TableName, Query(description="Which.")] = "verdicts",
    form: Annotated[
        Literal["jsonl", "csv"], Query(alias="format", description="How it is written.")
    ] = "jsonl",
) -> Response:
    """Write a table, and send it."""
    context = context_of(request)
    name = stream_name(request, context)
    await admit(request, context, Scope.READ, name)
    stream = await stream_of(request, context)
    async with AsyncExitStack() as stack:
        stack.enter_context(stream.in_use())
        stack.enter_context(context.exports.share()).take(1)
        file, size = await _written(context, stream.name, table, form, is_gone(request))
        stack.enter_context(closing(file))
        headers = {
            "content-type": MEDIA_TYPES[form],
            "content-disposition": f'attachment; filename="{stream.name}-{table}.{form}"',  # a name needs no escaping
        }
        return _Sent(file, size, stack.pop_all(), headers)


async def _written(
    context: Context, stream: str, table: TableName, form: str, gone: Callable[[], bool] | None
) -> tuple[BinaryIO, int]:
    """The table as a file that is in no folder any more, and its size; made in a thread of its own."""
    ended = threading.Event()
    writing = asyncio.create_task(asyncio.to_thread(_write, context, stream, table, form, ended))
    try:
        while not writing.done():
            await asyncio.wait({writing}, timeout=_LOOK_S)
            if gone is not None and gone():
                ended.set()
        return await writing
    except asyncio.CancelledError:  # by the server, which stops; nothing else cancels a request
        _not_cancelled()
        raise NotReady("The service stops. Ask again for the export.") from None
    except StoreUnavailable as error:
        raise StoreAway(f"The store does not answer: {error}") from error
    except StoreError as error:
        raise NotReady(str(error)) from error
    except OSError as error:
        log.warning("export_not_written", reason=str(error))
        raise NotReady(
            f"The export cannot be written ({error.strerror}): the service needs room for temporary files."
        ) from error
    finally:
        ended.set()
        writing.cancel()


def _write(
    context: Context, stream: str, table: TableName, form: str, ended: threading.Event
) -> tuple[BinaryIO, int]:
    def progress(*_: object) -> None:
        if ended.is_set():
            raise NotReady("Nobody waits for the export any more.")

    async def run(folder: Path) -> Written:
        async with context.reading(stream) as reader:
            done = await write(
                reader,
                context.bundle,
                folder,
                form=form,
                what=(table,),
                items=None,
                version=context.version,
                progress=progress,
            )
        return done.tables[0]

    with tempfile.TemporaryDirectory(prefix="firstseen-export-") as name:
        folder = Path(name)
        written = asyncio.run(run(folder))
        return (folder / written.file).open("rb"), written.size


class _Sent(Response):
    """The answer. `held` is closed before its last piece leaves, so that its client may ask for another at once."""

    def __init__(self, file: BinaryIO, size: int, held: AsyncExitStack, headers: dict[str, str]) -> None:
        super().__init__(headers={**headers, "content-length": str(size)})
        self._file = file
        self._left = size
        self._held = held

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Send it, piece by piece; an answer that is left unfinished closes the connection."""
        async with self._held:
            try:
                await self._send(send)
            except asyncio.CancelledError:  # by the server, which stops
                _not_cancelled()

    async def _send(self, send: Send) -> None:
        piece = await self._next()  # before the head: one that says "no bytes" is the last that is sent
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        while self._left > 0:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            piece = await self._next()
        await send({"type": "http.response.body", "body": piece, "more_body": False})

    async def _next(self) -> bytes:
        piece = await asyncio.to_thread(self._file.read, _AT_ONCE)
        self._left -= len(piece)
        if self._left <= 0:
            await self._held.aclose()
        return piece


def _not_cancelled() -> None:
    """The request goes on to its end, which is an answer."""
    if (task := asyncio.current_task()) is not None:
        task.uncancel()
