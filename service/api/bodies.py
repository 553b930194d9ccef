"""The bytes of a POST: received within four limits, decompressed on the way.

    chunks ─► decompressed in pieces ─► counted ─► body
                                          │
                                          one body, all bodies, one deadline, a stop

What counts is what a body is once decompressed; no piece of it is made before the one before was counted.
"""

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request

from service.api.budget import Share
from service.api.compression import Decompressor, decompressor_of
from service.api.formats.head import Head
from service.errors import BodyTooLarge, BodyTooSlow, InvalidHeader, NotReady

_PIECES_A_TURN = 4


async def receive_body(
    request: Request, head: Head, share: Share, *, limit: int, timeout_s: float
) -> bytearray:
    """The body, decompressed, read no further than it may be.

    Args:
        request: Its body has not been read.
        head: Its headers.
        share: Of the budget of all bodies; takes each piece as it comes.
        limit: Most bytes of this body, decompressed.
        timeout_s: How long the client may take to send it.

    Raises:
        UnsupportedEncoding: It is compressed in a way that is not read here.
        InvalidBody: It is not compressed as it says.
        BodyTooLarge: Over `limit`.
        Overloaded: All bodies together are over their budget.
        BodyTooSlow: It did not come in time.
        NotReady: The service stops and waits no longer for it.
    """
    decompressor = decompressor_of(head.text(b"content-encoding"))
    too_large = BodyTooLarge(
        f"The body is over {limit} bytes{'' if decompressor is None else ' when it is decompressed'}; send fewer items "
        "at once, or use the WebSocket /stream."
    )
    if decompressor is None and declared_bytes(head) > limit:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            async for piece in decompressed(request.stream(), decompressor):
                if len(body) + len(piece) > limit:
                    raise too_large
                share.take(len(piece))
                body += piece
    except TimeoutError:
        raise BodyTooSlow(
            f"The body did not come within {timeout_s:g} s; send fewer items at once, or over a faster line."
        ) from None
    except asyncio.CancelledError:  # by the server, which stops; nothing else cancels a request
        if (task := asyncio.current_task()) is not None:
            task.uncancel()
        raise NotReady(
            "The service stops and the body had not come; send the same again, none of it was counted."
        ) from None
    return body


def declared_bytes(head: Head) -> int:
    """What the client says that it sends.

    Raises:
        InvalidHeader: It says nonsense, which a server in front of this one should have refused.
    """
    declared = head.text(b"content-length", "0")
    if not (declared.isascii() and declared.isdigit() and len(declared) < 20):
        raise InvalidHeader("Content-Length must be the number of bytes of the body.")
    return int(declared)


async def decompressed(
    chunks: AsyncIterator[bytes], decompressor: Decompressor | None
) -> AsyncIterator[bytes]:
    """Chunks as they come; where they are compressed, what they hold, in pieces of at most 64 KiB.

    Raises:
        InvalidBody: They are not compressed as they say, or end too early.
    """
    if decompressor is None:
        async for chunk in chunks:
            yield chunk
        return
    async for chunk in chunks:
        for turn, piece in enumerate(decompressor.feed(chunk)):
            yield piece
            if turn % _PIECES_A_TURN == _PIECES_A_TURN - 1:
                await asyncio.sleep(0)
    decompressor.end()
