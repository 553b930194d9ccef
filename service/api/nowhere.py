"""A WebSocket to a path that is none: it is told so, with 1008, as every refusal of a socket.

The framework would refuse its handshake with 403 and no word, which reads as if a key were missing, and which a browser
shows to no script.
"""

from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from service.api.context import context_of
from service.api.outgoing import accept, refuse
from service.errors import UnknownPath


def nowhere(otherwise: ASGIApp) -> ASGIApp:
    """What answers where no route does; `otherwise` answers requests."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await otherwise(scope, receive, send)
            return
        socket = WebSocket(scope, receive, send)
        error = UnknownPath(
            f"{scope['path'][:200]!r} is no WebSocket: /stream takes items, /watch tells of clusters."
        )
        settings = context_of(socket).settings
        await refuse(socket, await accept(socket), error, within_s=settings.send_timeout_s)

    return answer
