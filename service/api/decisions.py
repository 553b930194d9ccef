"""Deciding about clusters, and what was decided.

    POST /clusters/{id}/{name|promote|link|merge|split|dismiss|undo}
    GET  /clusters/{id}/split      what a split would make of it; nothing changes
    GET  /decisions                who decided what, when and why: newest first

A decision goes through the stream's one queue, is an entry of its log, and counts from the next item on; it is durable
when it is answered. `Idempotency-Key` names it. The same key again is the same decision, made once: it gets the answer
of the first, after a restart too, for as long as the audit trail reaches back (10,000 decisions). The same key with
another decision is refused. Without a key each request is a decision of its own.
"""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from service.access.rights import Scope
from service.api.access import Caller, admit, needs
from service.api.bodies import receive_body
from service.api.context import Context, context_of, stream_name, stream_of
from service.api.decision_bodies import FORMS, decision_of, is_about, read
from service.api.formats.answers import JSON
from service.api.formats.head import Head
from service.api.idempotency import KEY_HEADER, key_of
from service.api.rest import json_response, promise
from service.api.schemas import (
    STREAM,
    STREAM_PROBLEMS,
    DecisionOut,
    DecisionsOut,
    ProblemOut,
    SplitPreviewOut,
)
from service.decisions import Action, Decided
from service.errors import KeyReused, OutcomeUnknown, UnsupportedMediaType

router = APIRouter()

_PAGE: Final = 100
_KEY_BYTES: Final = 16

_ABOUT: Final[dict[Action, tuple[str, str]]] = {
    Action.NAME: (
        "Name a cluster",
        'It stays a cluster; its verdicts are as before. "" takes the name away.',
    ),
    Action.PROMOTE: (
        "Make a cluster a known class",
        "From the next item on: what belongs to it gets the verdict `known`, with this label. Prototype, spread and "
        "calibration are taken from its members; nothing is trained. Verdicts that were given stay as they are.",
    ),
    Action.LINK: (
        "Make a cluster part of a known class",
        "From the next item on its items get the verdict `known`, with that label: of the bundle, or one that was "
        "promoted.",
    ),
    Action.MERGE: (
        "Merge a cluster into another",
        "Its id goes on as `merged_into`, and the two stay one whatever the stream brings.",
    ),
    Action.SPLIT: (
        "Split a cluster",
        "Look first: `GET` shows parts. Those that are sent leave, each under an id of its own (`created`), and stay "
        "apart.",
    ),
    Action.DISMISS: (
        "Dismiss a cluster",
        "It goes on as before, and nobody is told, until it comes so many times as often as now, or until a date.",
    ),
    Action.UNDO: (
        "Take a decision back",
        "From the next item on things are as if it had not been made; what others decided on top of it has to be "
        "undone first, and the problem says which.",
    ),
}

_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    **STREAM_PROBLEMS,
    400: {
        "model": ProblemOut,
        "description": "The body says nothing that can be decided; the problem has one that does.",
    },
    404: {"model": ProblemOut, "description": "There never was such a cluster, decision or stream."},
    408: {"model": ProblemOut, "description": "The body did not come in time."},
    409: {
        "model": ProblemOut,
        "description": "It cannot be decided as things stand; the problem says what to do first.",
    },
    413: {"model": ProblemOut, "description": "The body is over the limit."},
    415: {"model": ProblemOut, "description": "The body is not JSON."},
    422: {
        "model": ProblemOut,
        "description": "A parameter cannot be read, or the Idempotency-Key was sent with another decision.",
    },
}

_KEY: Final[dict[str, Any]] = {
    "name": KEY_HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 256, "pattern": "^[!-~]+$"},
    "description": "Names the decision, so that the request may be sent again and is made once.",
    "example": '"8e03978e-40d5-43e8-bc93-6894a57f9324"',
}


# Decide


def _route(action: Action) -> None:
    summary, description = _ABOUT[action]

    @router.post(
        f"/clusters/{{cluster_id}}/{action}",
        summary=summary,
        description=description,
        response_model=DecisionOut,
        responses=_PROBLEMS,
        name=action.value,
        operation_id=f"{action}_cluster",
        openapi_extra=needs(
            Scope.CURATE, parameters=[*STREAM["parameters"], _KEY], requestBody=_body_schema(action)
        ),
    )
    async def decide(request: Request, cluster_id: int) -> Response:
        return await _decided(request, action, cluster_id)


def _body_schema(action: Action) -> dict[str, Any]:
    form = FORMS[action]
    return {
        "required": not form.may_be_empty,
        "content": {
            JSON: {
                "schema": {"$ref": f"#/components/schemas/{form.body.__name__}"},
                "example": dict(form.example),
            }
        },
    }


for _action in Action:
    _route(_action)


