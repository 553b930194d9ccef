"""A stream of items to a stream of answers, in order, with bounded memory.

    iterable ─► feed ─► item, id, bytes ─► conversation ─► answers in order ─► the caller
      (its own thread)       └── what cannot be sent is answered here ──┘

At most `MOST_UNREAD` items are on the way between the feed and the caller, answered or not. A caller that does not read
stops the feed, and the service gets nothing more.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable

from service.client.answers import Answer, Refusal, answer_of
from service.client.conversation import Conversation, Message
from service.client.feeding import Feed
from service.client.in_order import InOrder
from service.client.items import item_of, raw_of, refusal
from service.client.parcels import Parcel, parcel_of

MOST_UNREAD = 4096


class Streaming:
    """One stream, sent `chunk` items at a time; `conversation_of` makes what carries it, from its two callbacks."""

    def __init__(
        self,
        feed: Feed,
        *,
        new_id: Callable[[], str],
        chunk: int,
        conversation_of: Callable[
            [Callable[[int, Message], None], Callable[[Parcel, int], None]], Conversation
        ],
    ) -> None:
        self._feed = feed
        self._new_id = new_id
        self._chunk = chunk
        self._conversation = conversation_of(self._answered, self._too_large)
        self._order = InOrder()
        self._come = asyncio.Event()
        self._read = asyncio.Event()

    async def batches(self) -> AsyncGenerator[list[Answer], None]:
        """All answers there are, whenever there are any."""
        running = asyncio.create_task(self._conversation.run(self._chunks()))
        running.add_done_callback(lambda _: self._come.set())
        try:
            while True:
                await self._come.wait()
                self._come.clear()
                if answers := self._order.take():
                    yield answers
                    self._read.set()
                if running.done():
                    await running
                    if last := self._order.take():
                        yield last
                    return
        finally:
            self._feed.close()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def _chunks(self) -> AsyncGenerator[list[Parcel], None]:
        while True:
            while (room := MOST_UNREAD - self._order.unread) <= 0:
                self._read.clear()
                await self._read.wait()
            taken = await self._feed.take(min(self._chunk, room))
            if not taken:
                return
            parcels = [parcel for given in taken if (parcel := self._parcel(given)) is not None]
            if parcels:
                yield parcels

    def _parcel(self, given: object) -> Parcel | None:
        number = self._order.number()
        if isinstance(given, Refusal):
            self._add(number, given)
            return None
        item = item_of(given, self._new_id)
        try:
            return parcel_of(number, raw_of(item))
        except (TypeError, ValueError) as error:
            self._add(number, refusal(item.id, str(error)))
            return None

    def _answered(self, number: int, message: Message) -> None:
        self._add(number, answer_of(message))

    def _too_large(self, parcel: Parcel, most_bytes: int) -> None:
        detail = f"The item has {len(parcel.encoded)} bytes; a frame may have {most_bytes} in all."
        self._add(parcel.number, refusal(parcel.id, detail, kind="too-large"))

    def _add(self, number: int, answer: Answer) -> None:
        self._order.add(number, answer)
        self._come.set()
