"""`GET /streams`: the streams there are, here and in the store."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

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
        "opens none. `ready` is of this process: a stream that another process owns is not ready here."
    ),
    response_model=StreamsOut,
    responses={503: {"model": ProblemOut, "description": "The store is away."}},
)
async def streams(
    request: Request, after: str = "", limit: Annotated[int, Query(ge=1, le=_PAGE)] = _PAGE
) -> Response:
    """List streams."""
    rows, more = await context_of(request).streams.page(after=after, limit=limit)
    return json_response({"streams": rows, "next": more})