async def _decided(request: Request, action: Action, cluster: int) -> Response:
    context = context_of(request)
    caller = await admit(request, context, Scope.CURATE, stream_name(request, context))
    head = Head.of(request.scope["headers"])
    key = _key(head, caller, context)
    stream = await stream_of(request, context)
    with stream.in_use():
        sent = read(action, await _body(request, head, context, caller))
        caller.check_key()
        view = await stream.pipeline.view()
        asked = decision_of(
            action, cluster, sent, key=key, t=context.now(), who=caller.name, made=view.decisions
        )
        try:
            async with asyncio.timeout(context.settings.request_timeout_s):
                made = await stream.pipeline.curate(asked)
        except KeyReused:
            raise KeyReused(
                f"This {KEY_HEADER} was sent before, with another decision: give every decision a key of its own, and "
                "use it again only to send the very same one again."
            ) from None
        except TimeoutError:
            raise OutcomeUnknown(
                f"No answer within {context.settings.request_timeout_s:g} s. It may or may not be decided: send the "
                f"same again under the same {KEY_HEADER}, or look at GET /decisions."
            ) from None
    return json_response(shown(made), headers=promise(context))


def _key(head: Head, caller: Caller, context: Context) -> str:
    """What the decision is called: after the caller's key for it, or by luck."""
    sent = key_of(head, caller="" if caller.key is None else caller.key.family)
    return context.access.draw(_KEY_BYTES).hex() if sent is None else sent


async def _body(request: Request, head: Head, context: Context, caller: Caller) -> bytearray:
    settings = context.settings
    with context.bodies.share(caller.family) as share:
        body = await receive_body(
            request, head, share, limit=settings.max_body_bytes, timeout_s=settings.request_timeout_s
        )
    if body and head.media_type != JSON:
        raise UnsupportedMediaType(
            f"A decision is sent as {JSON}, not as {head.media_type[:100] or 'a body without Content-Type'!r}."
        )
    return body


# Look


@router.get(
    "/clusters/{cluster_id}/split",
    summary="What a split would make of a cluster",
    description=(
        "Its parts, by a clustering of its micro-clusters; nothing changes. Send the `births` of those that shall "
        "leave to `POST`, as `parts`."
    ),
    response_model=SplitPreviewOut,
    responses={key: _PROBLEMS[key] for key in (404, 409, 422, 503)},
    openapi_extra=needs(Scope.READ, **STREAM),
)
async def split_preview(request: Request, cluster_id: int) -> Response:
    """Show a split before it is made."""
    context = context_of(request)
    await admit(request, context, Scope.READ, stream_name(request, context))
    stream = await stream_of(request, context)
    with stream.in_use():
        return json_response(await stream.pipeline.splits(cluster_id))


@router.get(
    "/decisions",
    summary="What was decided: by whom, when, and why",
    description=(
        "Newest first; `after` goes on behind a decision, to older ones. The latest 10,000 are kept. Decisions that "
        "were taken back are there, too, with the undo that did (`undone_by`)."
    ),
    response_model=DecisionsOut,
    responses=STREAM_PROBLEMS,
    openapi_extra=needs(Scope.READ, **STREAM),
)
async def decisions(
    request: Request,
    cluster: Annotated[
        int | None, Query(description="Those about this cluster: with it, into it, or it came of that.")
    ] = None,
    action: Annotated[Action | None, Query(description="Those of this kind.")] = None,
    after: Annotated[int | None, Query(description="The `next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=_PAGE)] = _PAGE,
) -> Response:
    """List decisions."""
    context = context_of(request)
    await admit(request, context, Scope.READ, stream_name(request, context))
    view = await (await stream_of(request, context)).pipeline.view()
    found = [
        one
        for one in reversed(view.decisions)
        if (after is None or one.seq < after)
        and (action is None or one.decision.action is action)
        and (cluster is None or is_about(one, cluster))
    ]
    page = found[:limit]
    return json_response(
        {
            "seq": view.seq,
            "stale": view.stale,
            "decisions": [shown(one) for one in page],
            "next": page[-1].seq if len(found) > limit else None,
        }
    )


def shown(one: Decided) -> dict[str, Any]:
    """A decision as it is told."""
    asked = one.decision
    return {
        "decision": one.seq,
        "action": asked.action.value,
        "cluster": asked.cluster,
        "created": one.created,
        "time": _when(asked.t),
        "who": asked.who,
        "why": asked.why,
        "label": one.label if asked.label is None else asked.label,
        "into": asked.into,
        "parts": asked.parts,
        "until_rate": asked.until_rate,
        "until": None if asked.until_t is None else _when(asked.until_t),
        "undoes": asked.undoes,
        "undone_by": one.undone_by,
    }


def _when(t: float) -> str:
    """RFC 3339, to the millisecond."""
    return datetime.fromtimestamp(t, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
