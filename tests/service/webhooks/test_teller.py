"""What happens is told: at least once, under one id, on schedule, through every failure; and a person can see it."""

import asyncio
import json
import math
from dataclasses import replace

import pytest

from service.events import EventKind
from service.state.errors import Fenced, StoreUnavailable
from service.webhooks.hooks import MOST_PENDING, Hook, Pending, pack, unpack
from service.webhooks.rules import Rule
from service.webhooks.schedule import PAUSES_S
from tests.service.waiting import soon
from tests.service.webhooks import rig as rigs
from tests.service.webhooks.rig import FINE, URL, Rig, failing


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.webhooks.teller._PAUSE_S", 0.0)


async def settled(rig: Rig, n: int) -> None:
    await soon(lambda: len(rig.told) >= n and not rig.box.pending, f"{n} messages are told")


async def test_an_event_is_told(rig: Rig) -> None:
    """Signed, of its type, with its data as it is stored; and then it is pending no more."""
    async with rig.owner() as webhooks:
        await webhooks.add(url=URL, rule=Rule())
        rig.outbox.put(7)
        webhooks.wake()
        await settled(rig, 1)
    ((url, headers, body),) = rig.told
    message = json.loads(body)

    assert (URL, "application/json", "firstseen/1") == (url, headers["content-type"], headers["user-agent"])
    assert ("s:b1:0-1", "1000000") == (headers["webhook-id"], headers["webhook-timestamp"])
    assert headers["webhook-signature"].startswith("v1,")
    assert ("cluster.emerged", "2001-09-09T01:46:40.000Z", "s", "0-1") == (
        message["type"],
        message["timestamp"],
        message["stream"],
        message["event"],
    )
    assert json.loads(rig.outbox.events[0].data) == message["data"]
    assert {"debounced": 0, "over_budget": 0, "missed": 0, "clusters": []} == message["held_back"]
    assert 1.0 == rig.value("webhook_tries_total", outcome="delivered")


async def test_what_was_before_is_not_told(rig: Rig) -> None:
    """A hook begins with the next event."""
    rig.outbox.put(1)
    async with rig.owner() as webhooks:
        await webhooks.add(url=URL, rule=Rule())
        id = rig.outbox.put(2)
        webhooks.wake()
        await settled(rig, 1)

    assert [f"s:b1:{id}"] == rig.ids


async def test_every_hook_by_its_own_rule(rig: Rig) -> None:
    """One event may be told to many, to one, or to none."""
    async with rig.owner() as webhooks:
        await webhooks.add(url=f"{URL}/all", rule=Rule())
        await webhooks.add(url=f"{URL}/gone", rule=Rule(events=("gone",)))
        await webhooks.add(url=f"{URL}/large", rule=Rule(min_items=50))
        rig.outbox.put(1)
        rig.outbox.put(1, kind=EventKind.GONE)
        rig.outbox.put(2, items=60)
        webhooks.wake()
        await settled(rig, 5)

    assert {"all": 3, "gone": 1, "large": 1} == {
        name: sum(url.endswith(name) for url, _, _ in rig.told) for name in ("all", "gone", "large")
    }


async def test_a_failure_is_tried_again_on_schedule(rig: Rig) -> None:
    """Ten tries under one id and with one body, each when it is due and not before; then it is given up."""
    rig.replies = [failing()]
    async with rig.owner() as webhooks:
        hook = await webhooks.add(url=URL, rule=Rule())
        rig.outbox.put(1)
        webhooks.wake()
        for n, pause in enumerate([*PAUSES_S[1:], None], 1):
            await soon(lambda n=n: len(rig.box.tries) == n, f"try {n} is noted")  # type: ignore[misc]  # n is an int
            if pause is None:
                break
            rig.now += pause - 1
            webhooks.wake()
            for _ in range(20):
                await asyncio.sleep(0)
            assert n == len(rig.told), "not yet"
            rig.now += 1
            webhooks.wake()
        tries = await webhooks.deliveries(hook.id, limit=100)
        after = webhooks.get(hook.id)

    assert 10 == len(rig.told)
    assert (1, 1) == (len(set(rig.ids)), len({body for _, _, body in rig.told}))
    assert 10 == len({headers["webhook-timestamp"] for _, headers, _ in rig.told})
    assert ["given_up", *["failed"] * 9] == [one.outcome for one in tries]
    assert "nothing was delivered since" in (after.disabled or "")
    assert not rig.box.pending
    assert (1.0, 1.0) == (rig.value("webhooks", state="disabled"), rig.value("webhooks_failing"))


