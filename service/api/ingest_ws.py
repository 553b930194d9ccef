"""`WS /stream`: the shell around `service.ingest.session`. It moves frames; the session decides.

The route reads frames and queues items (when the queue is full it stops reading, so the client feels it); the pipeline
reports verdicts; what has to be sent is sent by a task that lives only while there is something, so an idle socket is
one sleeping coroutine. What waits to be sent is bounded by the credit window plus one frame's nacks; a client that does
not read for `send_timeout_s` is closed with 1013.
"""

import asyncio
import contextlib
from collections import deque
from contextlib import ExitStack

import structlog
from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect

from service.access.rights import Scope
from service.api.access import KEY_ENDED, Caller, Ending, admit
from service.api.context import Context, context_of, stream_name, stream_to_feed
from service.api.failures import failure_of, problem_of
from service.api.merging import take_next
from service.api.outgoing import SlowReader, accept, close, refuse, send_message
from service.api.patience import is_gone, paid
from service.errors import FirstseenError, NotReady, Overloaded, StoreAway
from service.ingest.credits import Window
from service.ingest.protocol import Codec, Nack
from service.ingest.session import Close, Effect, Enqueue, IngestSession, Send
from service.pipeline.batching import Answer, Job, Queue
from service.settings import Settings
from service.streams.stream import Stream

router = APIRouter()
log = structlog.get_logger("firstseen.stream")

LEAST_CREDITS = 64
"""The smallest window: a frame of so many items can always be sent in the end, however slow the engine is."""

_LOOK_S = 1.0
"""How often it is seen whether a client is there whose frames wait."""

_TOO_SLOW = "reading too slowly; resume by resending what was not acked"


class _Connection:
    """One socket: its session, and what waits to be sent."""

    def __init__(
        self,
        socket: WebSocket,
        session: IngestSession,
        codec: Codec,
        queue: Queue,
        caller: Caller,
        *,
        send_timeout_s: float,
    ) -> None:
        self._socket = socket
        self._is_gone = is_gone(socket)
        self._session = session
        self._codec = codec
        self._queue = queue
        self._caller = caller
        self._loop = asyncio.get_running_loop()
        self._out: deque[Send | Close] = deque()
        self._sender: asyncio.Task[None] | None = None
        self._ended: asyncio.Future[None] = (
            self._loop.create_future()
        )  # nothing more can be sent; holds a fault of ours, if that is why
        self._send_timeout_s = send_timeout_s

    async def run(self, greeting: list[Effect]) -> None:
        """Serve the connection until it closes."""
        self._push(greeting)
        try:
            while not self._ended.done():
                message = await self._socket.receive()
                if message["type"] == "websocket.disconnect":
                    break
                text = message.get("text")
                await self._received(message["bytes"] if text is None else text)
        except WebSocketDisconnect:
            raise
        except Exception as fault:
            self._push(self._session.failed(fault, code=failure_of(fault).close_code))
            if self._sender is not None:
                await asyncio.wait({self._sender})
            raise
        finally:
            if self._sender is not None:
                self._sender.cancel()
                await asyncio.gather(self._sender, return_exceptions=True)
        if self._ended.done():
            self._ended.result()

    async def _received(self, frame: bytes | str) -> None:
        effects = self._session.received(frame, self._loop.time())
        items = sum(map(_items_of, effects))
        if items and not await paid(self._caller, items, self._ended, self._is_gone):
            return  # while the key was over its quota, and nothing more was read, the client left
        for effect in effects:
            if isinstance(effect, Enqueue):
                await self._enqueue(effect)
            else:
                self._push([effect])
        if len(self._out) > 1 and self._sender is not None:
            await asyncio.wait({self._sender})  # the last frame's answers leave before the next frame is read

    def key_ended(self) -> None:
        """The client may not stay."""
        self._push([Close(4401, KEY_ENDED)])

    async def _enqueue(self, effect: Enqueue) -> None:
        job = Job(items=effect.items, done=self._loop.create_future(), on_progress=self._answered)
        job.done.add_done_callback(self._finished)
        try:
            try:
                self._queue.offer(job)
            except (Overloaded, StoreAway):
                await self._until_queued(job)
        except FirstseenError as error:
            job.fail(error)

    async def _until_queued(self, job: Job) -> None:
        """Wait for room in the queue, and read nothing meanwhile; not longer than the socket is open."""
        queued = self._loop.create_task(self._queue.put(job))
        try:
            while not (
                queued.done() or self._ended.done() or (self._is_gone is not None and self._is_gone())
            ):
                await asyncio.wait(
                    {queued, self._ended}, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED
                )
        finally:
            queued.cancel()
        if queued.done():
            queued.result()

    def _answered(self, answers: list[Answer]) -> None:
        self._push(self._session.answered(answers, self._loop.time()))

    def _finished(self, done: "asyncio.Future[list[Answer]]") -> None:
        error = None if done.cancelled() else done.exception()
        if isinstance(error, Exception):
            self._push(self._session.failed(error, code=failure_of(error).close_code))

    def _push(self, effects: list[Effect]) -> None:
        """Send these as soon as the client reads."""
        if self._ended.done():
            return
        self._out.extend(effect for effect in effects if not isinstance(effect, Enqueue))
        if self._out and self._sender is None:
            self._sender = self._loop.create_task(self._send())

    async def _send(self) -> None:
        """Send what waits, then end."""
        try:
            while self._out:
                effect = take_next(self._out)
                if isinstance(effect, Close):
                    await close(self._socket, effect.code, effect.reason)
                    self._end()
                    return
                await send_message(
                    self._socket,
                    self._codec,
                    effect.message,
                    within_s=self._send_timeout_s,
                    advice=_TOO_SLOW,
                )
        except SlowReader:
            log.warning("slow_reader")
            self._end()
        except WebSocketDisconnect:
            self._end()
        except Exception as fault:  # noqa: BLE001 - raised by `run`
            self._end(fault)
            with contextlib.suppress(WebSocketDisconnect):
                await refuse(self._socket, self._codec, fault, within_s=self._send_timeout_s)
        finally:
            self._sender = None

    def _end(self, fault: Exception | None = None) -> None:
        """Nothing more can be sent."""
        self._out.clear()
        if fault is None:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(fault)


