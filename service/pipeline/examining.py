"""Dry runs and explanations, beside what is learnt: they read the engine, between two steps or within one.

    dry run            embed ─► what would be said ─► (why)          nothing is looked up, written or counted as an item
    explained, new     embed ─► [ why ─► learn ] item by item ─► commit
    explained, known   the verdict it has, and why as of now

Engine and net are used in the engine's thread while no step is ahead of the store, so what is said is said of a durable
state. An explanation that fails costs itself alone: it is logged, and the item is learnt and answered without.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
import structlog

from model.bundle import Bundle
from model.inputs import Payload
from service.clustering.engine import Engine, StepResult
from service.clustering.explaining import Explainer, Seen
from service.clustering.explanation import Explanation
from service.clustering.trial import one_of, would_say
from service.pipeline.examined import Examined
from service.pipeline.memory import Memory
from service.records import Float32s, Float64s, Item, Observed, Verdict
from service.telemetry.metrics import StreamMetrics

log = structlog.get_logger("firstseen.pipeline")


class Embeds(Protocol):
    """What is needed of an embedder."""

    def embed(self, items: Sequence[Payload], /) -> Float32s:
        """B payloads to float32 (B, D)."""


class Examiner:
    """Says more of items than a verdict, or says it without learning.

    Args:
        bundle: What the stream is decided with.
        embedder: The bundle's net.
        memory: The engine.
        metrics: What is counted.
        now: The clock, seconds since 1970 (UTC).
    """

    def __init__(
        self,
        *,
        bundle: Bundle,
        embedder: Embeds,
        memory: Memory,
        metrics: StreamMetrics,
        now: Callable[[], float],
    ) -> None:
        self._bundle = bundle
        self._embedder = embedder
        self._memory = memory
        self._metrics = metrics
        self._now = now

    async def examine(
        self, items: Sequence[Item], verdicts: Sequence[Verdict | None], *, explained: bool
    ) -> list[Examined]:
        """What is said of items now, each by itself; nothing is learnt.

        Args:
            items: B.
            verdicts: The one that each has; None: it has none, and gets the one it would get.
            explained: Whether to say why.
        """
        async with self._memory.at_rest:
            engine = self._memory.engine()
            now = self._now()
            return await self._memory.in_worker(
                lambda: self._examined(engine, items, verdicts, now, explained=explained)
            )

    def _examined(
        self,
        engine: Engine,
        items: Sequence[Item],
        verdicts: Sequence[Verdict | None],
        now: float,
        *,
        explained: bool,
    ) -> list[Examined]:
        z = self._embedder.embed([item.x for item in items])
        ids, t = tuple(item.id or "" for item in items), np.full(len(items), now, dtype=np.float64)
        said = would_say(engine, z, ids, t)
        whys: Sequence[Explanation | None] = [None] * len(items)
        if explained:
            with self._metrics.explain.time():
                whys = self._explained(engine, z, ids, t)
        return [
            Examined(
                id=item.id,
                verdict=would_be if verdict is None else verdict,
                is_learned=verdict is not None,
                explanation=why,
            )
            for item, verdict, would_be, why in zip(items, verdicts, said, whys, strict=True)
        ]

    def _explained(
        self, engine: Engine, z: Float32s, ids: tuple[str, ...], t: Float64s
    ) -> Sequence[Explanation | None]:
        try:
            return self._explainer.explain(engine, z, ids, t)
        except Exception:
            log.exception("explaining_failed", items=len(ids))
            return [None] * len(ids)

    def step(
        self, engine: Engine, z: Float32s, ids: tuple[str, ...], t: Float64s
    ) -> tuple[Observed, StepResult, list[Explanation | None]]:
        """`Engine.step`, with each item explained just before it is learnt; in the engine's thread."""
        with self._metrics.explain.time():
            try:
                seen = self._explainer.look(engine, z, ids, t)
            except Exception:
                log.exception("explaining_failed", items=len(ids))
                batch = engine.decide(z, ids, t)
                return batch, engine.apply(batch), [None] * len(ids)
            whys: list[Explanation | None] = []
            results: list[StepResult] = []
            for n in range(len(ids)):
                whys.append(self._explained_one(engine, seen, n))
                results.append(engine.apply(one_of(seen.batch, n)))
        return (
            seen.batch,
            StepResult(
                verdicts=tuple(verdict for result in results for verdict in result.verdicts),
                events=tuple(event for result in results for event in result.events),
            ),
            whys,
        )

    def _explained_one(self, engine: Engine, seen: Seen, n: int) -> Explanation | None:
        try:
            return self._explainer.explain_one(engine, seen, n)
        except Exception:
            log.exception("explaining_failed", items=1)
            return None

    @cached_property
    def _explainer(self) -> Explainer:
        """Made when first needed: it scores the bundle's held-out items."""
        return Explainer(self._bundle.known, self._memory.engine())
