"""One HTTP connection: uvicorn's, with a bound on what it keeps of a request before the service sees it.

uvicorn's protocol keeps the request line and the headers for as long as they come: a header of 100 MB is 100 MB
of memory. The parser calls back when it has something whole, so what it holds is bounded by the bytes that were
fed since its last sign of life: a piece of a body, or the end of a message. That one count covers an endless
URL, an endless header, many headers, and trailers after the last chunk of a body. Over `MAX_HEAD_BYTES` the
answer is 431 (RFC 6585 section 5) and the connection closes. Bytes are fed in pieces of 16 KiB, so the bound is
exact to 16 KiB.

Three more things uvicorn leaves without a bound, each of which a rude client can make large, or keep for ever:

    pipelined   requests that come before others are answered are all parsed and queued, a few kB each, and with each
                answer more are read ──► none is parsed while one waits, and what came meanwhile is kept as bytes,
                one read of the transport at most
    waiting     a connection that sends nothing, or a head byte by byte, is kept ──► a head has `head_s`, 408 then
    unread      an answer that the client does not read is kept ──► who reads less than 1 KiB a second of it, seen over
                `send_s`, is cut off; who reads faster has all of it, however long that takes

A request learns through its scope whether its connection is still there (`service.api.patience`): the transport knows
as soon as the client closes or resets it.

The same class gives uvicorn's own refusals, which are plain text, the form of all our problems: of one connection too
many (`limit_concurrency`), and of what is no HTTP.
"""

import asyncio
import fcntl
import sys
import termios
from http import HTTPStatus
from typing import Any

import structlog
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.api.failures import response_of
from service.api.headers import DATA, Guard
from service.api.patience import GONE
from service.errors import BodyTooSlow, ClientError, HeadTooLarge, InvalidBody, Overloaded

log = structlog.get_logger("firstseen.http")

MAX_HEAD_BYTES = 64 * 1024

_PIECE_BYTES = 16 * 1024

_HEAD_PIECE_BYTES = 2 * 1024
"""... outside of a body, where so many bytes may be a hundred requests."""

LEAST_BYTES_PER_S = 1024
"""How fast a client reads, at least. What its own system buffers is not seen: a pause of a few seconds is none, and out
of a buffer of megabytes, as on one machine, it is seen to read in steps of a tenth of a megabyte."""


