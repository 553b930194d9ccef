"""The dead-letter queue over HTTP: what is in quarantine, try one item again, forget one or all.

An id may hold any character, `/`, `?` and `..` among them, and proxies tidy paths up; so it is a parameter of the
query here, and not a part of the path.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from service.access.rights import Scope
from service.api.access import admit, needs
from service.api.context import context_of, stream_name, stream_of
from service.api.rest import answer, json_response, response_to
from service.api.schemas import STREAM, STREAM_PROBLEMS, DeadLettersOut, DroppedOut, ProblemOut, VerdictOut
from service.errors import InvalidParameter
from service.state.dead_letters import DeadLetter

router = APIRouter()

_PAGE = 100

_NOT_THERE: dict[int | str, dict[str, Any]] = {
    **STREAM_PROBLEMS,
    404: {"model": ProblemOut, "description": "It is not in quarantine, or there is no such stream."},
}


@router.get(
    "/dlq",
    summary="Items in quarantine: they crashed the engine",
    description="In order of ids, without their payloads; `after` goes on behind an id.",
    response_model=DeadLettersOut,
    responses=STREAM_PROBLEMS,
    openapi_extra=needs(Scope.READ, **STREAM),
)
async def listed(
    request: Request, after: str = "", limit: Annotated[int, Query(ge=1, le=_PAGE)] = _PAGE
) -> Response:
    """List what is in quarantine."""
    context = context_of(request)
    await admit(request, context, Scope.READ, stream_name(request, context))
    stream = await stream_of(request, context)
    with stream.in_use():
        letters, more = await stream.pipeline.dead_letters.page(after=after, limit=limit)
    return json_response({"items": [_shown(letter) for letter in letters], "next": more})


@router.post(
    "/dlq/retry",
    summary="Try an item in quarantine again",
    description=(
        "It goes through the engine like one that is sent, alone. With a verdict it leaves quarantine; should it crash "
        "the engine again, it stays, and the answer says so (422)."
    ),
    response_model=VerdictOut,
    responses={
        **_NOT_THERE,
        409: {"model": ProblemOut, "description": "It was too large to be kept."},
        422: {"model": ProblemOut, "description": "It crashed the engine again."},
    },
    openapi_extra=needs(Scope.ADMIN, **STREAM),
)
async def retry(request: Request, id: str) -> Response:
    """Try an item again."""
    context = context_of(request)
    await admit(request, context, Scope.ADMIN, stream_name(request, context))
    stream = await stream_of(request, context)
    with stream.in_use():
        item = await stream.pipeline.dead_letters.item(id)
        (outcome,) = await answer(context, stream, [item], is_retry=True)
    return response_to(outcome, context)


@router.delete(
    "/dlq",
    summary="Forget an item in quarantine, or all",
    description="Its id may then be sent anew. Give `id`, or `all=true`.",
    response_model=DroppedOut,
    responses=_NOT_THERE,
    openapi_extra=needs(Scope.ADMIN, **STREAM),
)
async def drop(
    request: Request, *, id: str | None = None, everything: Annotated[bool, Query(alias="all")] = False
) -> Response:
    """Forget."""
    context = context_of(request)
    await admit(request, context, Scope.ADMIN, stream_name(request, context))
    if (id is None) is not everything:
        raise InvalidParameter("Give either id, or all=true.")
    stream = await stream_of(request, context)
    with stream.in_use():
        return json_response({"dropped": await stream.pipeline.dead_letters.drop(id)})


def _shown(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "reason": letter.reason,
        "t": letter.t,
        "seq": letter.seq,
        "attempts": letter.attempts,
        "size": letter.size,
        "kept": letter.x is not None,
        "version": letter.version,
    }
