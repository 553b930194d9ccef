"""When webhooks are to be told next: of those in hand, and of a stream as it is stored, which takes no ownership.

enabled, and events behind its cursor     now, while there is room for their messages
a message that waits                      when it is due, and its receiver does not ask for time
what was held back                        when its window ends
"""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Protocol

from service.state.events import StoredEvent, place_of
from service.state.hook_box import StoredHooks
from service.webhooks.hooks import MOST_PENDING, Hook, Pending
from service.webhooks.register import read_stored
from service.webhooks.rules import held_due


class Stored(Protocol):
    """Where hooks are stored (`service.state.hook_box.HookBox`)."""

    async def load(self) -> StoredHooks:
        """All there is."""


class Newest(Protocol):
    """What there is to tell (`service.state.events.EventBox`)."""

    async def latest(self) -> StoredEvent | None:
        """The newest event."""


def waiting(hooks: Mapping[str, Hook], pending: Mapping[str, Pending]) -> list[tuple[float, Pending, Hook]]:
    """What is to be told by hooks that are not disabled, and when: what is due first is first."""
    found = [
        (max(message.due, hook.rests_until), message, hook)
        for message in pending.values()
        if (hook := hooks.get(message.hook)) is not None and hook.disabled is None
    ]
    return sorted(found, key=lambda one: one[0])


def next_due(hooks: Mapping[str, Hook], pending: Mapping[str, Pending]) -> float:
    """When something is to be told, seconds since 1970, where no event is behind a cursor; infinite: nothing waits."""
    held = (held_due(hook.rule, hook.tally) for hook in hooks.values() if hook.disabled is None)
    return min((*(due for due, _, _ in waiting(hooks, pending)), *held), default=math.inf)


async def stored_due(box: Stored, outbox: Newest) -> float:
    """The same of a stream as it is stored; long ago where an event is behind a cursor."""
    latest = await outbox.latest()
    hooks, pending = read_stored(await box.load())
    if latest is not None:
        full = {id for id, n in Counter(p.hook for p in pending.values()).items() if n >= MOST_PENDING}
        for hook in hooks.values():
            is_behind = place_of(hook.cursor) < place_of(latest.id)
            if is_behind and hook.disabled is None and hook.id not in full:
                return 0.0
    return next_due(hooks, pending)
