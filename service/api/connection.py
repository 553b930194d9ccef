"""One HTTP connection: uvicorn's, with a bound on what it keeps of a request before the service sees it.

uvicorn's protocol keeps the request line and the headers for as long as they come: a header of 100 MB is 100 MB
of memory. The parser calls back when it has something whole, so what it holds is bounded by the bytes that were
fed since its last sign of life: a piece of a body, or the end of a message. That one count covers an endless
URL, an endless header, many headers, and trailers after the last chunk of a body. Over `MAX_HEAD_BYTES` the
answer is 431 (RFC 6585 section 5) and the connection closes. Bytes are fed in pieces of 16 KiB, so the bound is
exact to 16 KiB.

A request learns through its scope whether its connection is still there (`service.api.patience`): the transport knows
as soon as the client closes or resets it.

The same class gives uvicorn's refusal of one connection too many (`limit_concurrency`, plain text) the form of
all our problems.
"""

from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.api.failures import response_of
from service.api.headers import DATA, Guard
from service.api.patience import GONE
from service.errors import HeadTooLarge, Overloaded

MAX_HEAD_BYTES = 64 * 1024

_PIECE_BYTES = 16 * 1024


class BoundedHttp(HttpToolsProtocol):
    """An HTTP/1.1 connection that holds no more than 64 KiB of a head."""

    _unanswered = 0
    """Bytes fed since the parser last gave a piece of a body or ended a message."""

    def data_received(self, data: bytes) -> None:
        """Feed the parser piece by piece; refuse a head that does not end."""
        for at in range(0, len(data), _PIECE_BYTES):
            piece = data[at : at + _PIECE_BYTES]
            self._unanswered += len(piece)
            super().data_received(piece)
            if self.transport.is_closing():
                return
            if self.transport.get_protocol() is not self:  # it became a WebSocket
                return
            if self._unanswered > MAX_HEAD_BYTES:
                self._refuse()
                return

    def on_body(self, body: bytes) -> None:
        """Progress: what was fed is not held as a head."""
        self._unanswered = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Progress: the next head starts."""
        self._unanswered = 0
        super().on_message_complete()

    def _refuse(self) -> None:
        answer = response_of(
            HeadTooLarge(f"The request line and headers are over {MAX_HEAD_BYTES} bytes; send fewer of them.")
        )
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete:  # else an answer may be on its way already
            lines = [b"HTTP/1.1 431 Request Header Fields Too Large", b"connection: close"]
            lines += [name + b": " + value for name, value in (*answer.raw_headers, *DATA)]
            self.transport.write(b"\r\n".join([*lines, b"", bytes(answer.body)]))
        self.transport.close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401 - uvicorn's own types
        cycle.scope["extensions"] = {GONE: self.transport.is_closing}  # type: ignore[dict-item]  # ours is a function
        chosen: Any = Guard(_too_many) if app is service_unavailable else app
        super()._start_asgi_task(cycle, chosen)


async def _too_many(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer when there are more connections than `FIRSTSEEN_CONNECTIONS`."""
    await response_of(Overloaded("Too many connections are open; close some, or come back in a moment."))(
        scope, receive, send
    )
