"""The dead-letter queue over HTTP: what is in quarantine, try one item again, forget one or all.

An id may hold any character, `/`, `?` and `..` among them, and proxies tidy paths up; so it is a parameter of the
query here, and not a part of the path.
"""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from service.access.rights import Scope
from service.api.rest import answer, json_response, response_to
from service.api.schemas import DeadLettersOut, DroppedOut, VerdictOut
from service.api.stream_routes import StreamRoutes
from service.errors import InvalidParameter
from service.state.dead_letters import DeadLetter

router = APIRouter()

_PAGE: Final = 100
_NOT_THERE: Final = {404: "It is not in quarantine, or there is no such stream."}
_LOOKING: Final = StreamRoutes(router, Scope.READ)
_RETRYING: Final = StreamRoutes(
    router,
    Scope.ADMIN,
    {**_NOT_THERE, 409: "It was too large to be kept.", 422: "It crashed the engine again."},
)
_DROPPING: Final = StreamRoutes(router, Scope.ADMIN, _NOT_THERE)


@_LOOKING.route(
    "GET",
    "/dlq",
    "Items in quarantine: they crashed the engine",
    DeadLettersOut,
    description="In order of ids, without their payloads; `after` goes on behind an id.",
)
async def listed(
    request: Request, after: str = "", limit: Annotated[int, Query(ge=1, le=_PAGE)] = _PAGE
) -> Response:
    """List what is in quarantine."""
    async with _LOOKING.asked(request) as asked:
        letters, more = await asked.stream.pipeline.dead_letters.page(after=after, limit=limit)
        return json_response({"items": [_shown(letter) for letter in letters], "next": more})


@_RETRYING.route(
    "POST",
    "/dlq/retry",
    "Try an item in quarantine again",
    VerdictOut,
    description=(
        "It goes through the engine like one that is sent, alone. With a verdict it leaves quarantine; should it crash "
        "the engine again, it stays, and the answer says so (422)."
    ),
)
async def retry(request: Request, id: str) -> Response:
    """Try an item again."""
    async with _RETRYING.asked(request) as asked:
        item = await asked.stream.pipeline.dead_letters.item(id)
        (outcome,) = await answer(asked.context, asked.stream, [item], is_retry=True)
        return response_to(outcome, asked.context)


@_DROPPING.route(
    "DELETE",
    "/dlq",
    "Forget an item in quarantine, or all",
    DroppedOut,
    description="Its id may then be sent anew. Give `id`, or `all=true`.",
)
async def drop(
    request: Request, *, id: str | None = None, everything: Annotated[bool, Query(alias="all")] = False
) -> Response:
    """Forget."""
    async with _DROPPING.asked(request) as asked:
        if (id is None) is not everything:
            raise InvalidParameter("Give either id, or all=true.")
        return json_response({"dropped": await asked.stream.pipeline.dead_letters.drop(id)})


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
