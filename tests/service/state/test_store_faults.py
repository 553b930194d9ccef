"""Lost replies, lost requests and late commands, at every command; those of snapshots are hurt elsewhere."""

from collections.abc import Awaitable, Callable

import pytest

from service.state.errors import StoreUnavailable
from service.state.store import Append, LogRecord, StreamStore
from tests.service.state.conftest import MakeStore
from tests.service.state.fault_proxy import Fault, FaultProxy

FAULTS: list[Fault] = ["drop_reply", "cut_reply", "drop_request", "hold_request"]
BATCH = Append(first_seq=0, count=2, payload=b"\xff\x00", verdicts=[("a", b"1"), ("b", b"2")])


@pytest.mark.parametrize("fault", FAULTS)
async def test_append(hurt_store: StreamStore, proxy: FaultProxy, fault: Fault) -> None:
    """However an append is hurt, the caller's resend leaves exactly one entry, one verdict an id, one seq."""
    proxy.arm(b"fs1_commit", fault)
    with pytest.raises(StoreUnavailable) as caught:
        await hurt_store.append(BATCH)
    was_new = await hurt_store.append(BATCH)
    await proxy.release_held()
    records = [record async for record in hurt_store.replay(await hurt_store.load())]

    assert caught.value.outcome_unknown
    assert was_new == (fault in ("drop_request", "hold_request"))
    assert records == [LogRecord(first_seq=0, count=2, payload=b"\xff\x00")]
    assert await hurt_store.lookup(["a", "b"]) == [b"1", b"2"]
    assert (await hurt_store.info()).log_entries == 1


async def test_a_late_append_of_an_old_owner(
    hurt_store: StreamStore, make_store: MakeStore, proxy: FaultProxy
) -> None:
    """An append that reaches the server after another owner took over is refused there."""
    proxy.arm(b"fs1_commit", "hold_request")
    with pytest.raises(StoreUnavailable):
        await hurt_store.append(BATCH)
    heir = make_store(owner="heir")
    await heir.acquire(steal=True)
    replies = await proxy.release_held()

    assert replies[0].startswith(b"-FENCED 2 heir")
    assert (await heir.info()).log_entries == 0


@pytest.mark.parametrize("fault", FAULTS)
async def test_acquire(
    hurt_store: StreamStore, make_store: MakeStore, proxy: FaultProxy, fault: Fault
) -> None:
    """However acquire is hurt, it can be made again and gives a token that works."""
    proxy.arm(b"fs1_acquire", fault)
    with pytest.raises(StoreUnavailable):
        await hurt_store.acquire()
    epoch = await hurt_store.acquire()

    assert epoch == (2 if fault in ("drop_request", "hold_request") else 3)
    assert await hurt_store.append(BATCH)
    assert (await make_store(owner="reader").info()).epoch == epoch


Act = Callable[[StreamStore], Awaitable[object]]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    ("command", "act"),
    [
        pytest.param(b"fs1_renew", lambda store: store.renew(), id="renew"),
        pytest.param(b"fs1_lookup", lambda store: store.lookup(["a"]), id="lookup"),
        pytest.param(b"HGETALL", lambda store: store.load(), id="load"),
        pytest.param(b"HGETALL", lambda store: store.info(), id="info"),
        pytest.param(b"INFO", lambda store: store.open(), id="open"),
        pytest.param(b"FUNCTION", lambda store: store.open(), id="library"),
    ],
)
async def test_what_can_be_asked_again(
    hurt_store: StreamStore, proxy: FaultProxy, command: bytes, act: Act, fault: Fault
) -> None:
    """Every other call fails as unavailable and gives, made again, the same answer as before."""
    await hurt_store.append(BATCH)
    before = await act(hurt_store)
    proxy.arm(command, fault)
    with pytest.raises(StoreUnavailable):
        await act(hurt_store)

    assert await act(hurt_store) == before
    assert proxy.hits == 1


@pytest.mark.parametrize("fault", FAULTS)
async def test_replay(hurt_store: StreamStore, proxy: FaultProxy, fault: Fault) -> None:
    """A replay that is cut off fails, it does not just end; begun again it is whole."""
    await hurt_store.append(BATCH)
    loaded = await hurt_store.load()
    proxy.arm(b"XRANGE", fault)
    with pytest.raises(StoreUnavailable):
        await anext(hurt_store.replay(loaded))

    assert len([record async for record in hurt_store.replay(loaded)]) == 1


@pytest.mark.parametrize("fault", FAULTS)
async def test_release(
    hurt_store: StreamStore, make_store: MakeStore, proxy: FaultProxy, fault: Fault
) -> None:
    """However release is hurt, the store counts itself out; the lease goes at once or by its time."""
    proxy.arm(b"fs1_release", fault)
    with pytest.raises(StoreUnavailable):
        await hurt_store.release()
    await hurt_store.release()
    await proxy.release_held()
    heir = make_store(owner="heir")

    assert await heir.acquire(steal=fault == "drop_request") == 2
