"""The client for who has no event loop: a thread with one, and the same calls, which wait.

It works inside a running loop, too, such as a notebook's (which it holds up while it waits). Ctrl-C ends a call at
once, and leaves the client usable.
"""

import asyncio
import threading
import weakref
from collections.abc import AsyncGenerator, Coroutine, Generator, Iterable
from contextlib import closing
from datetime import datetime
from typing import Any, Self, TypeVar

from msgspec import UNSET, UnsetType

from service.client.address import DEFAULT_URL
from service.client.answers import (
    Answer,
    Cluster,
    Clusters,
    Decision,
    Event,
    Info,
    PastEvent,
    SplitPreview,
    Verdict,
)
from service.client.asynchronous import BATCH, AsyncClient
from service.client.history import FIRST
from service.client.items import ItemLike
from service.client.webhooks import Delivery, Webhook

T = TypeVar("T")


class Client:
    """A service, seen from outside: `AsyncClient` with calls that wait, which says what they do and raise.

    Safe to use from several threads. Use it as a context, or `close` it.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        stream: str | None = None,
        timeout_s: float = 60.0,
        patience_s: float = 60.0,
    ) -> None:
        self._client = AsyncClient(
            url, api_key=api_key, stream=stream, timeout_s=timeout_s, patience_s=patience_s
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=_run, args=(self._loop,), daemon=True, name="firstseen-client")
        self._thread.start()
        self._stop = weakref.finalize(self, _stop, self._loop, self._thread)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections and end the thread; safe to call again."""
        if self._stop.alive:
            self._wait(self._client.close())
            self._stop()

    def classify(
        self, items: Iterable[ItemLike], *, learn: bool = True, explain: bool = False, batch: int = BATCH
    ) -> list[Answer]:
        """`AsyncClient.classify`."""
        return self._wait(self._client.classify(items, learn=learn, explain=explain, batch=batch))

    def classify_one(self, item: ItemLike, *, learn: bool = True, explain: bool = False) -> Verdict:
        """`AsyncClient.classify_one`."""
        return self._wait(self._client.classify_one(item, learn=learn, explain=explain))

    def stream(
        self, items: Iterable[ItemLike], *, learn: bool = True, explain: bool = False
    ) -> Generator[Answer, None, None]:
        """`AsyncClient.stream`."""
        with closing(self.stream_batches(items, learn=learn, explain=explain)) as lists:
            for answers in lists:
                yield from answers

    def stream_batches(
        self, items: Iterable[ItemLike], *, learn: bool = True, explain: bool = False, batch: int = BATCH
    ) -> Generator[list[Answer], None, None]:
        """`AsyncClient.stream_batches`."""
        return self._each(self._client.stream_batches(items, learn=learn, explain=explain, batch=batch))

    def clusters(
        self, state: str | None = None, *, name: str | None = None, dismissed: bool | None = None
    ) -> Clusters:
        """`AsyncClient.clusters`."""
        return self._wait(self._client.clusters(state, name=name, dismissed=dismissed))

    def cluster(self, id: int, *, follow: bool = False) -> Cluster:
        """`AsyncClient.cluster`."""
        return self._wait(self._client.cluster(id, follow=follow))

    def evidence(self, id: int) -> dict[str, Any]:
        """`AsyncClient.evidence`."""
        return self._wait(self._client.evidence(id))

    def name(self, id: int, label: str, *, why: str = "", key: str | None = None) -> Decision:
        """`AsyncClient.name`."""
        return self._wait(self._client.name(id, label, why=why, key=key))

    def promote(self, id: int, label: str, *, why: str = "", key: str | None = None) -> Decision:
        """`AsyncClient.promote`."""
        return self._wait(self._client.promote(id, label, why=why, key=key))

    def link(self, id: int, label: str, *, why: str = "", key: str | None = None) -> Decision:
        """`AsyncClient.link`."""
        return self._wait(self._client.link(id, label, why=why, key=key))

    def merge(self, id: int, into: int, *, why: str = "", key: str | None = None) -> Decision:
        """`AsyncClient.merge`."""
        return self._wait(self._client.merge(id, into, why=why, key=key))

    def split_preview(self, id: int) -> SplitPreview:
        """`AsyncClient.split_preview`."""
        return self._wait(self._client.split_preview(id))

    def split(
        self, id: int, parts: Iterable[Iterable[int]], *, why: str = "", key: str | None = None
    ) -> Decision:
        """`AsyncClient.split`."""
        return self._wait(self._client.split(id, parts, why=why, key=key))

    def dismiss(
        self,
        id: int,
        *,
        until_rate: float | None = None,
        until: datetime | None = None,
        why: str = "",
        key: str | None = None,
    ) -> Decision:
        """`AsyncClient.dismiss`."""
        return self._wait(self._client.dismiss(id, until_rate=until_rate, until=until, why=why, key=key))

    def undo(
        self, id: int, decision: int | None = None, *, why: str = "", key: str | None = None
    ) -> Decision:
        """`AsyncClient.undo`."""
        return self._wait(self._client.undo(id, decision, why=why, key=key))

    def decisions(
        self, cluster: int | None = None, *, action: str | None = None
    ) -> Generator[Decision, None, None]:
        """`AsyncClient.decisions`."""
        return self._each(self._client.decisions(cluster, action=action))

    def info(self) -> Info:
        """`AsyncClient.info`."""
        return self._wait(self._client.info())

    def watch(self) -> Generator[Clusters | Event, None, None]:
        """`AsyncClient.watch`."""
        return self._each(self._client.watch())

    def events(self, after: str = FIRST, *, follow: bool = False) -> Generator[PastEvent, None, None]:
        """`AsyncClient.events`."""
        return self._each(self._client.events(after, follow=follow))

    def webhooks(self) -> list[Webhook]:
        """`AsyncClient.webhooks`."""
        return self._wait(self._client.webhooks())

    def webhook(self, id: str) -> Webhook:
        """`AsyncClient.webhook`."""
        return self._wait(self._client.webhook(id))

    def add_webhook(
        self,
        url: str,
        *,
        events: Iterable[str] = (),
        min_items: int = 0,
        min_per_hour: float = 0.0,
        debounce_s: float = 0.0,
        per_day: int | None = None,
        note: str = "",
        secret: str | None = None,
        key: str | None = None,
    ) -> Webhook:
        """`AsyncClient.add_webhook`."""
        return self._wait(
            self._client.add_webhook(
                url,
                events=events,
                min_items=min_items,
                min_per_hour=min_per_hour,
                debounce_s=debounce_s,
                per_day=per_day,
                note=note,
                secret=secret,
                key=key,
            )
        )

    def change_webhook(
        self,
        id: str,
        *,
        url: str | None = None,
        events: Iterable[str] | None = None,
        min_items: int | None = None,
        min_per_hour: float | None = None,
        debounce_s: float | None = None,
        per_day: int | UnsetType | None = UNSET,
        note: str | None = None,
        enabled: bool | None = None,
    ) -> Webhook:
        """`AsyncClient.change_webhook`."""
        return self._wait(
            self._client.change_webhook(
                id,
                url=url,
                events=events,
                min_items=min_items,
                min_per_hour=min_per_hour,
                debounce_s=debounce_s,
                per_day=per_day,
                note=note,
                enabled=enabled,
            )
        )

    def rotate_webhook(self, id: str, *, overlap_s: float = 86_400.0, key: str | None = None) -> Webhook:
        """`AsyncClient.rotate_webhook`."""
        return self._wait(self._client.rotate_webhook(id, overlap_s=overlap_s, key=key))

    def test_webhook(self, id: str) -> Delivery:
        """`AsyncClient.test_webhook`."""
        return self._wait(self._client.test_webhook(id))

    def deliveries(self, id: str, *, limit: int = 50) -> list[Delivery]:
        """`AsyncClient.deliveries`."""
        return self._wait(self._client.deliveries(id, limit=limit))

    def enable_webhook(self, id: str, *, from_now: bool = False) -> Webhook:
        """`AsyncClient.enable_webhook`."""
        return self._wait(self._client.enable_webhook(id, from_now=from_now))

    def remove_webhook(self, id: str) -> None:
        """`AsyncClient.remove_webhook`."""
        self._wait(self._client.remove_webhook(id))

    def _wait(self, asked: Coroutine[Any, Any, T]) -> T:
        """What it returns; interrupted, it is cancelled."""
        if not self._stop.alive:
            asked.close()
            raise RuntimeError("The client is closed; make a new one.")
        waiting = asyncio.run_coroutine_threadsafe(asked, self._loop)
        try:
            return waiting.result()
        except BaseException:
            waiting.cancel()
            raise

    def _each(self, values: AsyncGenerator[T, None]) -> Generator[T, None, None]:
        """What it yields, asked for one by one: nothing runs ahead of the caller but what is bounded there."""
        turn = asyncio.Lock()
        try:
            while (value := self._wait(_next(values, turn))) is not None:
                yield value
        finally:
            if self._stop.alive:
                self._wait(_closed(values, turn))


async def _next(values: AsyncGenerator[T, None], turn: asyncio.Lock) -> T | None:
    """The next value; none of them is None, which says that there are no more."""
    async with turn:
        return await anext(values, None)


async def _closed(values: AsyncGenerator[T, None], turn: asyncio.Lock) -> None:
    """Close it, once a call that was interrupted has left it."""
    async with turn:
        await values.aclose()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    """The thread: the loop until it is stopped, and its end, which may not be inside of another loop."""
    loop.run_forever()
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def _stop(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    """End what still runs in the loop, and the thread."""
    loop.call_soon_threadsafe(_cancel_all, loop)
    if thread is not threading.current_thread():  # where the last reference was dropped
        thread.join()


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    ended = asyncio.gather(*tasks, return_exceptions=True)
    ended.add_done_callback(lambda _: loop.stop())
