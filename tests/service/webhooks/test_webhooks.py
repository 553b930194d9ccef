"""What people ask of webhooks: add, change, rotate, disable, enable, remove, try; and what they are refused."""

import re
from dataclasses import replace

import pytest

from service.errors import KeyReused, NotReady, StoreAway, UnknownWebhook, WebhooksFull
from service.state.errors import Fenced, StoreUnavailable
from service.webhooks.hooks import MOST_HOOKS
from service.webhooks.rules import Rule
from service.webhooks.signing import key_of, make_secret
from tests.service.waiting import soon
from tests.service.webhooks.rig import URL, Rig, failing


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_one_that_is_added_is_there_for_the_heir(rig: Rig) -> None:
    """To the last field, its secret among them, which is never in what it shows of itself."""
    rule = Rule(events=("emerged",), min_items=9, min_per_hour=2.5, debounce_s=60.0, per_day=5)
    async with rig.owner() as webhooks:
        added = await webhooks.add(url=URL, rule=rule, note="ops")
        changed = await webhooks.change(
            added.id, note="ops, at night", rule=lambda before: replace(before, min_items=10)
        )
    async with rig.owner() as heir:
        (found,) = heir.all()

    assert changed == found
    assert (URL, replace(rule, min_items=10), "ops, at night") == (found.url, found.rule, found.note)
    assert re.fullmatch(r"wh_[0-9a-f]{16}", found.id)
    assert 32 == len(key_of(found.secrets[0].text))
    assert found.secrets[0].text not in repr(found)


async def test_a_secret_may_be_given(rig: Rig) -> None:
    """One that the receiver has already."""
    secret = make_secret(bytes(24))
    async with rig.owner() as webhooks:
        hook = await webhooks.add(url=URL, rule=Rule(), secret=secret)

    assert (secret,) == hook.signs_with(rig.now)


async def test_rotation(rig: Rig) -> None:
    """Both sign for the overlap; rotated again, the oldest goes, so that there are never more than two."""
    async with rig.owner() as webhooks:
        first = await webhooks.add(url=URL, rule=Rule())
        second = await webhooks.rotate(first.id, overlap_s=60)
        third = await webhooks.rotate(first.id, overlap_s=60)
    old, new, newest = (hook.secrets[0].text for hook in (first, second, third))

    assert 3 == len({old, new, newest})
    assert (new, old) == second.signs_with(rig.now + 59)
    assert (new,) == second.signs_with(rig.now + 60)
    assert (newest, new) == third.signs_with(rig.now)


async def test_what_was_asked_for_under_one_name_is_made_once(rig: Rig) -> None:
    """An answer was lost: the same again gets the same, also of another owner; another name makes another."""
    async with rig.owner() as webhooks:
        one = await webhooks.add(url=URL, rule=Rule(), asked="a")
        same = await webhooks.add(url=URL, rule=Rule(), asked="a")
        other = await webhooks.add(url=URL, rule=Rule(), asked="b")
        rotated = await webhooks.rotate(one.id, overlap_s=60, asked="c")
    async with rig.owner() as heir:
        again = await heir.rotate(one.id, overlap_s=60, asked="c")
        unnamed = [await heir.add(url=URL, rule=Rule()) for _ in range(2)]

    assert one == same
    assert rotated == again
    assert 4 == len({one.id, other.id, *(hook.id for hook in unnamed)})
    assert one.secrets[0].text == again.secrets[1].text


async def test_a_name_is_of_one_request(rig: Rig) -> None:
    """Another one under it is refused, by another owner as well."""
    async with rig.owner() as webhooks:
        one = await webhooks.add(url=URL, rule=Rule(), asked="a 1")
        with pytest.raises(KeyReused):
            await webhooks.add(url=URL, rule=Rule(), asked="a 2")
    async with rig.owner() as heir:
        with pytest.raises(KeyReused):
            await heir.rotate(one.id, overlap_s=60, asked="a 3")

        assert [one] == heir.all()


