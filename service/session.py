"""One ingest connection as a state machine that does no IO.

Frames go in, effects come out: messages to send, items to queue, a close. The shell (`service.api.ingest_ws`)
carries them out and reports back what the pipeline answered. Two states:

    OPEN     ── items ──► OPEN      each item is queued, or refused with a nack of its own
             ── end ────► ENDING    what is queued is still answered
             ── a frame that is no message ──► OPEN   it is ignored, and an error says so
             ── more items than credits ──► CLOSED (1008)
    ENDING   ── all answered ──► CLOSED (1000)
    any      ── the service stops or loses the stream ──► CLOSED (1012)

Positions count the items of a connection from 0. Verdicts leave in order; `ack.durable` is cumulative. Credit
is a window: a client may have `window` items unanswered. A client that reads slowly gets no new credit until it
has read, so what is kept for it is bounded by the window. After a cut a client resends what was not durable,
under the same ids, and gets the same verdicts.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import msgspec

from model.inputs import InputSpec
from service.batching import Answer
from service.errors import InvalidBody
from service.intake import Refused, read_items
from service.protocol import (
    Ack,
    Codec,
    End,
    ErrorMessage,
    Items,
    Nack,
    Problem,
    Result,
    StreamMessage,
    Verdicts,
    Welcome,
)
from service.records import Item, Verdict


class SessionState(Enum):
    """Where the connection stands."""

    OPEN = "open"
    ENDING = "ending"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Send:
    """Send this message."""

    message: StreamMessage


@dataclass(frozen=True, slots=True)
class Enqueue:
    """Queue these items, in order; report each answer to `answered`."""

    items: list[Item]


@dataclass(frozen=True, slots=True)
class Close:
    """Close the socket."""

    code: int
    reason: str


Effect = Send | Enqueue | Close


class IngestSession:
    """One connection. `problem_of` turns an error into its RFC 9457 form."""

    def __init__(
        self,
        *,
        spec: InputSpec,
        codec: Codec,
        window: int,
        max_items: int,
        max_bytes: int,
        durability: str,
        problem_of: Callable[[Exception], Problem],
    ) -> None:
        self._spec = spec
        self._codec = codec
        self._window = window
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._durability = durability
        self._problem_of = problem_of
        self._accepted = 0
        self._durable = 0
        self._waiting: deque[int] = deque()  # positions queued and not answered, in order
        self.state = SessionState.OPEN

    def welcome(self, *, stream: str, bundle_id: str, epoch: int, last_durable_seq: int) -> Welcome:
        """The first message."""
        return Welcome(
            stream=stream,
            bundle_id=bundle_id,
            durability=self._durability,
            epoch=epoch,
            last_durable_seq=last_durable_seq,
            credits=self._window,
            max_items=self._max_items,
            max_bytes=self._max_bytes,
        )

    def received(self, frame: bytes, *, is_text: bool) -> list[Effect]:
        """The client sent a frame."""
        if self.state is not SessionState.OPEN:
            return []
        if is_text != self._codec.is_text:
            wanted, got = ("text", "binary") if self._codec.is_text else ("binary", "text")
            return [
                Send(
                    self._error(
                        InvalidBody(f"The frame was ignored: {got}; this subprotocol has {wanted} frames.")
                    )
                )
            ]
        try:
            message = self._codec.decode(frame)
        except msgspec.DecodeError as error:
            what = 'an object like {"type": "items", "items": [{"id": "a", "x": [...]}]}'
            return [Send(self._error(InvalidBody(f"The frame was ignored: {error}. Send {what}.")))]
        if isinstance(message, End):
            self.state = SessionState.ENDING
            return self._close_if_done()
        return self._items(message)

    def _items(self, message: Items) -> list[Effect]:
        n = len(message.items)
        if n > self._max_items:
            return [
                Send(
                    self._error(
                        InvalidBody(f"The frame was ignored: {n} items; send at most {self._max_items}.")
                    )
                )
            ]
        outstanding = self._accepted - self._durable
        if outstanding + n > self._window:
            self.state = SessionState.CLOSED
            return [
                Close(
                    1008,
                    f"{n} items with credit for {self._window - outstanding}: wait for an ack to grant more",
                )
            ]
        effects: list[Effect] = []
        good: list[Item] = []
        for position, item in enumerate(read_items(message.items, self._spec), start=self._accepted):
            if isinstance(item, Refused):
                problem = self._problem_of(item.error)
                effects.append(Send(Nack(position=position, id=item.id, problem=problem)))
            else:
                self._waiting.append(position)
                good.append(item)
        self._accepted += n
        if good:
            effects.append(Enqueue(good))
        if self._advance():
            effects.append(Send(self._ack()))
        return effects

    def answered(self, answers: list[Answer]) -> list[Effect]:
        """The next queued items have verdicts, or are in quarantine, and that is durable."""
        if self.state is SessionState.CLOSED:
            return []
        results: list[Result] = []
        nacks: list[Effect] = []
        for answer in answers:
            position = self._waiting.popleft()
            if isinstance(answer, Refused):
                problem = self._problem_of(answer.error)
                nacks.append(Send(Nack(position=position, id=answer.id, problem=problem)))
            else:
                assert isinstance(answer, Verdict)  # more is not asked for over a socket
                results.append(Result.of(position, answer))
        self._advance()
        verdicts: list[Effect] = [Send(Verdicts(results))] if results else []
        return [*verdicts, *nacks, Send(self._ack()), *self._close_if_done()]

    def failed(self, error: Exception, *, code: int) -> list[Effect]:
        """The pipeline cannot answer: say why and close; the client resends what is not durable."""
        if self.state is SessionState.CLOSED:
            return []
        self.state = SessionState.CLOSED
        return [Send(self._error(error)), Close(code, str(error))]

    def _advance(self) -> bool:
        """Move the durable mark up to the first item that waits; whether it moved."""
        before = self._durable
        self._durable = self._waiting[0] if self._waiting else self._accepted
        return self._durable != before

    def _ack(self) -> Ack:
        return Ack(
            accepted=self._accepted,
            durable=self._durable,
            durability=self._durability,
            credits=self._window - (self._accepted - self._durable),
        )

    def _close_if_done(self) -> list[Effect]:
        if self.state is SessionState.ENDING and not self._waiting:
            self.state = SessionState.CLOSED
            return [Close(1000, "all answered")]
        return []

    def _error(self, error: Exception) -> ErrorMessage:
        return ErrorMessage(self._problem_of(error))
