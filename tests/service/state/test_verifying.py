"""A sound stream is found sound, at rest and while it is served; every damage is named, by the check it concerns."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import numpy as np
import pytest
from redis.asyncio import Redis

from service.decisions import Action, Decision
from service.records import VerdictKind
from service.state.batches import id_field
from service.state.keys import Keys
from service.state.packing import pack_verdict
from service.state.reading import Cut, StreamReader
from service.state.store import StreamStore
from service.state.verifying import StreamMoves
from service.state.wire import Wire
from tests.service.state.conftest import MakeStore
from tests.service.state.lived import BUNDLE_ID, Life, a_life, embeddings, faults, verified


@pytest.fixture
def keys(stream: str) -> Keys:
    return Keys(stream, BUNDLE_ID)


@pytest.fixture
def reader(client: "Redis", keys: Keys) -> StreamReader:
    return StreamReader(Wire(client), keys)


@pytest.fixture
async def life(store: StreamStore) -> Life:
    """142 items, snapshots at 61 and 122, a horizon of 100."""
    return await a_life(store)


async def test_a_sound_stream(reader: StreamReader, life: Life) -> None:
    """Every check is made and holds, and the hash is that of the live engine."""
    found = await verified(reader)

    assert {"ok"} == {check.outcome.value for check in found.checks}
    assert found.is_sound
    assert (142, life.hash) == (found.seq, found.state_hash)
    assert "replay" in {check.name for check in found.checks}


async def test_what_people_decided(reader: StreamReader, store: StreamStore) -> None:
    """Classes that they made are in verdicts before and behind a snapshot, and all is sound; a class that is stored
    otherwise is found.
    """
    life = Life(store)
    await life.configure()
    await life.items(60, seed=1)
    cluster = next(c.id for c in life.engine.clusters() if c.emerged_seq is not None)
    made = Decision(key="k", action=Action.PROMOTE, cluster=cluster, t=0.0, who="me", label="far")
    await life.decide(made)
    await life.items(40, seed=2)
    await life.save()
    await life.items(40, seed=3)
    await life.decide(Decision(key="u", action=Action.UNDO, cluster=cluster, t=0.0, who="me", undoes=61))
    found = await verified(reader)

    assert {} == faults(found)
    assert (life.hash, 143) == (found.state_hash, found.seq)
    assert 20 < sum(v.label == "far" for v in life.verdicts.values())


async def test_batches_across_generations(make_store: MakeStore, reader: StreamReader) -> None:
    """A batch that begins in one generation of ids and ends in the next counts for the next: more than twice the
    horizon may be remembered.
    """
    store = make_store(bundle_id=BUNDLE_ID, horizon=10)
    await store.open()
    await store.acquire()
    life = Life(store)
    await life.configure()
    for n in (9, 1, 10, 8, 10):
        await life.items(n, batch=n)
    found = await verified(reader)

    assert {} == faults(found)


async def test_before_the_first_snapshot(reader: StreamReader, store: StreamStore) -> None:
    """All of the log is replayed, from nothing."""
    life = Life(store)
    await life.configure()
    await life.items(20)
    found = await verified(reader)

    assert {} == faults(found)
    assert life.hash == found.state_hash


async def test_before_the_second_snapshot(reader: StreamReader, store: StreamStore) -> None:
    """The log still reaches back to the first item, and has to lead to the one snapshot there is."""
    life = Life(store)
    await life.configure()
    await life.items(20)
    await life.save()
    await life.items(5)
    found = await verified(reader)

    assert {} == faults(found)
    assert life.hash == found.state_hash
    assert any("from nothing over the newer snapshot, byte for byte" in c.details[0] for c in found.checks)


@pytest.mark.usefixtures("store")
async def test_a_stream_without_an_item(reader: StreamReader) -> None:
    """Taken once and never used: sound, and of no state."""
    found = await verified(reader)

    assert {} == faults(found)
    assert found.state_hash is None


async def flip(client: "Redis", key: str, at: int = -1) -> None:
    """Change one byte of a string."""
    value = bytearray(await client.get(key))
    value[at] ^= 1
    await client.set(key, bytes(value))


async def rewrite_log(
    client: "Redis", keys: Keys, changed: Callable[[dict[bytes, bytes]], object], nth: int
) -> str:
    """Write the log anew, one entry changed, or left out where it becomes empty; returns that entry's name."""
    entries = await client.xrange(keys.log)
    await client.delete(keys.log)
    name, fields = entries[nth]
    changed(fields)
    for other, kept in entries:
        if kept:
            await client.xadd(keys.log, kept, id=other)
    return str(name.decode())


def spoil(fields: dict[bytes, bytes]) -> None:
    fields[b"p"] = fields[b"p"][:-1] + bytes([fields[b"p"][-1] ^ 1])


