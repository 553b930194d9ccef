"""A stream's webhooks in memory: an outbox to write to, a store to break, a receiver to order, a clock to turn."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from service.events import ClusterEvent, EventKind
from service.state.events import FIRST, EventPage, StoredEvent, pack_events, place_of
from service.state.hook_box import HookChanges, StoredHooks
from service.telemetry.webhook_metrics import WebhookFamilies
from service.webhooks.hooks import Reply
from service.webhooks.webhooks import Webhooks
from tests.service.told import cluster
from tests.service.waiting import soon

URL = "https://example.com/hook"
FINE = Reply(status=200, ms=1.0, excerpt="fine")


def failing(status: int | None = 500) -> Reply:
    return Reply(status=status, ms=1.0, error=None if status else "no answer")


@dataclass
class MemoryBox:
    """What a store holds, over all its owners."""

    hooks: dict[str, bytes] = field(default_factory=dict)
    pending: dict[str, bytes] = field(default_factory=dict)
    tries: list[bytes] = field(default_factory=list)
    fails: list[Exception] = field(default_factory=list)
    writes: int = 0

    async def load(self) -> StoredHooks:
        return StoredHooks(hooks=dict(self.hooks), pending=dict(self.pending))

    async def record(self, changes: HookChanges) -> None:
        await asyncio.sleep(0)
        if self.fails:
            raise self.fails.pop(0)
        self.writes += 1
        for own, changed in ((self.hooks, changes.hooks), (self.pending, changes.pending)):
            for name, data in changed.items():
                if data is None:
                    own.pop(name, None)
                else:
                    own[name] = data
        self.tries += changes.deliveries

    async def deliveries(self) -> list[bytes]:
        return self.tries[::-1]


@dataclass
class MemoryOutbox:
    """Events, the oldest of which can be let go."""

    events: list[StoredEvent] = field(default_factory=list)
    total: int = 0

    def put(self, id: int = 1, *, kind: EventKind = EventKind.EMERGED, items: int = 10) -> str:
        seq = 10 * self.total
        event = ClusterEvent(kind=kind, seq=seq, t=1e9, cluster=cluster(id=id, items=items))
        self.total += 1
        (data,) = pack_events([event])
        self.events.append(StoredEvent(id=f"{seq}-1", number=self.total, data=data))
        return f"{seq}-1"

    async def after(self, id: str = FIRST, *, limit: int) -> EventPage:
        found = [event for event in self.events if place_of(event.id) > place_of(id)]
        return EventPage(events=tuple(found[:limit]), has_gap=False, total=self.total)

    async def latest(self) -> StoredEvent | None:
        return self.events[-1] if self.events else None


@dataclass
class Rig:
    """One or more owners on one store."""

    box: MemoryBox = field(default_factory=MemoryBox)
    outbox: MemoryOutbox = field(default_factory=MemoryOutbox)
    replies: list[Reply] = field(default_factory=lambda: [FINE])
    told: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    holds: asyncio.Event | None = None
    now: float = 1_000_000.0
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    luck: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.families = WebhookFamilies(self.registry)

    async def post(self, url: str, signed: Callable[[], Mapping[str, str]], body: bytes) -> Reply:
        self.told.append((url, dict(signed()), body))
        if self.holds is not None:
            await self.holds.wait()
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def draw(self, n: int) -> bytes:
        return bytes(4) if n == 4 else next(self.luck).to_bytes(n)

    def made(self, *, stream: str = "s", bundle: str = "b1") -> Webhooks:
        return Webhooks(
            stream=stream,
            bundle_id=bundle,
            box=self.box,
            outbox=self.outbox,
            post=self.post,
            metrics=self.families.of(stream),
            now=lambda: self.now,
            draw=self.draw,
            version="1",
        )

    @asynccontextmanager
    async def owner(self, *, bundle: str = "b1") -> AsyncIterator[Webhooks]:
        """Webhooks that run; killed at the end, wherever they are."""
        webhooks = self.made(bundle=bundle)
        task = asyncio.create_task(webhooks.run())
        try:
            await soon(lambda: webhooks._register.is_loaded or task.done(), "the webhooks are loaded")
            yield webhooks
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @property
    def ids(self) -> list[str]:
        """Of what was told, in order."""
        return [headers["webhook-id"] for _, headers, _ in self.told]

    def value(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"firstseen_{name}", {"stream": "s", **labels}) or 0.0
