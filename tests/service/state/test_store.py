"""The store on real servers: ownership, appends, dedup, log. Snapshots and faults have files of their own."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from service.state.embedded import EmbeddedServer
from service.state.errors import (
    BundleMismatch,
    DuplicateIds,
    LogCorrupt,
    SequenceConflict,
    StoreMisconfigured,
    StoreUnavailable,
)
from service.state.store import Append, Loaded, LogRecord, StreamStore, connect
from tests.service.state.conftest import MakeStore


def batch(first_seq: int, *ids: str, count: int = 0, payload: bytes = b"payload") -> Append:
    """A batch whose items' verdicts are `verdict of <id>`."""
    verdicts = [(item_id, b"verdict of " + item_id.encode("utf-8", "surrogatepass")) for item_id in ids]
    return Append(first_seq=first_seq, count=count or len(ids), payload=payload, verdicts=verdicts)


async def replayed(store: StreamStore, loaded: Loaded | None = None) -> list[LogRecord]:
    return [record async for record in store.replay(loaded or await store.load())]


async def test_an_empty_stream(store: StreamStore) -> None:
    """A new stream has no snapshot, no log and starts at seq 0."""
    loaded = await store.load()

    assert Loaded(snapshot=None, snapshot_seq=0, next_seq=0) == loaded
    assert await replayed(store, loaded) == []


async def test_what_is_appended_is_there(store: StreamStore) -> None:
    """Appended batches are replayed in order, byte for byte, and their verdicts are found by id."""
    assert await store.append(batch(0, "a", "b", payload=b"\x00\xff\r\n"))
    assert await store.append(batch(2, count=3, payload=b""))

    expected = [
        LogRecord(first_seq=0, count=2, payload=b"\x00\xff\r\n"),
        LogRecord(first_seq=2, count=3, payload=b""),
    ]
    assert expected == await replayed(store)
    assert await store.lookup(["b", "x", "a"]) == [b"verdict of b", None, b"verdict of a"]
    assert await store.lookup([]) == []


async def test_another_store_reads_without_owning(store: StreamStore, make_store: MakeStore) -> None:
    """Look-ups, load, replay and info need no ownership."""
    await store.append(batch(0, "a"))
    reader = make_store(owner="reader")

    assert await reader.lookup(["a"]) == [b"verdict of a"]
    assert await replayed(store) == await replayed(reader)
    assert await store.info() == await reader.info()


@pytest.mark.parametrize("payload", [b"", b"x" * 1_000_000])
async def test_payload_sizes(store: StreamStore, payload: bytes) -> None:
    """Payloads from nothing to a megabyte go through."""
    await store.append(batch(0, "a", payload=payload))

    assert [LogRecord(first_seq=0, count=1, payload=payload)] == await replayed(store)


async def test_many_items_in_one_batch(make_store: MakeStore) -> None:
    """A batch of 5000 ids, beyond one slice of Lua's stack, is stored and refused as one."""
    store = make_store(horizon=10_000)
    await store.acquire()
    ids = [f"id-{i}" for i in range(5000)]
    await store.append(batch(0, *ids))
    with pytest.raises(DuplicateIds) as caught:
        await store.append(batch(5000, "new", ids[4321], ids[7]))

    assert [b"verdict of " + item_id.encode() for item_id in ids] == await store.lookup(ids)
    assert caught.value.ids == ("id-4321", "id-7")


async def test_the_same_batch_again(store: StreamStore) -> None:
    """A resend of the very same batch changes nothing and says so, also after later batches."""
    first, second = batch(0, "a", "b"), batch(2, "c")
    answers = [await store.append(b) for b in (first, first, second, second, first)]

    assert answers == [True, False, True, False, False]
    assert len(await replayed(store)) == 2


@pytest.mark.parametrize(
    "other",
    [
        batch(0, "a", payload=b"other"),
        batch(0, "a", "b"),
        batch(0, "b"),
        batch(0, "a", count=1, payload=b""),
        batch(2, "z"),
        batch(500, "z"),
    ],
)
async def test_a_batch_that_does_not_continue(store: StreamStore, other: Append) -> None:
    """A gap, an overlap or other content at a taken seq is refused with the next seq, unwritten."""
    await store.append(batch(0, "a"))
    with pytest.raises(SequenceConflict) as caught:
        await store.append(other)

    assert (1, other.first_seq) == (caught.value.expected, caught.value.got)
    assert [LogRecord(first_seq=0, count=1, payload=b"payload")] == await replayed(store)
    assert await store.lookup(["b", "z"]) == [None, None]


async def test_an_id_has_one_verdict(store: StreamStore) -> None:
    """A batch with an id that has a verdict is refused by the id, as a whole."""
    await store.append(batch(0, "a", "b"))
    with pytest.raises(DuplicateIds, match="look them up") as caught:
        await store.append(batch(2, "c", "b"))

    assert caught.value.ids == ("b",)
    assert await store.lookup(["c"]) == [None]
    assert (await store.load()).next_seq == 2