@pytest.mark.usefixtures("life")
async def test_a_byte_of_an_entry(reader: StreamReader, client: "Redis", keys: Keys) -> None:
    """The entry is named; what cannot be said any more is skipped, not called right."""
    name = await rewrite_log(client, keys, spoil, -3)
    found = await verified(reader)

    assert {"log": (f"log entry {name} has a wrong checksum",)} == faults(found)
    assert "skipped" == next(c.outcome.value for c in found.checks if c.name == "replay")
    assert found.state_hash is None


@pytest.mark.usefixtures("life")
async def test_an_entry_is_gone(reader: StreamReader, client: "Redis", keys: Keys) -> None:
    """The items that are missing are named."""
    name = await rewrite_log(client, keys, dict.clear, -2)
    first = int(name.partition("-")[0])

    assert {"log": (f"items {first} to {first + 6} are missing from the log",)} == faults(
        await verified(reader)
    )


@pytest.mark.usefixtures("life")
async def test_the_last_entry_is_gone(reader: StreamReader, client: "Redis", keys: Keys) -> None:
    """The head says that it was there."""
    await rewrite_log(client, keys, dict.clear, -1)

    assert {"log": ("items 136 to 141 are missing from the log",)} == faults(await verified(reader))


@pytest.mark.usefixtures("life")
async def test_an_entry_beyond_the_head(reader: StreamReader, client: "Redis", keys: Keys) -> None:
    """A log that is longer than its head says."""
    await client.xadd(keys.log, {"n": 1}, id="150-1")

    assert {"log": ("entry 150-1 lies beyond the head at seq 142",)} == faults(await verified(reader))


@pytest.mark.usefixtures("life")
async def test_a_verdict_is_gone(reader: StreamReader, client: "Redis", keys: Keys) -> None:
    """The id and its place are named."""
    await client.hdel(keys.ids(1), "id-141")

    assert {"verdicts": ("'id-141' (seq 141) has no verdict",)} == faults(await verified(reader))


@pytest.mark.usefixtures("life")
async def test_a_verdict_of_another_place(reader: StreamReader, client: "Redis", keys: Keys) -> None:
    """The seq that is stored is not where the item stands."""
    await client.hset(keys.ids(1), "id-141", await client.hget(keys.ids(1), "id-139"))
    found = faults(await verified(reader))

    assert ("'id-141' (seq 141) has a verdict of seq 139",) == found["verdicts"]
    assert ("'id-141' has a verdict, but the item at seq 139 is another",) == found["ids"]


async def test_another_cluster(reader: StreamReader, client: "Redis", keys: Keys, life: Life) -> None:
    """The log knows which it was."""
    verdict = life.verdicts["id-139"]
    changed = replace(verdict, cluster_id=77, verdict=VerdictKind.CLUSTER, label=None)
    await client.hset(keys.ids(1), "id-139", pack_verdict(changed, life.labels))

    (told,) = faults(await verified(reader))["verdicts"]
    assert told.startswith("'id-139' (seq 139) has cluster 77 as its verdict, and ")


async def test_another_novelty(reader: StreamReader, client: "Redis", keys: Keys, life: Life) -> None:
    """What the log does not say in so many words, the replay does: every figure of a verdict is held against it."""
    verdict = life.verdicts["id-139"]
    changed = replace(verdict, novelty=0.123)
    await client.hset(keys.ids(1), "id-139", pack_verdict(changed, life.labels))

    (told,) = faults(await verified(reader))["verdicts"]
    assert f"'id-139' (seq 139) has the verdict novelty 0.123 and not {verdict.novelty}" == told


async def test_a_sum_that_is_not_of_these_verdicts(
    reader: StreamReader, client: "Redis", keys: Keys, life: Life
) -> None:
    """An entry says which bytes were stored beside it, to the last one."""

    def spoil_second_half(fields: dict[bytes, bytes]) -> None:
        fields[b"s"] = fields[b"s"][:-1] + b"?"

    await rewrite_log(client, keys, spoil_second_half, -1)
    found = await verified(reader)

    assert {
        "verdicts": ("those of the entry at seq 136 are not the bytes that it was written with",)
    } == faults(found)
    assert life.hash == found.state_hash


@pytest.mark.usefixtures("life")
async def test_a_verdict_of_nobody(reader: StreamReader, client: "Redis", keys: Keys) -> None:
    """An id that no item of the log has."""
    await client.hset(keys.ids(1), "stranger", await client.hget(keys.ids(1), "id-139"))

    assert {"ids": ("'stranger' has a verdict, but the item at seq 139 is another",)} == faults(
        await verified(reader)
    )


@pytest.mark.usefixtures("life")
async def test_an_id_twice(reader: StreamReader, client: "Redis", keys: Keys) -> None:
    """In both generations: which verdict is given would depend on where one looks first."""
    await client.hset(keys.ids(1), "id-3", await client.hget(keys.ids(0), "id-3"))
    found = faults(await verified(reader))

    assert {"ids"} == found.keys()
    assert "'id-3' is in generations 0 and 1" == found["ids"][0]


