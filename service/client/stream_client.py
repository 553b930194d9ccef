"""A client of `WS /stream` that loses nothing, for who paces the stream himself: chunks in, answers out as they come.

`AsyncClient.stream` is the same with items for chunks and answers in the order of the items.
"""

import asyncio
import itertools
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence

from service.client.address import Address
from service.client.conversation import Conversation, Message
from service.client.errors import Refused
from service.client.items import RawItem
from service.client.parcels import Parcel, parcel_of
from service.client.patience import Patience


class StreamClient:
    """Sends one stream of items; survives cuts and restarts of the service."""

    def __init__(
        self,
        url: str,
        *,
        on_result: Callable[[RawItem], None],
        patience_s: float = 30.0,
        api_key: str | None = None,
    ) -> None:
        """Nothing is sent before `run`.

        Args:
            url: `ws://host:port/stream`, with `?stream=NAME` for a stream by name.
            on_result: Called once an item, in the order of answers, with the verdict, or with the nack of an
                item that cannot be classified as it was sent. Both have the item's `id`.
            patience_s: How long nothing may be answered, from the first cut on, before GaveUp is raised.
            api_key: Of a service that asks for one.
        """
        self._url = url
        self._on_result = on_result
        self._patience_s = patience_s
        self._api_key = api_key

    async def run(self, chunks: AsyncIterable[Sequence[RawItem]]) -> None:
        """Send all chunks; returns when every item is answered.

        Args:
            chunks: Lists of items with string ids; those larger than the service takes at once are cut.

        Raises:
            GaveUp: The service was away for too long.
            Refused: It will never take what is sent: no such stream, an item larger than a frame may be.
            TypeError: An item has no string as id.
            ValueError: An item cannot be written as JSON, such as one with NaN.
        """
        conversation = Conversation(
            _StreamAddress(url=self._url, api_key=self._api_key),
            on_answer=self._answered,
            on_too_large=_refuse,
            patience=Patience(self._patience_s, now=asyncio.get_running_loop().time, what=self._url),
        )
        await conversation.run(_parcels(chunks))

    def _answered(self, _number: int, message: Message) -> None:
        self._on_result(message)


class _StreamAddress(Address):
    """One whose URL is that of the socket already."""

    def socket(self, path: str) -> str:  # noqa: ARG002 - it is in the URL
        return self.url


async def _parcels(chunks: AsyncIterable[Sequence[RawItem]]) -> AsyncIterator[list[Parcel]]:
    numbers = itertools.count()
    async for chunk in chunks:
        yield [parcel_of(next(numbers), raw) for raw in chunk]  # all of a chunk, before any of it is sent


def _refuse(parcel: Parcel, most_bytes: int) -> None:
    size = len(parcel.encoded)
    raise Refused(f"Item {parcel.id!r} has {size} bytes; a frame may have {most_bytes} in all.")
