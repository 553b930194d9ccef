"""The webhooks of one stream as this process has them: what the store has, and nothing that it has not.

A change is written first, all of it in one step, and believed once it is durable. When the store does not answer,
nobody knows what it has; so it is read again before anything else is done. One change is made at a time.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

import msgspec
import structlog

from service.errors import NotReady, StoreAway
from service.state.errors import Fenced, StoreUnavailable
from service.state.hook_box import HookChanges, StoredHooks
from service.telemetry.webhook_metrics import WebhookMetrics
from service.webhooks.hooks import Delivery, Hook, Pending, pack, unpack

log = structlog.get_logger("firstseen.webhooks")


class Box(Protocol):
    """Where hooks are stored (`service.state.hook_box.HookBox`)."""

    async def load(self) -> StoredHooks:
        """All there is."""

    async def record(self, changes: HookChanges) -> None:
        """Write, all or nothing."""

    async def deliveries(self) -> list[bytes]:
        """Tries, the latest first."""


class Register:
    """Of one stream. Lives in one event loop.

    Args:
        box: Where hooks are stored.
        metrics: What is shown of them.

    Attributes:
        hooks: By id; changed by `record` alone.
        pending: Messages by name; as above.
        is_loaded: Whether both are what the store has.
        one_at_a_time: Held from reading what is to be changed until it is changed.
        news: Set when there may be something to do.
    """

    def __init__(self, box: Box, metrics: WebhookMetrics) -> None:
        self._box = box
        self._metrics = metrics
        self.hooks: dict[str, Hook] = {}
        self.pending: dict[str, Pending] = {}
        self.is_loaded = False
        self.one_at_a_time = asyncio.Lock()
        self.news = asyncio.Event()

    async def load(self) -> None:
        """Read what the store has."""
        self.hooks, self.pending = read_stored(await self._box.load())
        self.is_loaded = True
        self._show()
        self.news.set()

    def unload(self) -> None:
        """It is not known any more what the store has."""
        self.is_loaded = False
        self.news.set()

    async def record(
        self,
        *,
        hooks: Mapping[str, Hook | None] | None = None,
        pending: Mapping[str, Pending | None] | None = None,
        delivery: Delivery | None = None,
    ) -> None:
        """Write, and only then believe; None drops."""
        hooks, pending = hooks or {}, pending or {}
        await self._box.record(
            HookChanges(
                hooks={id: None if hook is None else pack(hook) for id, hook in hooks.items()},
                pending={name: None if p is None else pack(p) for name, p in pending.items()},
                deliveries=() if delivery is None else (pack(delivery),),
            )
        )
        self.hooks = {id: hook for id, hook in {**self.hooks, **hooks}.items() if hook is not None}
        self.pending = {name: p for name, p in {**self.pending, **pending}.items() if p is not None}
        self._show()

    async def deliveries(self) -> list[Delivery]:
        """Tries that are remembered, the latest first."""
        found = []
        for data in await self._box.deliveries():
            try:
                found.append(unpack(data, Delivery))
            except msgspec.DecodeError as error:
                log.warning("webhook_delivery_unreadable", reason=str(error))
        return found

    @asynccontextmanager
    async def asked(self) -> AsyncIterator[None]:
        """While something is done for a person, alone, to whom the store's errors mean other things.

        Raises:
            NotReady: The stream is not ours.
            StoreAway: The store does not answer.
        """
        async with self.one_at_a_time:
            self.check()
            try:
                yield
            except StoreUnavailable as away:
                self.unload()
                raise StoreAway(f"{away}.") from None
            except Fenced:
                self.unload()
                raise NotReady("The stream moved to another process. Send the same again.") from None

    def check(self) -> None:
        """Raises NotReady where this process does not have them."""
        if not self.is_loaded:
            raise NotReady("The webhooks are not ready: the stream is not served here, or not yet.")

    def _show(self) -> None:
        hooks = self.hooks.values()
        self._metrics.show(
            enabled=sum(hook.disabled is None for hook in hooks),
            disabled=sum(hook.disabled is not None for hook in hooks),
            failing=sum(hook.failing_since is not None for hook in hooks),
            pending=len(self.pending),
        )


def read_stored(stored: StoredHooks) -> tuple[dict[str, Hook], dict[str, Pending]]:
    """Hooks by id and messages by name. What cannot be read is left as it is: another version may know it."""
    hooks: dict[str, Hook] = {}
    pending: dict[str, Pending] = {}
    for name, data in stored.hooks.items():
        try:
            hooks[name] = unpack(data, Hook)
        except msgspec.DecodeError as error:
            log.warning("webhook_unreadable", webhook=name, reason=str(error))
    for name, data in stored.pending.items():
        try:
            pending[name] = unpack(data, Pending)
        except msgspec.DecodeError as error:
            log.warning("webhook_message_unreadable", message=name, reason=str(error))
    return hooks, pending
