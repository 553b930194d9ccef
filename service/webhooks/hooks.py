"""A webhook, what it is still to be told, and how a try went: values, and their bytes in the store.

The bytes are MessagePack of the fields by name; a field that an older version did not have takes its default, and one
of a newer version is left out.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, TypeVar

import msgspec

from service.errors import KeyReused
from service.state.events import FIRST, StoredEvent
from service.webhooks.rules import Rule, Tally

T = TypeVar("T")

MOST_HOOKS: Final = 50
"""Webhooks of a stream."""

MOST_PENDING: Final = 1000
"""Messages that wait for one webhook; while there are so many its cursor waits, and with it the events behind."""

MOST_SECRETS: Final = 2

HELD_BACK: Final = "webhook.held_back"
"""The `type` of a message about what no message was sent of."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Secret:
    """Signs messages until a time, or for good.

    Attributes:
        text: `whsec_` and base64.
        until: For how long it signs, once there is another; None: for good.
        asked: What the request that made it is called (`Idempotency-Key`), a space, and the fingerprint of what it
            asks for: sent again, it makes no other.
    """

    text: str = field(repr=False)
    until: float | None = None
    asked: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Hook:
    """A webhook.

    Attributes:
        id: `wh_` and luck.
        url: Where messages go.
        secrets: Newest first.
        rule: Which events it wants.
        note: Whose it is, or what for.
        created: When, seconds since 1970 (UTC).
        disabled: Why nothing is sent; None while it is.
        cursor: The event it has come to. Another bundle takes the outbox over, and goes on counting.
        number: ... and the number of that.
        tally: What it was told and not told.
        failing_since: Since when no try has gone well; None when the latest did.
        last_ok: When a try went well the last time.
        rests_until: The receiver has asked to be left alone until then.
    """

    id: str
    url: str
    secrets: tuple[Secret, ...]
    rule: Rule
    note: str
    created: float
    disabled: str | None = None
    cursor: str = FIRST
    number: int = 0
    tally: Tally = field(default_factory=Tally)
    failing_since: float | None = None
    last_ok: float | None = None
    rests_until: float = 0.0

    def signs_with(self, now: float) -> tuple[str, ...]:
        """The secrets that are good now."""
        return tuple(s.text for s in self.secrets if s.until is None or now < s.until)

    def rotated(self, secret: Secret, *, now: float, overlap_s: float) -> "Hook":
        """With a new secret, beside which the present one goes on for a while."""
        old = (replace(s, until=now + overlap_s) for s in self.secrets[: MOST_SECRETS - 1])
        return replace(self, secrets=(secret, *old))

    def was_asked(self, asked: str | None) -> bool:
        """Whether a secret of it was made by this request. Raises KeyReused: by another one of its name."""
        if asked is None:
            return False
        name = asked.partition(" ")[0]
        made = [secret.asked for secret in self.secrets if (secret.asked or "").partition(" ")[0] == name]
        if made and asked not in made:
            raise KeyReused(
                "This Idempotency-Key was sent before, with another request about webhooks: give every request a key "
                "of its own, and use it again only to send the very same one again."
            )
        return bool(made)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pending:
    """A message that is still to be told.

    Attributes:
        hook: To whom.
        id: Its `webhook-id`.
        type: Its `type`.
        body: JSON, the same at every try.
        tries: How often it was tried.
        due: When it is tried next.
        since: When it was tried first, or is to be.
    """

    hook: str
    id: str
    type: str
    body: bytes
    tries: int = 0
    due: float
    since: float

    @property
    def name(self) -> str:
        """Its field in the store."""
        return f"{self.hook} {self.id}"


class Outcome(StrEnum):
    """Of one try."""

    DELIVERED = "delivered"
    FAILED = "failed"
    GIVEN_UP = "given_up"
    GONE = "gone"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What came of asking an address.

    Attributes:
        status: Of the answer; None where there was none.
        ms: How long it took.
        excerpt: The beginning of the answer's body, as text.
        error: Why there was no answer, or it could not be read to its end.
        retry_after_s: For how long the receiver asks to be left alone.
    """

    status: int | None
    ms: float
    excerpt: str = ""
    error: str | None = None
    retry_after_s: float | None = None

    @property
    def is_ok(self) -> bool:
        """Whether the receiver has taken it."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One try, as it is remembered.

    Attributes:
        hook: To whom.
        id: The message.
        type: Its `type`.
        t: When.
        tries: The how-manyth it was.
        outcome: How it went.
        reply: What came.
        next_t: When it is tried again; None: never.
    """

    hook: str
    id: str
    type: str
    t: float
    tries: int
    outcome: Outcome
    reply: Reply
    next_t: float | None = None


def pack(value: Hook | Pending | Delivery) -> bytes:
    """As it is stored."""
    return msgspec.msgpack.encode(value)


def unpack(data: bytes, sort: type[T]) -> T:
    """What `pack` was given.

    Raises:
        msgspec.DecodeError: It cannot be read.
    """
    return msgspec.msgpack.decode(data, type=sort)


def message_id(stream: str, bundle: str, event: str) -> str:
    """The `webhook-id` of an event: the same at every try and for every owner, and no other stream's.

    No dots, which the signature has between its parts; `~` stands for them, which no name of a stream has.
    """
    return f"{stream}:{bundle[:16]}:{event}".replace(".", "~")


def message_of(stream: str, event: StoredEvent, kind: str, t: float, tally: Tally) -> bytes:
    """The body of a message: the event, and what was held back before it."""
    return msgspec.json.encode(
        {
            "type": f"cluster.{kind}",
            "timestamp": stamp(t),
            "stream": stream,
            "event": event.id,
            "data": msgspec.Raw(event.data),
            "held_back": held_in(tally),
        }
    )


def held_message_of(stream: str, event: str, t: float, tally: Tally) -> bytes:
    """The body of a message that tells nothing but what was held back, up to this event."""
    return msgspec.json.encode(
        {
            "type": HELD_BACK,
            "timestamp": stamp(t),
            "stream": stream,
            "event": event,
            "data": {},
            "held_back": held_in(tally),
        }
    )


def held_in(tally: Tally) -> dict[str, object]:
    """What was held back, as messages and people are told."""
    return {
        "debounced": tally.debounced,
        "over_budget": tally.over_budget,
        "missed": tally.missed,
        "clusters": tally.held,
    }


def stamp(t: float) -> str:
    """A time as ISO 8601 has it."""
    return datetime.fromtimestamp(t, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
