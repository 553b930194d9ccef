"""One WebSocket connection: uvicorn's, with a bound on everything that it keeps, and a reason for every close.

uvicorn's protocol leaves five things without one, each of which a rude client can make large:

    read     a piece of a TCP stream may hold tens of thousands of tiny frames, and all are queued before reading stops
             ──► pieces of 16 KiB are parsed one by one, and none before the frames of the last were taken
    pieces   fragments of a message are kept one by one, and an empty one adds nothing to its size
             ──► they are joined when there are many
    written  pings are answered whether the client reads or not ──► while it does not, nothing of it is read
    closing  a close frame waits until the client reads, for ever ──► it joins what is buffered, and after
             `close_timeout` the connection is aborted
    waiting  a client whose frames wait for the engine is not read, so its pong is not seen, and it was taken for dead
             ──► while we do not read, a missing pong says nothing, and who wants to know whether it is there asks the
             socket

Beside that, closes that uvicorn makes itself say why: 1012 when the process stops, 1013 when no pong comes, 1007 for
text that is no UTF-8.
"""

import asyncio
import select
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

from service.api.patience import GONE

_PIECE_BYTES = 16 * 1024

_MOST_FRAGMENTS = 1024

_STOPPING = "the service is stopping; connect again"
_NO_PONG = "no answer to a ping; connect again"
_NOT_UTF8 = "a text frame is not UTF-8"


_HUNG_UP = getattr(select, "POLLRDHUP", 0)
"""Linux tells of an end that lies behind bytes which nobody has read; elsewhere only that all is over."""


def has_hung_up(fileno: int) -> bool:
    """Whether the other side of a socket has closed it, or at least its way to us."""
    if fileno < 0:
        return True
    looking = select.poll()
    looking.register(fileno, _HUNG_UP)  # errors and hang-ups are told in any case
    return bool(looking.poll(0))


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """A WebSocket connection that holds no more than a piece of what comes, and a buffer of what goes."""

    _unread = b""
    """What came and is not parsed yet: at most one read of the transport."""

    _is_full = False
    """Whether the client does not read what is written."""

    def handle_connect(self, event: Any) -> None:  # noqa: ANN401 - uvicorn's own types
        """Begin; the application can ask whether the client is still there, without waiting for a frame."""
        super().handle_connect(event)
        if self.response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[GONE] = self._is_gone

    def _is_gone(self) -> bool:
        """Whether the client has closed the connection; also while we do not read, and so do not meet its end."""
        if self.transport.is_closing():
            return True
        raw = self.transport.get_extra_info("socket")
        return raw is not None and has_hung_up(raw.fileno())

    # Coming in

    def data_received(self, data: bytes) -> None:
        """Parse what came, as far as frames are taken."""
        self._unread = self._unread + data if self._unread else data
        self._parse()

    def _parse(self) -> None:
        while self._unread and not self.read_paused and not self._is_full and not self.transport.is_closing():
            piece, self._unread = self._unread[:_PIECE_BYTES], self._unread[_PIECE_BYTES:]
            super().data_received(piece)

    def handle_cont(self, event: Any) -> None:  # noqa: ANN401 - uvicorn's own types
        """Add a fragment; a message may have any number of them, empty ones too, and they are joined as they come."""
        if len(self.frames) >= _MOST_FRAGMENTS:
            self.frames = [b"".join(self.frames)]
        super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """Hand a whole message on."""
        if self.curr_msg_data_type == "text" and not self.close_sent:
            self.frames = [b"".join(self.frames)]
            try:
                self.frames[0].decode()
            except UnicodeDecodeError:
                self.conn.fail(1007, _NOT_UTF8)
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    async def receive(self) -> Any:  # noqa: ANN401 - uvicorn's own types
        """Take the next message; the next piece is parsed when there are no more."""
        message = await self.queue.get()
        if self.read_paused and self.queue.empty():
            self.read_paused = False
            self._read_on()
        return message

    def _read_on(self) -> None:
        """Parse what is here, and read more if that was all and somebody wants it."""
        self._parse()
        if not self._unread and not self.read_paused and not self._is_full:
            self.transport.resume_reading()

    # Going out

    def pause_writing(self) -> None:
        """The client does not read: stop answering its pings."""
        self._is_full = True
        self.transport.pause_reading()
        super().pause_writing()

    def resume_writing(self) -> None:
        """It does again."""
        self._is_full = False
        super().resume_writing()
        if not self.read_paused:
            self._read_on()

    async def send(self, message: Any) -> None:  # noqa: ANN401 - uvicorn's own types
        """Send; a close does not wait until the client reads."""
        if message["type"] != "websocket.close" or not self.handshake_complete:
            await super().send(message)
            return
        self.writable.set()  # nothing is written after it
        await super().send(message)
        if self._is_full:
            self.transport.pause_reading()
        if self.close_timer is not None:
            self._abort_later()

    # Closing

    def keepalive_timeout(self) -> None:
        """No pong came: close, unless it may be in what we do not read."""
        if self.read_paused or self._is_full:
            self.pong_timer = None
            self.pending_ping_payload = None
            self.schedule_ping()
            return
        self._close(1013, _NO_PONG)

    def shutdown(self) -> None:
        """The process ends."""
        if not self.handshake_complete or self.close_sent or self.conn.state is not State.OPEN:
            super().shutdown()
            return
        self._close(1012, _STOPPING)

    def _close(self, code: int, reason: str) -> None:
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self._abort_later()
        self.transport.close()

    def _abort_later(self) -> None:
        """Whatever the client does, the connection ends."""
        if self.close_timer is not None:
            self.close_timer.cancel()
        loop: asyncio.AbstractEventLoop = self.loop
        self.close_timer = loop.call_later(self.close_timeout, self.transport.abort)
