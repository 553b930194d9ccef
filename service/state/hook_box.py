"""The webhooks of a stream as they are stored: bytes by name, changed together and by the owner alone.

What the bytes mean `service.webhooks.hooks` says. A change of a hook's cursor and of what is to be told is one step, so
an event is either before the cursor and pending, or behind it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from service.state.keys import Keys
from service.state.wire import Wire

MOST_DELIVERIES: Final = 5000
"""Tries that are remembered, of all hooks of a stream; the oldest leave."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredHooks:
    """All there is.

    Attributes:
        hooks: Hook -> what it is.
        pending: `<hook> <message>` -> what is to be told.
    """

    hooks: Mapping[str, bytes]
    pending: Mapping[str, bytes]


@dataclass(frozen=True, kw_only=True, slots=True)
class HookChanges:
    """What is to be written in one step; None drops.

    Attributes:
        hooks: Hook -> what it is from now on.
        pending: `<hook> <message>` -> what is to be told.
        deliveries: Tries to remember. A resend may write these twice, and nothing else.
    """

    hooks: Mapping[str, bytes | None] = field(default_factory=dict)
    pending: Mapping[str, bytes | None] = field(default_factory=dict)
    deliveries: Sequence[bytes] = ()


class HookBox:
    """Made by StreamStore, whose errors its methods raise; `record` needs ownership."""

    def __init__(
        self, wire: Wire, keys: Keys, commit: Callable[..., Awaitable[Any]], token: Callable[[], str]
    ) -> None:
        self._wire = wire
        self._keys = keys
        self._commit = commit
        self._token = token

    async def load(self) -> StoredHooks:
        """The hooks, and what they are still to be told."""
        hooks, pending = await self._wire.transaction(
            ["HGETALL", self._keys.hooks], ["HGETALL", self._keys.pending]
        )
        return StoredHooks(
            hooks={name.decode(): data for name, data in hooks.items()},
            pending={name.decode(): data for name, data in pending.items()},
        )

    async def record(self, changes: HookChanges) -> None:
        """Write changes, all or nothing."""
        keys = self._keys
        parts: list[str | bytes] = []
        for kind, values in (("hook", changes.hooks), ("pending", changes.pending)):
            for name, data in values.items():
                parts += [kind, name, data or b""]
        for data in changes.deliveries:
            parts += ["delivery", "", data]
        await self._commit(
            "fs1_record_hooks",
            [keys.epoch, keys.hooks, keys.pending, keys.deliveries],
            *(self._token(), MOST_DELIVERIES, *parts),
        )

    async def deliveries(self) -> list[bytes]:
        """The tries that are remembered, the latest first."""
        found = await self._wire.command("XREVRANGE", self._keys.deliveries, "+", "-")
        return [fields[b"d"] for _, fields in found]
