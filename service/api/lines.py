"""Lines in, lines out, while lines still come: `POST /classify` with application/x-ndjson, answered in the same.

    chunks ─► decompressed ─► lines ─► items ─► queue ─┐
       ▲                                               │ pieces, in order
       └── not read while `window` items are on ───────┤
           their way, or the client does not read      ▼
                                  results, a line each ─► compressed ─► client

Each chunk that holds whole lines becomes a piece: its items are one job of the queue, and its results leave together,
in order, as soon as they are durable. So a sender that waits for an answer before it goes on gets it at once, and one
that does not, large batches.

Everything is bounded. `window` items may be on their way (`FIRSTSEEN_QUEUE_ITEMS` / 4); then the body is not read, and
TCP slows the sender down. A client that does not read its results is waited for `FIRSTSEEN_SEND_TIMEOUT_S`, and then
cut off; so one that sends everything before it reads anything must send no more than the window and the buffers of
its sockets hold, or read meanwhile, as curl does. A line has at most `FIRSTSEEN_MAX_BODY_BYTES`, and must have come as
a whole `FIRSTSEEN_REQUEST_TIMEOUT_S` after the one before, as a body must; an empty one does, for who has nothing to
send. The body as a whole has no limit; so the request counts as a connection of its key and of all
(`FIRSTSEEN_WS_CONNECTIONS`), like a WebSocket, and ends with the key: the last line is then a problem,
`/problems/unauthorized`.

The status is sent with the first results. What fails the request before is a problem with its status, as everywhere;
after it, the last line is {"problem": {...}} without an id. What had no line is sent again under the same ids, or the
same Idempotency-Key with all lines before it.

HTTP allows an answer before the request has ended (RFC 9110 section 7.5); uvicorn does.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.api.access import KEY_ENDED, Caller, Ending
from service.api.asked import Asked
from service.api.bodies import decompressed
from service.api.budget import Share
from service.api.compression import Compressor, compressor_for, decompressor_of
from service.api.context import Context
from service.api.failures import problem_of, response_of
from service.api.formats.answers import LINES
from service.api.formats.head import Head
from service.api.formats.lines_body import Lines, read_line
from service.api.formats.pictures import develop
from service.api.idempotency import with_ids
from service.api.patience import is_gone, paid
from service.api.rest import promise, refused_of, result_of
from service.api.seen import note
from service.errors import (
    BodyTooSlow,
    FirstseenError,
    InternalError,
    NotReady,
    OutcomeUnknown,
    Unauthorized,
)
from service.ingest.intake import Refused
from service.pipeline.batching import Answer, Job
from service.records import Item
from service.streams.stream import Stream
from service.telemetry.trace_context import current_trace

log = structlog.get_logger("firstseen.lines")

_LINES_A_PIECE = 256


@dataclass(frozen=True, slots=True)
class _Piece:
    """Lines that came together: what was read of each, and the job of those that are items."""

    read: list[Item | Refused]
    job: Job | None


class _Window:
    """How many items may be on their way. Lives in one event loop; one task waits."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._used = 0
        self._left = asyncio.Event()

    async def enter(self, n: int) -> None:
        """Wait until `n` more fit; more than all that may be are let in alone."""
        while self._used and self._used + n > self._most:
            self._left.clear()
            await self._left.wait()
        self._used += n

    def leave(self, n: int) -> None:
        """`n` are answered."""
        self._used -= n
        self._left.set()


