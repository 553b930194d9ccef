"""Who owns a stream: leases, epochs, and the fence that keeps an older owner out."""

import pytest
from redis.asyncio import Redis

from service.state.errors import Fenced, LeaseHeld, SequenceConflict, StreamsFull
from service.state.keys import MOST_STREAMS, STREAMS
from service.state.store import Append, StreamStore
from tests.service.state.conftest import MakeStore


def batch(first_seq: int, item_id: str) -> Append:
    return Append(first_seq=first_seq, count=1, payload=b"payload", verdicts=[(item_id, b"verdict")])


async def test_epochs_grow(make_store: MakeStore) -> None:
    """Each acquire has a higher epoch than all before."""
    a, b = make_store(owner="a"), make_store(owner="b")
    epochs = [await a.acquire(), await a.acquire(), await b.acquire(steal=True), await a.acquire(steal=True)]

    assert epochs == [1, 2, 3, 4]


async def test_a_live_lease(make_store: MakeStore) -> None:
    """A stream with a live owner is refused to another, who learns whose it is and for how long."""
    await make_store(owner="a", lease_ms=60_000).acquire()
    with pytest.raises(LeaseHeld, match="held by a for") as caught:
        await make_store(owner="b").acquire()

    assert caught.value.owner == "a"
    assert 50_000 < caught.value.remaining_ms <= 60_000


async def test_a_released_stream(make_store: MakeStore) -> None:
    """A released stream is free at once, and its former owner writes no more."""
    a, b = make_store(owner="a"), make_store(owner="b")
    await a.acquire()
    await a.release()
    await a.release()
    await b.acquire()

    with pytest.raises(Fenced, match="call acquire first"):
        await a.append(batch(0, "x"))


async def test_release_of_what_another_took(make_store: MakeStore) -> None:
    """An old owner's release does not take the lease from the new one."""
    a, b, c = (make_store(owner=name) for name in "abc")
    await a.acquire()
    await b.acquire(steal=True)
    await a.release()

    with pytest.raises(LeaseHeld):
        await c.acquire()


@pytest.mark.parametrize("act", ["append", "renew", "save_snapshot"])
async def test_the_older_owner_is_fenced(make_store: MakeStore, act: str) -> None:
    """Once another took the stream, whatever the older owner writes is refused, and nothing changes."""
    a, b = make_store(owner="a"), make_store(owner="b")
    await a.acquire()
    await a.append(batch(0, "x"))
    await b.acquire(steal=True)
    before = await b.info()
    acts = {
        "append": lambda: a.append(batch(1, "y")),
        "renew": a.renew,
        "save_snapshot": lambda: a.save_snapshot(b"blob", seq=1),
    }
    with pytest.raises(Fenced, match="owned by b with epoch 2, ours was 1") as caught:
        await acts[act]()

    assert (caught.value.ours, caught.value.current) == (1, 2)
    assert before == await b.info()
    assert await b.append(batch(1, "y"))


async def test_a_resend_of_a_fenced_owner(make_store: MakeStore) -> None:
    """Also a resend of what *is* there is refused to an old owner: its memory is not the truth any more."""
    a, b = make_store(owner="a"), make_store(owner="b")
    await a.acquire()
    await a.append(batch(0, "x"))
    await b.acquire(steal=True)

    with pytest.raises(Fenced):
        await a.append(batch(0, "x"))


async def test_a_lease_that_ran_out_to_nobody(make_store: MakeStore, client: "Redis", stream: str) -> None:
    """An owner whose lease ran out, with no other since, writes on and takes it again by renewing."""
    a, b = make_store(owner="a"), make_store(owner="b")
    await a.acquire()
    await client.delete(f"fs:{{{stream}}}:lease")  # as its expiry does
    await a.append(batch(0, "x"))
    await a.renew()

    with pytest.raises(LeaseHeld):
        await b.acquire()


