"""Parcels over `WS /stream` until each is answered, over cuts and restarts of the service (`docs/protocol.md`).

It sends within its credit and remembers what is not answered. When the connection is cut it connects again and sends
that part again under the same ids: an id keeps its verdict, so nothing is lost and nothing counts twice. It connects
only when there is something to send, so a source that is quiet for an hour needs no service meanwhile.

What is remembered is bounded by the credit and one chunk: the next chunk is pulled when the last one has been sent.

Arrays go raw, many in a frame. A frame that the service cannot read so (a bundle of texts, arrays of another size) it
ignores as a whole, and says so: then this stream goes on as JSON, in which each item is answered for itself.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.typing import Subprotocol

from service.client.address import Address
from service.client.answers import Problem, problem_of
from service.client.errors import Refused
from service.client.parcels import Parcel, fits, frames, written
from service.client.patience import Patience

JSON = Subprotocol("firstseen.v1.json")

CUTS = (ConnectionClosed, OSError, InvalidHandshake, InvalidMessage, TimeoutError)
"""What may end a connection, or keep one from being made, and not the next."""

FINAL_CODES = frozenset({1002, 1003, 1007, 1008, 1009, 4401, 4403})
"""Close codes after which the same would only be refused again."""

_FINAL_STATUSES = frozenset({400, 401, 403, 404, 405, 421, 426})

_NOT_READ = "/problems/invalid-body"

Message = dict[str, Any]


class Conversation:
    """One stream of parcels."""

    def __init__(
        self,
        address: Address,
        *,
        on_answer: Callable[[int, Message], None],
        on_too_large: Callable[[Parcel, int], None],
        patience: Patience,
    ) -> None:
        """Nothing is sent before `run`.

        Args:
            address: Of the service.
            on_answer: Called once a parcel with its number and the verdict or nack, in the order of answers.
            on_too_large: Called with a parcel that no frame can hold, and the bytes a frame may have. It is not sent.
            patience: When to give up.
        """
        self._url = address.socket("/stream")
        self._headers = address.headers
        self._on_answer = on_answer
        self.on_too_large = on_too_large
        self._patience = patience
        self._waiting: dict[int, Parcel] = {}  # not answered, in order of sending
        self._pulling: asyncio.Task[Sequence[Parcel] | None] | None = None
        self._is_over = False
        self._is_plain = False

    async def run(self, chunks: AsyncIterable[Sequence[Parcel]]) -> None:
        """Send all chunks; returns when every parcel is answered.

        Raises:
            GaveUp: The service was away for too long.
            Refused: It will never take what is sent: no such stream, no right to it.
        """
        source = aiter(chunks)
        try:
            while self._waiting or not self._is_over:
                if not self._waiting:
                    await self.pull(source)
                    self.taken()
                    continue
                try:
                    async with connecting(self._url, self._headers) as socket:
                        await self._converse(socket, source)
                except CUTS as cut:
                    check_not_final(self._url, cut)
                    if self._waiting:
                        await asyncio.sleep(self._patience.failed(cut))
        finally:
            if self._pulling is not None:
                self._pulling.cancel()
                await asyncio.gather(self._pulling, return_exceptions=True)

    async def _converse(self, socket: ClientConnection, source: AsyncIterator[Sequence[Parcel]]) -> None:
        """One connection, from `welcome` to `end`."""
        try:
            welcome = await _greeting(socket)
            await _Connection(self, socket, welcome).run(source)
        except (ConnectionClosed, ConnectionError) as cut:
            if socket.close_code in FINAL_CODES:
                raise refused(self._url, socket, cut) from cut
            raise

    def pull(self, source: AsyncIterator[Sequence[Parcel]]) -> "asyncio.Task[Sequence[Parcel] | None]":
        """The task that waits for the next chunk; it outlives connections, since a source cannot be asked twice."""
        if self._pulling is None:
            self._pulling = asyncio.create_task(_next(source))
        return self._pulling

    def taken(self) -> list[Parcel]:
        """The chunk that has been pulled, now waiting; nothing when there are no more."""
        assert self._pulling is not None
        chunk, self._pulling = self._pulling.result(), None
        if chunk is None:
            self._is_over = True
            return []
        if not self._waiting:
            self._patience.renew()  # while nothing was asked nothing could be answered
        self._waiting |= {parcel.number: parcel for parcel in chunk}
        return [parcel.plain() for parcel in chunk] if self._is_plain else list(chunk)

    @property
    def is_over(self) -> bool:
        """Whether the source has no more."""
        return self._is_over

    @property
    def waiting(self) -> list[Parcel]:
        """What is not answered, in order of sending."""
        waiting = self._waiting.values()
        return [parcel.plain() for parcel in waiting] if self._is_plain else list(waiting)

    def go_plain(self) -> None:
        """Send nothing raw from here on."""
        self._is_plain = True

    def drop(self, parcel: Parcel, most_bytes: int) -> None:
        """It can never be sent."""
        del self._waiting[parcel.number]
        self.on_too_large(parcel, most_bytes)

    def answered(self, parcel: Parcel, message: Message) -> None:
        """A verdict or nack has come; a second one for the same parcel says nothing new."""
        self._patience.renew()
        if self._waiting.pop(parcel.number, None) is not None:
            self._on_answer(parcel.number, message)


def connecting(url: str, headers: dict[str, str]) -> connect:
    """A connection to be entered."""
    return connect(
        url, subprotocols=[JSON], additional_headers=headers, compression=None, max_size=None, proxy=None
    )


def check_not_final(url: str, cut: BaseException) -> None:
    """Raise what a handshake was refused with, if it would be refused again.

    Raises:
        Refused: It would.
    """
    if isinstance(cut, InvalidStatus) and cut.response.status_code in _FINAL_STATUSES:
        status = cut.response.status_code
        problem = problem_of(_parsed(cut.response.body or b""), status=status, otherwise=str(cut))
        raise Refused(f"{url} refuses the connection ({status}): {problem.detail}", problem) from cut


def refused(
    url: str, socket: ClientConnection, cut: BaseException, problem: Problem | None = None
) -> Refused:
    """The error of a socket that was closed for good, after the service said this, if anything."""
    problem = problem or getattr(cut, "problem", None)
    why = (problem.detail if problem else None) or socket.close_reason or cut
    return Refused(f"{url} refuses: {why}", problem)


async def _next(source: AsyncIterator[Sequence[Parcel]]) -> Sequence[Parcel] | None:
    """The next chunk; None when there are no more, since a task cannot raise StopAsyncIteration."""
    return await anext(source, None)


def _parsed(body: bytes | bytearray) -> object:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None


class _Said(ConnectionError):
    """The service said `error`, with a problem."""

    def __init__(self, problem: Message) -> None:
        super().__init__(problem["detail"])
        self.problem = problem_of(problem, status=0, otherwise=str(problem["detail"]))


async def _greeting(socket: ClientConnection) -> Message:
    """The `welcome`; what the service says instead of one is an error, once its close has come with a code."""
    message: Message = msgspec.json.decode(await socket.recv())
    if message["type"] != "welcome":
        await socket.wait_closed()
        raise _Said(message["problem"])
    return message


class _Connection:
    """One connection: positions and credit start anew with each."""

    def __init__(self, conversation: Conversation, socket: ClientConnection, welcome: Message) -> None:
        self._conversation = conversation
        self._socket = socket
        sure = welcome.get("least_credits", welcome["credits"])  # a frame of so many can be sent in the end
        self._most_items = min(sure, welcome["max_items"])
        self._most_bytes = welcome["max_bytes"]
        self._limit = welcome["credits"]  # positions below this may be sent
        self._sent = 0
        self._parcels: dict[int, Parcel] = {}  # by position, not answered
        self._more_credit = asyncio.Event()

    async def run(self, source: AsyncIterator[Sequence[Parcel]]) -> None:
        """Send what is unanswered, then the rest of the source, then `end`; until the server closes."""
        receiver = asyncio.create_task(self._receive())
        try:
            parcels = self._conversation.waiting
            while not self._conversation.is_over or parcels:
                for parcel in parcels:
                    if not fits(parcel, self._most_bytes):
                        self._conversation.drop(parcel, self._most_bytes)
                sendable = (p for p in parcels if fits(p, self._most_bytes))
                for frame in frames(sendable, most_items=self._most_items, most_bytes=self._most_bytes):
                    await self._send(frame, receiver)
                if self._conversation.is_over:
                    break
                await self._unless_closed(self._conversation.pull(source), receiver)
                parcels = self._conversation.taken()
            await self._socket.send('{"type":"end"}')
            await receiver
        finally:
            receiver.cancel()
            await asyncio.gather(receiver, return_exceptions=True)

    async def _send(self, frame: list[Parcel], receiver: "asyncio.Task[None]") -> None:
        while self._sent + len(frame) > self._limit:
            self._more_credit.clear()
            waker = asyncio.create_task(self._more_credit.wait())
            try:
                await self._unless_closed(waker, receiver)
            finally:
                waker.cancel()
        self._parcels |= {self._sent + n: parcel for n, parcel in enumerate(frame)}
        self._sent += len(frame)
        await self._socket.send(written(frame), text=True)

    async def _unless_closed(self, awaited: "asyncio.Task[Any]", receiver: "asyncio.Task[None]") -> None:
        """Wait for it, or raise what cut the connection meanwhile."""
        await asyncio.wait({awaited, receiver}, return_when=asyncio.FIRST_COMPLETED)
        if receiver.done():
            await receiver  # raises what cut it
            raise ConnectionError("the server closed the stream")

    async def _receive(self) -> None:
        async for frame in self._socket:
            message: Message = msgspec.json.decode(frame)
            match message["type"]:
                case "verdicts":
                    for result in message["results"]:
                        self._conversation.answered(self._parcels.pop(result["position"]), result)
                case "nack":
                    parcel = self._parcels.pop(message["position"])
                    self._conversation.answered(parcel, {**message, "id": parcel.id})
                case "ack":
                    self._limit = message["accepted"] + message["credits"]
                    self._more_credit.set()
                case "error":
                    said = _Said(message["problem"])
                    if said.problem.kind == _NOT_READ:
                        self._conversation.go_plain()  # and connect again
                    raise said
