"""functions.lua by itself: each function defends itself, whatever the client that calls it does."""

import pytest
from redis.asyncio import Redis

from service.state.keys import Keys
from service.state.snapshots import Description
from service.state.store import Append, StreamStore
from service.state.wire import Refusal, Wire
from tests.service.state.conftest import MakeStore

GENERATION = 3  # of the save under way in `saving`


@pytest.fixture
def keys(stream: str) -> Keys:
    return Keys(stream, "bundle-a")


@pytest.fixture
async def saving(store: StreamStore, client: "Redis", keys: Keys) -> Wire:
    """A stream of two items with two snapshots, and a third of two chunks under way, its first chunk written."""
    for seq in range(2):
        await store.append(Append(first_seq=seq, count=1, payload=b"x" * 5000, verdicts=[]))
        await store.save_snapshot(b"blob", seq=seq + 1)
    wire = Wire(client)
    assert (
        await wire.call("fs1_begin_snapshot", [keys.epoch, keys.head, keys.log], "1 owner-a", 2, 2)
        == GENERATION
    )
    await put(wire, keys, "1 owner-a", GENERATION, 0)
    return wire


async def put(wire: Wire, keys: Keys, token: str, generation: int, n: int) -> None:
    control = [keys.epoch, keys.head, keys.chunk(generation, n)]
    await wire.call("fs1_put_chunk", control, token, generation, b"chunk")


async def flip(wire: Wire, keys: Keys, token: str, *, goes: int) -> int:
    description = Description(generation=GENERATION, seq=2, chunks=2, size=10, checksum="00")
    touched = [keys.epoch, keys.head, keys.log, *keys.chunks(GENERATION, 2), keys.chunk(goes, 0)]
    answer: int = await wire.call(
        "fs1_flip_snapshot", touched, token, GENERATION, description.format(), 2, goes, ""
    )
    return answer


async def everything(client: "Redis", keys: Keys) -> dict[bytes, bytes | None]:
    """The whole stream, key by key, as Redis would dump it."""
    names = await client.keys(f"fs:{{{keys.stream}}}:*")
    return {name: await client.dump(name) for name in names if not name.endswith(b":lease")}


@pytest.mark.parametrize("token", ["0 owner-a", "2 owner-a", "1 owner-b", "1", ""])
@pytest.mark.parametrize(
    "function",
    [
        *(
            "append",
            "commit",
            "renew",
            "begin_snapshot",
            "put_chunk",
            "abandon_snapshot",
            "flip_snapshot",
            "trim",
        ),
        *("quarantine", "drop_letters", "forget_payloads", "set_hand"),
    ],
)
async def test_the_token_is_checked(
    saving: Wire, client: "Redis", keys: Keys, function: str, token: str
) -> None:
    """Every function that writes refuses any token but the current one, and leaves every key as it was."""
    before = await everything(client, keys)
    control = [keys.epoch, keys.head]
    calls = {
        "append": (
            [*control, keys.log, *map(keys.ids, (0, -1, -2))],
            [2, 1, 0, b"sums", b"payload", "id", b"v"],
        ),
        "commit": (
            [*control, keys.log, *map(keys.ids, (0, -1, -2)), keys.events, keys.payloads],
            [2, 1, 0, b"sums", b"payload", 1000, 1, b"event", 1, "id", b"x", 1, "old", "id", b"v"],
        ),
        "renew": ([keys.epoch, keys.lease], ["intruder", 5000]),
        "begin_snapshot": ([*control, keys.log], [2, 1]),
        "put_chunk": ([*control, keys.chunk(GENERATION, 1)], [GENERATION, b"chunk"]),
        "abandon_snapshot": ([*control, *keys.chunks(GENERATION, 2)], [GENERATION]),
        "flip_snapshot": (
            [*control, keys.log, keys.chunk(GENERATION, 0)],
            [GENERATION, "3 2 1 5 00", 1, 1, ""],
        ),
        "trim": ([*control, keys.log], []),
        "quarantine": ([keys.epoch, keys.dead_letters], ["id", b"letter", 1000]),
        "drop_letters": ([keys.epoch, keys.dead_letters], ["id"]),
        "forget_payloads": ([keys.epoch, keys.payloads], ["id"]),
        "set_hand": ([keys.epoch, keys.hand], [b"note"]),
    }
    touched, arguments = calls[function]
    with pytest.raises(Refusal) as caught:
        await saving.call(f"fs1_{function}", touched, token, *arguments)

    assert (caught.value.word, caught.value.rest) == ("FENCED", "1 owner-a")
    assert await everything(client, keys) == before
    assert await client.get(keys.lease) == b"owner-a"


async def test_release_with_another_token(saving: Wire, client: "Redis", keys: Keys) -> None:
    """A release with an old token takes nothing from the owner."""
    assert await saving.call("fs1_release", [keys.epoch, keys.lease], "1 owner-b") == 0
    assert await client.get(keys.lease) == b"owner-a"


@pytest.mark.parametrize("generation", [2, 4])
async def test_a_chunk_of_another_save(saving: Wire, client: "Redis", keys: Keys, generation: int) -> None:
    """A chunk that arrives late, for a save that is over, or for none, is refused: it would overwrite good ones."""
    before = await everything(client, keys)
    with pytest.raises(Refusal) as caught:
        await put(saving, keys, "1 owner-a", generation, 0)

    assert (caught.value.word, caught.value.rest) == ("SAVING", str(generation))
    assert await everything(client, keys) == before