async def test_a_receiver_that_recovers(rig: Rig) -> None:
    """What failed is told with the next try; the hook does not fail any more."""
    rig.replies = [failing(None), failing(503), FINE]
    async with rig.owner() as webhooks:
        hook = await webhooks.add(url=URL, rule=Rule())
        rig.outbox.put(1)
        webhooks.wake()
        for n in (1, 2):
            await soon(lambda n=n: len(rig.box.tries) == n, f"try {n} is noted")  # type: ignore[misc]  # as above
            rig.now += 1000
            webhooks.wake()
        await settled(rig, 3)
        after = webhooks.get(hook.id)

    assert (None, rig.now) == (after.failing_since, after.last_ok)


async def test_one_that_is_gone(rig: Rig) -> None:
    """410 disables at once; nothing more is sent, nothing is lost, and a person who enables it gets all of it."""
    rig.replies = [failing(410), FINE]
    async with rig.owner() as webhooks:
        hook = await webhooks.add(url=URL, rule=Rule())
        rig.outbox.put(1)
        webhooks.wake()
        await soon(lambda: webhooks.get(hook.id).disabled, "it is disabled")
        rig.outbox.put(2)
        rig.now += 1e6
        webhooks.wake()
        for _ in range(20):
            await asyncio.sleep(0)
        quiet = len(rig.told)
        await webhooks.enable(hook.id)
        await settled(rig, 3)

    assert (1, ["s:b1:0-1", "s:b1:0-1", "s:b1:10-1"]) == (quiet, rig.ids)


async def test_a_process_that_dies_between_telling_and_noting(rig: Rig) -> None:
    """The heir tells the same again, under the same id; then it is told no more."""
    rig.holds = asyncio.Event()
    async with rig.owner() as webhooks:
        await webhooks.add(url=URL, rule=Rule())
        rig.outbox.put(1)
        webhooks.wake()
        await soon(lambda: rig.told, "the receiver has it")
    rig.holds = None
    async with rig.owner():
        await settled(rig, 2)
    async with rig.owner() as webhooks:
        webhooks.wake()
        for _ in range(20):
            await asyncio.sleep(0)

    assert ["s:b1:0-1", "s:b1:0-1"] == rig.ids


@pytest.mark.parametrize("writes", range(6))
async def test_a_process_that_dies_at_any_write(rig: Rig, writes: int) -> None:
    """However far it came, the heir tells what is left: each event at least once, none under two ids."""
    async with rig.owner() as webhooks:
        await webhooks.add(url=URL, rule=Rule())
        rig.box.fails = []
    for n in range(3):
        rig.outbox.put(n)
    before = rig.box.writes
    async with rig.owner() as webhooks:
        webhooks.wake()
        await soon(lambda: rig.box.writes - before >= writes or not rig.box.pending, "it has come so far")
    async with rig.owner():
        await soon(lambda: len(set(rig.ids)) == 3 and not rig.box.pending, "all are told")

    assert {"s:b1:0-1", "s:b1:10-1", "s:b1:20-1"} == set(rig.ids)


