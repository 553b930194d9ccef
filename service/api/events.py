"""`GET /events`: what became of clusters, from the outbox: what `/watch` and a page can begin with.

It tells the past, `/watch` the present. Who wants both without a hole opens `/watch` first, reads here to the end, and
drops of what comes then whatever it has read: an event has the same `seq`, kind and cluster in both.
"""

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from service.access.rights import Scope
from service.api.rest import json_response
from service.api.schemas import EventsOut
from service.api.stream_routes import StreamRoutes
from service.errors import InvalidParameter, StoreAway
from service.state.errors import StoreUnavailable
from service.state.events import FIRST, StoredEvent, is_event_id

router = APIRouter()

_PAGE: Final = 100
_ROUTES: Final = StreamRoutes(router, Scope.READ)


@_ROUTES.route(
    "GET",
    "/events",
    "What became of clusters",
    EventsOut,
    description=(
        "Durable events, oldest first; `after` goes on behind the id of an event. The latest 10,000 are kept: `gap` "
        "says that some have left which came after `after`."
    ),
)
async def events(
    request: Request,
    after: Annotated[str, Query(max_length=32)] = FIRST,
    limit: Annotated[int, Query(ge=1, le=_PAGE)] = _PAGE,
) -> Response:
    """Page through the outbox."""
    async with _ROUTES.asked(request) as asked:
        if not is_event_id(after):
            raise InvalidParameter(
                f"after: {after!r} is no id of an event; send one as `id` has it, like 412-1, or leave it out."
            )
        try:
            page = await asked.stream.events.after(after, limit=limit)
        except StoreUnavailable as away:
            raise StoreAway(f"{away}.") from None
    told = [_shown(event) for event in page.events]
    return json_response(
        {"events": told, "last": told[-1]["id"] if told else after, "gap": page.has_gap, "total": page.total}
    )


def _shown(event: StoredEvent) -> dict[str, Any]:
    return {"id": event.id, **msgspec.json.decode(event.data)}
