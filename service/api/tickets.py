"""`POST /tickets`: a single-use ticket in place of a key, for a page that opens a WebSocket.

A browser cannot send a header with a WebSocket, and a key in its address would end up in logs. So the page asks here,
with its key, for a ticket, and opens `/stream?ticket=fst_...` with that. A ticket is bound to the key that asked, to
one scope and one stream; it works once, within 30 seconds, at any replica, and its key must still be valid then.

How many may be asked for is in service/access/allowances.py; beyond that is 429. So a family has at most 350 of them
in the store, from each replica.
"""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from service.access.rights import Scope
from service.access.tokens import SECRET_BYTES, digest_of, make_ticket
from service.api.access import admit, check, needs
from service.api.context import context_of, stream_name
from service.api.rest import json_response
from service.api.schemas import ProblemOut, TicketOut
from service.errors import StoreAway
from service.state.errors import StoreUnavailable
from service.state.key_store import Ticket

router = APIRouter()

VALID_S: Final = 30

_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    429: {"model": ProblemOut, "description": "Too many tickets; come back after `Retry-After` seconds."},
    503: {"model": ProblemOut, "description": "The store is away."},
}


@router.post(
    "/tickets",
    summary="A ticket that opens one WebSocket, once",
    description=(
        "For a page, which cannot send a key with a WebSocket: ask here with the key, then open "
        "`/stream?ticket=...` (scope `ingest`) or `/watch?ticket=...` (scope `read`) within 30 seconds, on the same "
        "`stream`. The key must have the scope, and the stream."
    ),
    response_model=TicketOut,
    responses=_PROBLEMS,
    openapi_extra=needs(None),
)
async def ticket(
    request: Request,
    scope: Annotated[Literal["ingest", "read"], Query(description="What it shall open.")] = "ingest",
    stream: Annotated[
        str | None, Query(pattern=r"^[A-Za-z0-9._-]{1,64}$", description="On which stream; may be left out.")
    ] = None,
) -> Response:
    """Give a ticket."""
    context = context_of(request)
    name = stream or stream_name(request, context)
    caller = await admit(request, context, None, name)
    if caller.key is not None:
        check(caller.key, Scope(scope), name)
    caller.demand_ticket()
    text = make_ticket(context.access.draw(SECRET_BYTES))
    opens = Ticket(key=None if caller.key is None else caller.key.id, scope=Scope(scope), stream=name)
    try:
        await context.access.store.put_ticket(digest_of(text), opens, ttl_ms=VALID_S * 1000)
    except StoreUnavailable as away:
        raise StoreAway(f"{away}.") from None
    return json_response({"ticket": text, "valid_s": VALID_S, "scope": scope, "stream": name})
