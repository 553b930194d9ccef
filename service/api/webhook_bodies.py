"""What is sent about webhooks, and what is told of them, which is never a secret but when it was just made."""

from typing import Annotated, Any, Final, TypeVar

import msgspec
from pydantic import BaseModel, Field

from service.errors import InvalidBody, InvalidParameter
from service.events import EventKind
from service.webhooks.addresses import BadTarget, Networks, check_url
from service.webhooks.hooks import Delivery, Hook, held_in, stamp
from service.webhooks.rules import Rule
from service.webhooks.signing import key_of

T = TypeVar("T")

KINDS: Final = tuple(kind.value for kind in EventKind)

MOST_BODY: Final = 16 * 1024

MOST_NOTE: Final = 200

_Count = Annotated[int, msgspec.Meta(ge=0, le=10**12)]
_Float = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
_PerDay = Annotated[int, msgspec.Meta(ge=1, le=10**6)]


class HookIn(msgspec.Struct, forbid_unknown_fields=True):
    """A webhook as it is sent; of a change, what is left out stays as it is."""

    url: str | msgspec.UnsetType = msgspec.UNSET
    events: list[str] | msgspec.UnsetType = msgspec.UNSET
    min_items: _Count | msgspec.UnsetType = msgspec.UNSET
    min_per_hour: _Float | msgspec.UnsetType = msgspec.UNSET
    debounce_s: _Float | msgspec.UnsetType = msgspec.UNSET
    per_day: _PerDay | msgspec.UnsetType | None = msgspec.UNSET
    note: str | msgspec.UnsetType = msgspec.UNSET
    secret: str | msgspec.UnsetType = msgspec.UNSET
    enabled: bool | msgspec.UnsetType = msgspec.UNSET


class RotateIn(msgspec.Struct, forbid_unknown_fields=True):
    """How a secret is changed."""

    overlap_s: Annotated[float, msgspec.Meta(ge=0, le=30 * 86_400)] = 86_400.0


class EnableIn(msgspec.Struct, forbid_unknown_fields=True):
    """From where a webhook goes on."""

    from_now: bool = False


def read(body: bytes | bytearray, sort: type[T]) -> T:
    """A body; an empty one is `{}`.

    Raises:
        InvalidBody: It is not of this kind.
    """
    try:
        return msgspec.json.decode(body or b"{}", type=sort)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise InvalidBody(f"The body is not as it should be ({error}); GET /docs shows it.") from None


def check(sent: HookIn, *, allowed: Networks) -> None:
    """What the types do not say.

    Raises:
        InvalidParameter: Something of it cannot be used.
    """
    try:
        if isinstance(sent.url, str):
            check_url(sent.url, allowed=allowed)
        if isinstance(sent.secret, str):
            key_of(sent.secret)
    except (BadTarget, ValueError) as bad:
        raise InvalidParameter(f"{bad}.") from None
    if isinstance(sent.events, list) and (unknown := [kind for kind in sent.events if kind not in KINDS]):
        raise InvalidParameter(f"events: {unknown[0][:40]!r} is none; send some of {', '.join(KINDS)}.")
    if isinstance(sent.note, str) and len(sent.note) > MOST_NOTE:
        raise InvalidParameter(f"note: send at most {MOST_NOTE} characters.")


def rule_of(sent: HookIn, before: Rule) -> Rule:
    """The rule with what was sent of it."""
    events = (
        before.events if isinstance(sent.events, msgspec.UnsetType) else tuple(dict.fromkeys(sent.events))
    )
    return Rule(
        events=events,
        min_items=_given(sent.min_items, before.min_items),
        min_per_hour=_given(sent.min_per_hour, before.min_per_hour),
        debounce_s=_given(sent.debounce_s, before.debounce_s),
        per_day=_given(sent.per_day, before.per_day),
    )


def _given(value: T | msgspec.UnsetType, before: T) -> T:
    return before if isinstance(value, msgspec.UnsetType) else value


def shown(hook: Hook, *, waiting: int, with_secret: bool = False) -> dict[str, Any]:
    """A webhook, for people."""
    rule = hook.rule
    told = {
        "id": hook.id,
        "url": hook.url,
        "enabled": hook.disabled is None,
        "disabled": hook.disabled,
        "events": rule.events,
        "min_items": rule.min_items,
        "min_per_hour": rule.min_per_hour,
        "debounce_s": rule.debounce_s,
        "per_day": rule.per_day,
        "note": hook.note,
        "created": stamp(hook.created),
        "cursor": hook.cursor,
        "waiting": waiting,
        "failing_since": _when(hook.failing_since),
        "last_ok": _when(hook.last_ok),
        "held_back": held_in(hook.tally),
        "secrets": [{"until": _when(secret.until)} for secret in hook.secrets],
    }
    return {**told, "secret": hook.secrets[0].text} if with_secret else told


