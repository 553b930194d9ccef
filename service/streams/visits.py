"""Streams that are not open are visited, so that what their webhooks are to be told does not wait for an item.

    names ─► not open here, with webhooks, owned by nobody ─► is something due? ─► open, tell, close again

Webhooks are told by the owner of their stream, and a process owns what it has open. After a restart that is the default
stream alone, and a stream is closed when another needs its place; what waits then would wait until somebody sends an
item. So every EVERY_S a process looks for such streams, opens one after the other, and closes it again unless somebody
has come to use it meanwhile. A visit needs a place as any use does: at most one other stream is closed for it.

When something is due next is known once a stream has been visited, for as long as nobody else has owned it (its epoch
is the same): a stream whose next try is tomorrow is left alone until then. Several processes on one Redis all look; the
lease keeps two from telling at once.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from service.errors import FirstseenError
from service.state.errors import StoreUnavailable
from service.state.names import StoredStream
from service.streams.streams import Names, Streams

log = structlog.get_logger("firstseen.streams")

EVERY_S: Final = 30.0
VISIT_S: Final = 20.0
"""How long a visit takes at most; what is left is told at the next one."""

_LOOK_S: Final = 0.1
_PAGE: Final = 500


class Visits:
    """Of one process. Lives in one event loop.

    Args:
        streams: Its streams.
        names: Which there are in the store.
        now: Seconds since 1970 (UTC).
    """

    def __init__(self, streams: Streams, names: Names, *, now: Callable[[], float]) -> None:
        self._streams = streams
        self._names = names
        self._now = now
        self._rests: dict[str, tuple[int, float]] = {}  # name -> (epoch, until when nothing is due)

    async def run(self) -> None:
        """Visit, until this is cancelled."""
        await self._streams.prepared.wait()
        while True:
            try:
                await self.round()
            except StoreUnavailable as away:
                log.warning("visits_wait", reason=str(away))
            except Exception:
                log.exception("visits_failed")
            await asyncio.sleep(EVERY_S)

    async def round(self) -> None:
        """Visit each stream for which something is due."""
        names = await self._names.all()
        self._rests = {name: self._rests[name] for name in names if name in self._rests}
        for first in range(0, len(names), _PAGE):
            closed = [name for name in names[first : first + _PAGE] if self._streams.peek(name) is None]
            for stored in await self._names.look(await self._names.with_webhooks(closed)):
                if self._is_due(stored):
                    await self._visit(stored.name)

    def _is_due(self, stored: StoredStream) -> bool:
        if stored.seq is None or stored.owner is not None:  # of another bundle, or somebody's
            return False
        epoch, until = self._rests.get(stored.name, (None, 0.0))
        return epoch != stored.epoch or until <= self._now()

    async def _visit(self, name: str) -> None:
        try:
            stream = await self._streams.open(name, may_create=False)
        except FirstseenError as error:
            log.info("visit_put_off", stream=name, reason=str(error))
            return
        use, clock = stream.used, asyncio.get_running_loop().time
        due, end = 0.0, clock() + VISIT_S
        with stream.in_use():
            while self._streams.peek(name) is stream and clock() < end:
                if (due := stream.webhooks.due()) > self._now() + EVERY_S:
                    break
                await asyncio.sleep(_LOOK_S)
        epoch = stream.pipeline.epoch
        if await self._streams.leave(stream, use):
            self._rests[name] = epoch, due