async def test_a_verdict_of_the_future(reader: StreamReader, client: "Redis", keys: Keys, life: Life) -> None:
    """Beyond the head there is no item yet."""
    verdict = life.verdicts["id-139"]
    changed = replace(verdict, seq=150)
    await client.hset(keys.ids(1), "soon", pack_verdict(changed, life.labels))

    assert {"ids": ("a verdict of seq 150 lies beyond the head at seq 142",)} == faults(
        await verified(reader)
    )


@pytest.mark.parametrize("generation", [1, 2])
@pytest.mark.parametrize("how", ["flip", "delete"])
async def test_a_chunk(
    *, reader: StreamReader, client: "Redis", keys: Keys, life: Life, generation: int, how: str
) -> None:
    """Of either snapshot; the way from the other to the head is still gone."""
    key = keys.chunk(generation, 0)
    await (flip(client, key) if how == "flip" else client.delete(key))
    found = await verified(reader)
    fault = "has a wrong checksum" if how == "flip" else "is missing"

    assert {"snapshots": (f"generation {generation}: chunk 0 of 1 {fault}",)} == faults(found)
    assert life.hash == found.state_hash


async def test_a_snapshot_of_another_life(reader: StreamReader, store: StreamStore) -> None:
    """Whole to the last checksum, and still not what the log leads to."""
    life, other = Life(store), Life(store)
    await life.configure()
    await life.items(30, seed=1)
    await life.save()
    await life.items(30, seed=2)
    other.engine.configure(other.engine.params)
    await _learn_aside(other, life)
    await other.save()
    found = faults(await verified(reader))

    assert "replay" in found
    assert any("does not lead to the newer snapshot" in told for told in found["replay"])


async def _learn_aside(other: Life, life: Life) -> None:
    """As many items as the other, but others, and without a word to the store."""
    n = life.engine.seq - other.engine.seq
    other.engine.step(embeddings(n, seed=9), tuple(f"x{k}" for k in range(n)), np.zeros(n))


@pytest.mark.usefixtures("life")
@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("fs:{%s}:stray", "firstseen has no such key"),
        ("fs:{%s}:bundle-b:head", "firstseen has no such key"),
        ("fs:{%s}:bundle-a:ids:7", "these ids should be forgotten"),
        ("fs:{%s}:bundle-a:snap:1:5", "belongs to no snapshot"),
        ("fs:{%s}:bundle-a:snap:9:0", "belongs to no snapshot"),
    ],
)
async def test_a_stray_key(
    *, reader: StreamReader, client: "Redis", stream: str, key: str, told: str
) -> None:
    """Nothing lies about that nobody knows of."""
    await client.set(key % stream, "?")
    (fault,) = faults(await verified(reader))["keys"]

    assert fault.startswith(key % stream)
    assert told in fault


@pytest.mark.usefixtures("life")
async def test_a_key_of_another_type(reader: StreamReader, client: "Redis", keys: Keys) -> None:
    """Named with what it is and what it should be."""
    await client.delete(keys.dead_letters)
    await client.set(keys.dead_letters, "?")
    found = faults(await verified(reader))

    assert (f"{keys.dead_letters} is a string, not a hash",) == found["keys"]


@pytest.mark.usefixtures("life")
async def test_a_head_that_is_none(reader: StreamReader, client: "Redis", keys: Keys) -> None:
    """Nothing more can be said."""
    await client.set(keys.head, "?")

    assert {"keys": (f"{keys.head} is a string, which it never is",)} == faults(await verified(reader))


@pytest.mark.usefixtures("life")
@pytest.mark.parametrize("left", ["epoch", "bundle"])
async def test_a_key_is_missing(*, reader: StreamReader, client: "Redis", keys: Keys, left: str) -> None:
    """What must be there is asked for."""
    await client.delete(getattr(keys, left))

    assert (f"{getattr(keys, left)} is missing",) == faults(await verified(reader))["keys"]


@pytest.mark.usefixtures("life")
@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("seq", "many", "seq is 'many', not a count"),
        ("idgen", "0", "idgen is 0, but item 141 belongs to 1"),
        ("gen", "1", "cur has generation 2, and only 1 were handed out"),
        ("trimmed", "3", "trimmed is 3, but the log may be trimmed to the older snapshot only"),
        ("cur", "nonsense", "cur is 'nonsense', not a snapshot"),
        ("horizon", "0", "horizon is 0: no id could be remembered"),
    ],
)
async def test_the_head(
    *, reader: StreamReader, client: "Redis", keys: Keys, field: str, value: str, told: str
) -> None:
    """Each figure, and what they say of each other."""
    await client.hset(keys.head, field, value)

    assert told in faults(await verified(reader))["head"]


