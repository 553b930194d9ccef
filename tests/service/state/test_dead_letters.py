"""Dead letters on real servers: kept to the bit, bounded, fenced, and never written twice."""

import numpy as np
import pytest
from redis.asyncio import Redis

from model.inputs import Payload
from service.state import dead_letters
from service.state.dead_letters import MOST_BYTES, DeadLetter, pack_letter, size_of, unpack_letter
from service.state.errors import DeadLettersFull, Fenced, StoreUnavailable
from service.state.keys import Keys
from service.state.store import StreamStore
from tests.service.state.conftest import MakeStore
from tests.service.state.fault_proxy import FaultProxy


def letter(id: str = "a", x: Payload = "text", **changes: object) -> DeadLetter:
    fields: dict[str, object] = {
        "size": size_of(x),
        "reason": "ValueError: bad",
        "t": 1.5,
        "seq": 7,
        "attempts": 2,
        "version": "0.1",
    }
    return DeadLetter(id=id, x=x, **(fields | changes))  # type: ignore[arg-type]  # values by name


def fields_of(one: DeadLetter) -> tuple[object, ...]:
    return one.id, one.size, one.reason, one.t, one.seq, one.attempts, one.version


@pytest.mark.parametrize(
    "x",
    [
        "",
        "Grüße \x00 \U0001f600",
        np.arange(12, dtype=np.float32).reshape(1, 3, 4),
        np.array([np.nan, np.inf, -0.0], dtype=np.float32),
        np.zeros((0,), dtype=np.float32),
        np.arange(12, dtype=np.float32).reshape(3, 4).T,
    ],
    ids=["empty text", "text", "image", "odd numbers", "nothing", "not contiguous"],
)
def test_a_letter_comes_back_as_it_was(x: Payload) -> None:
    """To the bit, with its shape."""
    sent = letter(x=x)
    read = unpack_letter("a", pack_letter(sent))

    assert fields_of(sent) == fields_of(read)
    if isinstance(x, str):
        assert x == read.x
    else:
        assert isinstance(read.x, np.ndarray)
        assert (x.shape, np.float32) == (read.x.shape, read.x.dtype)
        assert x.tobytes() == read.x.tobytes()


def test_a_large_payload_is_left_out() -> None:
    """Its size is told."""
    read = unpack_letter("a", pack_letter(letter(x="x" * (MOST_BYTES + 1))))

    assert read.x is None
    assert MOST_BYTES + 1 == read.size
    assert unpack_letter("a", pack_letter(letter(x="x" * MOST_BYTES))).x is not None


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x80", pack_letter(letter())[:-3]])
def test_what_cannot_be_read_says_so(data: bytes) -> None:
    """It is listed all the same, and can be dropped."""
    read = unpack_letter("a", data)

    assert ("a", None) == (read.id, read.x)
    assert "cannot be read" in read.reason


@pytest.mark.parametrize("id", ["a", "a/b?c=d#e", "..", "\U0001f600", "x" * 256, "~1-0", "\x00", "{a}"])
async def test_put_get_drop(store: StreamStore, id: str) -> None:
    """Whatever the id holds."""
    box = store.dead_letters
    await box.put(letter("other"))
    await box.put(letter(id))

    assert sorted(["other", id]) == sorted(await box.ids())
    assert [id] == [one.id for one in await box.get([id, "nobody"])]
    assert 1 == await box.drop([id])
    assert 0 == await box.drop([id])
    assert ["other"] == await box.ids()


async def test_none(store: StreamStore) -> None:
    """An empty quarantine is one, too."""
    assert [] == await store.dead_letters.ids()
    assert [] == await store.dead_letters.get([])
    assert 0 == await store.dead_letters.drop([])


async def test_again_is_once(store: StreamStore) -> None:
    """Of one id the latest letter is kept."""
    await store.dead_letters.put(letter(attempts=2))
    await store.dead_letters.put(letter(attempts=3))

    assert [3] == [one.attempts for one in await store.dead_letters.get(["a"])]


async def test_full(store: StreamStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the bound nothing is written, but in place of what is there."""
    monkeypatch.setattr(dead_letters, "MOST", 2)
    await store.dead_letters.put(letter("a"))
    await store.dead_letters.put(letter("b"))
    with pytest.raises(DeadLettersFull, match="firstseen dlq drop"):
        await store.dead_letters.put(letter("c"))
    await store.dead_letters.put(letter("b", attempts=9))

    assert ["a", "b"] == await store.dead_letters.ids()
    assert [9] == [one.attempts for one in await store.dead_letters.get(["b"])]


async def test_many(store: StreamStore) -> None:
    """More than go into one call or one reply."""
    ids = [f"i{n:04}" for n in range(700)]
    for id in ids:
        await store.dead_letters.put(letter(id))

    assert ids == await store.dead_letters.ids()
    assert ids == [one.id for one in await store.dead_letters.get(ids)]
    assert 700 == await store.dead_letters.drop(ids)


async def test_fenced(store: StreamStore, make_store: MakeStore) -> None:
    """Who has lost the stream neither puts in nor takes out."""
    await store.dead_letters.put(letter())
    heir = make_store(owner="owner-b")
    await heir.acquire(steal=True)

    with pytest.raises(Fenced):
        await store.dead_letters.put(letter("b"))
    with pytest.raises(Fenced):
        await store.dead_letters.drop(["a"])
    assert ["a"] == await heir.dead_letters.ids()


async def test_per_bundle(store: StreamStore, client: "Redis", stream: str) -> None:
    """Letters carry the bundle id in their key: a payload of one input is none of another."""
    await store.dead_letters.put(letter())

    assert 1 == await client.exists(Keys(stream, "bundle-a").dead_letters)


async def test_a_lost_reply(hurt_store: StreamStore, proxy: FaultProxy) -> None:
    """Sent again, it is there once."""
    proxy.arm(b"fs1_quarantine", "drop_reply")
    with pytest.raises(StoreUnavailable):
        await hurt_store.dead_letters.put(letter())
    await hurt_store.dead_letters.put(letter())

    assert ["a"] == await hurt_store.dead_letters.ids()
