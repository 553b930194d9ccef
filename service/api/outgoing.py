"""What the two sockets share: how one is accepted, how a message leaves, how it is refused.

A client that does not read what is sent for `within_s` is a slow reader: it is closed with 1013.
"""

import asyncio

from starlette.websockets import WebSocket

from service.api.failures import failure_of, problem_of
from service.ingest.protocol import CODECS, Codec, ErrorMessage, StreamMessage, WatchMessage

MAX_REASON_BYTES = 123
"""Of a close frame, RFC 6455 section 5.5."""


class SlowReader(Exception):  # what happened, not what went wrong here
    """The client did not read in time, and was told so; nothing more can be sent."""


async def accept(socket: WebSocket) -> Codec:
    """Accept a WebSocket under the first subprotocol both sides know; JSON when the client names none."""
    offered = socket.scope["subprotocols"]
    chosen = next((name for name in offered if name in CODECS), None)
    await socket.accept(subprotocol=chosen)
    return CODECS[chosen]


async def send_message(
    socket: WebSocket, codec: Codec, message: StreamMessage | WatchMessage, *, within_s: float, advice: str
) -> None:
    """Send a message in the codec's kind of frame.

    Args:
        socket: Accepted.
        codec: Its subprotocol's.
        message: What to send.
        within_s: How long what was sent before may stay unread.
        advice: What a slow reader is told.

    Raises:
        SlowReader: It was not read.
    """
    frame = codec.encode(message)
    try:
        async with asyncio.timeout(within_s):
            if codec.is_text:
                await socket.send_text(frame.decode())
            else:
                await socket.send_bytes(frame)
    except TimeoutError:
        await socket.close(1013, advice)
        raise SlowReader from None


async def refuse(socket: WebSocket, codec: Codec, error: Exception, *, within_s: float) -> None:
    """Say why, and close."""
    problem = problem_of(error)
    said = ErrorMessage(problem)
    await send_message(socket, codec, said, within_s=within_s, advice="reading too slowly")
    await close(socket, failure_of(error).close_code, problem.detail)


async def close(socket: WebSocket, code: int, reason: str) -> None:
    """Close, with as much of the reason as a close frame holds."""
    await socket.close(code, reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore"))