def _items_of(effect: Effect) -> int:
    """Items that a key's quota is charged with: refused ones, too."""
    if isinstance(effect, Enqueue):
        return len(effect.items)
    return int(isinstance(effect, Send) and isinstance(effect.message, Nack))


async def stream(socket: WebSocket) -> None:
    """Take items, answer with verdicts."""
    with contextlib.suppress(WebSocketDisconnect, SlowReader):  # the client went before it was greeted
        await _stream(socket)


async def _stream(socket: WebSocket) -> None:
    context = context_of(socket)
    settings = context.settings
    codec = await accept(socket)
    session = IngestSession(
        spec=context.manifest.input,
        codec=codec,
        window=window_of(settings),
        max_items=settings.max_items,
        max_bytes=settings.ws_max_bytes,
        durability=settings.durability.value,
        problem_of=problem_of,
    )
    ending = Ending()
    with ExitStack() as held:
        place = held.enter_context(context.sockets.share())
        try:
            caller = await admit(socket, context, Scope.INGEST, stream_name(socket, context))
            held.enter_context(caller.connection(ending))
            place.take(1)
            opened = await stream_to_feed(socket, context, caller)
        except FirstseenError as error:
            await refuse(socket, codec, error, within_s=settings.send_timeout_s)
            return
        with opened.in_use(), opened.metrics.connections.track_inprogress():
            connection = _Connection(
                socket, session, codec, opened.queue, caller, send_timeout_s=settings.send_timeout_s
            )
            ending.tell(connection.key_ended)
            await connection.run(_greeting(session, context, opened))


def _greeting(session: IngestSession, context: Context, stream: Stream) -> list[Effect]:
    """What the client hears first."""
    pipeline = stream.pipeline
    if pipeline.epoch == 0:
        error = NotReady(f"The service is not ready: {pipeline.reason}.")
        return session.failed(error, code=failure_of(error).close_code)
    return session.greeted(
        stream=stream.name,
        bundle_id=context.manifest.bundle_id,
        epoch=pipeline.epoch,
        last_durable_seq=pipeline.last_durable_seq,
    )


def window_of(settings: Settings) -> Window:
    """What bounds the credit of a socket."""
    return Window(
        least=min(LEAST_CREDITS, settings.ws_window), most=settings.ws_window, delay_s=settings.ws_delay_s
    )


router.add_websocket_route("/stream", stream)  # without the framework's parameters, which cost 6 kB a socket