def shown_delivery(delivery: Delivery) -> dict[str, Any]:
    """A try, for people; what the receiver said is others' text."""
    return {
        "id": delivery.id,
        "type": delivery.type,
        "time": stamp(delivery.t),
        "try": delivery.tries,
        "outcome": delivery.outcome.value,
        "status": delivery.reply.status,
        "ms": delivery.reply.ms,
        "response": delivery.reply.excerpt,
        "error": delivery.reply.error,
        "next": _when(delivery.next_t),
    }


def _when(t: float | None) -> str | None:
    return None if t is None else stamp(t)


# What OpenAPI shows


class HeldBackOut(BaseModel):
    """What was not told since the last message; the next one says so, or one of its own when the window ends."""

    debounced: int = Field(description="Since their cluster had just been told.")
    over_budget: int = Field(description="Since the messages of the day were used up.")
    missed: int = Field(description="Since they left the outbox before their turn.")
    clusters: list[int] = Field(description="Of the first two; at most 20.")


class SecretOut(BaseModel):
    """A secret that signs; never itself."""

    until: str | None = Field(description="For how long it still signs; null: it is the present one.")


class WebhookOut(BaseModel):
    """A webhook."""

    id: str
    url: str
    enabled: bool
    disabled: str | None = Field(description="Why nothing is sent.")
    events: list[str] = Field(description="Kinds of events that it wants; none: all.")
    min_items: int
    min_per_hour: float
    debounce_s: float
    per_day: int | None
    note: str
    created: str
    cursor: str = Field(description="The event that it has come to.")
    waiting: int = Field(description="Messages that it is still to be told.")
    failing_since: str | None
    last_ok: str | None
    held_back: HeldBackOut
    secrets: list[SecretOut]
    secret: str | None = Field(None, description="Shown once, when it was made.")


class WebhooksOut(BaseModel):
    """The webhooks of a stream."""

    webhooks: list[WebhookOut]


class DeliveryOut(BaseModel):
    """A try to tell a webhook."""

    id: str = Field(description="The `webhook-id`.")
    type: str
    time: str
    try_: int = Field(alias="try")
    outcome: str = Field(description="delivered, failed, given_up or gone.")
    status: int | None
    ms: float
    response: str = Field(description="The beginning of what the receiver said.")
    error: str | None
    next: str | None = Field(description="When it is tried again.")


class DeliveriesOut(BaseModel):
    """The latest tries, latest first."""

    deliveries: list[DeliveryOut]


class RemovedOut(BaseModel):
    """What is not there any more."""

    removed: str


_FIELDS: Final[dict[str, dict[str, Any]]] = {
    "url": {
        "type": "string",
        "description": "Where messages go: https, and a public address.",
        "maxLength": 2000,
    },
    "events": {"type": "array", "items": {"enum": list(KINDS)}, "description": "Kinds of events; none: all."},
    "min_items": {"type": "integer", "minimum": 0, "description": "Only of clusters with so many items."},
    "min_per_hour": {
        "type": "number",
        "minimum": 0,
        "description": "... and so many an hour since it began.",
    },
    "debounce_s": {"type": "number", "minimum": 0, "description": "A cluster is not told again for so long."},
    "per_day": {"type": ["integer", "null"], "minimum": 1, "description": "Most messages in a UTC day."},
    "note": {"type": "string", "maxLength": MOST_NOTE, "description": "Whose it is, or what for."},
}
_SECRET: Final = {
    "type": "string",
    "description": "whsec_ and base64 of 24 to 64 bytes; left out, one is made.",
}
_ENABLED: Final = {"type": "boolean", "description": "false: send nothing until it is enabled."}


def _body(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {
        "required": bool(required),
        "content": {
            "application/json": {"schema": {**schema, **({"required": list(required)} if required else {})}}
        },
    }


ADD_BODY: Final = _body({**_FIELDS, "secret": _SECRET}, "url")
CHANGE_BODY: Final = _body({**_FIELDS, "enabled": _ENABLED})
ROTATE_BODY: Final = _body({"overlap_s": {"type": "number", "minimum": 0, "maximum": 30 * 86_400}})
ENABLE_BODY: Final = _body(
    {"from_now": {"type": "boolean", "description": "Forget what waits, and what it missed."}}
)
