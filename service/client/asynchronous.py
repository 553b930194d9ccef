"""The client for who has an event loop. `service.client.synchronous` is the same without."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import aclosing
from functools import partial
from typing import Any, Self

import httpx
import msgspec

from service.client import composition
from service.client.address import DEFAULT_URL, Address
from service.client.answers import Answer, Clusters, Event, Info, PastEvent, Refusal, Verdict
from service.client.asking import Requests
from service.client.classifying import classifying
from service.client.conversation import Conversation
from service.client.curating import Curating
from service.client.errors import Refused
from service.client.feeding import Feed, feed_of
from service.client.history import FIRST, following, reading
from service.client.items import ItemLike
from service.client.patience import Patience
from service.client.streaming import Streaming
from service.client.watching import watching
from service.client.webhooks import Hooking

BATCH = 256
_MOST_EXPLAINED = 100
"""Items that the service explains in one request."""


class AsyncClient(Curating, Hooking):
    """A service, seen from outside. Use it as a context, or `close` it.

    Args:
        url: Of the service; `https://` is WebSockets over TLS, too.
        api_key: Where the service asks for one; None: FIRSTSEEN_API_KEY of the environment, if there is one.
        stream: Name of the stream; None: the service's own.
        timeout_s: Of one try of one request.
        patience_s: How long nothing may be answered, over all tries, before GaveUp is raised.
        http: Makes the requests, for who needs a proxy or a certificate of his own; he closes it, too.

    Raises:
        ValueError: An address or a key that cannot be.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        stream: str | None = None,
        timeout_s: float = 60.0,
        patience_s: float = 60.0,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._address = Address.of(url, stream=stream, api_key=composition.api_key(api_key))
        self._patience_s = patience_s
        self._new_id = composition.ids()
        self._requests = Requests(self._address, timeout_s=timeout_s, patience_s=patience_s, http=http)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._requests.close()

    async def classify(
        self,
        items: Iterable[ItemLike] | AsyncIterable[ItemLike],
        *,
        learn: bool = True,
        explain: bool = False,
        batch: int = BATCH,
    ) -> list[Answer]:
        """Classify items over HTTP, in order; one that cannot be classified has a Refusal in its place.

        Args:
            items: Items, dictionaries with `x` and maybe `id`, texts, or arrays; an array (B, ...) is B items.
            learn: False: only ask; nothing is remembered, counted or learnt.
            explain: Ask for each verdict's `explanation`, too.
            batch: Items a request, at most.

        Raises:
            GaveUp: The service was away for too long.
            Refused: It takes no items from here; the problem says why.
            TypeError: One of them is nothing that could be an item.
        """
        lists = self._asked(feed_of(items), learn=learn, explain=explain, batch=batch)
        return [answer async for answers in lists for answer in answers]

    async def classify_one(self, item: ItemLike, *, learn: bool = True, explain: bool = False) -> Verdict:
        """Classify one item; here a refusal is raised.

        Raises:
            GaveUp: The service was away for too long.
            Refused: It cannot be classified as it was sent; the problem says what to send.
        """
        (answer,) = await self.classify([item], learn=learn, explain=explain)
        if isinstance(answer, Refusal):
            raise Refused(answer.problem.detail, answer.problem)
        return answer

    async def stream(
        self,
        items: Iterable[ItemLike] | AsyncIterable[ItemLike],
        *,
        learn: bool = True,
        explain: bool = False,
    ) -> AsyncGenerator[Answer, None]:
        """Classify a stream of items, however long: an answer each, in order, as they come.

        It goes over the WebSocket, or over HTTP with `learn=False` or `explain=True`. Cuts and restarts of the service
        are survived; memory is bounded, and a caller that does not read stops it. An iterable that waits holds up no
        answer: it is read by a thread of its own, unless it is a list.

        Args:
            items: As of `classify`; a Refusal among them is handed on in its place.
            learn: As of `classify`.
            explain: As of `classify`.

        Raises:
            GaveUp: The service was away for too long.
            Refused: It takes no items from here.
            TypeError: One of them is nothing that could be an item.
            Exception: What the iterable raised.
        """
        async with aclosing(self.stream_batches(items, learn=learn, explain=explain)) as lists:
            async for answers in lists:
                for answer in answers:
                    yield answer

    async def stream_batches(
        self,
        items: Iterable[ItemLike] | AsyncIterable[ItemLike],
        *,
        learn: bool = True,
        explain: bool = False,
        batch: int = BATCH,
    ) -> AsyncGenerator[list[Answer], None]:
        """The same, as lists of what has come: for who writes them somewhere. `batch`: items sent at once."""
        feed = feed_of(items)
        if explain or not learn:
            lists = self._asked(feed, learn=learn, explain=explain, batch=batch)
        else:
            lists = Streaming(
                feed, new_id=self._new_id, chunk=batch, conversation_of=self._conversation
            ).batches()
        async with aclosing(lists):
            async for answers in lists:
                yield answers

    def _conversation(self, on_answer: Any, on_too_large: Any) -> Conversation:  # noqa: ANN401 - passed on
        return Conversation(
            self._address, on_answer=on_answer, on_too_large=on_too_large, patience=self._patience()
        )

    async def info(self) -> Info:
        """What is served: the input's form with an example, counts, the bundle.

        Raises:
            GaveUp: The service was away for too long.
            Refused: There is no right to see it.
        """
        _, said = await self._requests.ask("GET", "/info")
        return msgspec.convert(said, Info)

    async def watch(self) -> AsyncGenerator[Clusters | Event, None]:
        """What happens to clusters: first the Clusters as they are, then Events, and after each cut Clusters anew.

        Raises:
            GaveUp: The service was away for too long.
            Refused: It does not let this caller watch.
        """
        async with aclosing(watching(self._address, self._patience())) as events:
            async for event in events:
                yield event

    async def events(self, after: str = FIRST, *, follow: bool = False) -> AsyncGenerator[PastEvent, None]:
        """What became of clusters: the durable history, oldest first, page by page as it is asked for.

        Args:
            after: The `id` of an event: only those behind it.
            follow: Go on with what happens. Cuts and restarts lose no event.

        Raises:
            GaveUp: The service was away for too long.
            Refused: There is no right to see it, or no event can have this id.
        """
        if follow:
            async with (
                aclosing(self.watch()) as watched,
                aclosing(following(self._requests, after, watched)) as found,
            ):
                async for event in found:
                    yield event
        else:
            async with aclosing(reading(self._requests, after)) as found:
                async for event in found:
                    yield event

    def _patience(self) -> Patience:
        return Patience(self._patience_s, now=asyncio.get_running_loop().time, what=self._address.url)

    def _asked(
        self, feed: Feed, *, learn: bool, explain: bool, batch: int
    ) -> AsyncGenerator[list[Answer], None]:
        """Lists of answers over HTTP, one request after the other."""
        batch = min(batch, _MOST_EXPLAINED) if explain else batch
        parameters = ({} if learn else {"learn": "false"}) | ({"explain": "true"} if explain else {})
        ask = partial(self._requests.ask, "POST", "/classify", parameters=parameters)
        return classifying(feed, ask, new_id=self._new_id, batch=batch)
