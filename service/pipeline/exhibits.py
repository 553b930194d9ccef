"""What people see of a cluster when they ask: its evidence, and how its payloads are forgotten.

    at rest    what the engine knows, copied in its thread: consistent, and over in a millisecond
    store      the payloads that are there
    beside     exemplars, terms, pictures, a name: in a thread of its own, while the stream goes on

A payload may be forgotten between the first and the second; then it is shown as one that is not kept.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cached_property
from typing import Final

from model.bundle import Bundle
from service.clustering.engine import Engine
from service.describing.evidence import ClusterEvidence, Looked, describe, look
from service.describing.parts import ShownSplit, describe_parts, look_at_parts
from service.describing.terms import fitted_shares
from service.errors import NotReady, UnknownCluster
from service.pipeline.asking import now_or_never
from service.pipeline.memory import Memory
from service.pipeline.payloads import Payloads
from service.state.store import StreamStore

_PATIENCE_S: Final = 5.0
"""How long one waits for the engine to come to rest: it does not while the store is away."""

_AT_ONCE: Final = 2
"""So many are described at the same time; the others wait."""


class Exhibits:
    """The evidence of one stream's clusters.

    Args:
        bundle: What the stream is decided with.
        store: Where payloads are kept.
        memory: The engine.
        payloads: What the owner knows of those that are kept.
    """

    def __init__(self, bundle: Bundle, store: StreamStore, memory: Memory, payloads: Payloads) -> None:
        self.payloads = payloads
        self._bundle = bundle
        self._box = store.payloads
        self._memory = memory
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def show(self, cluster: int) -> ClusterEvidence:
        """The evidence of a cluster, also of one that is gone.

        Raises:
            UnknownCluster: There is none, and was none, of this id.
            NotReady, StoreAway: Not now.
        """
        async with self._room:
            seen = await self._look(cluster)
            there = await now_or_never(self._box.get(seen.wanted))
            return await asyncio.to_thread(lambda: describe(seen, there, self._bundle, self._fitted))

    async def split(self, cluster: int) -> ShownSplit:
        """What a cluster could be split into, with members of each part to look at.

        Raises:
            UnknownCluster, CannotDecide: It cannot be split.
            NotReady, StoreAway: Not now.
        """
        async with self._room:
            async with self._resting() as engine:
                seen = await self._memory.in_worker(lambda: look_at_parts(engine, cluster, self._bundle))
            there = await now_or_never(self._box.get(seen.wanted))
            return await asyncio.to_thread(lambda: describe_parts(seen, there, self._bundle))

    async def forget(self, cluster: int) -> int:
        """Forget the payloads of a cluster's members, for good; how many there were. What comes later is kept.

        Raises:
            UnknownCluster, NotReady, StoreAway: As `show`.
        """
        async with self._resting() as engine:
            life = engine.lives.get(cluster)
            if life is None:
                raise _unknown(cluster)
            await now_or_never(self.payloads.follow(engine))
            return await now_or_never(self.payloads.forget(life.members.ids))

    async def _look(self, cluster: int) -> Looked:
        async with self._resting() as engine:
            seen = await self._memory.in_worker(lambda: look(engine, cluster, self._bundle))
        if seen is None:
            raise _unknown(cluster)
        return seen

    @asynccontextmanager
    async def _resting(self) -> AsyncIterator[Engine]:
        """The engine, while it is not ahead of the store."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._memory.at_rest.acquire()
        except TimeoutError:
            raise NotReady("The stream waits for its store; ask again in a moment.") from None
        try:
            yield self._memory.engine()
        finally:
            self._memory.at_rest.release()

    @cached_property
    def _fitted(self) -> dict[str, float]:
        """Read once, when first needed: a vocabulary is long."""
        return fitted_shares(self._bundle)


def _unknown(cluster: int) -> UnknownCluster:
    return UnknownCluster(f"There is no cluster {cluster}; GET /clusters lists those there are.")
