"""Webhooks over HTTP: who is told what becomes of clusters. All of it is the business of an admin.

A secret is in the answer that made it, and in no other.
"""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from service.access.rights import Scope
from service.api.access import admit, needs
from service.api.bodies import receive_body
from service.api.context import context_of, stream_name, stream_of
from service.api.formats.head import Head
from service.api.rest import json_response
from service.api.schemas import STREAM, STREAM_PROBLEMS, ProblemOut
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
from service.streams.stream import Stream
from service.webhooks.hooks import Hook
from service.webhooks.rules import Rule

router = APIRouter()

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    **STREAM_PROBLEMS,
    400: {"model": ProblemOut, "description": "The body is not as it should be."},
    404: {"model": ProblemOut, "description": "There is no such webhook, or no such stream."},
    409: {"model": ProblemOut, "description": "There are as many webhooks as may be."},
}
_PAGE = 200


@router.get(
    "/webhooks",
    summary="The webhooks of a stream",
    response_model=WebhooksOut,
    responses=STREAM_PROBLEMS,
    openapi_extra=needs(Scope.ADMIN, **STREAM),
)
async def webhooks(request: Request) -> Response:
    """List them."""
    stream = await _asked(request)
    return json_response({"webhooks": [_shown(stream, hook) for hook in stream.webhooks.all()]})


@router.post(
    "/webhooks",
    summary="Tell an address what becomes of clusters",
    description="From the next event on. The answer has the secret that signs messages, this once.",
    status_code=201,
    response_model=WebhookOut,
    responses=_PROBLEMS,
    openapi_extra=needs(Scope.ADMIN, requestBody=ADD_BODY, **STREAM),
)
async def add(request: Request) -> Response:
    """Add one."""
    stream, body = await _asked_with_body(request)
    sent = read(body, HookIn)
    check(sent, may_be_private=context_of(request).settings.webhooks_private)
    if not isinstance(sent.url, str):
        raise InvalidParameter("url: send where messages are to go, like https://example.com/hook.")
    secret = sent.secret if isinstance(sent.secret, str) else None
    with stream.in_use():
        hook = await stream.webhooks.add(
            url=sent.url, rule=rule_of(sent, Rule()), note=_text(sent.note), secret=secret
        )
    return json_response(_shown(stream, hook, with_secret=True), 201)


@router.get(
    "/webhooks/{webhook_id}",
    summary="One webhook",
    response_model=WebhookOut,
    responses=_PROBLEMS,
    openapi_extra=needs(Scope.ADMIN, **STREAM),
)
async def webhook(request: Request, webhook_id: str) -> Response:
    """Show one."""
    stream = await _asked(request)
    return json_response(_shown(stream, stream.webhooks.get(webhook_id)))


@router.patch(
    "/webhooks/{webhook_id}",
    summary="Change a webhook",
    description="What is left out stays as it is. `enabled` false disables it; `POST .../enable` is the way back.",
    response_model=WebhookOut,
    responses=_PROBLEMS,
    openapi_extra=needs(Scope.ADMIN, requestBody=CHANGE_BODY, **STREAM),
)
async def change(request: Request, webhook_id: str) -> Response:
    """Change one."""
    stream, body = await _asked_with_body(request)
    sent = read(body, HookIn)
    check(sent, may_be_private=context_of(request).settings.webhooks_private)
    if not isinstance(sent.secret, msgspec.UnsetType):
        raise InvalidParameter("secret: it is changed by POST /webhooks/{webhook_id}/rotate.")
    with stream.in_use():
        before = stream.webhooks.get(webhook_id)
        hook = await stream.webhooks.change(
            webhook_id,
            url=sent.url if isinstance(sent.url, str) else None,
            rule=rule_of(sent, before.rule),
            note=sent.note if isinstance(sent.note, str) else None,
        )
        if sent.enabled is False:
            hook = await stream.webhooks.disable(webhook_id)
        elif sent.enabled is True:
            hook = await stream.webhooks.enable(webhook_id)
    return json_response(_shown(stream, hook))


