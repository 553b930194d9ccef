"""A pipeline on a store in memory that fails to order, with a net that is a table."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

import numpy as np
from prometheus_client import CollectorRegistry

from model.bundle import Bundle
from service.clustering.params import EngineParams
from service.errors import ItemQuarantined
from service.ingest.intake import Refused
from service.pipeline.batching import Answer, Job, Queue
from service.pipeline.fanout import Fanout
from service.pipeline.payload_limits import PayloadLimits
from service.pipeline.pipeline import Pipeline
from service.pipeline.plotting import Plotter
from service.records import Float32s, Item
from service.state.store import StreamStore
from service.telemetry.metrics import Metrics
from tests.service import digits
from tests.service.fake_store import FakeStore
from tests.service.waiting import soon

POISON = 0.75

STREAM = "test"


def at_poison(values: list[float]) -> Exception | None:
    """What a net fails with that cannot stand one value."""
    return RuntimeError("a net that fails") if POISON in values else None


class Net(Protocol):
    """A net that says how many items it was asked for, batch by batch."""

    batches: list[int]

    def embed(self, x: Sequence[Float32s]) -> Float32s:
        """B items to float32 (B, D)."""


class TableNet:
    """A net that is a table: values below .5 are calibration items, above it one far-off spot."""

    def __init__(self, bundle: Bundle) -> None:
        self._known = bundle.known.calibration_embeddings
        center = bundle.known.prototypes.mean(axis=0)
        self._far = (-center / np.linalg.norm(center)).astype(np.float32)
        self.batches: list[int] = []
        self.breaks: Callable[[list[float]], Exception | None] = at_poison

    def embed(self, x: Sequence[Float32s]) -> Float32s:
        self.batches.append(len(x))
        values = [float(item.ravel()[0]) for item in x]
        if (error := self.breaks(values)) is not None:
            raise error
        return np.stack([self._one(value) for value in values])

    def _one(self, value: float) -> Float32s:
        if value < 0.5:
            return self._known[int(value * 2 * len(self._known))]
        jitter = np.random.default_rng(int(value * 1e6)).normal(size=len(self._far)) * 0.03
        return (self._far + jitter).astype(np.float32)


def known(id: str | None = None, n: int = 0) -> Item:
    return Item(id=id, x=np.full((1, 8, 8), (n * 0.013) % 0.5, dtype=np.float32))


def novel(id: str | None = None, n: int = 0) -> Item:
    return Item(id=id, x=np.full((1, 8, 8), 0.8 + (n * 0.001) % 0.2, dtype=np.float32))


def poison(id: str | None = "poison") -> Item:
    return Item(id=id, x=np.full((1, 8, 8), POISON, dtype=np.float32))


def is_quarantined(answer: Any) -> bool:
    """Whether an item was refused because it crashed the engine."""
    return isinstance(answer, Refused) and isinstance(answer.error, ItemQuarantined)


class Rig:
    """A pipeline and what it is made of."""

    def __init__(
        self,
        store: FakeStore,
        *,
        max_batch: int = 8,
        snapshot_every: int = 1_000_000,
        lease_ms: int = 60_000,
        alone: bool = False,
        bundle: Bundle | None = None,
        net: Net | None = None,
        revive: Callable[[], Awaitable[None]] | None = None,
        plotter: Plotter | None = None,
        payload_limits: PayloadLimits | None = None,
        **params: Any,
    ) -> None:
        self.store = store
        bundle = bundle or digits.bundle()
        self.net = net or TableNet(bundle)
        self.queue = Queue(max_items=1000, max_batch=max_batch)
        self.fanout = Fanout(1000)
        self.metrics = Metrics(CollectorRegistry())
        clock = itertools.count(1_000_000)
        self.pipeline = Pipeline(
            bundle=bundle,
            embedder=self.net,
            store=_as_store(store),
            queue=self.queue,
            fanout=self.fanout,
            metrics=self.metrics.of(STREAM),
            now=lambda: float(next(clock)) if params.get("ticks") else 1_000_000.0,
            params=EngineParams(**{k: v for k, v in params.items() if k != "ticks"}),
            lease_ms=lease_ms,
            snapshot_every_items=snapshot_every,
            holds_store_alone=alone,
            revive_store=revive,
            plotter=plotter,
            payload_limits=payload_limits,
        )

    def offer(
        self,
        *items: Item,
        on_progress: Callable[[list[Answer]], None] | None = None,
        is_retry: bool = False,
        learn: bool = True,
        explain: bool = False,
    ) -> Job:
        done = asyncio.get_running_loop().create_future()
        job = Job(
            items=list(items),
            done=done,
            on_progress=on_progress,
            is_retry=is_retry,
            learn=learn,
            explain=explain,
        )
        self.queue.offer(job)
        return job

    async def ask(
        self, *items: Item, is_retry: bool = False, learn: bool = True, explain: bool = False
    ) -> list[Any]:
        """Verdicts, or refusals where items are in quarantine."""
        async with asyncio.timeout(60):
            return list(await self.offer(*items, is_retry=is_retry, learn=learn, explain=explain).done)

    def counted(self, name: str, **labels: str) -> float | None:
        """The value of a metric of the stream."""
        return self.metrics.registry.get_sample_value(name, {"stream": STREAM, **labels})

    async def is_ready(self) -> None:
        await soon(lambda: self.pipeline.reason is None, "the pipeline is ready")

    async def hash(self) -> str:
        view = await self.pipeline.view(with_hash=True)
        assert not view.stale
        assert view.state_hash is not None
        return view.state_hash

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Rig"]:
        """Run it; stop it in order."""
        task = asyncio.create_task(self.pipeline.run())
        try:
            await self.is_ready()
            yield self
            assert await self.pipeline.stop(grace_s=5)
            async with asyncio.timeout(60):
                await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _as_store(store: FakeStore) -> StreamStore:
    """The fake has every method the pipeline calls."""
    return store  # type: ignore[return-value]