async def test_a_try_is_signed_with_both_while_a_secret_changes(rig: Rig) -> None:
    """Two signatures, and one when the overlap is over."""
    async with rig.owner() as webhooks:
        hook = await webhooks.add(url=URL, rule=Rule())
        await webhooks.rotate(hook.id, overlap_s=60)
        await webhooks.test(hook.id)
        rig.now += 61
        await webhooks.test(hook.id)

    assert [2, 1] == [len(headers["webhook-signature"].split()) for _, headers, _ in rig.told]


async def test_a_try_says_how_it_went(rig: Rig) -> None:
    """It is remembered, changes nothing else, and goes to a disabled one as well."""
    rig.replies = [failing(500)]
    async with rig.owner() as webhooks:
        hook = await webhooks.add(url=URL, rule=Rule())
        await webhooks.disable(hook.id)
        before = webhooks.get(hook.id)
        tried = await webhooks.test(hook.id)
        (remembered,) = await webhooks.deliveries(hook.id, limit=10)

        assert (tried, before) == (remembered, webhooks.get(hook.id))
    assert ("failed", 500, "webhook.test", None) == (
        tried.outcome,
        tried.reply.status,
        tried.type,
        tried.next_t,
    )


async def test_a_disabled_one_begins_anew_where_it_is_told_to(rig: Rig) -> None:
    """From now on: what waits and what it missed is forgotten."""
    rig.replies = [failing()]
    async with rig.owner() as webhooks:
        hook = await webhooks.add(url=URL, rule=Rule())
        rig.outbox.put(1)
        webhooks.wake()
        await soon(lambda: len(rig.box.tries) == 1, "it failed")
        await webhooks.disable(hook.id)
        latest = rig.outbox.put(2)
        waiting = webhooks.waiting(hook.id)
        enabled = await webhooks.enable(hook.id, from_now=True)

        assert (1, 0, latest) == (waiting, webhooks.waiting(hook.id), enabled.cursor)
    assert (None, None) == (enabled.disabled, enabled.failing_since)


async def test_one_that_is_removed_leaves_nothing(rig: Rig) -> None:
    """Neither itself nor what it was to be told."""
    rig.replies = [failing()]
    async with rig.owner() as webhooks:
        hook = await webhooks.add(url=URL, rule=Rule())
        rig.outbox.put(1)
        webhooks.wake()
        await soon(lambda: len(rig.box.tries) == 1, "it failed")
        await webhooks.remove(hook.id)

        with pytest.raises(UnknownWebhook, match="GET /webhooks"):
            webhooks.get(hook.id)
    assert ({}, {}) == (rig.box.hooks, rig.box.pending)


async def test_there_are_so_many(rig: Rig) -> None:
    """One more is refused, and those there are go on."""
    async with rig.owner() as webhooks:
        for _ in range(MOST_HOOKS):
            await webhooks.add(url=URL, rule=Rule())
        with pytest.raises(WebhooksFull, match="50"):
            await webhooks.add(url=URL, rule=Rule())

        assert MOST_HOOKS == len(webhooks.all()) == len(rig.box.hooks)


async def test_who_does_not_own_the_stream_has_none(rig: Rig) -> None:
    """Before it is loaded, and after."""
    webhooks = rig.made()
    with pytest.raises(NotReady):
        webhooks.all()
    async with rig.owner() as owned:
        pass
    with pytest.raises(NotReady):
        await owned.add(url=URL, rule=Rule())


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (StoreUnavailable("away", outcome_unknown=True), StoreAway),
        (Fenced("another", ours=1, current=2), NotReady),
    ],
)
async def test_the_store_fails_someone_who_asks(rig: Rig, error: Exception, told: type[Exception]) -> None:
    """He is told what it means for him, and nothing is believed that may not be there."""
    async with rig.owner() as webhooks:
        rig.box.fails = [error]
        with pytest.raises(told):
            await webhooks.add(url=URL, rule=Rule())
        with pytest.raises(NotReady):
            webhooks.all()
