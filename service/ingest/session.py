"""One ingest connection as a state machine that does no IO and knows no clock.

Frames and answers go in, effects come out: messages to send, items to queue, a close. The shell
(`service.api.ingest_ws`) carries them out and reports back what the pipeline answered.

    GREETING ──► OPEN ──► ENDING ──► CLOSED        and from each of them to CLOSED, when it has to end early

What can happen in which state is one table, `IngestSession.transitions`: (state, input) -> handler and next state, a
line an arrow. Some inputs come from outside (GREETED, FRAME, ANSWERED, FAILED); a frame that is read becomes one of
four others (ITEMS, OVER_CREDIT, UNREADABLE, END); and DRAINED is no event but a condition: the client has ended, and
nothing waits. A pair that is not in the table cannot happen. `docs/protocol.md` shows the same table.

Positions count the items of a connection from 0. Verdicts leave in order; `ack.durable` is cumulative. Credit is a
window (`service.ingest.credits`): so many items may be unanswered. A client that reads slowly gets no new credit
until it has read, so what is kept for it is bounded by the window. After a cut a client resends what was not durable,
under the same ids, and gets the same verdicts.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

import msgspec

from model.inputs import InputSpec
from service.errors import InvalidBody
from service.ingest.credits import Credits, Window
from service.ingest.frames import count_items, read_frame
from service.ingest.intake import Refused
from service.ingest.protocol import (
    Ack,
    Batch,
    ClientMessage,
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
from service.pipeline.batching import Answer
from service.records import Item, Verdict


class SessionState(Enum):
    """Where the connection stands."""

    GREETING = "greeting"
    OPEN = "open"
    ENDING = "ending"
    CLOSED = "closed"


class Input(Enum):
    """What can happen to a connection, in the words of the documentation."""

    GREETED = "the service takes the client"
    FRAME = "a frame comes"
    ITEMS = "the frame has items, within the credit"
    OVER_CREDIT = "the frame has more items than credit"
    UNREADABLE = "the frame is no message, or has too many items"
    END = "the frame is `end`"
    ANSWERED = "items are answered, durably"
    DRAINED = "nothing waits any more"
    FAILED = "the service cannot go on"


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
    """One connection. Times are seconds of any clock that does not jump.

    Args:
        spec: What the bundle takes.
        codec: The subprotocol's.
        window: What bounds the credit.
        max_items: Most items in a frame.
        max_bytes: Most bytes in a frame; told to the client, kept by the shell.
        durability: What an ack promises.
        problem_of: Turns an error into its RFC 9457 form.
    """

    def __init__(
        self,
        *,
        spec: InputSpec,
        codec: Codec,
        window: Window,
        max_items: int,
        max_bytes: int,
        durability: str,
        problem_of: Callable[[Exception], Problem],
    ) -> None:
        self._spec = spec
        self._codec = codec
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._durability = durability
        self._problem_of = problem_of
        self._credits = Credits(window)
        self._least_credits = window.least
        self._waiting: deque[int] = deque()  # positions queued and not answered, in order
        self.state = SessionState.GREETING

    # What comes from outside

    def greeted(self, *, stream: str, bundle_id: str, epoch: int, last_durable_seq: int) -> list[Effect]:
        """The service takes the client."""
        welcome = Welcome(
            stream=stream,
            bundle_id=bundle_id,
            durability=self._durability,
            epoch=epoch,
            last_durable_seq=last_durable_seq,
            credits=self._credits.left,
            least_credits=self._least_credits,
            max_items=self._max_items,
            max_bytes=self._max_bytes,
        )
        return self._happens(Input.GREETED, welcome)

    def received(self, frame: bytes | str, now: float) -> list[Effect]:
        """The client sent a frame, binary or text."""
        return self._happens(Input.FRAME, frame, now)

    def answered(self, answers: Sequence[Answer], now: float) -> list[Effect]:
        """The next queued items have verdicts, or are in quarantine, and that is durable."""
        return self._happens(Input.ANSWERED, answers, now)

    def failed(self, error: Exception, *, code: int) -> list[Effect]:
        """The service cannot go on: say why and close; the client resends what is not durable."""
        return self._happens(Input.FAILED, error, code)

    def _happens(self, what: Input, *about: Any) -> list[Effect]:  # noqa: ANN401 - the table knows which
        handler, self.state = self.transitions[self.state, what]
        effects = handler(self, *about)
        if self.state is SessionState.ENDING and not self._waiting:
            effects += self._happens(Input.DRAINED)
        return effects

    # Handlers, in the order of the table

    def _welcome(self, welcome: Welcome) -> list[Effect]:
        """Send `welcome`"""
        return [Send(welcome)]

    def _read(self, frame: bytes | str, now: float) -> list[Effect]:
        """Read it: it becomes one of the next four"""
        try:
            message = self._decoded(frame)
            if isinstance(message, End):
                return self._happens(Input.END)
            n = self._counted(message)
            if n > self._credits.left:
                return self._happens(Input.OVER_CREDIT, n)
            read = read_frame(message, self._spec)
        except InvalidBody as unreadable:
            return self._happens(Input.UNREADABLE, InvalidBody(f"The frame was ignored: {unreadable}"))
        return self._happens(Input.ITEMS, read, now)

    def _take(self, read: list[Item | Refused], now: float) -> list[Effect]:
        """A bad one gets a `nack`; `ack` if that answers the oldest; queue the items"""
        start = self._credits.accepted
        nacks: list[Effect] = []
        good: list[Item] = []
        for position, item in enumerate(read, start):
            if isinstance(item, Refused):
                nacks.append(self._nack(position, item))
            else:
                self._waiting.append(position)
                good.append(item)
        self._credits.received(len(read), now, waits=bool(good))
        queued: list[Effect] = [Enqueue(good)] if good else []
        acks: list[Effect] = [self._ack()] if self._advance(now) else []
        return [
            *nacks,
            *acks,
            *queued,
        ]  # in this order: to queue may take long, and newer acks are made meanwhile

    def _too_much(self, n: int) -> list[Effect]:
        """Close with 1008"""
        left = self._credits.left
        return [Close(1008, f"{n} items with credit for {left}: wait for an ack to grant more")]

    def _ignore(self, error: InvalidBody) -> list[Effect]:
        """Ignore it as a whole; send `error`"""
        return [Send(ErrorMessage(self._problem_of(error)))]

    def _end(self) -> list[Effect]:
        """Take no more frames"""
        return []

    def _tell(self, answers: Sequence[Answer], now: float) -> list[Effect]:
        """Send `verdicts`, a `nack` for each in quarantine, `ack`"""
        results: list[Result] = []
        nacks: list[Effect] = []
        next_position = self._waiting.popleft
        for answer in answers:
            position = next_position()
            if isinstance(answer, Refused):
                nacks.append(self._nack(position, answer))
            else:
                assert isinstance(answer, Verdict)  # more is not asked for over a socket
                results.append(Result.of(position, answer))
        self._advance(now)
        verdicts: list[Effect] = [Send(Verdicts(results))] if results else []
        return [*verdicts, *nacks, self._ack()]

    def _all_answered(self) -> list[Effect]:
        """Close with 1000"""
        return [Close(1000, "all answered")]

    def _give_up(self, error: Exception, code: int) -> list[Effect]:
        """Send `error`, close with its code"""
        problem = self._problem_of(error)
        return [Send(ErrorMessage(problem)), Close(code, problem.detail)]

    def _nothing(self, *_: object) -> list[Effect]:
        """Nothing"""
        return []

    # What they share

    def _decoded(self, frame: bytes | str) -> ClientMessage:
        if isinstance(frame, str) != self._codec.is_text:
            wanted, got = ("text", "binary") if self._codec.is_text else ("binary", "text")
            raise InvalidBody(f"{got}; this subprotocol has {wanted} frames.")
        try:
            return self._codec.decode(frame)
        except msgspec.DecodeError as error:
            what = 'an object like {"type": "items", "items": [{"id": "a", "x": [...]}]}'
            raise InvalidBody(f"{error}. Send {what}.") from None

    def _counted(self, message: Items | Batch) -> int:
        n = count_items(message, self._spec)
        if n > self._max_items:
            raise InvalidBody(f"{n} items; send at most {self._max_items}.")
        return n

    def _nack(self, position: int, item: Refused) -> Send:
        return Send(Nack(position=position, id=item.id, problem=self._problem_of(item.error)))

    def _advance(self, now: float) -> bool:
        """Move the durable mark up to the first item that waits; whether it moved."""
        before = self._credits.durable
        self._credits.answered(self._waiting[0] if self._waiting else self._credits.accepted, now)
        return self._credits.durable != before

    def _ack(self) -> Send:
        granted = self._credits
        return Send(
            Ack(
                accepted=granted.accepted,
                durable=granted.durable,
                durability=self._durability,
                credits=granted.left,
            )
        )

    transitions: ClassVar[
        dict[tuple[SessionState, Input], tuple[Callable[..., list[Effect]], SessionState]]
    ] = {
        (SessionState.GREETING, Input.GREETED): (_welcome, SessionState.OPEN),
        (SessionState.GREETING, Input.FAILED): (_give_up, SessionState.CLOSED),
        (SessionState.OPEN, Input.FRAME): (_read, SessionState.OPEN),
        (SessionState.OPEN, Input.ITEMS): (_take, SessionState.OPEN),
        (SessionState.OPEN, Input.OVER_CREDIT): (_too_much, SessionState.CLOSED),
        (SessionState.OPEN, Input.UNREADABLE): (_ignore, SessionState.OPEN),
        (SessionState.OPEN, Input.END): (_end, SessionState.ENDING),
        (SessionState.OPEN, Input.ANSWERED): (_tell, SessionState.OPEN),
        (SessionState.OPEN, Input.FAILED): (_give_up, SessionState.CLOSED),
        (SessionState.ENDING, Input.FRAME): (_nothing, SessionState.ENDING),
        (SessionState.ENDING, Input.ANSWERED): (_tell, SessionState.ENDING),
        (SessionState.ENDING, Input.DRAINED): (_all_answered, SessionState.CLOSED),
        (SessionState.ENDING, Input.FAILED): (_give_up, SessionState.CLOSED),
        (SessionState.CLOSED, Input.FRAME): (_nothing, SessionState.CLOSED),
        (SessionState.CLOSED, Input.ANSWERED): (_nothing, SessionState.CLOSED),
        (SessionState.CLOSED, Input.FAILED): (_nothing, SessionState.CLOSED),
    }
    """All that can happen. A handler's docstring says what it does, in the words of the documentation."""