class LinesAnswer(Response):
    """The answer to a request whose body is read while it is answered."""

    def __init__(
        self,
        request: Request,
        context: Context,
        stream: Stream,
        head: Head,
        *,
        caller: Caller,
        asked: Asked,
        key: str | None,
    ) -> None:
        super().__init__(headers=promise(context, learn=asked.learn), media_type=LINES)
        del self.headers["content-length"]
        self._request = request
        self._context = context
        self._stream = stream
        self._caller = caller
        self._asked = asked
        self._key = key
        self._lines = Lines(max_bytes=context.settings.max_body_bytes)
        self._window = _Window(max(context.settings.queue_items // 4, 1))
        self._pieces: asyncio.Queue[_Piece | None] = asyncio.Queue()  # bounded by the window
        self._decompressor = decompressor_of(head.text(b"content-encoding"))
        self._compressor = compressor_for(head.text(b"accept-encoding"))
        self._is_gone = is_gone(request)
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()  # his key has
        self._count = 0
        self._line_by = 0.0
        self._is_begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read and answer until one of the two ends."""
        ending = Ending()
        with self._stream.in_use(), ExitStack() as held:
            try:
                held.enter_context(self._caller.connection(ending))
                held.enter_context(self._context.sockets.share()).take(1)
            except FirstseenError as error:
                await response_of(error)(scope, receive, send)
            else:
                ending.tell(self._key_ended)
                await self._run(scope, receive, send)
        note(self._request, items=self._count, stream=self._stream.name)

    def _key_ended(self) -> None:
        """The client may not stay."""
        if not self._ended.done():
            self._ended.set_result(None)

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        reader = asyncio.create_task(self._read())
        try:
            await self._answer(reader, send)
            await self._send(send, b"", is_last=True)
        except ClientDisconnect:
            pass
        except TimeoutError:
            log.warning("slow_reader")  # an answer that is left unfinished closes the connection
        except asyncio.CancelledError:  # by the server, which stops; nothing else cancels a request
            if (task := asyncio.current_task()) is not None:
                task.uncancel()
            stops = NotReady("The service stops. Send what had no line again under the same ids.")
            await self._fail(stops, scope, receive, send)
        except FirstseenError as error:
            await self._fail(error, scope, receive, send)
        except Exception:
            log.exception("lines_failed")
            await self._fail(InternalError("The lines could not be answered."), scope, receive, send)
        finally:
            reader.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await reader

    # In

    async def _read(self) -> None:
        """Pieces until the body ends; then None."""
        with self._context.bodies.share(self._caller.family) as share:
            self._expect_line()
            async for chunk in decompressed(self._chunks(), self._decompressor):
                share.take(len(chunk))
                lines = self._lines.feed(chunk)
                await self._take(lines)
                self._keep(share)
                if lines or not self._lines.held:
                    self._expect_line()
            await self._take(self._lines.end())
        self._pieces.put_nowait(None)

    def _expect_line(self) -> None:
        """The next one, or an empty one, must end in time: who sends it byte by byte holds what there is of it."""
        now = asyncio.get_running_loop().time()
        self._line_by = now + self._context.settings.request_timeout_s

    def _keep(self, share: Share) -> None:
        """Of what was taken, only the unfinished line is still held, and what is needed to decompress more."""
        held = self._lines.held + (0 if self._decompressor is None else self._decompressor.kept)
        if held <= share.taken:
            share.give_back(share.taken - held)
        else:
            share.take(held - share.taken)

    async def _chunks(self) -> AsyncIterator[bytes]:
        timeout_s = self._context.settings.request_timeout_s
        chunks = aiter(self._request.stream())
        while True:
            try:
                async with asyncio.timeout_at(self._line_by):
                    chunk = await anext(chunks)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise BodyTooSlow(
                    f"No whole line came for {timeout_s:g} s; end the request, and begin another."
                ) from None
            yield chunk

    async def _take(self, lines: list[bytes]) -> None:
        settings, spec = self._context.settings, self._context.manifest.input
        for start in range(0, len(lines), _LINES_A_PIECE):
            some = lines[start : start + _LINES_A_PIECE]
            await self._window.enter(len(some))
            if not await paid(
                self._caller, len(some), self._ended, self._is_gone
            ):  # over his quota he is slowed down
                raise ClientDisconnect
            read = await develop(
                [read_line(line, spec) for line in some],
                spec,
                max_pixels=settings.max_pixels,
                within_s=settings.request_timeout_s,
                is_gone=self._is_gone,
            )
            if self._key is not None:
                read = with_ids(read, self._key, first=self._count)
            self._count += len(read)
            good = [one for one in read if isinstance(one, Item)]
            self._stream.metrics.refused.inc(len(read) - len(good))
            job = self._job(good) if good else None
            self._pieces.put_nowait(_Piece(read, job))
            if job is not None:
                try:
                    await self._stream.queue.put(job)
                except FirstseenError as error:
                    job.fail(error)

    def _job(self, good: list[Item]) -> Job:
        return Job(
            items=good,
            done=asyncio.get_running_loop().create_future(),
            learn=self._asked.learn,
            is_gone=self._is_gone,
            trace=current_trace.get(),
        )

    # Out

    async def _answer(self, reader: "asyncio.Task[None]", send: Send) -> None:
        while True:
            getting = asyncio.ensure_future(self._pieces.get())
            ends: set[asyncio.Future[Any]] = {getting, reader, self._ended}
            try:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                if self._ended.done():
                    raise Unauthorized(f"It ends here: {KEY_ENDED}.", is_wrong=True)
                if not getting.done() and self._pieces.empty():
                    await reader  # raises what ended it; the end of the body is a piece
                piece = await getting
            finally:
                getting.cancel()
            if piece is None:
                return
            answers = iter(await self._answers(piece.job))
            results = [
                refused_of(one) if isinstance(one, Refused) else _told(next(answers)) for one in piece.read
            ]
            await self._send(send, msgspec.json.Encoder().encode_lines(results))
            self._window.leave(len(piece.read))

    async def _answers(self, job: Job | None) -> list[Answer]:
        if job is None:
            return []
        timeout_s = self._context.settings.request_timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                return await job.done
        except TimeoutError:
            raise OutcomeUnknown(
                f"No verdict within {timeout_s:g} s. Send what had no line again under the same ids."
            ) from None

    async def _begin(self, send: Send) -> None:
        self._is_begun = True
        if self._compressor is not None:
            self.headers["content-encoding"] = self._compressor.name
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})

    async def _send(self, send: Send, body: bytes, *, is_last: bool = False) -> None:
        """Some lines.

        Raises:
            TimeoutError: The client does not read.
        """
        async with asyncio.timeout(self._context.settings.send_timeout_s):
            if not self._is_begun:
                await self._begin(send)
            data = _squeezed(self._compressor, body, is_last=is_last)
            await send({"type": "http.response.body", "body": data, "more_body": not is_last})

    async def _fail(self, error: FirstseenError, scope: Scope, receive: Receive, send: Send) -> None:
        """Say why nothing more comes: as the whole answer, or as its last line."""
        if not self._is_begun:
            await response_of(error)(scope, receive, send)
            return
        log.info("lines_ended_early", reason=str(error))
        with contextlib.suppress(TimeoutError):
            await self._send(send, msgspec.json.encode({"problem": problem_of(error)}) + b"\n", is_last=True)


def _squeezed(compressor: Compressor | None, body: bytes, *, is_last: bool) -> bytes:
    if compressor is None:
        return body
    return (compressor.flush(body) if body else b"") + (compressor.end() if is_last else b"")


def _told(answer: Answer) -> dict[str, Any]:
    return refused_of(answer) if isinstance(answer, Refused) else result_of(answer)
