"""Every message of the WebSockets, as values. `docs/protocol.md` is the same for people.

    /stream   client: items, batch, end    server: welcome, verdicts, ack, nack, error
    /watch    client: nothing              server: hello, event, error

A message is an object with a `type`. The subprotocol chooses the encoding: `firstseen.v1.json` (text frames,
also when the client names none) or `firstseen.v1.msgpack` (binary frames). msgspec checks the envelope here;
items are checked one by one (`service.ingest.frames`), so that a bad one fails alone. `schema` is all of it as JSON
Schema; `docs/protocol.schema.json` is that, and a test compares them.
"""

import inspect
from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec

from service.events import EventKind
from service.records import Cluster, Verdict, VerdictKind

JSON = "firstseen.v1.json"
MSGPACK = "firstseen.v1.msgpack"
SUBPROTOCOLS = (JSON, MSGPACK)


# From the client


_ITEM_SCHEMA = {
    "description": (
        "An item: x is its raw payload, as GET /info describes it; id makes a resend safe. One that is of another form "
        "is refused alone, with a nack."
    ),
    "examples": [{"id": "a", "x": [0, 1]}],
}


class Items(msgspec.Struct, tag="items", tag_field="type", forbid_unknown_fields=True):
    """Items to classify, in order."""

    items: list[Annotated[Any, msgspec.Meta(extra_json_schema=_ITEM_SCHEMA)]]


class Batch(msgspec.Struct, tag="batch", tag_field="type", forbid_unknown_fields=True):
    """Items to classify, in order, all of whose numbers are in one buffer: B rows of n values, uint8 or little-endian
    float32. In JSON the buffer is base64. ids: one a row; an id of null, or no ids at all: items without.
    """

    dtype: Literal["uint8", "float32"]
    n: Annotated[int, msgspec.Meta(ge=1)]
    x: bytes
    ids: list[Any] | None = None


class End(msgspec.Struct, tag="end", tag_field="type", forbid_unknown_fields=True):
    """Nothing more will come: answer what is here, then close with 1000."""


ClientMessage = Items | Batch | End


# To the client


class Problem(msgspec.Struct, omit_defaults=True, rename={"type_": "type"}):
    """RFC 9457 problem details."""

    type_: str
    title: str
    status: int
    detail: str


class Welcome(msgspec.Struct, tag="welcome", tag_field="type", frozen=True):
    """The first message: what is served, what an ack promises (`durability`: fsync, relaxed or replicated), and how
    much may be sent at once: `credits` items now, `least_credits` always in the end, items and bytes a frame.
    """

    stream: str
    bundle_id: str
    durability: str
    epoch: int
    last_durable_seq: int
    credits: int
    least_credits: int
    max_items: int
    max_bytes: int


class Result(msgspec.Struct, frozen=True):
    """A verdict; `position` is the item's place on this connection, from 0."""

    position: int
    id: str
    seq: int
    verdict: VerdictKind
    label: str | None
    cluster_id: int | None
    novelty: float
    nearest: str
    distance: float

    @classmethod
    def of(cls, position: int, verdict: Verdict) -> "Result":
        """The verdict of the item at `position`."""
        return cls(
            position,
            verdict.id,
            verdict.seq,
            verdict.verdict,
            verdict.label,
            verdict.cluster_id,
            verdict.novelty,
            verdict.nearest,
            verdict.distance,
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
    clusters: list[Cluster]


class Event(msgspec.Struct, tag="event", tag_field="type", frozen=True):
    """Something happened to a cluster: of itself, or by a decision of people, whose place in the stream is `decision`.

    label: the class that it is part of from now on (promoted, linked, relabelled), or was until now (undone).
    """

    event: EventKind
    seq: int
    t: float
    cluster: Cluster
    other_id: int | None
    decision: int | None
    label: str | None


StreamMessage = Welcome | Verdicts | Ack | Nack | ErrorMessage
WatchMessage = Hello | Event | ErrorMessage


class Codec:
    """Messages to frames and back, in one of the two encodings. Has no state: one serves all connections."""

    def __init__(self, subprotocol: str | None) -> None:
        self.is_text = subprotocol != MSGPACK
        encoder = msgspec.json.Encoder() if self.is_text else msgspec.msgpack.Encoder()
        decoder = (
            msgspec.json.Decoder(ClientMessage) if self.is_text else msgspec.msgpack.Decoder(ClientMessage)
        )
        self._encode: Callable[[object], bytes] = encoder.encode
        self._decode: Callable[[bytes | str], ClientMessage] = decoder.decode  # type: ignore[assignment]

    def encode(self, message: StreamMessage | WatchMessage) -> bytes:
        """A frame's payload."""
        return self._encode(message)

    def decode(self, frame: bytes | str) -> ClientMessage:
        """What a client sent; text in JSON alone.

        Raises:
            msgspec.DecodeError: Not a message; the text says why.
        """
        try:
            return self._decode(frame)
        except RecursionError:
            raise msgspec.DecodeError("Nested too deep") from None
        except UnicodeError as error:
            raise msgspec.DecodeError(str(error)) from None


CODECS = {None: Codec(None)} | {name: Codec(name) for name in SUBPROTOCOLS}
"""By subprotocol; None where a client named none that is known."""


def schema() -> dict[str, Any]:
    """Every message as JSON Schema (2020-12); three unions among the `$defs` say who sends which where."""
    unions = {"FromClient": ClientMessage, "FromStream": StreamMessage, "FromWatch": WatchMessage}
    sorts, components = msgspec.json.schema_components([*unions.values()], ref_template="#/$defs/{name}")
    for sort in components.values():
        if "description" in sort:
            sort["description"] = inspect.cleandoc(sort["description"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The messages of /stream and /watch",
        "anyOf": [{"$ref": f"#/$defs/{name}"} for name in unions],
        "$defs": dict(zip(unions, sorts, strict=True)) | components,
    }
