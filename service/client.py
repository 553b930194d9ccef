"""A client of `WS /stream` that loses nothing.

It sends within its credit, in frames no larger than the service takes, and remembers what is not answered. When
the connection is cut, or the service is killed, it connects again and sends that part again under the same ids:
an id keeps its verdict, so nothing is lost and nothing counts twice. What the service refuses for good is an
error at once. Needs neither torch nor the rest of the service.
"""

import asyncio
import json
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Sequence
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage
from websockets.typing import Subprotocol

from service.protocol import JSON

RawItem = dict[str, Any]
"""An item as it is sent: `id` and `x`."""

_PAUSES_S = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Before the next try to connect; the last one for good."""

_FINAL_CODES = frozenset({1002, 1003, 1007, 1008, 1009, 4401, 4403})
"""Close codes after which the same would only be refused again."""

_FRAME = '{{"type": "items", "items": [{}]}}'
_FRAME_BYTES = len(_FRAME.format(""))


class GaveUp(Exception):
    """The service could not be reached, or did not take items, for as long as the caller was ready to wait."""


class Refused(Exception):
    """The service will not take what is sent, however often. The message says why."""


class StreamClient:
    """Sends one stream of items; survives cuts and restarts of the service."""

    def __init__(self, url: str, *, on_result: Callable[[RawItem], None], patience_s: float = 30.0) -> None:
        """Nothing is sent before `run`.

        Args:
            url: `ws://host:port/stream`.
            on_result: Called once an item, in the order of answers, with the verdict, or with the nack of an
                item that cannot be classified as it was sent. Both have the item's `id`.
            patience_s: How long nothing may be answered, from the first cut on, before GaveUp is raised.
        """
        self._url = url
        self._on_result = on_result
        self._patience_s = patience_s
        self._waiting: dict[str, str] = {}  # id -> the item as JSON; not answered, in order of sending
        self._is_over = False
        self._away_since: float | None = None

    async def run(self, chunks: AsyncIterable[Sequence[RawItem]]) -> None:
        """Send all chunks; returns when every item is answered.

        Args:
            chunks: Lists of items with unique string ids; those larger than the service takes at once are cut.

        Raises:
            GaveUp: The service was away for too long.
            Refused: It will never take what is sent: no such stream, an item larger than a frame may be.
            TypeError: An item has no string as id.
            ValueError: An item cannot be written as JSON, such as one with NaN.
        """
        source = aiter(chunks)
        loop = asyncio.get_running_loop()
        tries = 0
        while self._waiting or not self._is_over:
            try:
                async with connect(
                    self._url, subprotocols=[Subprotocol(JSON)], compression=None, max_size=None
                ) as socket:
                    await self._converse(socket, source)
            except (ConnectionClosed, OSError, InvalidHandshake, InvalidMessage, TimeoutError) as cut:
                if self._away_since is None:
                    self._away_since, tries = loop.time(), 0
                if loop.time() - self._away_since > self._patience_s:
                    raise GaveUp(f"{self._url} did not answer for {self._patience_s:g} s: {cut}") from cut
                await asyncio.sleep(_PAUSES_S[min(tries, len(_PAUSES_S) - 1)])
                tries += 1

    async def _converse(self, socket: ClientConnection, source: AsyncIterator[Sequence[RawItem]]) -> None:
        """One connection, from `welcome` to `end`."""
        try:
            welcome = await _greeting(socket)
            if not self._waiting:
                self._away_since = None
            await _Connection(self, socket, welcome).run(source)
        except (ConnectionClosed, ConnectionError) as cut:
            if socket.close_code in _FINAL_CODES:
                raise Refused(f"{self._url} refuses what is sent: {socket.close_reason or cut}") from cut
            raise

    def keep(self, items: Sequence[RawItem]) -> list[str]:
        """Remember items until they are answered.

        Returns:
            Their ids.

        Raises:
            TypeError: An item has no string as id.
            ValueError: An item cannot be written as JSON, such as one with NaN.
        """
        encoded: dict[str, str] = {}
        for item in items:
            id = item.get("id")
            if not isinstance(id, str):
                raise TypeError(
                    f"Every item needs a string as id, which makes a resend safe; one has {id!r}."
                )
            try:
                encoded[id] = json.dumps(item, allow_nan=False)
            except (TypeError, ValueError) as error:
                raise ValueError(f"Item {id!r} cannot be written as JSON: {error}.") from error
        self._waiting |= encoded
        return list(encoded)

    @property
    def waiting(self) -> list[str]:
        """Ids of what is not answered, in order of sending."""
        return list(self._waiting)

    def encoded(self, id: str) -> str:
        """An item that waits, as JSON."""
        return self._waiting[id]

    async def next_chunk(self, source: AsyncIterator[Sequence[RawItem]]) -> list[str] | None:
        """Ids of the next chunk, now waiting; None when there are no more."""
        if self._is_over:
            return None
        try:
            chunk = await anext(source)
        except StopAsyncIteration:
            self._is_over = True
            return None
        return self.keep(chunk)

    def answered(self, id: str, message: RawItem) -> None:
        """A verdict or nack has come; a second one for the same id says nothing new."""
        self._away_since = None
        if self._waiting.pop(id, None) is not None:
            self._on_result(message)


async def _greeting(socket: ClientConnection) -> dict[str, Any]:
    """The `welcome`; what the service says instead of one is an error, once its close has come with a code."""
    message: dict[str, Any] = json.loads(await socket.recv())
    if message["type"] != "welcome":
        await socket.wait_closed()
        raise ConnectionError(message["problem"]["detail"])
    return message


class _Connection:
    """One connection of the client: positions and credit start anew with each."""

    def __init__(self, client: StreamClient, socket: ClientConnection, welcome: dict[str, Any]) -> None:
        self._client = client
        self._socket = socket
        self._most_items = min(welcome["credits"], welcome["max_items"])
        self._most_bytes = welcome["max_bytes"]
        self._limit = welcome["credits"]  # positions below this may be sent
        self._sent = 0
        self._ids: dict[int, str] = {}  # by position, not answered
        self._more_credit = asyncio.Event()

    async def run(self, source: AsyncIterator[Sequence[RawItem]]) -> None:
        """Send what is unanswered, then the rest of the source, then `end`; until the server closes."""
        receiver = asyncio.create_task(self._receive())
        try:
            ids: list[str] | None = self._client.waiting
            while ids is not None:
                for frame in self._frames(ids):
                    await self._send(frame, receiver)
                ids = await self._client.next_chunk(source)
            await self._socket.send(json.dumps({"type": "end"}))
            await receiver
        finally:
            receiver.cancel()
            await asyncio.gather(receiver, return_exceptions=True)

    def _frames(self, ids: list[str]) -> Iterator[list[str]]:
        """The ids in frames that the service takes: no more items, no more bytes than it said."""
        frame: list[str] = []
        size = _FRAME_BYTES
        for id in ids:
            own = len(self._client.encoded(id).encode()) + 2
            if own + _FRAME_BYTES > self._most_bytes:
                raise Refused(f"Item {id!r} has {own} bytes; a frame may have {self._most_bytes} in all.")
            if frame and (len(frame) == self._most_items or size + own > self._most_bytes):
                yield frame
                frame, size = [], _FRAME_BYTES
            frame.append(id)
            size += own
        if frame:
            yield frame

    async def _send(self, ids: list[str], receiver: "asyncio.Task[None]") -> None:
        while self._sent + len(ids) > self._limit:
            self._more_credit.clear()
            waker = asyncio.create_task(self._more_credit.wait())
            await asyncio.wait({waker, receiver}, return_when=asyncio.FIRST_COMPLETED)
            waker.cancel()
            if receiver.done():
                await receiver  # raises what cut it
                raise ConnectionError("the server closed the stream")
        frame = _FRAME.format(", ".join(map(self._client.encoded, ids)))
        self._ids |= {self._sent + n: id for n, id in enumerate(ids)}
        self._sent += len(ids)
        await self._socket.send(frame)

    async def _receive(self) -> None:
        async for frame in self._socket:
            message = json.loads(frame)
            match message["type"]:
                case "verdicts":
                    for result in message["results"]:
                        self._client.answered(self._ids.pop(result["position"]), result)
                case "nack":
                    id = self._ids.pop(message["position"])
                    self._client.answered(id, {**message, "id": id})
                case "ack":
                    self._limit = message["accepted"] + message["credits"]
                    self._more_credit.set()
                case "error":
                    raise ConnectionError(message["problem"]["detail"])
