"""Embedding ahead: while a batch is looked up, stepped or written, the items that come next are embedded beside it.

    engine   step n ───────────────┐              ┌─► step n+1 ──────────┐
    store                          └─► commit n ──┤                      └─► commit n+1
    net      embed n+1 ──────────────────────────►┴─► embed n+2 ...

An embedding depends on its item alone, so it may be made before anybody knows whether the item is new or the batch
before it becomes durable; steps keep their order, and nothing about batches changes. The net has a thread of its own
for that (`service.streams.workers`), since it computes without the interpreter's lock: on two cores embedding costs
next to nothing where a step and its commit take as long. A batch that nobody embedded ahead is embedded where it is
stepped.

What is embedded ahead is kept for the next batch and for no other: at most one batch of embeddings. Should it fail,
nothing is kept and nobody is told: the item fails again when its batch is embedded in the ordinary way, and is then
looked for with all care (`service.pipeline.deciding`). While items are in doubt, and while an owner is wary, nothing
is embedded ahead, since a crash that kills the process must find what was in hand written down
(`service.pipeline.wary`).

An item whose id has a verdict already is embedded for nothing. Where the batch before had such items, as when a client
sends everything again, a batch is not embedded before it has been looked up.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from operator import is_

import numpy as np
import structlog

from service.pipeline.examining import Embeds
from service.pipeline.memory import InWorker
from service.records import Float32s, Item

log = structlog.get_logger("firstseen.pipeline")

Made = tuple[Sequence[Item], Float32s]
"""N items, and their embeddings, float32 (N, D). While an item is held its id() is its own."""

NOTHING: Made = ((), np.empty((0, 0), dtype=np.float32))


class Ahead:
    """Embeddings made before their batch is stepped.

    `begin` and `taken` are called in the event loop, `embed` in the engine's thread.

    Args:
        embedder: The bundle's net; it has one caller at a time.
        in_net: Runs a call in the thread of what is embedded ahead.
        timed: Measures one embedding.
    """

    def __init__(
        self, embedder: Embeds, in_net: InWorker, timed: Callable[[], AbstractContextManager[object]]
    ) -> None:
        self._embedder = embedder
        self._in_net = in_net
        self._timed = timed
        self._begun: Sequence[Item] = ()
        self._under_way: asyncio.Future[Made] | None = None

    def begin(self, items: Sequence[Item]) -> None:
        """Embed these beside what follows; not if that is under way, or was begun before."""
        if not items or (self._under_way is not None and not self._under_way.done()):
            return
        if _starts_with(self._begun, items):  # to wake a thread for nothing costs more than to look
            return
        before = self._under_way
        made = NOTHING if before is None or before.cancelled() else before.result()
        self._begun = items
        self._under_way = self._in_net(lambda: self._make(items, made))

    async def taken(self) -> Made:
        """What was made ahead, once it is; it is for the next batch, and nothing of it is kept here after that."""
        under_way, self._under_way, self._begun = self._under_way, None, ()
        return NOTHING if under_way is None else await under_way

    def embed(self, items: Sequence[Item], made: Made = NOTHING) -> Float32s:
        """Embed the B items of a batch -> float32 (B, D), those alone that are not among what was made."""
        return self._completed(items, made)

    def _make(self, items: Sequence[Item], made: Made) -> Made:
        try:
            return items, self._completed(items, made)
        except Exception as error:  # noqa: BLE001 - it is met again when the batch is embedded, and dealt with there
            log.info("not_ahead", items=len(items), reason=type(error).__name__)
            return NOTHING

    def _completed(self, items: Sequence[Item], made: Made) -> Float32s:
        """Embed B items -> float32 (B, D), those alone that were not made before."""
        before, z = made
        if _starts_with(before, items):
            return z[: len(items)]
        rows = {id(item): row for row, item in enumerate(before)}
        missing = [item for item in items if id(item) not in rows]
        if len(missing) == len(items):
            return self._embed(items)
        if missing:
            rows |= {id(item): row for row, item in enumerate(missing, len(before))}
            z = np.concatenate([z, self._embed(missing)])
        return z[[rows[id(item)] for item in items]]

    def _embed(self, items: Sequence[Item]) -> Float32s:
        with self._timed():
            return self._embedder.embed([item.x for item in items])


def _starts_with(before: Sequence[Item], items: Sequence[Item]) -> bool:
    """Whether these are the first items of `before`: the very objects."""
    return len(items) <= len(before) and all(map(is_, items, before))