async def test_the_lease_expires_by_itself(make_store: MakeStore, client: "Redis", stream: str) -> None:
    """The server has a time limit on the lease, no longer than asked for; renewing sets it anew."""
    a = make_store(lease_ms=40_000)
    await a.acquire()
    await client.pexpire(f"fs:{{{stream}}}:lease", 10)
    await a.renew()

    assert 30_000 < await client.pttl(f"fs:{{{stream}}}:lease") <= 40_000


async def test_the_same_epoch_by_another(make_store: MakeStore, client: "Redis", stream: str) -> None:
    """After a fail-over that lost an epoch two owners may hold the same number: the name tells them apart."""
    a, b = make_store(owner="a"), make_store(owner="b")
    assert await a.acquire() == 1
    await client.delete(f"fs:{{{stream}}}:epoch", f"fs:{{{stream}}}:lease")
    assert await b.acquire() == 1

    with pytest.raises(Fenced):
        await a.append(batch(0, "x"))
    assert await b.append(batch(0, "y"))


async def test_a_wiped_server(store: StreamStore, client: "Redis", stream: str) -> None:
    """An owner whose state vanished under it is fenced: it must not go on as if nothing had happened."""
    await store.append(batch(0, "x"))
    await client.delete(*await client.keys(f"fs:{{{stream}}}:*"))

    with pytest.raises(Fenced, match="owned by nobody"):
        await store.append(batch(1, "y"))


async def test_a_look_up_of_a_fenced_owner(make_store: MakeStore) -> None:
    """It is not answered: what the next owner has written may not be as durable yet as an answer promises. Who owns
    nothing may look.
    """
    a, b = make_store(owner="a"), make_store(owner="b")
    await a.acquire()
    await b.acquire(steal=True)
    await b.append(batch(0, "x"))

    with pytest.raises(Fenced, match="owned by b"):
        await a.lookup(["x"])
    assert [None] != await a.lookup(["x"])


async def test_whoever_hears_it_second(make_store: MakeStore) -> None:
    """An owner that is fenced is told by whom, also in the calls that come after."""
    a, b = make_store(owner="a"), make_store(owner="b")
    await a.acquire()
    await b.acquire(steal=True)
    for _ in range(2):
        with pytest.raises(Fenced, match="owned by b with epoch 2, ours was 1"):
            await a.renew()


async def test_a_log_that_became_shorter(store: StreamStore, client: "Redis", stream: str) -> None:
    """A replica that lagged and took over is noticed by the next renewal, before anything is written."""
    await store.append(batch(0, "x"))
    await store.renew()
    await client.hset(f"fs:{{{stream}}}:bundle-a:head", "seq", "0")

    with pytest.raises(SequenceConflict) as caught:
        await store.renew()
    assert caught.value.expected == 0


async def test_a_log_without_its_head(store: StreamStore, client: "Redis", stream: str) -> None:
    """A head that fell behind its log is refused as a conflict, with nothing written."""
    await store.append(batch(0, "x"))
    await client.hset(f"fs:{{{stream}}}:bundle-a:head", "seq", "0")

    with pytest.raises(SequenceConflict):
        await store.append(batch(0, "y"))
    assert await store.lookup(["y"]) == [None]


async def test_one_stream_too_many(private: "Redis", make_store: MakeStore) -> None:
    """Where there are as many streams as may be none is made; those there are go on, under whatever owner."""
    old = make_store(client=private)
    await old.open()
    await old.acquire()
    await private.sadd(STREAMS, *(f"s{n}" for n in range(MOST_STREAMS)))
    new = make_store(client=private, stream="new")
    with pytest.raises(StreamsFull, match=f"there are {MOST_STREAMS + 1} streams"):
        await new.acquire()
    with pytest.raises(Fenced):
        await new.renew()

    assert [] == await private.keys("fs:{new}:*")
    assert 2 == await make_store(client=private, owner="heir").acquire(steal=True)