async def test_a_restart_with_retries_pending(rig: Rig) -> None:
    """They are tried when they are due, and count on from where they were."""
    rig.replies = [failing()]
    async with rig.owner() as webhooks:
        await webhooks.add(url=URL, rule=Rule())
        rig.outbox.put(1)
        webhooks.wake()
        await soon(lambda: len(rig.box.tries) == 1, "it failed once")
    rig.replies = [FINE]
    async with rig.owner() as webhooks:
        for _ in range(20):
            await asyncio.sleep(0)
        early = len(rig.told)
        rig.now += PAUSES_S[1]
        webhooks.wake()
        await settled(rig, 2)
        (hook,) = webhooks.all()
        latest, _ = await webhooks.deliveries(hook.id, limit=10)

    assert (1, 2, "delivered") == (early, latest.tries, latest.outcome)


async def test_a_store_that_goes_away(rig: Rig) -> None:
    """Nothing is believed that is not written; all is told once it is back, perhaps twice."""
    async with rig.owner() as webhooks:
        await webhooks.add(url=URL, rule=Rule())
        rig.box.fails = [StoreUnavailable("away", outcome_unknown=True) for _ in range(3)]
        rig.outbox.put(1)
        rig.outbox.put(2)
        webhooks.wake()
        await soon(lambda: not rig.box.fails, "the store is back")
        await soon(lambda: len(set(rig.ids)) == 2 and not rig.box.pending, "both are told")


async def test_another_owner(rig: Rig) -> None:
    """Who is fenced stops, and says so."""
    webhooks = rig.made()
    rig.outbox.put(1)
    task = asyncio.create_task(webhooks.run())
    await soon(lambda: webhooks._register.is_loaded, "it is loaded")
    await webhooks.add(url=URL, rule=Rule())
    rig.box.fails = [Fenced("another", ours=1, current=2)] * 5
    rig.outbox.put(2)
    webhooks.wake()
    with pytest.raises(Fenced):
        await asyncio.wait_for(task, 60)

    assert [] == rig.told


async def test_what_left_the_outbox_is_told_as_missed(rig: Rig) -> None:
    """A hook that was away for too long learns how many events it has not seen."""
    async with rig.owner() as webhooks:
        hook = await webhooks.add(url=URL, rule=Rule())
        await webhooks.disable(hook.id)
        for n in range(5):
            rig.outbox.put(n)
        del rig.outbox.events[:3]
        await webhooks.enable(hook.id)
        await settled(rig, 2)

    assert [3, 0] == [json.loads(body)["held_back"]["missed"] for _, _, body in rig.told]
    assert 3.0 == rig.value("webhook_missed_total")


async def test_what_was_missed_is_told_by_itself(rig: Rig) -> None:
    """Where nothing that is left is wanted: a hole in what somebody was told is not left unsaid."""
    async with rig.owner() as webhooks:
        hook = await webhooks.add(url=URL, rule=Rule(events=("gone",)))
        await webhooks.disable(hook.id)
        for n in range(5):
            rig.outbox.put(n)
        del rig.outbox.events[:3]
        await webhooks.enable(hook.id)
        await settled(rig, 1)
        for _ in range(20):
            await asyncio.sleep(0)
    ((_, headers, body),) = rig.told
    message = json.loads(body)

    assert ("webhook.held_back", 3) == (message["type"], message["held_back"]["missed"])
    assert "s:b1:held-40-1" == headers["webhook-id"]


async def test_what_was_held_back_is_told_with_the_next(rig: Rig) -> None:
    """By debounce and by budget; and counted."""
    async with rig.owner() as webhooks:
        await webhooks.add(url=URL, rule=Rule(debounce_s=60, per_day=2))
        for id in (1, 1, 2, 3, 4):
            rig.outbox.put(id)
        webhooks.wake()
        await settled(rig, 2)
        rig.now += 86_400
        rig.outbox.put(5)
        webhooks.wake()
        await settled(rig, 3)

    held = [json.loads(body)["held_back"] for _, _, body in rig.told]
    assert [(0, 0, []), (1, 0, [1]), (0, 2, [3, 4])] == [
        (one["debounced"], one["over_budget"], one["clusters"]) for one in held
    ]
    assert 2.0 == rig.value("webhook_held_back_total", reason="over_budget")


