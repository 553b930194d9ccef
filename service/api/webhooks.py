"""Webhooks over HTTP: who is told what becomes of clusters. All of it is the business of an admin.

A secret is in the answer that made it, and in no other. `Idempotency-Key` names a request that makes one: sent again
under it, as when its answer was lost, it makes nothing more, and gets the same answer; another request under it is
refused.
"""

import hashlib
from functools import partial
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from service.access.rights import Scope
from service.api.idempotency import KEY_HEADER, key_of
from service.api.rest import json_response
from service.api.stream_routes import Asked, StreamRoutes
from service.api.webhook_bodies import (
    ADD_BODY,
    CHANGE_BODY,
    ENABLE_BODY,
    MOST_BODY,
    ROTATE_BODY,
    DeliveriesOut,
    DeliveryOut,
    EnableIn,
    HookIn,
    RemovedOut,
    RotateIn,
    WebhookOut,
    WebhooksOut,
    check,
    read,
    rule_of,
    shown,
    shown_delivery,
)
from service.errors import InvalidParameter
from service.webhooks.hooks import Hook
from service.webhooks.rules import Rule

router = APIRouter()

_ROUTES: Final = StreamRoutes(
    router,
    Scope.ADMIN,
    {
        400: "The body is not as it should be.",
        404: "There is no such webhook, or no such stream.",
        409: "There are as many webhooks as may be.",
    },
)
_PAGE: Final = 200
_DIGEST_BYTES: Final = 16
_KEY: Final[dict[str, Any]] = {
    "name": KEY_HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 256, "pattern": "^[!-~]+$"},
    "description": "Names the request, so that it may be sent again and makes one secret.",
    "example": '"8e03978e-40d5-43e8-bc93-6894a57f9324"',
}


@_ROUTES.route("GET", "/webhooks", "The webhooks of a stream", WebhooksOut)
async def webhooks(request: Request) -> Response:
    """List them."""
    async with _ROUTES.asked(request) as asked:
        return json_response({"webhooks": [_shown(asked, hook) for hook in asked.stream.webhooks.all()]})


@_ROUTES.route(
    "POST",
    "/webhooks",
    "Tell an address what becomes of clusters",
    WebhookOut,
    description="From the next event on. The answer has the secret that signs messages, this once.",
    body=ADD_BODY,
    header=_KEY,
    status=201,
)
async def add(request: Request) -> Response:
    """Add one."""
    async with _ROUTES.asked(request) as asked:
        body = await asked.body(MOST_BODY)
        sent = _sent(asked, body)
        if not isinstance(sent.url, str):
            raise InvalidParameter("url: send where messages are to go, like https://example.com/hook.")
        hook = await asked.stream.webhooks.add(
            url=sent.url,
            rule=rule_of(sent, Rule()),
            note=sent.note if isinstance(sent.note, str) else "",
            secret=sent.secret if isinstance(sent.secret, str) else None,
            asked=_name(asked, body),
        )
        return json_response(_shown(asked, hook, with_secret=True), 201)


@_ROUTES.route("GET", "/webhooks/{webhook_id}", "One webhook", WebhookOut)
async def webhook(request: Request, webhook_id: str) -> Response:
    """Show one."""
    async with _ROUTES.asked(request) as asked:
        return json_response(_shown(asked, asked.stream.webhooks.get(webhook_id)))


@_ROUTES.route(
    "PATCH",
    "/webhooks/{webhook_id}",
    "Change a webhook",
    WebhookOut,
    description="What is left out stays as it is. `enabled` false disables it; `POST .../enable` is the way back.",
    body=CHANGE_BODY,
)
async def change(request: Request, webhook_id: str) -> Response:
    """Change one."""
    async with _ROUTES.asked(request) as asked:
        sent = _sent(asked, await asked.body(MOST_BODY))
        if not isinstance(sent.secret, msgspec.UnsetType):
            raise InvalidParameter("secret: it is changed by POST /webhooks/{webhook_id}/rotate.")
        hooks = asked.stream.webhooks
        hook = await hooks.change(
            webhook_id,
            url=sent.url if isinstance(sent.url, str) else None,
            rule=partial(rule_of, sent),
            note=sent.note if isinstance(sent.note, str) else None,
        )
        if sent.enabled is False:
            hook = await hooks.disable(webhook_id)
        elif sent.enabled is True and hook.disabled is not None:
            hook = await hooks.enable(webhook_id)
        return json_response(_shown(asked, hook))


