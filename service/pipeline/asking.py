"""Ask the store until it answers.

A store that is away is no reason to lose what is in hand: the same call is made again, unchanged, until it is answered.
Asking again is safe, since the store knows a batch that it has. One that was away is looked at again before it is
trusted: it may have come back set up otherwise. An embedded server that does not start again (it was killed once more
while it started, or the disk is full) is just as far away as one that does not answer: it is started again, too.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from service.errors import NotReady, StoreAway
from service.pipeline.readiness import Readiness
from service.state.errors import EmbeddedServerFailed, Fenced, StoreMisconfigured, StoreUnavailable
from service.state.store import StreamStore

log = structlog.get_logger("firstseen.pipeline")

T = TypeVar("T")

RETRY_S = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Pauses before the store is asked again; the last one for good."""


async def now_or_never(asked: Awaitable[T]) -> T:
    """What people ask for: an answer now, or an error.

    Raises:
        StoreAway: The store does not answer.
        NotReady: The stream is not ours.
    """
    try:
        return await asked
    except StoreUnavailable as away:
        raise StoreAway(f"{away}.") from None
    except Fenced:
        raise NotReady("The stream is not owned by this process; ask the one that owns it.") from None


class Asking:
    """Calls of one store.

    Args:
        store: Whom to ask.
        readiness: Is told while it does not answer.
        revive: Called when it does not: restarts an embedded server that died.
    """

    def __init__(
        self, store: StreamStore, readiness: Readiness, revive: Callable[[], Awaitable[None]] | None
    ) -> None:
        self._store = store
        self._readiness = readiness
        self._revive = revive
        self._unanswered: set[object] = set()

    async def until_answered(self, call: Callable[[], Awaitable[T]]) -> T:
        """What `call` gives, as soon as the store answers; other errors of the store are raised."""
        tries, question = 0, object()
        try:
            while True:
                try:
                    if tries and not await self._is_trusted():
                        await asyncio.sleep(RETRY_S[-1])
                        continue
                    answer = await call()
                except StoreUnavailable as away:
                    self._unanswered.add(question)
                    self._readiness.store_is_away(str(away))
                    await self._try_to_revive()
                    await asyncio.sleep(RETRY_S[min(tries, len(RETRY_S) - 1)])
                    tries += 1
                else:
                    self._unanswered.discard(question)
                    if (
                        not self._unanswered
                    ):  # out of memory it renews a lease and takes no batch: that is away
                        self._readiness.store_is_away(None)
                    return answer
        finally:
            self._unanswered.discard(question)

    async def _is_trusted(self) -> bool:
        """Whether a store that was away still keeps what is acknowledged; while it does not, nothing is asked of it."""
        try:
            await self._store.open()
        except StoreMisconfigured as unsafe:
            self._readiness.store_is_away(None)
            self._readiness.store_is_unsafe(str(unsafe))
            return False
        self._readiness.store_is_unsafe(None)
        return True

    async def _try_to_revive(self) -> None:
        if self._revive is None:
            return
        try:
            await self._revive()
        except EmbeddedServerFailed as failed:
            log.warning("embedded_store_failed", reason=str(failed))
            self._readiness.store_is_away(str(failed).partition(";")[0])
