"""Cluster events to whoever watches. A slow watcher is cut off; it never slows the stream.

Each subscription has a bounded queue. When it is full the subscription is marked `overflowed` and gets nothing
more: its connection closes with 1013, and the watcher comes back and reads the clusters anew.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from service.events import ClusterEvent


class Subscription:
    """One watcher's events, waiting."""

    def __init__(self, size: int) -> None:
        self._queue: asyncio.Queue[ClusterEvent | None] = asyncio.Queue(size + 1)  # and one place for the end
        self._size = size
        self.overflowed = False

    def push(self, event: ClusterEvent) -> None:
        """Queue an event, or give up on this watcher."""
        if self.overflowed:
            return
        if self._queue.qsize() >= self._size:
            self.overflowed = True
            self.end()
            return
        self._queue.put_nowait(event)

    def end(self) -> None:
        """No more events will come."""
        if not self._queue.full():
            self._queue.put_nowait(None)

    async def next(self) -> ClusterEvent | None:
        """The next event; None when no more will come."""
        return await self._queue.get()


class Fanout:
    """All watchers of the stream.

    Args:
        queue_size: Events that one may be behind.
        wake: Told that there are new ones, by who reads them from the store.
    """

    def __init__(self, queue_size: int, wake: Callable[[], None] = lambda: None) -> None:
        self._size = queue_size
        self._wake = wake
        self._subscriptions: set[Subscription] = set()

    def __len__(self) -> int:
        return len(self._subscriptions)

    def publish(self, events: Sequence[ClusterEvent]) -> None:
        """Hand events to every watcher, in order."""
        self._wake()
        for subscription in self._subscriptions:
            for event in events:
                subscription.push(event)

    @contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        """Watch from now on."""
        subscription = Subscription(self._size)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def end(self) -> None:
        """The service is stopping."""
        for subscription in self._subscriptions:
            subscription.end()