async def test_two_saves_at_once(saving: Wire, client: "Redis", keys: Keys) -> None:
    """A second save does not begin while one is under way."""
    before = await everything(client, keys)
    with pytest.raises(Refusal) as caught:
        await saving.call("fs1_begin_snapshot", [keys.epoch, keys.head, keys.log], "1 owner-a", 2, 1)

    assert (caught.value.word, caught.value.rest) == ("SAVING", "3")
    assert await everything(client, keys) == before


async def test_a_flip_without_all_chunks(saving: Wire, client: "Redis", keys: Keys) -> None:
    """A snapshot whose chunks are not all there never becomes the current one; with all of them it does."""
    before = await everything(client, keys)
    with pytest.raises(Refusal) as caught:
        await flip(saving, keys, "1 owner-a", goes=1)
    unchanged = await everything(client, keys) == before
    await put(saving, keys, "1 owner-a", GENERATION, 1)

    assert caught.value.word == "SAVING"
    assert unchanged
    assert [await flip(saving, keys, "1 owner-a", goes=1), await flip(saving, keys, "1 owner-a", goes=1)] == [
        1,
        0,
    ]


async def test_a_flip_that_would_delete_the_wrong_one(saving: Wire, client: "Redis", keys: Keys) -> None:
    """A flip that names another generation to be deleted than the one whose turn it is, is refused."""
    await put(saving, keys, "1 owner-a", GENERATION, 1)
    before = await everything(client, keys)
    with pytest.raises(Refusal):
        await flip(saving, keys, "1 owner-a", goes=2)

    assert await everything(client, keys) == before


async def test_abandoning_a_finished_save(saving: Wire, client: "Redis", keys: Keys) -> None:
    """What is left to abandon is only the save under way: any other keeps its chunks."""
    before = await everything(client, keys)
    touched = [keys.epoch, keys.head, keys.chunk(2, 0)]

    assert await saving.call("fs1_abandon_snapshot", touched, "1 owner-a", 2) == 0
    assert await everything(client, keys) == before


async def test_old_ids_leave_redis(make_store: MakeStore, client: "Redis", stream: str) -> None:
    """Not only are old ids not looked at any more: their keys are gone, never more than two are left."""
    store = make_store(horizon=10)
    await store.acquire()
    left = []
    for seq in range(0, 60, 5):
        await store.append(Append(first_seq=seq, count=5, payload=b"", verdicts=[(f"id-{seq}", b"v")]))
        left.append(len(await client.keys(f"fs:{{{stream}}}:bundle-a:ids:*")))

    assert left == [1, 1] + [2] * 10


@pytest.mark.parametrize(
    ("changed", "word"),
    [("lease", "FENCED"), ("bundle", "TAKEN"), ("epoch", "TAKEN"), ("head", "TAKEN"), ("staged", "MISSING")],
)
async def test_adopt_is_all_or_nothing(client: "Redis", keys: Keys, changed: str, word: str) -> None:
    """What an import wrote becomes a stream when its lease lives, nothing is in the way and nothing is missing."""
    staged = [keys.staged(key, "t") for key in (keys.log, keys.head)]
    for key in (keys.lease, *staged):
        await client.set(key, "me")
    if changed == "staged":
        await client.delete(staged[1])
    else:
        await client.set(getattr(keys, changed), "other")
    before = await everything(client, keys)
    names = [keys.lease, keys.bundle, keys.epoch, *staged, keys.log, keys.head]
    with pytest.raises(Refusal) as refusal:
        await Wire(client).call("fs1_adopt", names, "me", "bundle-a", "2 me", 2)

    assert word == refusal.value.word
    assert before == await everything(client, keys)
    await client.delete(keys.lease, keys.bundle, keys.epoch, keys.head)
    for key in (keys.lease, *staged):
        await client.set(key, "me")
    assert 1 == await Wire(client).call("fs1_adopt", names, "me", "bundle-a", "2 me", 2)
    assert {keys.bundle, keys.epoch, keys.log, keys.head} == {
        key.decode() for key in await client.keys(f"fs:{{{keys.stream}}}:*")
    }


async def test_a_stream_too_many(client: "Redis", keys: Keys) -> None:
    """Where the names are full, no stream is made and nothing is written; one that is there is taken all the same."""
    names = f"{keys.stream}-names"
    touched = [keys.bundle, keys.epoch, keys.lease, keys.head, names]
    acquire = ["bundle-a", "me", 5000, 10, 1, keys.stream]
    await client.sadd(names, "one", "two")
    with pytest.raises(Refusal) as refusal:
        await Wire(client).call("fs1_acquire", touched, *acquire, 2)
    there = await everything(client, keys)
    made = await Wire(client).call("fs1_acquire", touched, *acquire, 3)
    taken = await Wire(client).call("fs1_acquire", touched, *acquire, 3)

    assert ("STREAMS", "2") == (refusal.value.word, refusal.value.rest)
    assert {} == there
    assert [1, 2] == [made[0], taken[0]]
    assert {b"one", b"two", keys.stream.encode()} == await client.smembers(names)


async def test_an_older_process_takes_a_stream(client: "Redis", keys: Keys) -> None:
    """It knows of no names: it gets the stream, and a newer one that takes it later adds the name."""
    names = f"{keys.stream}-names"
    touched = [keys.bundle, keys.epoch, keys.lease, keys.head]
    acquire = ["bundle-a", "me", 5000, 10, 1]
    await Wire(client).call("fs1_acquire", touched, *acquire)
    before = await client.exists(names)
    await client.sadd(names, "full")
    await Wire(client).call("fs1_acquire", [*touched, names], *acquire, keys.stream, 1)

    assert 0 == before
    assert {b"full", keys.stream.encode()} == await client.smembers(names)