@_ROUTES.route(
    "DELETE",
    "/webhooks/{webhook_id}",
    "Remove a webhook",
    RemovedOut,
    description="What it was still to be told is forgotten.",
)
async def remove(request: Request, webhook_id: str) -> Response:
    """Remove one."""
    async with _ROUTES.asked(request) as asked:
        await asked.stream.webhooks.remove(webhook_id)
        return json_response({"removed": webhook_id})


@_ROUTES.route(
    "POST",
    "/webhooks/{webhook_id}/rotate",
    "Make a new secret",
    WebhookOut,
    description="The old one signs as well for `overlap_s` (a day), so that the receiver has time to change over.",
    body=ROTATE_BODY,
    header=_KEY,
)
async def rotate(request: Request, webhook_id: str) -> Response:
    """Rotate its secret."""
    async with _ROUTES.asked(request) as asked:
        body = await asked.body(MOST_BODY)
        sent = read(body, RotateIn)
        hook = await asked.stream.webhooks.rotate(
            webhook_id, overlap_s=sent.overlap_s, asked=_name(asked, body)
        )
        return json_response(_shown(asked, hook, with_secret=True))


@_ROUTES.route(
    "POST",
    "/webhooks/{webhook_id}/test",
    "Send a message that means nothing, now",
    DeliveryOut,
    description="Once, of type `webhook.test`, also where the webhook is disabled. The answer says how that went.",
)
async def test(request: Request, webhook_id: str) -> Response:
    """Try it."""
    async with _ROUTES.asked(request) as asked:
        return json_response(shown_delivery(await asked.stream.webhooks.test(webhook_id)))


@_ROUTES.route(
    "GET",
    "/webhooks/{webhook_id}/deliveries",
    "The latest tries",
    DeliveriesOut,
    description="Latest first; the latest 5000 of all webhooks of the stream are remembered.",
)
async def deliveries(
    request: Request, webhook_id: str, limit: Annotated[int, Query(ge=1, le=_PAGE)] = 50
) -> Response:
    """Show how it went."""
    async with _ROUTES.asked(request) as asked:
        tries = await asked.stream.webhooks.deliveries(webhook_id, limit=limit)
        return json_response({"deliveries": [shown_delivery(one) for one in tries]})


@_ROUTES.route(
    "POST",
    "/webhooks/{webhook_id}/enable",
    "Send again",
    WebhookOut,
    description=(
        "What waits is tried at once, and what happened meanwhile is told; `from_now` forgets both, and begins with "
        "the next event."
    ),
    body=ENABLE_BODY,
)
async def enable(request: Request, webhook_id: str) -> Response:
    """Enable it."""
    async with _ROUTES.asked(request) as asked:
        sent = read(await asked.body(MOST_BODY), EnableIn)
        return json_response(
            _shown(asked, await asked.stream.webhooks.enable(webhook_id, from_now=sent.from_now))
        )


def _sent(asked: Asked, body: bytearray) -> HookIn:
    """A webhook as it was sent. Raises InvalidBody and InvalidParameter."""
    sent = read(body, HookIn)
    check(sent, allowed=asked.context.webhook_networks)
    return sent


def _name(asked: Asked, body: bytearray) -> str | None:
    """What the request is called, for its caller, and what it asks for; None where it has no name."""
    key = key_of(asked.head, caller=asked.caller.family or "")
    if key is None:
        return None
    asks = hashlib.blake2b(f"{asked.request.url.path}\0".encode() + body, digest_size=_DIGEST_BYTES)
    return f"{key} {asks.hexdigest()}"


def _shown(asked: Asked, hook: Hook, *, with_secret: bool = False) -> dict[str, Any]:
    return shown(hook, waiting=asked.stream.webhooks.waiting(hook.id), with_secret=with_secret)
