"""The engine, as the pipeline lends it to those who work on it: while they do, it is ahead of the store or halfway."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from service.clustering.engine import Engine, StepResult

T = TypeVar("T")


class InWorker(Protocol):
    """Runs a call in another thread."""

    def __call__(self, call: Callable[[], T], /) -> "asyncio.Future[T]":
        """Its result, or what it raised; calls are made in the order of asking, whether waited for or not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """The engine, as its owner lends it out.

    Attributes:
        at_rest: Held while the engine is ahead of the store.
        engine: The engine there is now; raises NotReady where there is none.
        in_worker: Runs a call in the engine's thread.
        in_net: Runs a call in the thread of what is embedded ahead.
        committed: Told of each step, once it is durable.
        forget: Drops the engine, which is of no use any more.
        rebuild: Reads it again from the store, for this reason.
    """

    at_rest: asyncio.Lock
    engine: Callable[[], Engine]
    in_worker: InWorker
    in_net: InWorker
    committed: Callable[[StepResult], None]
    forget: Callable[[], None]
    rebuild: Callable[[str], Awaitable[None]]

    @contextmanager
    def ahead(self) -> Iterator[None]:
        """While the engine is ahead of the store: should that end in another way than well, it is of no use any more.

        Readers wait for `at_rest`, which is held around this, and must not find it so.
        """
        try:
            yield
        except BaseException:
            self.forget()
            raise
