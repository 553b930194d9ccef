"""The outbox: an event is there exactly when the batch that caused it is, once, and who reads on misses none unseen."""

import json
from typing import TYPE_CHECKING

import pytest

from service.events import ClusterEvent, EventKind
from service.state import batches
from service.state.errors import Fenced, StoreUnavailable
from service.state.events import FIRST, StoredEvent, is_event_id, pack_events, place_of
from service.state.keys import Keys
from service.state.store import Append, StreamStore
from service.state.wire import Wire
from tests.service.state.conftest import MakeStore
from tests.service.state.fault_proxy import Fault, FaultProxy
from tests.service.told import cluster

if TYPE_CHECKING:
    from redis.asyncio import Redis


def event(id: int = 1, *, kind: EventKind = EventKind.EMERGED, seq: int = 7) -> ClusterEvent:
    about = cluster(id=id, items=12, born_seq=2, exemplars=("a", "ü"))
    return ClusterEvent(kind=kind, seq=seq, t=2.0, cluster=about)


def batch(seq: int, *events: bytes, ids: str = "") -> Append:
    return Append(
        first_seq=seq, count=1, payload=b"p%d" % seq, verdicts=[(id, b"v") for id in ids], events=events
    )


async def told(store: StreamStore, after: str = FIRST, *, limit: int = 100) -> list[tuple[str, int, bytes]]:
    return [(e.id, e.number, e.data) for e in (await store.events.after(after, limit=limit)).events]


def test_an_event_is_stored_as_watchers_are_told_it() -> None:
    """The fields of a message of /watch; and what is looked at can be read from it."""
    (data,) = pack_events([event(3, kind=EventKind.FADED)])
    stored = json.loads(data)
    about = StoredEvent(id="7-1", number=1, data=data).about()

    assert ["event", "seq", "t", "cluster", "other_id", "decision", "label"] == list(stored)
    assert ("faded", 7, 3, ["a", "ü"]) == (
        stored["event"],
        stored["seq"],
        stored["cluster"]["id"],
        stored["cluster"]["exemplars"],
    )
    assert ("faded", 7, 3, 12, 0.0) == (
        about.event,
        about.seq,
        about.cluster.id,
        about.cluster.items,
        about.cluster.first_t,
    )


@pytest.mark.parametrize("text", ["0-0", "12-1", "9007199254740992-3"])
def test_an_id_is_a_seq_and_a_number(text: str) -> None:
    """Both without zeros in front."""
    assert is_event_id(text)
    assert text == "{}-{}".format(*place_of(text))


@pytest.mark.parametrize("text", ["", "12", "-1", "a-1", "01-1", "1-01", "(1-1", "1-1 ", "+", "$"])
def test_anything_else_is_none(text: str) -> None:
    """Nothing that Redis would read in another way is let through."""
    assert not is_event_id(text)


async def test_events_come_with_their_batch(store: StreamStore) -> None:
    """In order, named after the batch, numbered through; a batch without any adds none."""
    await store.append(batch(0, b"a", b"b", ids="xy"))
    await store.append(batch(1, ids="z"))
    await store.append(batch(2, b"c"))
    page = await store.events.after(limit=100)

    assert [("0-1", 1, b"a"), ("0-2", 2, b"b"), ("2-1", 3, b"c")] == await told(store)
    assert (False, 3) == (page.has_gap, page.total)
    assert [b"v", b"v", b"v"] == await store.lookup(["x", "y", "z"])


async def test_none_are_there_before_the_first(store: StreamStore) -> None:
    """A stream where nothing has become of a cluster has an empty outbox."""
    page = await store.events.after(limit=10)

    assert ((), False, 0, None) == (page.events, page.has_gap, page.total, await store.events.latest())


async def test_a_resend_adds_none(store: StreamStore) -> None:
    """The same batch again is recognised, with its events."""
    was_new = [await store.append(batch(0, b"a")) for _ in range(3)]

    assert [True, False, False] == was_new
    assert [("0-1", 1, b"a")] == await told(store)


