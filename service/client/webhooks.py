"""Webhooks by the client: who is told what becomes of clusters; and the values that the service tells of them.

A secret is made once, however often the request for it has to be sent: that has a name before it is sent, its
`Idempotency-Key`, drawn here or given as `key`. A field that a newer service adds is ignored, as everywhere.
"""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import UNSET, UnsetType

from service.client.asking import Requests


class HeldBack(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook was not told since its last message; the next one says so.

    Attributes:
        debounced: Events whose cluster had just been told.
        over_budget: Events after the messages of the day were used up.
        missed: Events that left the history before their turn.
        clusters: Of the first two; at most 20.
    """

    debounced: int
    over_budget: int
    missed: int
    clusters: tuple[int, ...]


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """One that signs, never itself. until: for how long; None: it is the present one."""

    until: str | None


class Webhook(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An address that is told what becomes of clusters.

    Attributes:
        enabled, disabled: Whether it is told anything, and why not.
        events: Kinds of events that it wants; none: all.
        min_items, min_per_hour: ... of clusters so large, and so fast.
        debounce_s: A cluster is not told again for so long.
        per_day: Messages in a UTC day; None: any number.
        created: When (RFC 3339).
        cursor: The event that it has come to.
        waiting: Messages that it is still to be told.
        failing_since: Since when no try has gone well; None when the latest did.
        last_ok: When a try went well the last time.
        secret: What signs its messages; only of one that was just added or rotated.
    """

    id: str
    url: str
    enabled: bool
    disabled: str | None
    events: tuple[str, ...]
    min_items: int
    min_per_hour: float
    debounce_s: float
    per_day: int | None
    note: str
    created: str
    cursor: str
    waiting: int
    failing_since: str | None
    last_ok: str | None
    held_back: HeldBack
    secrets: tuple[Secret, ...]
    secret: str | None = None

    def __repr__(self) -> str:
        """Without the secret, which is not for logs."""
        return f"Webhook(id={self.id!r}, url={self.url!r}, enabled={self.enabled})"


class Delivery(msgspec.Struct, frozen=True, kw_only=True, rename={"try_": "try"}):
    """A try to tell a webhook.

    Attributes:
        id: The message's `webhook-id`.
        try_: The how-manyth it was.
        outcome: delivered, failed, given_up or gone.
        status: Of the answer; None where there was none, and `error` says why.
        response: The beginning of what the receiver said.
        next: When it is tried again (RFC 3339); None: never.
    """

    id: str
    type: str
    time: str
    try_: int
    outcome: str
    status: int | None
    ms: float
    response: str
    error: str | None
    next: str | None


class Hooking:
    """The part of `AsyncClient` that is about webhooks. Every call raises what `Requests.ask` raises."""

    _requests: Requests
    _new_id: Callable[[], str]

    async def webhooks(self) -> list[Webhook]:
        """Those of the stream, oldest first."""
        return msgspec.convert((await self._hook("GET", ""))["webhooks"], list[Webhook])

    async def webhook(self, id: str) -> Webhook:
        """One of them."""
        return msgspec.convert(await self._hook("GET", id), Webhook)

    async def add_webhook(
        self,
        url: str,
        *,
        events: Iterable[str] = (),
        min_items: int = 0,
        min_per_hour: float = 0.0,
        debounce_s: float = 0.0,
        per_day: int | None = None,
        note: str = "",
        secret: str | None = None,
        key: str | None = None,
    ) -> Webhook:
        """Tell an address from the next event on; the answer has the `secret`, this once. docs/webhooks.md has more.

        Args:
            url: Where messages go.
            events: Kinds of events; none: all.
            min_items: Only of clusters with so many items.
            min_per_hour: ... and so many an hour.
            debounce_s: A cluster is not told again for so long.
            per_day: Most messages in a UTC day; None: any number.
            note: Whose it is, or what for.
            secret: `whsec_` and base64 of 24 to 64 bytes; None: one is made.
            key: What the request is called: the very same one under it makes no other; None: one is drawn.
        """
        body = {
            "url": url,
            "events": list(events),
            "min_items": min_items,
            "min_per_hour": min_per_hour,
            "debounce_s": debounce_s,
            "per_day": per_day,
            "note": note,
        }
        body |= {} if secret is None else {"secret": secret}
        return msgspec.convert(await self._hook("POST", "", body, key=key or self._new_id()), Webhook)

    async def change_webhook(
        self,
        id: str,
        *,
        url: str | None = None,
        events: Iterable[str] | None = None,
        min_items: int | None = None,
        min_per_hour: float | None = None,
        debounce_s: float | None = None,
        per_day: int | UnsetType | None = UNSET,
        note: str | None = None,
        enabled: bool | None = None,
    ) -> Webhook:
        """Change what is given; the rest stays as it is. `per_day=None` lifts the limit."""
        given = {
            "url": url,
            "events": None if events is None else list(events),
            "min_items": min_items,
            "min_per_hour": min_per_hour,
            "debounce_s": debounce_s,
            "note": note,
            "enabled": enabled,
        }
        body: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        if not isinstance(per_day, UnsetType):
            body["per_day"] = per_day
        return msgspec.convert(await self._hook("PATCH", id, body), Webhook)

    async def rotate_webhook(
        self, id: str, *, overlap_s: float = 86_400.0, key: str | None = None
    ) -> Webhook:
        """Make a new `secret`; the old one signs, too, for so long."""
        body = {"overlap_s": overlap_s}
        found = await self._hook("POST", id, body, action="/rotate", key=key or self._new_id())
        return msgspec.convert(found, Webhook)

    async def test_webhook(self, id: str) -> Delivery:
        """Send a message that means nothing, now; how that went."""
        return msgspec.convert(await self._hook("POST", id, action="/test"), Delivery)

    async def deliveries(self, id: str, *, limit: int = 50) -> list[Delivery]:
        """The latest tries for one, latest first; at most 200."""
        found = await self._hook("GET", id, action="/deliveries", parameters={"limit": str(limit)})
        return msgspec.convert(found["deliveries"], list[Delivery])

    async def enable_webhook(self, id: str, *, from_now: bool = False) -> Webhook:
        """Send again, what waits at once; or, `from_now`, forget what waits and what was missed."""
        return msgspec.convert(
            await self._hook("POST", id, {"from_now": from_now}, action="/enable"), Webhook
        )

    async def remove_webhook(self, id: str) -> None:
        """Forget it, and what it was still to be told."""
        await self._hook("DELETE", id)

    async def _hook(
        self,
        method: str,
        id: str,
        body: dict[str, Any] | None = None,
        *,
        action: str = "",
        key: str | None = None,
        parameters: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        headers = {} if key is None else {"idempotency-key": f'"{key}"'}
        path = f"/webhooks/{quote(id, safe='')}{action}" if id else "/webhooks"
        _, said = await self._requests.ask(
            method,
            path,
            body=None if body is None else msgspec.json.encode(body),
            headers=headers | ({} if body is None else {"content-type": "application/json"}),
            parameters=parameters,
        )
        return dict(said)
