"""Streams that are not open are visited, so that what their webhooks are to be told does not wait for an item.

    names ─► not open here, with webhooks, owned by nobody ─► is something due? ─► open, tell, close again

Webhooks are told by the owner of their stream, and a process owns what it has open. After a restart that is the default
stream alone, and a stream is closed when another needs its place; what waits then would wait until somebody sends an
item. So every EVERY_S a process looks for such streams, opens one after the other, and closes it again unless somebody
has come to use it meanwhile. A visit needs a place as any use does, and at most one other stream is closed for it; but
it is no use: its place is the first that who comes gets.

When something is due next is read from the store, once for as long as nobody else has owned the stream (its epoch is
the same): a stream whose next try is tomorrow is left alone until then. Several processes on one Redis all look, and
owning nothing they do not make each other look again; the lease keeps two from telling at once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from service.errors import FirstseenError
from service.state.errors import StoreUnavailable
from service.state.names import StoredStream
from service.streams.streams import Names, Streams

log = structlog.get_logger("firstseen.streams")

EVERY_S: Final = 30.0
VISIT_S: Final = 20.0
"""How long a visit takes at most; the rest is told at the next one. A replay does not count: it would begin anew."""

_LOOK_S: Final = 0.1
_PAGE: Final = 500


class Visits:
    """Of one process. Lives in one event loop.

    Args:
        streams: Its streams.
        names: Which there are in the store.
        due: When there is something to tell of a stream that nobody has, by the store; infinite: never.
        now: Seconds since 1970 (UTC).
    """

    def __init__(
        self,
        streams: Streams,
        names: Names,
        *,
        due: Callable[[str], Awaitable[float]],
        now: Callable[[], float],
    ) -> None:
        self._streams = streams
        self._names = names
        self._due = due
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
                if await self._is_due(stored):
                    await self._visit(stored.name)

    async def _is_due(self, stored: StoredStream) -> bool:
        if stored.seq is None or stored.owner is not None:  # of another bundle, or somebody's
            return False
        epoch, due = self._rests.get(stored.name, (None, 0.0))
        if epoch != stored.epoch:
            due = await self._due(stored.name)
            self._rests[stored.name] = stored.epoch, due
        return due <= self._now()

    async def _visit(self, name: str) -> None:
        if self._streams.peek(name) is not None:  # somebody came to use it: it is told without us
            return
        try:
            stream = await self._streams.open(name, may_create=False)
        except FirstseenError as error:
            log.info("visit_put_off", stream=name, reason=str(error))
            return
        use = stream.used = 0
        pipeline, clock = stream.pipeline, asyncio.get_running_loop().time
        end = clock() + VISIT_S
        while self._streams.peek(name) is stream and not stream.is_closing and clock() < end:
            if pipeline.epoch and pipeline.reason is not None:  # it is ours, and replayed
                end = clock() + VISIT_S
            elif stream.webhooks.due() > self._now() + EVERY_S:
                break
            await asyncio.sleep(_LOOK_S)
        await self._streams.leave(stream, use)
