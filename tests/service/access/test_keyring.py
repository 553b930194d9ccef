"""The keys in memory: who is let in, what is told to whom is not, and what an outage of the store changes."""

import pytest

from service.access.keyring import Keyring
from service.access.tokens import make_token
from service.errors import KeysNotKnown, Unauthorized
from service.state.key_store import KeyStore
from tests.service.keyed import FakeKeyStore, key_of


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def ring(store: FakeKeyStore, clock: Clock) -> Keyring:
    stands_in: object = store
    assert isinstance(stands_in, FakeKeyStore)
    return Keyring(stands_in, now=clock)  # type: ignore[arg-type]  # it has the methods that are called


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_its_own_key(clock: Clock) -> None:
    """Who has the text is let in as the key."""
    key, text = key_of()
    store = FakeKeyStore(key)
    store.made["f"] = 3
    keyring = ring(store, clock)
    await keyring.refresh()

    assert key == keyring.key_of(text)
    assert key == keyring.key(key.id)
    assert {key.family} == keyring.families()
    assert 3 == keyring.made("f")
    assert not keyring.is_empty


@pytest.mark.parametrize("presented", ["", "x", "Bearer", "fs_", "é" * 61])
async def test_what_is_no_key(clock: Clock, presented: str) -> None:
    """It is told that it cannot be one, before anybody is asked."""
    with pytest.raises(Unauthorized, match="cannot be one"):
        ring(FakeKeyStore(), clock).key_of(presented)


async def test_wrong_keys(clock: Clock) -> None:
    """An unknown id and a wrong secret get the same answer."""
    key, text = key_of()
    keyring = ring(FakeKeyStore(key), clock)
    await keyring.refresh()
    others = [make_token(b"other", b"s" * 32), make_token(_id_bytes(text), b"s" * 32)]
    said = []
    for other in others:
        with pytest.raises(Unauthorized) as refused:
            keyring.key_of(other)
        said.append(str(refused.value))

    assert others[1][:12] == text[:12]
    assert 1 == len(set(said))


def _id_bytes(text: str) -> bytes:
    return int(text[3:11], 36).to_bytes(5)


@pytest.mark.parametrize(
    ("values", "word"), [({"expires": 1000.0}, "expired"), ({"revoked": 1.0}, "revoked")]
)
async def test_ended(clock: Clock, values: dict[str, float], word: str) -> None:
    """Who has a key that ended is told so; its id opens nothing any more, and the service is not open for that."""
    key, text = key_of(**values)
    keyring = ring(FakeKeyStore(key), clock)
    await keyring.refresh()
    with pytest.raises(Unauthorized, match=f"was {word}"):
        keyring.key_of(text)

    assert keyring.key(key.id) is None
    assert not keyring.is_empty


async def test_nothing_is_known_at_first(clock: Clock) -> None:
    """Before the store has answered nobody gets in, and it does not count as empty."""
    key, text = key_of()
    store = FakeKeyStore(key)
    store.is_away = True
    keyring = ring(store, clock)
    await keyring.refresh()
    with pytest.raises(KeysNotKnown):
        keyring.key_of(text)
    assert (False, False, set(), 0) == (
        keyring.is_known,
        keyring.is_empty,
        keyring.families(),
        keyring.made("f"),
    )
    store.is_away = False
    await keyring.refresh()

    assert key == keyring.key_of(text)


async def test_an_outage_locks_nobody_out(clock: Clock) -> None:
    """The last known keys go on, and still expire; a key that is revoked meanwhile ends when the store is back."""
    (key, text), (short, short_text) = key_of(), key_of(expires=2000.0)
    store = FakeKeyStore(key, short)
    keyring = ring(store, clock)
    await keyring.refresh()
    store.is_away = True
    del store.keys[key.id]
    clock.now = 2000.0
    await keyring.refresh()
    assert key == keyring.key_of(text)
    with pytest.raises(Unauthorized, match="expired"):
        keyring.key_of(short_text)
    store.is_away = False
    await keyring.refresh()

    with pytest.raises(Unauthorized, match="not known"):
        keyring.key_of(text)
    assert short.state(0.0)


async def test_last_used_is_written_once_a_minute(clock: Clock) -> None:
    """Beside the requests, to the minute; and not of a key that is gone."""
    key, text = key_of()
    store = FakeKeyStore(key)
    keyring = ring(store, clock)
    await keyring.refresh()
    for clock.now in (1000.0, 1001.0, 1019.0, 1020.0, 1030.0):
        keyring.key_of(text)
        keyring.key_of(text)
        await keyring.refresh()
        await keyring.refresh()
    assert [{key.id: 960.0}, {key.id: 1020.0}] == store.writes
    clock.now = 2000.0
    keyring.key_of(text)
    store.keys.clear()
    await keyring.refresh()

    assert 2 == len(store.writes)
    assert keyring.is_empty


async def test_who_stays_in_is_told(clock: Clock) -> None:
    """Once, when his key is revoked or expires, also while Redis is away; not who has left, nor whose key is valid."""
    (one, _), (short, _), (other, _) = key_of(), key_of(expires=2000.0), key_of()
    store = FakeKeyStore(one, short, other)
    keyring = ring(store, clock)
    await keyring.refresh()
    told: list[str] = []
    with (
        keyring.held(one.id, lambda: told.append("one")),
        keyring.held(one.id, lambda: told.append("one more")),
        keyring.held(short.id, lambda: told.append("short")),
        keyring.held(other.id, lambda: told.append("other")),
    ):
        with keyring.held(one.id, lambda: told.append("left")):
            pass
        await keyring.refresh()
        assert [] == told
        del store.keys[one.id]
        await keyring.refresh()
        await keyring.refresh()
        assert ["one", "one more"] == told
        store.is_away, clock.now = True, 2000.0
        await keyring.refresh()
        assert "short" == told[-1]

    assert 3 == len(told)
    assert {} == keyring._held


def test_the_fake_has_what_the_store_has() -> None:
    """Its methods are the store's."""
    assert {"load", "touch", "count_stream"} <= vars(KeyStore).keys()
