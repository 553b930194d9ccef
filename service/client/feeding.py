"""From whatever can be iterated to lists of what is there: an iterable that waits holds up nobody.

A list is cut into slices. Any other iterable is read by a thread of its own, an asynchronous one by a task: a line that
a person has yet to type must not keep the verdicts of those before it. Lists are pulled as the batches of the service
are: whoever is free takes what has come, up to so many, without a timer.

At most `BOUND` items lie ready unsent; then the thread or task waits. A thread that waits for its iterable when the
feed is closed cannot be woken: it is a daemon, takes nothing further, and ends with the next item or with the process.
"""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterable, Iterable, Sequence
from itertools import islice
from typing import Any, Protocol

from service.client.items import is_array

BOUND = 1024


class Feed(Protocol):
    """Where items come from."""

    async def take(self, most: int) -> list[Any]:
        """What is there, at least one and at most so many; nothing when all has been taken.

        Raises:
            Exception: What the iterable raised, once what came before it has been taken.
        """

    def close(self) -> None:
        """Nothing more is wanted."""


def feed_of(items: Iterable[Any] | AsyncIterable[Any]) -> Feed:
    """A feed; called inside the loop that takes from it.

    Raises:
        TypeError: It cannot be iterated, or is a single item.
    """
    if isinstance(items, str | bytes | dict):
        raise TypeError(f"Several items are asked for, such as a list of them; got a {type(items).__name__}.")
    if isinstance(items, AsyncIterable):
        return _Pumped(items)
    if isinstance(items, Sequence) or is_array(items):
        return _Sliced(items)
    return _Threaded(iter(items))


class _Sliced:
    """What is all there."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._rest = iter(items)

    async def take(self, most: int) -> list[Any]:
        return list(islice(self._rest, most))

    def close(self) -> None:
        self._rest = iter(())


class _Buffer:
    """What has come and is not taken, and whether there will be more. Only the loop looks at it, but for `put`."""

    def __init__(self) -> None:
        self.ready: deque[Any] = deque()
        self.more = asyncio.Event()
        self.is_over = False
        self.error: BaseException | None = None

    async def take(self, most: int) -> list[Any]:
        while not self.ready:
            if self.error is not None:
                raise self.error
            if self.is_over:
                return []
            self.more.clear()
            if not self.ready and not self.is_over:
                await self.more.wait()
        return [self.ready.popleft() for _ in range(min(most, len(self.ready)))]


class _Pumped:
    """Read by a task."""

    def __init__(self, items: AsyncIterable[Any]) -> None:
        self._buffer = _Buffer()
        self._room = asyncio.Semaphore(BOUND)
        self._task = asyncio.create_task(self._pump(items))

    async def _pump(self, items: AsyncIterable[Any]) -> None:
        try:
            async for item in items:
                await self._room.acquire()
                self._buffer.ready.append(item)
                self._buffer.more.set()
        except Exception as error:  # noqa: BLE001 - raised where it is taken
            self._buffer.error = error
        finally:
            self._buffer.is_over = True
            self._buffer.more.set()

    async def take(self, most: int) -> list[Any]:
        taken = await self._buffer.take(most)
        for _ in taken:
            self._room.release()
        return taken

    def close(self) -> None:
        self._task.cancel()


class _Threaded:
    """Read by a thread.

    Every change of `_is_told` and of the deque is one step of the interpreter. The thread appends, then looks whether
    the loop is told; the loop first forgets that it is told, then takes: either it takes the item or it is told again.
    """

    def __init__(self, items: Iterable[Any]) -> None:
        self._loop = asyncio.get_running_loop()
        self._buffer = _Buffer()
        self._room = threading.Semaphore(BOUND)
        self._is_told = False
        self._is_closed = False
        threading.Thread(target=self._read, args=(items,), daemon=True, name="firstseen-feed").start()

    def _read(self, items: Iterable[Any]) -> None:
        error: BaseException | None = None
        try:
            for item in items:
                self._room.acquire()
                if self._is_closed:
                    return
                self._buffer.ready.append(item)
                if not self._is_told:
                    self._is_told = True
                    self._tell()
        except BaseException as raised:  # noqa: BLE001 - raised where it is taken
            error = raised
        self._tell(error, is_over=True)

    def _tell(self, error: BaseException | None = None, *, is_over: bool = False) -> None:
        try:
            self._loop.call_soon_threadsafe(self._told, error, is_over)
        except RuntimeError:  # the loop is closed, and nobody asks any more
            self._is_closed = True

    def _told(self, error: BaseException | None, is_over: bool) -> None:  # noqa: FBT001 - call_soon has no keywords
        self._buffer.error, self._buffer.is_over = error, is_over
        self._buffer.more.set()

    async def take(self, most: int) -> list[Any]:
        self._is_told = False
        taken = await self._buffer.take(most)
        for _ in taken:
            self._room.release()
        return taken

    def close(self) -> None:
        self._is_closed = True
        self._room.release()
