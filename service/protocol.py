"""Every message of the WebSockets, as values. `docs/protocol.md` is the same for people.

    /stream   client: items, end           server: welcome, verdicts, ack, nack, error
    /watch    client: nothing              server: hello, event

A message is an object with a `type`. The subprotocol chooses the encoding: `firstseen.v1.json` (text frames,
also when the client names none) or `firstseen.v1.msgpack` (binary frames). msgspec checks the envelope here;
items are checked one by one (`service.intake`), so that a bad one fails alone.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from service.records import Verdict

JSON = "firstseen.v1.json"
MSGPACK = "firstseen.v1.msgpack"
SUBPROTOCOLS = (JSON, MSGPACK)


# From the client


class Items(msgspec.Struct, tag="items", tag_field="type", forbid_unknown_fields=True):
    """Items to classify, in order."""

    items: list[Any]


class End(msgspec.Struct, tag="end", tag_field="type", forbid_unknown_fields=True):
    """Nothing more will come: answer what is here, then close with 1000."""


ClientMessage = Items | End


# To the client


class Problem(msgspec.Struct, omit_defaults=True, rename={"type_": "type"}):
    """RFC 9457 problem details."""

    type_: str
    title: str
    status: int
    detail: str


class Welcome(msgspec.Struct, tag="welcome", tag_field="type", frozen=True):
    """The first message: what is served, what an ack promises (`durability`: fsync, relaxed or replicated), and how
    much may be sent at once: items a window, items and bytes a frame.
    """

    stream: str
    bundle_id: str
    durability: str
    epoch: int
    last_durable_seq: int
    credits: int
    max_items: int
    max_bytes: int


class Result(msgspec.Struct, frozen=True):
    """A verdict; `position` is the item's place on this connection, from 0."""

    position: int
    id: str
    seq: int
    verdict: str
    label: str | None
    cluster_id: int | None
    novelty: float
    nearest: str
    distance: float

    @classmethod
    def of(cls, position: int, verdict: Verdict) -> "Result":
        """The verdict of the item at `position`."""
        return cls(
            position=position,
            id=verdict.id,
            seq=verdict.seq,
            verdict=verdict.verdict.value,
            label=verdict.label,
            cluster_id=verdict.cluster_id,
            novelty=verdict.novelty,
            nearest=verdict.nearest,
            distance=verdict.distance,
        )


class Verdicts(msgspec.Struct, tag="verdicts", tag_field="type", frozen=True):
    """Durable verdicts, in the order the items came."""

    results: list[Result]


class Ack(msgspec.Struct, tag="ack", tag_field="type", frozen=True):
    """Cumulative. accepted: items received on this connection; durable: how many of them, from the first on, are
    answered (by a verdict or a nack); durability: what that promises; credits: how many may be sent beyond `accepted`.
    """

    accepted: int
    durable: int
    durability: str
    credits: int


class Nack(msgspec.Struct, tag="nack", tag_field="type", frozen=True):
    """One item cannot be classified as it was sent, or is in quarantine; the others are not affected."""

    position: int
    id: str | None
    problem: Problem


class ErrorMessage(msgspec.Struct, tag="error", tag_field="type", frozen=True):
    """A frame was not understood and is ignored as a whole; or, before a close, why."""

    problem: Problem


class Hello(msgspec.Struct, tag="hello", tag_field="type", frozen=True):
    """The first message of /watch: the clusters as they are."""

    seq: int
    clusters: list[dict[str, Any]]


class Event(msgspec.Struct, tag="event", tag_field="type", frozen=True):
    """Something happened to a cluster."""

    event: str
    seq: int
    t: float
    cluster: dict[str, Any]
    other_id: int | None


StreamMessage = Welcome | Verdicts | Ack | Nack | ErrorMessage
WatchMessage = Hello | Event


class Codec:
    """Messages to frames and back, in one of the two encodings."""

    def __init__(self, subprotocol: str | None) -> None:
        self.is_text = subprotocol != MSGPACK
        encoder = msgspec.json.Encoder() if self.is_text else msgspec.msgpack.Encoder()
        decoder = (
            msgspec.json.Decoder(ClientMessage) if self.is_text else msgspec.msgpack.Decoder(ClientMessage)
        )
        self._encode: Callable[[object], bytes] = encoder.encode
        self._decode: Callable[[bytes], ClientMessage] = decoder.decode

    def encode(self, message: StreamMessage | WatchMessage) -> bytes:
        """A frame's payload."""
        return self._encode(message)

    def decode(self, frame: bytes) -> ClientMessage:
        """What a client sent.

        Raises:
            msgspec.DecodeError: Not a message; the text says why.
        """
        try:
            return self._decode(frame)
        except RecursionError:
            raise msgspec.DecodeError("Nested too deep") from None
        except UnicodeDecodeError as error:
            raise msgspec.DecodeError(str(error)) from None