@router.delete(
    "/webhooks/{webhook_id}",
    summary="Remove a webhook",
    description="What it was still to be told is forgotten.",
    response_model=RemovedOut,
    responses=_PROBLEMS,
    openapi_extra=needs(Scope.ADMIN, **STREAM),
)
async def remove(request: Request, webhook_id: str) -> Response:
    """Remove one."""
    stream = await _asked(request)
    with stream.in_use():
        await stream.webhooks.remove(webhook_id)
    return json_response({"removed": webhook_id})


@router.post(
    "/webhooks/{webhook_id}/rotate",
    summary="Make a new secret",
    description="The old one signs as well for `overlap_s` (a day), so that the receiver has time to change over.",
    response_model=WebhookOut,
    responses=_PROBLEMS,
    openapi_extra=needs(Scope.ADMIN, requestBody=ROTATE_BODY, **STREAM),
)
async def rotate(request: Request, webhook_id: str) -> Response:
    """Rotate its secret."""
    stream, body = await _asked_with_body(request)
    sent = read(body, RotateIn)
    with stream.in_use():
        hook = await stream.webhooks.rotate(webhook_id, overlap_s=sent.overlap_s)
    return json_response(_shown(stream, hook, with_secret=True))


@router.post(
    "/webhooks/{webhook_id}/test",
    summary="Send a message that means nothing, now",
    description="Once, of type `webhook.test`, also where the webhook is disabled. The answer says how that went.",
    response_model=DeliveryOut,
    responses=_PROBLEMS,
    openapi_extra=needs(Scope.ADMIN, **STREAM),
)
async def test(request: Request, webhook_id: str) -> Response:
    """Try it."""
    stream = await _asked(request)
    with stream.in_use():
        return json_response(shown_delivery(await stream.webhooks.test(webhook_id)))


@router.get(
    "/webhooks/{webhook_id}/deliveries",
    summary="The latest tries",
    description="Latest first; the latest 5000 of all webhooks of the stream are remembered.",
    response_model=DeliveriesOut,
    responses=_PROBLEMS,
    openapi_extra=needs(Scope.ADMIN, **STREAM),
)
async def deliveries(
    request: Request, webhook_id: str, limit: Annotated[int, Query(ge=1, le=_PAGE)] = 50
) -> Response:
    """Show how it went."""
    stream = await _asked(request)
    with stream.in_use():
        tries = await stream.webhooks.deliveries(webhook_id, limit=limit)
    return json_response({"deliveries": [shown_delivery(one) for one in tries]})


@router.post(
    "/webhooks/{webhook_id}/enable",
    summary="Send again",
    description=(
        "What waits is tried at once, and what happened meanwhile is told; `from_now` forgets both, and begins with "
        "the next event."
    ),
    response_model=WebhookOut,
    responses=_PROBLEMS,
    openapi_extra=needs(Scope.ADMIN, requestBody=ENABLE_BODY, **STREAM),
)
async def enable(request: Request, webhook_id: str) -> Response:
    """Enable it."""
    stream, body = await _asked_with_body(request)
    sent = read(body, EnableIn)
    with stream.in_use():
        hook = await stream.webhooks.enable(webhook_id, from_now=sent.from_now)
    return json_response(_shown(stream, hook))


async def _asked(request: Request) -> Stream:
    """The stream, for who may."""
    context = context_of(request)
    await admit(request, context, Scope.ADMIN, stream_name(request, context))
    return await stream_of(request, context)


async def _asked_with_body(request: Request) -> tuple[Stream, bytearray]:
    """The same, and what was sent, which is read from nobody else."""
    context = context_of(request)
    caller = await admit(request, context, Scope.ADMIN, stream_name(request, context))
    stream = await stream_of(request, context)
    with context.bodies.share(caller.family) as share:
        head, within_s = Head.of(request.scope["headers"]), context.settings.request_timeout_s
        body = await receive_body(request, head, share, limit=MOST_BODY, timeout_s=within_s)
    return stream, body


def _text(given: str | msgspec.UnsetType) -> str:
    return given if isinstance(given, str) else ""


def _shown(stream: Stream, hook: Hook, *, with_secret: bool = False) -> dict[str, Any]:
    return shown(hook, waiting=stream.webhooks.waiting(hook.id), with_secret=with_secret)
