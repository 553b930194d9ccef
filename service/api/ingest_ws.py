"""`WS /stream`: the shell around `service.session`. It moves frames; the session decides.

Three things run a connection: the receiver reads frames and queues items (when the queue is full it stops
reading, so the client feels it), the pipeline reports verdicts, the sender writes. What waits for the sender is
bounded by the credit window plus one frame's nacks; a client that does not read for `send_timeout_s` is closed
with 1013.
"""

import asyncio
import contextlib
from collections import deque
from contextlib import ExitStack

import structlog
from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect

from service.api.access import KEY_ENDED, Caller, Ending, admit
from service.api.context import Context, context_of, stream_name, stream_to_feed
from service.api.failures import failure_of, problem_of
from service.batching import Answer, Job, Queue
from service.errors import FirstseenError, NotReady
from service.protocol import SUBPROTOCOLS, Codec
from service.rights import Scope
from service.session import Close, Effect, Enqueue, IngestSession, Send
from service.stream import Stream

router = APIRouter()
log = structlog.get_logger("firstseen.stream")

_LAST_WORD_S = 1.0
"""How long a client that does not read may take to read why it is closed."""

_TOO_SLOW = "reading too slowly; resume by resending what was not acked"
_MAX_REASON_BYTES = 123  # of a close frame, RFC 6455 section 5.5


class _Connection:
    """One socket: the session, what waits to be sent, and the wakers between the tasks."""

    def __init__(
        self, socket: WebSocket, session: IngestSession, codec: Codec, queue: Queue, *, send_timeout_s: float
    ) -> None:
        self._socket = socket
        self._session = session
        self._codec = codec
        self._queue = queue
        self._out: deque[Send | Close] = deque()
        self._wake = asyncio.Event()
        self._sent = asyncio.Event()
        self._send_timeout_s = send_timeout_s

    async def run(self, caller: Caller) -> None:
        """Serve the connection until it closes."""
        receiver = asyncio.create_task(self._receive(caller))
        sender = asyncio.create_task(self._send())
        try:
            await asyncio.wait({receiver, sender}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (receiver, sender):
                task.cancel()
            results = await asyncio.gather(receiver, sender, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect):
                raise result

    async def _receive(self, caller: Caller) -> None:
        """Until the client goes: its frames, one after the other."""
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            frame = message["bytes"] if text is None else text.encode()
            for effect in self._session.received(frame, is_text=text is not None):
                if isinstance(effect, Enqueue):
                    await self._enqueue(effect)
                    if wait_s := caller.take(len(effect.items)):  # over the key's quota: not read on
                        await asyncio.sleep(wait_s)
                else:
                    self._push([effect])
            while len(self._out) > 1:  # the last frame's answers leave before the next frame is read
                self._sent.clear()
                await self._sent.wait()

    def key_ended(self) -> None:
        """The client may not stay."""
        self._push([Close(4401, KEY_ENDED)])

    async def _enqueue(self, effect: Enqueue) -> None:
        loop = asyncio.get_running_loop()
        job = Job(items=effect.items, done=loop.create_future(), on_progress=self._answered)
        job.done.add_done_callback(self._finished)
        try:
            await self._queue.put(job)
        except FirstseenError as error:
            job.fail(error)

    def _answered(self, answers: list[Answer]) -> None:
        self._push(self._session.answered(answers))

    def _finished(self, done: "asyncio.Future[list[Answer]]") -> None:
        error = None if done.cancelled() else done.exception()
        if isinstance(error, Exception):
            self._push(self._session.failed(error, code=failure_of(error).close_code))

    def _push(self, effects: list[Effect]) -> None:
        self._out.extend(effect for effect in effects if not isinstance(effect, Enqueue))
        self._wake.set()

    async def _send(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._out:
                effect = self._out.popleft()
                try:
                    async with asyncio.timeout(self._send_timeout_s):
                        if isinstance(effect, Close):
                            await self._socket.close(effect.code, short(effect.reason))
                            return
                        await send_frame(self._socket, self._codec, self._codec.encode(effect.message))
                except TimeoutError:
                    log.warning("slow_reader")
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_LAST_WORD_S):
                            await self._socket.close(1013, _TOO_SLOW)
                    return
            self._sent.set()


async def send_frame(socket: WebSocket, codec: Codec, frame: bytes) -> None:
    """Send a frame in the codec's kind."""
    if codec.is_text:
        await socket.send_text(frame.decode())
    else:
        await socket.send_bytes(frame)


def short(reason: str) -> str:
    """A close reason that fits into a close frame."""
    return reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore")


async def accept(socket: WebSocket) -> Codec:
    """Accept a WebSocket under the first subprotocol both sides know; JSON when the client names none."""
    offered = socket.scope["subprotocols"]
    chosen = next((name for name in offered if name in SUBPROTOCOLS), None)
    await socket.accept(subprotocol=chosen)
    return Codec(chosen)


@router.websocket("/stream")
async def stream(socket: WebSocket) -> None:
    """Take items, answer with verdicts."""
    with contextlib.suppress(WebSocketDisconnect):  # the client went before it was greeted
        await _stream(socket)


async def _stream(socket: WebSocket) -> None:
    context = context_of(socket)
    codec = await accept(socket)
    session = IngestSession(
        spec=context.manifest.input,
        codec=codec,
        window=context.settings.ws_window,
        max_items=context.settings.max_items,
        max_bytes=context.settings.ws_max_bytes,
        durability=context.settings.durability.value,
        problem_of=problem_of,
    )
    ending = Ending()
    with ExitStack() as held:
        place = held.enter_context(context.sockets.share())
        try:
            caller = await admit(socket, context, Scope.INGEST, stream_name(socket, context))
            held.enter_context(caller.connection(ending))
            place.take(1)
            stream = await stream_to_feed(socket, context, caller)
        except FirstseenError as error:
            await refuse(socket, codec, session.failed(error, code=failure_of(error).close_code))
            return
        with stream.in_use(), stream.metrics.connections.track_inprogress():
            await _serve(socket, session, codec, context, stream, caller, ending)


async def _serve(
    socket: WebSocket,
    session: IngestSession,
    codec: Codec,
    context: Context,
    stream: Stream,
    caller: Caller,
    ending: Ending,
) -> None:
    pipeline = stream.pipeline
    if pipeline.epoch == 0:
        error = NotReady(f"The service is not ready: {pipeline.reason}.")
        await refuse(socket, codec, session.failed(error, code=failure_of(error).close_code))
        return
    welcome = session.welcome(
        stream=stream.name,
        bundle_id=context.manifest.bundle_id,
        epoch=pipeline.epoch,
        last_durable_seq=pipeline.last_durable_seq,
    )
    await send_frame(socket, codec, codec.encode(welcome))
    connection = _Connection(
        socket, session, codec, stream.queue, send_timeout_s=context.settings.send_timeout_s
    )
    ending.tell(connection.key_ended)
    await connection.run(caller)


async def refuse(socket: WebSocket, codec: Codec, effects: list[Effect]) -> None:
    """Say why, and close."""
    for effect in effects:
        if isinstance(effect, Send):
            await send_frame(socket, codec, codec.encode(effect.message))
        elif isinstance(effect, Close):
            await socket.close(effect.code, short(effect.reason))