class BoundedHttp(HttpToolsProtocol):
    """An HTTP/1.1 connection that holds no more than 64 KiB of a head, and nothing for ever.

    Args:
        head_s: How long a head may take to come, from the first chance to send it.
        send_s: Over how long it is seen whether a client reads what waits for it.
        uvicorns: What uvicorn makes a connection of.
    """

    _unanswered = 0
    """Bytes fed since the parser last gave a piece of a body or ended a message."""

    _unparsed = b""
    """What came while requests waited for their turn."""

    _is_in_body = False
    _head_timer: asyncio.TimerHandle | None = None
    _send_timer: asyncio.TimerHandle | None = None

    def __init__(self, *, head_s: float, send_s: float, **uvicorns: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(**uvicorns)
        self._head_s = head_s
        self._send_s = send_s

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Expect a head."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is expected any more."""
        self._expect_no_head()
        self._stop_send_timer()
        self._unparsed = b""
        super().connection_lost(exc)

    # Coming in

    def data_received(self, data: bytes) -> None:
        """Feed the parser piece by piece, as far as requests have their turn; refuse a head that does not end."""
        self._unparsed = self._unparsed + data if self._unparsed else data
        self._parse()

    def _parse(self) -> None:
        data, at, self._unparsed = self._unparsed, 0, b""
        while at < len(data) and not self.pipeline:
            piece = data[at : at + (_PIECE_BYTES if self._is_in_body else _HEAD_PIECE_BYTES)]
            at += len(piece)
            self._unanswered += len(piece)
            super().data_received(piece)
            if self.transport.is_closing():
                return
            if self.transport.get_protocol() is not self:  # it became a WebSocket
                self._expect_no_head()
                return
            if self._unanswered > MAX_HEAD_BYTES:
                self._refuse(
                    HeadTooLarge(
                        f"The request line and headers are over {MAX_HEAD_BYTES} bytes; send fewer of them."
                    )
                )
                return
        cycle: RequestResponseCycle | None = self.cycle
        if at < len(data):
            self._unparsed = data[at:]
            self.flow.pause_reading()
        elif self._head_timer is None and (cycle is None or cycle.response_complete):
            self._expect_head()

    def on_headers_complete(self) -> None:
        """A request has come, or waits for its body."""
        self._expect_no_head()
        self._is_in_body = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Progress: what was fed is not held as a head."""
        self._unanswered = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Progress: the next head starts."""
        self._unanswered = 0
        self._is_in_body = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The next request has its turn; when none waits, what came is parsed."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._watch_reader()
            return
        if self.pipeline:
            self.flow.pause_reading()
        elif self._unparsed:
            self._parse()

    # What does not come, and what is not read

    def _expect_head(self) -> None:
        self._head_timer = self.loop.call_later(self._head_s, self._no_head)

    def _expect_no_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _no_head(self) -> None:
        self._head_timer = None
        if self._unanswered:
            self._refuse(BodyTooSlow(f"The request's head did not come within {self._head_s:g} s."))
        else:
            self._close()

    def _refuse(self, error: ClientError) -> None:
        """Answer what cannot be read on, and close; a request that came whole before it is answered first, and last."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not self._is_in_body and not cycle.response_complete:
            cycle.keep_alive = False
            return
        if cycle is None or not self._is_in_body or not cycle.response_started:
            answer = response_of(error)
            status = HTTPStatus(answer.status_code)
            lines = [b"HTTP/1.1 %d %s" % (status, status.phrase.encode())]
            headers = [*answer.raw_headers, *DATA, (b"connection", b"close")]
            lines += [name + b": " + value for name, value in dict(headers).items()]
            self.transport.write(b"\r\n".join([*lines, b"", bytes(answer.body)]))
        self._close()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature
        """Refuse what is no HTTP."""
        self._refuse(
            InvalidBody("This is no HTTP/1.1 request: mend the request line, the headers or the chunks.")
        )

    def timeout_keep_alive_handler(self) -> None:
        """Nothing came after an answer."""
        self._close()

    def _close(self) -> None:
        """Close, as soon as the client has read what is left."""
        self.transport.close()
        self._watch_reader()

    def pause_writing(self) -> None:
        """The client does not read as fast as we write."""
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        """It has read."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._stop_send_timer()

    def _watch_reader(self) -> None:
        if self._send_timer is None and self.transport.get_write_buffer_size():
            self._send_timer = self.loop.call_later(self._send_s, self._look, self._unread())

    def _look(self, unread: int) -> None:
        self._send_timer = None
        left = self._unread()
        if self.transport.get_write_buffer_size() and unread - left < LEAST_BYTES_PER_S * self._send_s:
            log.warning("slow_reader", unread_bytes=left)
            self.transport.abort()
        else:
            self._watch_reader()

    def _unread(self) -> int:
        """Bytes that the client has not taken; most are in our system's buffer, which takes more in large steps."""
        return self.transport.get_write_buffer_size() + _in_system(self.transport.get_extra_info("socket"))

    def _stop_send_timer(self) -> None:
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._send_timer = None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401 - uvicorn's own types
        cycle.scope["extensions"] = {GONE: self.transport.is_closing}  # type: ignore[dict-item]  # ours is a function
        chosen: Any = Guard(_too_many) if app is service_unavailable else app
        super()._start_asgi_task(cycle, chosen)


def _in_system(connected: Any) -> int:  # noqa: ANN401 - a socket, or what a transport has of one
    """Bytes that our system keeps until the client's has them; 0 where it does not tell."""
    if connected is None:
        return 0
    try:
        found = fcntl.ioctl(connected.fileno(), termios.TIOCOUTQ, bytes(4))
    except (OSError, ValueError):
        return 0
    return int.from_bytes(found, sys.byteorder)


async def _too_many(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer when there are more connections than `FIRSTSEEN_CONNECTIONS`."""
    await response_of(Overloaded("Too many connections are open; close some, or come back in a moment."))(
        scope, receive, send
    )