async def test_what_was_held_back_is_told_by_itself(rig: Rig) -> None:
    """Once, when its window has ended and no message came; and it survives a change of owners in between."""
    async with rig.owner() as webhooks:
        hook = await webhooks.add(url=URL, rule=Rule(debounce_s=60))
        for _ in range(3):
            rig.outbox.put(7)
        webhooks.wake()
        await soon(lambda: webhooks.get(hook.id).tally.debounced == 2, "two are held back")
        await settled(rig, 1)
    rig.now += 61
    async with rig.owner() as webhooks:
        await settled(rig, 2)
        rig.now += 1000
        webhooks.wake()
        for _ in range(20):
            await asyncio.sleep(0)
        (delivery, _) = await webhooks.deliveries(hook.id, limit=9)
    message = json.loads(rig.told[1][2])

    assert 2 == len(rig.told)
    assert ("webhook.held_back", "s:b1:held-20-1") == (delivery.type, delivery.id)
    assert ("webhook.held_back", {}) == (message["type"], message["data"])
    assert {"debounced": 2, "over_budget": 0, "missed": 0, "clusters": [7]} == message["held_back"]


async def test_nobody_is_told_while_it_is_disabled(rig: Rig) -> None:
    """What was held back waits with the rest, until it is enabled."""
    async with rig.owner() as webhooks:
        hook = await webhooks.add(url=URL, rule=Rule(debounce_s=60))
        rig.outbox.put(7)
        rig.outbox.put(7)
        webhooks.wake()
        await soon(lambda: webhooks.get(hook.id).tally.debounced == 1, "one is held back")
        await settled(rig, 1)
        await webhooks.disable(hook.id)
        rig.now += 61
        webhooks.wake()
        for _ in range(20):
            await asyncio.sleep(0)
        before = len(rig.told)
        await webhooks.enable(hook.id)
        await settled(rig, 2)

    assert 1 == before


async def test_another_bundle(rig: Rig) -> None:
    """It has taken the outbox over: what was told is not told again, and what comes is."""
    async with rig.owner() as webhooks:
        await webhooks.add(url=URL, rule=Rule())
        rig.outbox.put(1)
        webhooks.wake()
        await settled(rig, 1)
    async with rig.owner(bundle="b2") as webhooks:
        rig.outbox.put(2)
        webhooks.wake()
        await settled(rig, 2)

    assert ["s:b1:0-1", "s:b2:10-1"] == rig.ids


async def test_a_receiver_that_asks_for_time(rig: Rig) -> None:
    """He gets it for all that is to be told him, through a change of owners; a person can end it."""
    rig.replies = [replace(failing(429), retry_after_s=1000.0), FINE]
    async with rig.owner() as webhooks:
        hook = await webhooks.add(url=URL, rule=Rule())
        rig.outbox.put(1)
        webhooks.wake()
        await soon(lambda: rig.box.tries, "it is noted")
        (tried,) = await webhooks.deliveries(hook.id, limit=1)
    rig.now += 900
    async with rig.owner() as webhooks:
        rig.outbox.put(2)
        webhooks.wake()
        await soon(lambda: len(rig.box.pending) == 2, "both wait")
        early = len(rig.told)
        due = webhooks.due()
        await webhooks.enable(hook.id)
        await settled(rig, 3)

    assert (1, 1_001_000.0, tried.next_t) == (early, due, due)


