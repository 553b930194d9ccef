"""Keys and tickets in real servers: what is kept, what races, and what cannot be read."""

import asyncio
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from service.access.rights import MOST_KEYS, Scope
from service.state import key_store
from service.state.errors import StoreError
from service.state.key_store import KeysFull, KeyStore, Ticket, ids_like
from service.state.keys import API_KEYS, ticket_key
from service.state.wire import Wire
from tests.service.keyed import key_of


@pytest.fixture
async def store(client: "Redis") -> KeyStore:
    """An empty one."""
    await client.delete(API_KEYS)
    return KeyStore(Wire(client))


async def test_round_trip(store: KeyStore, client: "Redis") -> None:
    """What was kept comes back, every field; and no secret is in the store."""
    key, text = key_of(
        scopes=frozenset({Scope.CURATE, Scope.READ}),
        streams=("a", "b*"),
        created=1.5,
        expires=99.25,
        items_per_s=0.5,
        burst=3,
        connections=4,
        new_streams=0,
        note="line 3 ☃",
    )
    plain, _ = key_of()
    await store.add(key)
    await store.add(plain)
    stored = await store.load()

    assert {key.id: key, plain.id: plain} == stored.keys
    assert 2 == len(stored)
    assert text[12:] not in str(await client.hgetall(API_KEYS))


async def test_revoked(store: KeyStore) -> None:
    """The record stays; the first time counts; a rotation that runs at the same time does not undo it."""
    key, _ = key_of()
    new, _ = key_of(family=key.family)
    await store.add(key)
    await asyncio.gather(store.revoke(key.id, 5.0), store.rotate(key, expires=9.0, new=new))
    await store.revoke(key.id, 6.0)

    assert {key.id: replace(key, revoked=5.0, expires=9.0), new.id: new} == (await store.load()).keys


async def test_forgotten(store: KeyStore, client: "Redis") -> None:
    """Nothing is left of it; what a service writes about it afterwards is cleared by the next key."""
    key, _ = key_of()
    await store.add(key)
    await store.revoke(key.id, 5.0)
    await store.touch({key.id: 60.0})
    await store.count_stream(key.family)
    await store.forget(key.id)
    assert {} == await client.hgetall(API_KEYS)
    await store.touch({key.id: 120.0})
    other, _ = key_of()
    await store.add(other)

    assert [other.id.encode()] == await client.hkeys(API_KEYS)


async def test_use(store: KeyStore) -> None:
    """When it was used, and how many streams its family made, beside the record."""
    key, _ = key_of()
    await store.add(key)
    await store.touch({})
    await store.touch({key.id: 60.0})
    await store.touch({key.id: 120.0})

    assert [1, 2] == [await store.count_stream(key.family) for _ in range(2)]
    stored = await store.load()
    assert ({key.id: 120.0}, {key.family: 2}) == (stored.used, stored.made)


async def test_twice(store: KeyStore) -> None:
    """An id that is there is not written over."""
    key, _ = key_of()
    await store.add(key)
    with pytest.raises(StoreError, match="already"):
        await store.add(replace(key, note="another"))

    assert key == (await store.load()).keys[key.id]


async def test_full(store: KeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """With as many as there may be it says so, and what to do; rotating is adding."""
    assert MOST_KEYS == key_store.MOST_KEYS
    monkeypatch.setattr(key_store, "MOST_KEYS", 1)
    key, _ = key_of()
    await store.add(key)
    with pytest.raises(KeysFull, match="revoke --forget"):
        await store.add(key_of()[0])
    with pytest.raises(KeysFull, match="revoke --forget"):
        await store.rotate(key, expires=1.0, new=key_of()[0])

    assert {key.id: key} == (await store.load()).keys


@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff", b'{"family":"x"}', b"[]"])
async def test_a_record_that_cannot_be_read(store: KeyStore, client: "Redis", damage: bytes) -> None:
    """It opens nothing, is listed, and counts; the others are read."""
    key, _ = key_of()
    await store.add(key)
    await client.hset(API_KEYS, "later", damage)
    await client.hset(API_KEYS, f"{key.id}:used", "whenever")
    stored = await store.load()

    assert (("later",), {key.id: key}, 2) == (stored.unreadable, stored.keys, len(stored))
    assert {key.id: 0.0} == stored.used
    assert ["later"] == ids_like(stored, "lat")
    assert [] == ids_like(stored, "")


async def test_a_scope_of_a_later_version(store: KeyStore, client: "Redis") -> None:
    """A key that has more than we know of opens nothing, rather than something else."""
    key, _ = key_of()
    await store.add(key)
    record = await client.hget(API_KEYS, key.id)
    await client.hset(API_KEYS, key.id, record.replace(b'"read"', b'"rule"'))

    assert (key.id,) == (await store.load()).unreadable


async def test_unchanged_is_not_read_again(store: KeyStore) -> None:
    """Looking often costs little."""
    await store.add(key_of()[0])
    first = await store.load()
    assert first is await store.load()
    await store.add(key_of()[0])

    assert 2 == len(await store.load())


async def test_a_ticket_is_taken_once(store: KeyStore) -> None:
    """By whoever asks first, of any number who do."""
    ticket = Ticket(key="abc", scope=Scope.READ, stream="s")
    await store.put_ticket(b"1" * 32, ticket, ttl_ms=60_000)
    taken = await asyncio.gather(*(store.take_ticket(b"1" * 32) for _ in range(8)))

    assert [ticket] == [one for one in taken if one is not None]


async def test_a_ticket_expires(store: KeyStore, client: "Redis") -> None:
    """It is kept for so long and no longer; another's is none, and nor is what cannot be read."""
    await store.put_ticket(b"2" * 32, Ticket(key=None, scope=Scope.READ, stream="s"), ttl_ms=30_000)
    assert 0 < await client.pttl(ticket_key(b"2" * 32)) <= 30_000
    await client.set(ticket_key(b"3" * 32), b"{}", px=1000)

    assert await store.take_ticket(b"3" * 32) is None
    assert await store.take_ticket(b"4" * 32) is None
