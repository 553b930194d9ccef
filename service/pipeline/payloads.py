"""Which payloads are kept: those of the items that are members of a cluster, for as long as they are.

    engine ─ members of its clusters ─► what entered, what left ─► Append.keep, Append.forget ─► one Function

The engine says by itself who is a member (`service.clustering.members`), so this is bookkeeping: after each step it
looks at the clusters whose members changed, and compares. Known items are members of nothing and cost nothing. Whatever
step changed them, it is written with that step's entry of the log.

Two bounds are the operator's: bytes of one payload, and of all payloads of a stream. A payload over the first is not
kept; nor is one for which there is no room until others leave. The member is there all the same, without its payload.
Where payloads are not to be kept at all, those that there are go as soon as the stream is taken.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from service.clustering.engine import Engine
from service.clustering.members import Members
from service.pipeline.asking import Asking
from service.pipeline.payload_limits import PayloadLimits
from service.records import Item
from service.state.dead_letters import size_of
from service.state.payloads import pack_payload
from service.state.store import StreamStore
from service.telemetry.metrics import StreamMetrics

log = structlog.get_logger("firstseen.pipeline")

_NONE: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What a batch brings and takes; see `service.state.store.Append`."""

    keep: tuple[tuple[str, bytes], ...] = ()
    forget: tuple[str, ...] = ()


class Payloads:
    """The payloads of one stream, as its owner knows them.

    Args:
        store: Where they are kept.
        asking: To ask it until it answers.
        metrics: What is counted.
        limits: The operator's; None: those that are usual.
    """

    def __init__(
        self, store: StreamStore, asking: Asking, metrics: StreamMetrics, limits: PayloadLimits | None
    ) -> None:
        self._box = store.payloads
        self._ask = asking.until_answered
        self._metrics = metrics
        self._limits = limits or PayloadLimits()
        self._engine: Engine | None = None
        self._sizes: dict[str, int] = {}
        self._total = 0
        self._seen: dict[int, tuple[Members, int, frozenset[str]]] = {}
        self._held: dict[str, int] = {}  # of how many clusters an id is a member
        self._left: set[str] = set()  # ids that are none's any more

    def __contains__(self, id: object) -> bool:
        return id in self._sizes

    async def follow(self, engine: Engine) -> None:
        """Learn what there is, where this engine is another than before: it was read from the store."""
        if engine is self._engine:
            return
        sizes = await self._ask(self._box.sizes)
        if sizes and not self._limits.keep:
            await self._ask(lambda: self._box.forget(list(sizes)))
            log.info("payloads_forgotten", items=len(sizes))
            sizes = {}
        self._engine, self._sizes, self._total = engine, sizes, sum(sizes.values())
        self._seen, self._held = {}, {}
        if self._limits.keep:
            self._look(engine)
        self._left = sizes.keys() - self._held.keys()
        self._metrics.payload_bytes.set(self._total)

    def changed(self, engine: Engine, ids: Sequence[str] = (), items: Sequence[Item] = ()) -> Change:
        """What is to be kept and forgotten now that this engine made a step; from here on that counts as done.

        Args:
            engine: After the step. One that is not followed yet changes nothing: then it comes later.
            ids: (B,) of the batch; none of a step that is no batch.
            items: (B,)
        """
        if engine is not self._engine:
            return Change()
        if self._limits.keep:
            self._look(engine)
        forget = tuple(sorted(self._left & self._sizes.keys()))
        self._left.clear()
        for id in forget:
            self._total -= self._sizes.pop(id)
        keep: list[tuple[str, bytes]] = []
        for id, item in zip(ids, items, strict=True):
            if id in self._held and (data := self._admitted(id, item)) is not None:
                keep.append((id, data))
        if keep or forget:
            self._metrics.payload_bytes.set(self._total)
        return Change(keep=tuple(keep), forget=forget)

    async def forget(self, members: Iterable[str]) -> int:
        """Forget the payloads of these members, now; how many there were. The engine must be at rest."""
        ids = [id for id in members if id in self._sizes]
        forgotten = await self._box.forget(ids)
        for id in ids:
            self._total -= self._sizes.pop(id)
        self._metrics.payload_bytes.set(self._total)
        log.info("payloads_forgotten", items=forgotten)
        return forgotten

    def _admitted(self, id: str, item: Item) -> bytes | None:
        """The payload as it is stored, if it may be."""
        limits = self._limits
        if size_of(item.x) > limits.most_bytes:
            return None
        data = pack_payload(item.x)
        before = self._sizes.get(id, 0)
        if len(data) > limits.most_bytes or self._total - before + len(data) > limits.most_bytes_in_all:
            return None
        self._total += len(data) - before
        self._sizes[id] = len(data)
        return data

    def _look(self, engine: Engine) -> None:
        """Count anew who is a member, where members changed."""
        seen, lives = self._seen, engine.lives
        for cluster in seen.keys() - lives.keys():
            self._change(seen.pop(cluster)[2], _NONE)
        for cluster, life in lives.items():
            before = seen.get(cluster)
            if before is not None and before[0] is life.members and before[1] == life.members.turn:
                continue
            ids = frozenset(member.id for member in (*life.members.newest, *life.members.sample))
            self._change(_NONE if before is None else before[2], ids)
            seen[cluster] = life.members, life.members.turn, ids

    def _change(self, before: frozenset[str], now: frozenset[str]) -> None:
        held = self._held
        for id in now - before:
            held[id] = held.get(id, 0) + 1
            self._left.discard(id)
        for id in before - now:
            held[id] -= 1
            if not held[id]:
                del held[id]
                self._left.add(id)