async def test_an_id_twice_in_a_batch(store: StreamStore) -> None:
    """An id twice in one batch is refused before anything is sent."""
    with pytest.raises(DuplicateIds, match="send each id once") as caught:
        await store.append(batch(0, "a", "b", "a"))

    assert caught.value.ids == ("a",)
    assert (await store.load()).next_seq == 0


@pytest.mark.parametrize("count", [-1, 0, 101])
async def test_batch_sizes(store: StreamStore, count: int) -> None:
    """A batch holds at least one item, and no more than the horizon."""
    with pytest.raises(ValueError, match="append 1 to 100"):
        await store.append(Append(first_seq=0, count=count, payload=b"", verdicts=[]))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ids=st.lists(st.text(st.characters(), min_size=0, max_size=256), unique=True, min_size=1, max_size=5))
async def test_any_id(server: EmbeddedServer, ids: list[str]) -> None:
    """Any text is an id: empty, emoji, zeros, even a lone surrogate; none is confused with another."""
    client = connect(server.socket)
    await client.delete("fs:{ids}:b:head", "fs:{ids}:b:log", "fs:{ids}:b:ids:0")
    store = StreamStore(client, stream="ids", bundle_id="b", owner="o")
    await store.acquire(steal=True)
    await store.append(batch(0, *ids))

    assert [b"verdict of " + i.encode("utf-8", "surrogatepass") for i in ids] == await store.lookup(ids)
    await client.aclose()


async def test_the_horizon(make_store: MakeStore) -> None:
    """The last H ids are always found, none older than 2 H is, and memory is freed."""
    store = make_store(horizon=10)
    await store.acquire()
    ids = [f"id-{seq}" for seq in range(60)]
    for seq in range(60):
        await store.append(batch(seq, ids[seq]))
        found = [verdict is not None for verdict in await store.lookup(ids[: seq + 1])]

        assert all(found[-10:])
        assert not any(found[:-20])
        assert (await store.info()).ids <= 20


async def test_a_forgotten_id_counts_anew(make_store: MakeStore) -> None:
    """Beyond the horizon an id may come again; within it, on the other side of a generation, it may not."""
    store = make_store(horizon=10)
    await store.acquire()
    await store.append(batch(0, "a", count=9))
    await store.append(batch(9, "b", count=1))
    with pytest.raises(DuplicateIds):
        await store.append(batch(10, "b"))
    await store.append(batch(10, count=10))

    assert await store.append(batch(20, "a"))


async def test_look_up_after_others_moved_on(make_store: MakeStore) -> None:
    """A reader that last looked generations ago still finds what is remembered now."""
    store, reader = make_store(horizon=10), make_store(horizon=10, owner="reader")
    await store.acquire()
    await reader.lookup(["a"])
    for seq in range(0, 70, 10):
        await store.append(batch(seq, f"id-{seq}", count=10))

    assert await reader.lookup(["id-30", "id-60"]) == [None, b"verdict of id-60"]


@pytest.mark.parametrize("at", ["open", "acquire"])
async def test_another_bundle(store: StreamStore, make_store: MakeStore, at: str) -> None:
    """State of one bundle is refused to another, with the choices that one has."""
    other = make_store(bundle_id="bundle-b")
    with pytest.raises(BundleMismatch, match="serve that bundle, or choose another stream name") as caught:
        await (other.open() if at == "open" else other.acquire(steal=True))

    assert (caught.value.stored, caught.value.offered) == ("bundle-a", "bundle-b")
    await store.append(batch(0, "a"))  # still the owner


@pytest.mark.usefixtures("store")
async def test_another_horizon(make_store: MakeStore) -> None:
    """The horizon is fixed when the stream is made: another one would look for ids in the wrong place."""
    with pytest.raises(StoreMisconfigured, match="horizon of 100 items, not 50"):
        await make_store(horizon=50).acquire(steal=True)


async def test_streams_are_apart(make_store: MakeStore, stream: str) -> None:
    """Two streams on one server share neither ids nor seq nor owner."""
    a, b = make_store(), make_store(stream=f"{stream}-other")
    await a.acquire()
    await b.acquire()
    await a.append(batch(0, "x"))

    assert await b.lookup(["x"]) == [None]
    assert await b.append(batch(0, "x", payload=b"other"))


@pytest.mark.parametrize("owner", ["", "two words", "x" * 129, "é", "a\n"])
def test_owner_names(make_store: MakeStore, owner: str) -> None:
    """An owner's name that would not survive an error reply is refused."""
    with pytest.raises(ValueError, match="owner"):
        make_store(owner=owner)


