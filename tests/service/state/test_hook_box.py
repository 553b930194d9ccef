"""Webhooks in the store: one step, the owner's alone, within bounds."""

from typing import TYPE_CHECKING

import pytest

from service.state import hook_box
from service.state.errors import Fenced, StoreUnavailable
from service.state.hook_box import HookChanges, StoredHooks
from service.state.store import StreamStore
from tests.service.state.conftest import MakeStore
from tests.service.state.fault_proxy import Fault, FaultProxy

if TYPE_CHECKING:
    from redis.asyncio import Redis

CHANGES = HookChanges(
    hooks={"wh_a": b"1", "wh_b": b"\xff\x00"}, pending={"wh_a 1-1": b"body"}, deliveries=(b"tried",)
)


async def test_round_trip(store: StreamStore) -> None:
    """What was written is there; None drops, and the rest stays."""
    await store.hooks.record(CHANGES)
    before = await store.hooks.load()
    await store.hooks.record(HookChanges(hooks={"wh_a": None, "wh_c": b"3"}, pending={"wh_a 1-1": None}))

    assert StoredHooks(hooks=CHANGES.hooks, pending=CHANGES.pending) == before  # type: ignore[arg-type]  # no None
    assert StoredHooks(hooks={"wh_b": b"\xff\x00", "wh_c": b"3"}, pending={}) == await store.hooks.load()
    assert [b"tried"] == await store.hooks.deliveries()


async def test_none(store: StreamStore) -> None:
    """A stream without any."""
    assert StoredHooks(hooks={}, pending={}) == await store.hooks.load()
    assert [] == await store.hooks.deliveries()


async def test_who_is_not_the_owner_any_more_writes_nothing(
    store: StreamStore, make_store: MakeStore
) -> None:
    """Fenced, as everywhere."""
    heir = make_store(owner="heir")
    await heir.acquire(steal=True)
    with pytest.raises(Fenced):
        await store.hooks.record(CHANGES)

    assert StoredHooks(hooks={}, pending={}) == await heir.hooks.load()


@pytest.mark.parametrize("fault", ["drop_reply", "cut_reply", "drop_request", "hold_request"])
async def test_however_it_is_hurt_a_resend_mends_it(
    hurt_store: StreamStore, proxy: FaultProxy, fault: Fault
) -> None:
    """Hooks and messages are as they should be."""
    proxy.arm(b"fs1_record_hooks", fault)
    with pytest.raises(StoreUnavailable):
        await hurt_store.hooks.record(CHANGES)
    await hurt_store.hooks.record(CHANGES)

    assert StoredHooks(hooks=CHANGES.hooks, pending=CHANGES.pending) == await hurt_store.hooks.load()  # type: ignore[arg-type]  # as above


async def test_so_many_tries_are_remembered(store: StreamStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The latest, latest first."""
    monkeypatch.setattr(hook_box, "MOST_DELIVERIES", 3)
    for n in range(5):
        await store.hooks.record(HookChanges(deliveries=(b"%d" % n,)))

    assert [b"4", b"3", b"2"] == await store.hooks.deliveries()


async def test_hooks_do_not_go_with_the_bundle(
    store: StreamStore, make_store: MakeStore, client: "Redis"
) -> None:
    """They are of the stream: another bundle's owner finds them."""
    await store.hooks.record(CHANGES)
    other = make_store(bundle_id="bundle-b")

    assert CHANGES.hooks == (await other.hooks.load()).hooks
    assert await client.ping()
