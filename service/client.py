"""A client of `WS /stream` that loses nothing.

It sends within its credit and remembers what is not answered. When the connection is cut, or the service is
killed, it connects again and sends that part again under the same ids: an id keeps its verdict, so nothing is
lost and nothing counts twice. Needs neither torch nor the rest of the service.
"""

import asyncio
import json
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage
from websockets.typing import Subprotocol

from service.protocol import JSON

RawItem = dict[str, Any]
"""An item as it is sent: `id` and `x`."""

_PAUSES_S = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Before the next try to connect; the last one for good."""


class GaveUp(Exception):
    """The service could not be reached, or did not take items, for as long as the caller was ready to wait."""


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
        self._waiting: dict[str, RawItem] = {}  # not answered, in order of sending
        self._is_over = False
        self._away_since: float | None = None

    async def run(self, chunks: AsyncIterable[Sequence[RawItem]]) -> None:
        """Send all chunks, each as one frame; returns when every item is answered.

        Args:
            chunks: Lists of items, ids unique; those longer than the service takes at once are cut.

        Raises:
            GaveUp: The service was away for too long.
        """
        source = aiter(chunks)
        loop = asyncio.get_running_loop()
        tries = 0
        while self._waiting or not self._is_over:
            try:
                async with connect(
                    self._url, subprotocols=[Subprotocol(JSON)], compression=None, max_size=None
                ) as socket:
                    welcome = json.loads(await socket.recv())
                    if welcome["type"] != "welcome":
                        raise ConnectionError(welcome["problem"]["detail"])
                    if not self._waiting:
                        self._away_since = None
                    at_once = min(welcome["credits"], welcome["max_items"])
                    await _Connection(self, socket, welcome["credits"], at_once).run(source)
            except (ConnectionClosed, OSError, InvalidHandshake, InvalidMessage, TimeoutError) as cut:
                if self._away_since is None:
                    self._away_since, tries = loop.time(), 0
                if loop.time() - self._away_since > self._patience_s:
                    raise GaveUp(f"{self._url} did not answer for {self._patience_s:g} s: {cut}") from cut
                await asyncio.sleep(_PAUSES_S[min(tries, len(_PAUSES_S) - 1)])
                tries += 1

    def _answered(self, item_id: str, message: RawItem) -> None:
        self._away_since = None
        if self._waiting.pop(item_id, None) is not None:
            self._on_result(message)


class _Connection:
    """One connection of the client: positions and credit start anew with each."""

    def __init__(self, client: StreamClient, socket: ClientConnection, credit: int, at_once: int) -> None:
        self._client = client
        self._socket = socket
        self._at_once = at_once
        self._limit = credit  # positions below this may be sent
        self._sent = 0
        self._ids: dict[int, str] = {}  # by position, not answered
        self._more_credit = asyncio.Event()

    async def run(self, source: AsyncIterator[Sequence[RawItem]]) -> None:
        """Send what is unanswered, then the rest of the source, then `end`; until the server closes."""
        client = self._client
        receiver = asyncio.create_task(self._receive())
        try:
            await self._send(list(client._waiting.values()), receiver)  # noqa: SLF001 - one class in two parts
            while not client._is_over:  # noqa: SLF001 - the same
                try:
                    chunk = await anext(source)
                except StopAsyncIteration:
                    client._is_over = True  # noqa: SLF001 - the same
                else:
                    client._waiting |= {item["id"]: item for item in chunk}  # noqa: SLF001 - the same
                    await self._send(chunk, receiver)
            await self._socket.send(json.dumps({"type": "end"}))
            await receiver
        finally:
            receiver.cancel()
            await asyncio.gather(receiver, return_exceptions=True)

    async def _send(self, items: Sequence[RawItem], receiver: "asyncio.Task[None]") -> None:
        for start in range(0, len(items), self._at_once):
            await self._send_frame(items[start : start + self._at_once], receiver)

    async def _send_frame(self, items: Sequence[RawItem], receiver: "asyncio.Task[None]") -> None:
        while self._sent + len(items) > self._limit:
            self._more_credit.clear()
            waker = asyncio.create_task(self._more_credit.wait())
            await asyncio.wait({waker, receiver}, return_when=asyncio.FIRST_COMPLETED)
            waker.cancel()
            if receiver.done():
                await receiver  # raises what cut it
                raise ConnectionError("the server closed the stream")
        self._ids |= {self._sent + n: item["id"] for n, item in enumerate(items)}
        self._sent += len(items)
        await self._socket.send(json.dumps({"type": "items", "items": items}))

    async def _receive(self) -> None:
        async for frame in self._socket:
            message = json.loads(frame)
            match message["type"]:
                case "verdicts":
                    for result in message["results"]:
                        self._client._answered(self._ids.pop(result["position"]), result)  # noqa: SLF001 - the same
                case "nack":
                    item_id = self._ids.pop(message["position"])
                    self._client._answered(item_id, {**message, "id": item_id})  # noqa: SLF001 - the same
                case "ack":
                    self._limit = message["accepted"] + message["credits"]
                    self._more_credit.set()
                case "error":
                    raise ConnectionError(message["problem"]["detail"])
