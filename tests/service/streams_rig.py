"""Streams on stores in memory: a `Shared` for each name, as one Redis would hold them."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from prometheus_client import CollectorRegistry

from service.clustering.params import EngineParams
from service.compiling.precompile import Prepare
from service.pipeline.batching import Job, Queue
from service.pipeline.fanout import Fanout
from service.pipeline.pipeline import Pipeline
from service.records import Item
from service.state.names import StoredStream
from service.streams.stream import Stream
from service.streams.streams import Streams
from service.streams.workers import Workers
from service.telemetry.metrics import Metrics
from tests.service import digits
from tests.service.fake_store import FakeStore, Shared
from tests.service.pipeline_rig import TableNet
from tests.service.waiting import soon

DEFAULT = "main"


class Redis:
    """What all streams of all processes are in."""

    def __init__(self) -> None:
        self.streams: defaultdict[str, Shared] = defaultdict(Shared)
        self.away: Exception | None = None
        self.hooked: set[str] = set()

    @property
    def made(self) -> list[str]:
        """The streams that were ever taken."""
        return sorted(name for name, shared in self.streams.items() if shared.epoch)


class FakeNames:
    """The names in it."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def has(self, name: str, /) -> bool:
        await self._enter()
        return name in self._redis.made

    async def all(self) -> list[str]:
        await self._enter()
        return self._redis.made[::-1]

    async def look(self, names: Sequence[str], /) -> list[StoredStream]:
        await self._enter()
        return [
            StoredStream(name=n, bundle_id="b", seq=shared.seq, epoch=shared.epoch, owner=shared.lease)
            for n in names
            if (shared := self._redis.streams[n]).epoch
        ]

    async def with_webhooks(self, names: Sequence[str], /) -> list[str]:
        await self._enter()
        return [name for name in names if name in self._redis.hooked]

    async def _enter(self) -> None:
        await asyncio.sleep(0)
        if self._redis.away is not None:
            raise self._redis.away


class FakeWebhooks:
    """Something is due at a time that a test sets: to their owner, and by the store."""

    def __init__(self) -> None:
        self.at = 0.0
        self.stored = 0.0
        self.looks = 0

    def due(self) -> float:
        self.looks += 1
        return self.at


class StreamsRig:
    """One process."""

    def __init__(
        self,
        redis: Redis | None = None,
        *,
        default: str = DEFAULT,
        most: int = 3,
        owner: str = "me",
        prepare: Prepare | None = None,
    ) -> None:
        self.redis = redis or Redis()
        self.made: list[str] = []
        self.stores: dict[str, FakeStore] = {}
        self.names = FakeNames(self.redis)
        self.webhooks: defaultdict[str, FakeWebhooks] = defaultdict(FakeWebhooks)
        self.before_start: Callable[[FakeStore], None] = lambda _: None
        self.fatal: list[BaseException] = []
        self.metrics = Metrics(CollectorRegistry())
        self._owner = owner
        self._workers = Workers()
        self._bundle = digits.bundle()
        self._net = TableNet(self._bundle)
        self.streams = Streams(
            default=default,
            most=most,
            make=self._make,
            names=self.names,
            metrics=self.metrics,
            prepare=prepare,
            on_fatal=self.fatal.append,
        )

    def _make(self, name: str, prepare: Prepare | None) -> Stream:
        store = FakeStore(self.redis.streams[name], owner=self._owner)
        self.made.append(name)
        self.stores[name] = store
        self.before_start(store)
        queue, fanout, counted = Queue(max_items=100, max_batch=8), Fanout(10), self.metrics.of(name)
        pipeline = Pipeline(
            bundle=self._bundle,
            embedder=self._net,
            store=store,  # type: ignore[arg-type]  # it has every method that is called
            queue=queue,
            fanout=fanout,
            metrics=counted,
            now=lambda: 1_000_000.0,
            params=EngineParams(),
            lease_ms=60_000,
            snapshot_every_items=1_000_000,
            prepare=prepare,
            workers=self._workers,
        )
        return Stream(
            name=name,
            pipeline=pipeline,
            queue=queue,
            fanout=fanout,
            events=store.events,
            webhooks=self.webhooks[name],  # type: ignore[arg-type]  # only when it is due is asked for
            metrics=counted,
        )

    async def ask(self, name: str, *items: Item) -> list[Any]:
        """Answers of a stream, which is opened for it."""
        stream = await self.streams.open(name)
        with stream.in_use():
            job = Job(items=list(items), done=asyncio.get_running_loop().create_future())
            stream.queue.offer(job)
            async with asyncio.timeout(60):
                return list(await job.done)

    def open_now(self) -> set[str]:
        """The names of the open streams."""
        return {stream.name for stream in self.streams}

    @asynccontextmanager
    async def open(self) -> AsyncIterator["StreamsRig"]:
        """Run it, and stop it in order."""
        self.streams.begin()
        try:
            await soon(lambda: self.streams.default.pipeline.reason is None, "the default stream is ready")
            yield self
        finally:
            await self.streams.drain(grace_s=5)
            await self.streams.close(within_s=60, grace_s=30)
            self._workers.close()