@pytest.mark.parametrize("fault", ["drop_reply", "cut_reply", "drop_request", "hold_request"])
async def test_however_a_batch_is_hurt_its_events_are_there_once(
    hurt_store: StreamStore, proxy: FaultProxy, fault: Fault
) -> None:
    """Request or reply lost, cut or late: the resend leaves each event once."""
    proxy.arm(b"fs1_commit", fault)
    with pytest.raises(StoreUnavailable):
        await hurt_store.append(batch(0, b"a", b"b"))
    await hurt_store.append(batch(0, b"a", b"b"))
    await hurt_store.append(batch(1, b"c"))

    assert [("0-1", 1, b"a"), ("0-2", 2, b"b"), ("1-1", 3, b"c")] == await told(hurt_store)


async def test_an_old_owner_tells_nothing(store: StreamStore, make_store: MakeStore) -> None:
    """A fenced batch leaves no event; the heir's batch of the same seq has its own."""
    heir = make_store(owner="heir")
    await heir.acquire(steal=True)
    with pytest.raises(Fenced):
        await store.append(batch(0, b"old"))
    await heir.append(batch(0, b"new"))

    assert [("0-1", 1, b"new")] == await told(heir)


async def test_reading_goes_on_behind_an_event(store: StreamStore) -> None:
    """Page by page nothing is left out and nothing comes twice."""
    for seq in range(7):
        await store.append(batch(seq, *[b"%d" % seq] * (seq % 3)))
    found, at = [], FIRST
    while page := await told(store, at, limit=2):
        found += page
        at = page[-1][0]

    assert await told(store) == found
    assert list(range(1, len(found) + 1)) == [number for _, number, _ in found]


async def test_the_oldest_leave_and_that_shows(store: StreamStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than the bound are kept; who reads on from one that left, or from before all, learns of a gap."""
    monkeypatch.setattr(batches, "MOST_EVENTS", 4)
    for seq in range(6):
        await store.append(batch(seq, b"a", b"b"))
    pages = {at: await store.events.after(at, limit=100) for at in (FIRST, "3-1", "3-2", "4-1", "5-2")}

    assert ["4-1", "4-2", "5-1", "5-2"] == [e.id for e in pages[FIRST].events]
    assert [True, True, True, False, False] == [page.has_gap for page in pages.values()]
    assert {12} == {page.total for page in pages.values()}
    assert 9 == pages[FIRST].events[0].number


async def test_what_is_no_outbox_gives_way(store: StreamStore, client: "Redis", stream: str) -> None:
    """Something else under the name, or events beyond the log, cannot hold up a batch: it begins anew."""
    await store.append(batch(0, b"a"))
    key = Keys(stream, "bundle-a").events
    await client.delete(key)
    await client.set(key, "nonsense")
    await store.append(batch(1, b"b"))
    after_another_kind = await told(store)
    await client.xadd(key, {"e": "x", "k": "9"}, id="77-1")
    await store.append(batch(2, b"c", b"d"))

    assert [("1-1", 2, b"b")] == after_another_kind
    assert [("2-1", 3, b"c"), ("2-2", 4, b"d")] == await told(store)


async def test_a_process_of_before_adds_its_batch_without(
    store: StreamStore, client: "Redis", stream: str
) -> None:
    """fs1_append is as it was: a rolling restart may have both for a while."""
    keys = Keys(stream, "bundle-a")
    wire = Wire(client)
    token = (await client.get(keys.epoch)).decode()
    before = [keys.epoch, keys.head, keys.log, *(keys.ids(-n) for n in range(3))]
    await wire.call("fs1_append", before, token, 0, 1, 0, b"s" * 32, b"p", "id", b"v")
    await store.append(batch(1, b"a"))

    assert [b"v"] == await store.lookup(["id"])
    assert [("1-1", 1, b"a")] == await told(store)
