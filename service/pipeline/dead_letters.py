"""The owner's view of the quarantine: who is in it, putting an item in, letting one out.

Only the owner of a stream writes its dead letters, so it need not ask the store about each item: it reads the ids
once, when it takes the stream over, and keeps them. There are a thousand at most.
"""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from service.errors import ItemQuarantined, PayloadNotKept, UnknownDeadLetter
from service.ingest.intake import Refused
from service.pipeline.asking import Asking, now_or_never
from service.records import AUTO_ID_PREFIX, Item
from service.state.dead_letters import MOST, DeadLetter, size_of
from service.state.errors import DeadLettersFull
from service.state.store import StreamStore
from service.telemetry.metrics import StreamMetrics

log = structlog.get_logger("firstseen.quarantine")

_AGAIN = (
    "crashed the engine and was not counted. Do not send it again: under the same id it is refused until a person has "
    "looked at it (`firstseen dlq list`, then `retry` or `drop`)."
)


class DeadLetters:
    """The quarantine of one stream.

    Args:
        store: Where it is kept.
        asking: To ask it until it answers.
        metrics: What is counted.
        now: The clock, seconds since 1970 (UTC).
        version: Of firstseen.
    """

    def __init__(
        self,
        store: StreamStore,
        asking: Asking,
        metrics: StreamMetrics,
        now: Callable[[], float],
        version: str,
    ) -> None:
        self._box = store.dead_letters
        self._asking = asking
        self._metrics = metrics
        self._now = now
        self._version = version
        self._ids: set[str] = set()
        self._writing = asyncio.Lock()  # what is in the store and what is known of it change together
        self._reading = asyncio.Lock()  # one page of payloads at a time
        self._is_full = False
        self._epoch = 0
        self._given = 0  # ids to items without one, in this epoch

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, id: object) -> bool:
        return id in self._ids

    @property
    def warnings(self) -> tuple[str, ...]:
        """What an operator should know."""
        if not self._is_full:
            return ()
        return (
            f"The dead-letter queue is full ({len(self._ids)} items): what crashes the engine from now on is refused "
            "and not kept. Look at it with `firstseen dlq list`, and make room with `firstseen dlq drop`.",
        )

    async def load(self, epoch: int) -> None:
        """Learn who is in quarantine; the stream is ours."""
        async with self._writing:
            self._ids = set(await self._asking.until_answered(self._box.ids))
        self._is_full = len(self._ids) >= MOST
        if epoch != self._epoch:
            self._epoch, self._given = epoch, 0
        self._metrics.dead_letters.set(len(self._ids))

    def refusal(self, id: str) -> Refused:
        """What to answer for an item that is in quarantine."""
        return Refused(id, ItemQuarantined(f"The item is in quarantine under the id {id!r}: it {_AGAIN}"))

    async def quarantine(self, item: Item, *, reason: str, seq: int, attempts: int) -> Refused:
        """Put an item in; durable when this returns. When there is no room it is refused all the same."""
        if item.id is None:
            id = f"{AUTO_ID_PREFIX}{self._epoch}-{self._given}"
            self._given += 1
        else:
            id = item.id
        letter = DeadLetter(
            id=id,
            x=item.x,
            size=size_of(item.x),
            reason=reason,
            t=self._now(),
            seq=seq,
            attempts=attempts,
            version=self._version,
        )
        try:
            async with self._writing:
                await self._asking.until_answered(lambda: self._box.put(letter))
                self._ids.add(id)
        except DeadLettersFull as full:
            self._is_full = True
            log.warning("quarantine_full", id=id, reason=reason, detail=str(full))
            return Refused(
                item.id,
                ItemQuarantined(
                    "The item crashed the engine and was not counted. It was not kept, since the dead-letter queue is "
                    "full. Do not send it again."
                ),
            )
        self._is_full = len(self._ids) >= MOST
        self._metrics.quarantined.inc()
        self._metrics.dead_letters.set(len(self._ids))
        log.warning("quarantined", id=id, reason=reason, seq=seq, attempts=attempts)
        return self.refusal(id)

    async def release(self, id: str) -> None:
        """The item got through: it is not in quarantine any more."""
        async with self._writing:
            await self._asking.until_answered(lambda: self._box.drop([id]))
            self._forget([id])
        log.info("released", id=id)

    # What people ask for: an answer now, or an error

    async def page(self, *, after: str, limit: int) -> tuple[list[DeadLetter], str | None]:
        """Up to `limit` letters whose ids come after `after`, and the id to go on after, None at the end.

        Raises:
            StoreAway: The store does not answer.
        """
        async with self._reading:
            ids = await now_or_never(self._box.ids())
            following = [id for id in ids if id.encode("utf-8", "surrogatepass") > after.encode()]
            shown = following[:limit]
            more = shown[-1] if len(following) > limit else None
            return await now_or_never(self._box.get(shown)), more

    async def item(self, id: str) -> Item:
        """An item in quarantine, to be tried again.

        Raises:
            UnknownDeadLetter: It is not there.
            PayloadNotKept: It was too large.
            StoreAway: The store does not answer.
        """
        for letter in await now_or_never(self._box.get([id])):
            if letter.x is None:
                raise PayloadNotKept(
                    f"Of item {id!r} only the size was kept ({letter.size} bytes): drop it, and send it again."
                )
            return Item(id=id, x=letter.x)
        raise _unknown(id)

    async def drop(self, id: str | None) -> int:
        """Forget one item, or all; how many. Their ids may be sent anew.

        Raises:
            UnknownDeadLetter: It is not there.
            NotReady: The stream is not ours.
            StoreAway: The store does not answer.
        """
        async with self._writing:
            ids = await now_or_never(self._box.ids()) if id is None else [id]
            dropped = await now_or_never(self._box.drop(ids))
            self._forget(ids)
        if id is not None and not dropped:
            raise _unknown(id)
        log.info("dropped", items=dropped, id=id)
        return dropped

    def _forget(self, ids: Sequence[str]) -> None:
        self._ids.difference_update(ids)
        self._is_full = len(self._ids) >= MOST
        self._metrics.dead_letters.set(len(self._ids))


def _unknown(id: str) -> UnknownDeadLetter:
    return UnknownDeadLetter(f"There is no item {id[:256]!r} in quarantine; GET /dlq lists those there are.")