@pytest.mark.parametrize("bad", [{"lease_ms": 0}, {"horizon": 0}])
def test_bounds(make_store: MakeStore, bad: dict[str, int]) -> None:
    """Lease and horizon are positive."""
    with pytest.raises(ValueError, match="at least 1"):
        make_store(**bad)


def test_a_client_that_repeats_writes(make_store: MakeStore) -> None:
    """A client with redis-py's default retries is refused: it would write twice."""
    with pytest.raises(ValueError, match="repeats writes"):
        make_store(client=Redis())


async def test_a_missing_entry(store: StreamStore, client: "Redis", stream: str) -> None:
    """A hole in the log, in the middle or at its end, is named and never skipped."""
    for seq in range(4):
        await store.append(batch(seq, count=1))
    await client.xdel(f"fs:{{{stream}}}:bundle-a:log", "1-1")
    with pytest.raises(SequenceConflict, match="items 1 to 1 are missing") as caught:
        await replayed(store)
    assert (caught.value.expected, caught.value.got) == (1, 2)

    await client.xdel(f"fs:{{{stream}}}:bundle-a:log", "0-1", "2-1", "3-1")
    with pytest.raises(SequenceConflict, match="items 0 to 3 are missing"):
        await replayed(store)


async def test_a_changed_entry(store: StreamStore, client: "Redis", stream: str) -> None:
    """An entry that is not what was written is refused by its id."""
    await store.append(batch(0, count=1))
    log = f"fs:{{{stream}}}:bundle-a:log"
    ((_, fields),) = await client.xrange(log)
    await client.delete(log)
    await client.xadd(log, fields | {b"p": b"changed"}, id="0-1")

    with pytest.raises(LogCorrupt, match="0-1"):
        await replayed(store)


async def test_long_replays(make_store: MakeStore) -> None:
    """A log of several pages is replayed whole, and only up to where it was loaded."""
    store = make_store(horizon=100_000)
    await store.acquire()
    for seq in range(0, 12_000, 20):
        await store.append(batch(seq, count=20, payload=b"%d" % seq))
    loaded = await store.load()
    await store.append(batch(12_000, count=20))
    pages = [page async for page in store.replay_pages(loaded)]

    expected = [LogRecord(first_seq=seq, count=20, payload=b"%d" % seq) for seq in range(0, 12_000, 20)]
    assert expected == await replayed(store, loaded)
    assert expected == [record for page in pages for record in page]
    assert len(pages) > 2
    assert all(sum(record.count for record in page) < 4096 + 20 for page in pages)


async def test_info(store: StreamStore) -> None:
    """Sizes follow what was written."""
    empty = await store.info()
    await store.append(batch(0, "a", "b"))
    await store.append(batch(2, "c"))
    await store.save_snapshot(b"blob", seq=3)
    info = await store.info()

    assert (
        empty.seq,
        empty.epoch,
        empty.log_entries,
        empty.ids,
        empty.snapshot_generation,
    ) == (0, 1, 0, 0, 0)
    assert (info.seq, info.log_entries, info.ids) == (3, 2, 3)
    assert (info.snapshot_generation, info.snapshot_seq, info.snapshot_bytes) == (1, 3, 4)


async def test_an_unsafe_server(private: "Redis", make_store: MakeStore) -> None:
    """A server that could lose acknowledged items is refused, or, when told to, used with a warning."""
    await private.config_set("appendfsync", "everysec")
    with pytest.raises(StoreMisconfigured, match="CONFIG SET appendfsync always"):
        await make_store(client=private).open()
    info = await make_store(client=private, allow_unsafe=True).open()

    assert len(info.warnings) == 1
    assert "appendfsync is everysec" in info.warnings[0]


async def test_no_memory_left(private: "Redis", make_store: MakeStore) -> None:
    """Out of memory an append is refused, known to be unwritten; the lease still lives; then it goes on."""
    store = make_store(client=private)
    await store.open()
    await store.acquire()
    await private.config_set("maxmemory", "1")
    with pytest.raises(StoreUnavailable) as caught:
        await store.append(batch(0, "a"))
    await store.renew()
    found = await store.lookup(["a"])
    await private.config_set("maxmemory", "0")

    assert not caught.value.outcome_unknown
    assert found == [None]
    assert await store.append(batch(0, "a"))


async def test_a_paused_server(private: "Redis", make_store: MakeStore) -> None:
    """An append that a paused server executes late is one append: its resend finds it there, or writes it."""
    path = private.connection_pool.connection_kwargs["path"]
    impatient = connect(f"unix://{path}", timeout_s=0.1)
    store = make_store(client=impatient)
    await store.acquire()
    await private.execute_command("CLIENT", "PAUSE", "300", "ALL")
    with pytest.raises(StoreUnavailable) as caught:
        await store.append(batch(0, "a"))
    await private.ping()  # answered when the pause is over
    await store.append(batch(0, "a"))

    assert caught.value.outcome_unknown
    assert (await store.info()).log_entries == 1
    await impatient.aclose()