async def test_when_something_is_due(rig: Rig) -> None:
    """Not known before it is loaded; never where nothing waits; then the next try, or the end of a window."""
    rig.replies = [failing(), FINE]
    webhooks = rig.made()
    unknown = webhooks.due()
    async with rig.owner() as webhooks:
        hook = await webhooks.add(url=URL, rule=Rule(debounce_s=60))
        await soon(lambda: webhooks.due() == math.inf, "nothing is due")
        rig.outbox.put(1)
        rig.outbox.put(1)
        webhooks.wake()
        await soon(lambda: webhooks.due() == rig.now + PAUSES_S[1], "the next try is due")
        rig.now += PAUSES_S[1]
        webhooks.wake()
        await settled(rig, 2)
        await soon(lambda: webhooks.due() == 1_000_060.0, "what was held back is due")
        await webhooks.disable(hook.id)
        webhooks.wake()
        await soon(lambda: webhooks.due() == math.inf, "nothing is due to one that is disabled")

    assert 0.0 == unknown == webhooks.due()


async def test_a_hook_that_is_full_waits(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cursor stays until there is room: nothing is dropped."""
    monkeypatch.setattr("service.webhooks.teller.MOST_PENDING", 3)
    rig.replies = [failing()]
    async with rig.owner() as webhooks:
        hook = await webhooks.add(url=URL, rule=Rule())
        for n in range(10):
            rig.outbox.put(n)
        webhooks.wake()
        await soon(lambda: len(rig.box.tries) == 3, "three failed")
        full, cursor = len(rig.box.pending), webhooks.get(hook.id).cursor
        rig.replies = [FINE]
        rig.now += 10
        webhooks.wake()
        await soon(lambda: len(set(rig.ids)) == 10 and not rig.box.pending, "all are told")

    assert (3, "20-1") == (full, cursor)
    assert MOST_PENDING > 3


async def test_few_tries_at_once(rig: Rig) -> None:
    """A receiver is not flooded by what has piled up."""
    rig.holds = asyncio.Event()
    async with rig.owner() as webhooks:
        await webhooks.add(url=URL, rule=Rule())
        for n in range(20):
            rig.outbox.put(n)
        webhooks.wake()
        await soon(lambda: len(rig.told) == 2, "two are tried")
        for _ in range(20):
            await asyncio.sleep(0)
        at_once = len(rig.told)
        rig.holds.set()
        await settled(rig, 20)

    assert 2 == at_once


async def test_what_cannot_be_read_is_left_alone(rig: Rig) -> None:
    """A hook or a message of a later version stays in the store; an event that is none is passed over."""
    rig.box.hooks["wh_later"], rig.box.pending["wh_later x"] = b"\xc1", b"\xc1"
    async with rig.owner() as webhooks:
        hook = await webhooks.add(url=URL, rule=Rule())
        rig.outbox.put(1)
        rig.outbox.events[0] = rigs.StoredEvent(id="0-1", number=1, data=b"[]")
        rig.outbox.put(2)
        webhooks.wake()
        await soon(lambda: len(rig.told) == 1 and len(rig.box.pending) == 1, "the other is told")
        cursor = webhooks.get(hook.id).cursor

    assert (b"\xc1", b"\xc1", "10-1") == (rig.box.hooks["wh_later"], rig.box.pending["wh_later x"], cursor)


async def test_a_hook_that_is_removed_while_it_is_told(rig: Rig) -> None:
    """Nothing of it comes back."""
    rig.holds = asyncio.Event()
    async with rig.owner() as webhooks:
        hook = await webhooks.add(url=URL, rule=Rule())
        rig.outbox.put(1)
        webhooks.wake()
        await soon(lambda: rig.told, "it is tried")
        await webhooks.remove(hook.id)
        rig.holds.set()
        await soon(lambda: not webhooks._teller._sending, "the try is over")

    assert ({}, {}, []) == (rig.box.hooks, rig.box.pending, rig.box.tries)


def test_values_are_read_as_they_were_written() -> None:
    """With fields of another version left out, and those it lacks at their defaults."""
    message = Pending(hook="wh_a", id="s:b:1-1", type="cluster.gone", body=b"{}", due=1.0, since=0.5)

    assert message == unpack(pack(message), Pending)
    assert "wh_a s:b:1-1" == message.name
    assert Hook.__name__ == "Hook"
