"""`GET /streams`: the streams there are, here and in the store."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from service.access.rights import Scope
from service.api.access import SOME_STREAMS, admit, needs
from service.api.context import context_of
from service.api.rest import json_response
from service.api.schemas import ProblemOut, StreamsOut

router = APIRouter()

_PAGE = 100


@router.get(
    "/streams",
    summary="The streams there are",
    description=(
        "Those open in this process and those in its store, in order of names; `after` goes on behind a name. Looking "
        "opens none. `ready` is of this process: a stream that another process owns is not ready here. A key is told "
        "of its own streams alone."
    ),
    response_model=StreamsOut,
    responses={503: {"model": ProblemOut, "description": "The store is away."}},
    openapi_extra=needs(Scope.READ),
)
async def streams(
    request: Request, after: str = "", limit: Annotated[int, Query(ge=1, le=_PAGE)] = _PAGE
) -> Response:
    """List streams."""
    context = context_of(request)
    caller = await admit(request, context, Scope.READ, SOME_STREAMS)
    rows, more = await context.streams.page(
        after=after, limit=limit, may_see=lambda name: caller.may(Scope.READ, name)
    )
    return json_response({"streams": rows, "next": more})