@pytest.mark.usefixtures("life")
async def test_the_epoch(reader: StreamReader, client: "Redis", keys: Keys) -> None:
    """A token that no owner can have."""
    await client.set(keys.epoch, "first")

    assert {"owner": ("the epoch is 'first', not a number and an owner",)} == faults(await verified(reader))


@pytest.mark.usefixtures("life")
async def test_another_bundle(client: "Redis", stream: str) -> None:
    """Its keys have other names, so nothing else is said."""
    found = await verified(StreamReader(Wire(client), Keys(stream, "bundle-b")))

    assert {"bundle": ("the stream's bundle is bundle-a, not bundle-b",)} == faults(found)
    assert 1 == len(found.checks)


@pytest.mark.usefixtures("life")
async def test_an_interrupted_save(
    *, reader: StreamReader, client: "Redis", keys: Keys, store: StreamStore
) -> None:
    """Its chunks are told, and what clears them; the stream is sound."""
    await store.release()
    await client.hset(keys.head, mapping={"saving": "3 2", "gen": 3})
    await client.set(keys.chunk(3, 0), "half")
    found = await verified(reader)
    (told,) = next(c.details for c in found.checks if c.outcome.value == "warning")

    assert found.is_sound
    assert "1 chunks of snapshot 3" in told
    assert "firstseen state snapshot" in told


@pytest.mark.usefixtures("life")
async def test_an_interrupted_import(reader: StreamReader, client: "Redis", keys: Keys) -> None:
    """What one left is no part of the stream."""
    await client.set(keys.staged(keys.log, "t1"), "?")
    found = await verified(reader)

    assert found.is_sound
    assert "warning" in {check.outcome.value for check in found.checks}


class Meanwhile(StreamReader):
    """Something happens each time the names are read, which is after the head."""

    happens: Callable[[], Awaitable[object]]

    async def names(self) -> dict[str, str]:
        await self.happens()
        return await super().names()


async def test_a_stream_that_grows(client: "Redis", keys: Keys, life: Life) -> None:
    """What comes after the head was read is left out, and is no fault."""
    reader = Meanwhile(Wire(client), keys)
    before = life.hash
    reader.happens = lambda: life.items(10, seed=5)
    found = await verified(reader)

    assert {} == faults(found)
    assert (142, before) == (found.seq, found.state_hash)


async def test_a_stream_that_is_saved_meanwhile(client: "Redis", keys: Keys, life: Life) -> None:
    """The snapshot that was to be read is gone: it starts over, and finds the new one."""
    reader = Meanwhile(Wire(client), keys)
    saves = iter([1, 2])

    async def save() -> None:
        if next(saves, None):
            await life.items(10, seed=5)
            await life.save()

    reader.happens = save
    found = await verified(reader)

    assert {} == faults(found)
    assert (162, life.hash) == (found.seq, found.state_hash)


async def test_a_stream_that_never_stands_still(client: "Redis", keys: Keys, life: Life) -> None:
    """It says so, instead of calling it damaged."""
    reader = Meanwhile(Wire(client), keys)
    reader.happens = life.save

    with pytest.raises(StreamMoves, match="saved 5 times"):
        await verified(reader)


async def test_damage_is_damage_though_the_stream_grows(client: "Redis", keys: Keys, life: Life) -> None:
    """Growth is no reason to start over."""
    reader = Meanwhile(Wire(client), keys)
    await client.hdel(keys.ids(1), "id-141")
    reader.happens = lambda: life.items(3, seed=5)

    assert {"verdicts"} == faults(await verified(reader)).keys()


@pytest.mark.usefixtures("life")
async def test_many_faults(reader: StreamReader, client: "Redis", keys: Keys) -> None:
    """Some are told, the others counted."""
    lost = [name for name in await client.hkeys(keys.ids(1)) if name.startswith(b"id-1")]
    await client.hdel(keys.ids(1), *lost)
    told = faults(await verified(reader))["verdicts"]

    assert 6 == len(told)
    assert f"and {len(lost) - 5} more" == told[-1]


def test_ids_are_compared_as_they_are_stored() -> None:
    """A lone surrogate keeps its bytes."""
    assert b"\xed\xa0\x80" == id_field("\ud800")


def test_cuts() -> None:
    """Growth is the same place; a turn of anything that is trimmed or forgotten is another."""
    head = {b"seq": b"1", b"idgen": b"0"}
    cut = Cut(bundle=None, epoch=None, lease=None, head=head)

    assert cut.is_same_place(Cut(bundle=None, epoch=None, lease=None, head=head | {b"seq": b"2"}))
    assert not cut.is_same_place(Cut(bundle=None, epoch=None, lease=None, head=head | {b"idgen": b"1"}))
