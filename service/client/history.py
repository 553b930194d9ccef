"""`GET /events` page by page, and on to what happens now: no event is passed over, whatever is cut.

`WS /watch` tells that there is more, and the history tells what: after a cut it is read on from the last event that was
read, so nothing in between is lost, as it is for who only watches.
"""

from collections.abc import AsyncGenerator, AsyncIterable

import msgspec

from service.client.answers import Clusters, Event, PastEvent
from service.client.asking import Requests

FIRST = "0-0"
"""Before every event."""

_PAGE = 100


async def reading(requests: Requests, after: str) -> AsyncGenerator[PastEvent, None]:
    """To the end of the history as it is. Raises as `Requests.ask`."""
    while True:
        asked = {"after": after, "limit": str(_PAGE)}
        _, said = await requests.ask("GET", "/events", parameters=asked)
        for n, one in enumerate(said["events"]):
            yield msgspec.convert({**one, "gap": said["gap"] and n == 0}, PastEvent)
        if len(said["events"]) < _PAGE:
            return
        after = said["last"]


async def following(
    requests: Requests, after: str, watched: AsyncIterable[Clusters | Event]
) -> AsyncGenerator[PastEvent, None]:
    """To the end, and on whenever something is told that was not read yet. Raises as `reading` and `watching`."""
    seq = -1
    async for told in watched:
        if isinstance(told, Event) and told.seq <= seq:  # events of one place are written, and read, together
            continue
        async for event in reading(requests, after):
            after, seq = event.id, event.seq
            yield event
