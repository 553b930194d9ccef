"""When something is to be told, by the store alone: what the owner would say, without owning."""

import math
from dataclasses import replace

import pytest

from service.webhooks.hooks import MOST_PENDING, Hook, Pending, pack, unpack
from service.webhooks.outlook import stored_due
from service.webhooks.rules import Rule, Tally
from tests.service.waiting import soon
from tests.service.webhooks.rig import URL, Rig, failing


def put(rig: Rig, hook: Hook) -> None:
    rig.box.hooks[hook.id] = pack(hook)


async def hooked() -> tuple[Rig, Hook]:
    """A stream that nobody has, with one webhook."""
    rig = Rig()
    async with rig.owner() as webhooks:
        hook = await webhooks.add(url=URL, rule=Rule())
    return rig, hook


async def test_nothing_waits() -> None:
    """Never, where there is no event, or none that was not taken in."""
    rig, hook = await hooked()
    none = await stored_due(rig.box, rig.outbox)
    put(rig, replace(hook, cursor=rig.outbox.put(), number=1))

    assert (math.inf, math.inf) == (none, await stored_due(rig.box, rig.outbox))


async def test_an_event_behind_a_cursor_is_due() -> None:
    """Unless its webhook is disabled, or has no room: then it waits for its messages."""
    rig, hook = await hooked()
    rig.outbox.put()
    now = await stored_due(rig.box, rig.outbox)
    put(rig, replace(hook, disabled="by a person"))
    disabled = await stored_due(rig.box, rig.outbox)
    put(rig, hook)
    for n in range(MOST_PENDING):
        message = Pending(hook=hook.id, id=f"m{n}", type="t", body=b"{}", due=rig.now + 60 + n, since=rig.now)
        rig.box.pending[message.name] = pack(message)
    full = await stored_due(rig.box, rig.outbox)

    assert (0.0, math.inf, rig.now + 60) == (now, disabled, full)


@pytest.mark.parametrize("rests_s", [0.0, 90_000.0])
async def test_a_message_that_waits(rests_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """At its next try, or when its receiver has had the time that he asked for; as its owner says."""
    monkeypatch.setattr("service.webhooks.teller._PAUSE_S", 0.0)
    rig, _ = await hooked()
    rig.replies = [replace(failing(503), retry_after_s=rests_s)] * 2
    async with rig.owner() as webhooks:
        rig.outbox.put()
        webhooks.wake()
        await soon(lambda: rig.box.tries and webhooks.due() > 0, "it was tried")
        (message,) = (unpack(data, Pending) for data in rig.box.pending.values())

        assert webhooks.due() == await stored_due(rig.box, rig.outbox) == max(message.due, rig.now + rests_s)


async def test_what_was_held_back() -> None:
    """When its window ends."""
    rig, hook = await hooked()
    put(rig, replace(hook, tally=Tally(debounced=1, ends=rig.now + 5)))

    assert rig.now + 5 == await stored_due(rig.box, rig.outbox)
