"""Payloads on real servers: there exactly when the batch that brought them is, kept to the bit, gone when forgotten."""

from typing import TYPE_CHECKING

import numpy as np
import pytest

from model.inputs import Payload
from service.state.errors import Fenced, SequenceConflict, StoreUnavailable
from service.state.keys import Keys
from service.state.payloads import pack_payload, unpack_payload
from service.state.reading import StreamReader
from service.state.store import Append, StreamStore
from service.state.verifying import Verified
from service.state.wire import Wire
from tests.service.state.conftest import MakeStore
from tests.service.state.fault_proxy import Fault, FaultProxy
from tests.service.state.lived import BUNDLE_ID, a_life, faults, verified

if TYPE_CHECKING:
    from redis.asyncio import Redis


def batch(seq: int, keep: dict[str, Payload] | None = None, forget: tuple[str, ...] = ()) -> Append:
    kept = [(id, pack_payload(x)) for id, x in (keep or {}).items()]
    return Append(
        first_seq=seq, count=1, payload=b"p%d" % seq, verdicts=[(f"i{seq}", b"v")], keep=kept, forget=forget
    )


@pytest.mark.parametrize(
    "x",
    [
        "",
        "Grüße \x00 <script>alert(1)</script> \ud800",
        np.arange(12, dtype=np.float32).reshape(1, 3, 4),
        np.array([np.nan, np.inf, -0.0], dtype=np.float32),
        np.arange(12, dtype=np.float32).reshape(3, 4).T,
    ],
    ids=["empty text", "text", "image", "odd numbers", "not contiguous"],
)
def test_a_payload_comes_back_as_it_was(x: Payload) -> None:
    """To the bit, with its shape; a text that UTF-8 has no bytes for, with a question mark there."""
    read = unpack_payload(pack_payload(x))

    if isinstance(x, str):
        assert x.replace("\ud800", "?") == read
    else:
        assert isinstance(read, np.ndarray)
        assert (x.shape, x.tobytes()) == (read.shape, read.tobytes())


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x80", pack_payload(np.zeros(3, np.float32))[:-2]])
def test_what_cannot_be_read_is_not_there(data: bytes) -> None:
    """It is no more than a picture that is missing."""
    assert unpack_payload(data) is None


async def test_payloads_come_and_go_with_the_batch(store: StreamStore) -> None:
    """Those of one call: forgotten first, then kept; each id by itself."""
    await store.append(batch(0, {"a": "one", "ü": "two"}))
    await store.append(batch(1, {"c": "three"}, forget=("a", "nobody")))

    assert {"c": "three", "ü": "two"} == await store.payloads.get(["a", "ü", "c"])
    assert {"c", "ü"} == (await store.payloads.sizes()).keys()
    assert (await store.payloads.sizes())["c"] == len(pack_payload("three"))
    await store.append(batch(2, {"c": "again"}, forget=("c",)))
    assert {"c": "again"} == await store.payloads.get(["c"])


async def test_many_in_one_batch(store: StreamStore) -> None:
    """More than one reply or one call of Lua's takes."""
    ids = [f"m{n}" for n in range(2500)]
    await store.append(batch(0, dict.fromkeys(ids, "x")))
    assert set(ids) == (await store.payloads.sizes()).keys() == (await store.payloads.get(ids)).keys()
    await store.append(batch(1, {"last": "y"}, forget=tuple(ids)))
    assert ["last"] == list(await store.payloads.sizes())


async def test_a_resend_changes_nothing(store: StreamStore) -> None:
    """A batch that is there already brings nothing back that was forgotten since."""
    first = batch(0, {"a": "one"})
    await store.append(first)
    assert 1 == await store.payloads.forget(["a", "b"])
    assert not await store.append(first)
    assert {} == await store.payloads.sizes()


async def test_a_batch_that_is_refused_brings_none(store: StreamStore) -> None:
    """Nor takes any."""
    await store.append(batch(0, {"a": "one"}))
    with pytest.raises(SequenceConflict):
        await store.append(batch(7, {"b": "two"}, forget=("a",)))

    assert ["a"] == list(await store.payloads.sizes())


@pytest.mark.parametrize("fault", ["drop_reply", "cut_reply", "drop_request", "hold_request"])
async def test_a_crash_leaves_batch_and_payloads_or_neither(
    hurt_store: StreamStore, proxy: FaultProxy, make_store: MakeStore, fault: Fault
) -> None:
    """Whichever side of the write the connection breaks on."""
    proxy.arm(b"fs1_commit", fault)
    with pytest.raises(StoreUnavailable):
        await hurt_store.append(batch(0, {"a": "one"}))
    other = make_store()
    await other.acquire(steal=True)
    seq = (await other.load()).next_seq

    assert {0: [], 1: ["a"]}[seq] == list(await other.payloads.sizes())


async def test_only_the_owner_forgets(store: StreamStore, make_store: MakeStore) -> None:
    """Who was overtaken writes nothing."""
    await store.append(batch(0, {"a": "one"}))
    await make_store().acquire(steal=True)
    with pytest.raises(Fenced):
        await store.payloads.forget(["a"])

    assert ["a"] == list(await store.payloads.sizes())


async def test_a_key_of_another_kind_is_put_right(store: StreamStore, client: "Redis", stream: str) -> None:
    """What lies there can be no payloads; the batch is durable all the same."""
    await client.set(Keys(stream, "bundle-a").payloads, "something else")
    assert await store.append(batch(0, {"a": "one"}))

    assert ["a"] == list(await store.payloads.sizes())


# In the state of a stream


async def test_payloads_of_nobody_are_told_of(store: StreamStore, client: "Redis", stream: str) -> None:
    """Nothing is lost by them, and the next batch forgets them; those of members are as they should be."""
    keys = Keys(stream, BUNDLE_ID)
    life = await a_life(store)
    assert life.kept
    before = await verified(StreamReader(Wire(client), keys))
    await client.hset(keys.payloads, "stray", b"\x00")
    after = await verified(StreamReader(Wire(client), keys))

    assert (f"{len(life.kept)} are kept, each of a cluster's member",) == details(before)
    assert ("1 are of no cluster's member; the next batch forgets them",) == details(after)
    assert after.is_sound


async def test_payloads_of_another_kind_are_found(store: StreamStore, client: "Redis", stream: str) -> None:
    """A key that is no hash cannot be read."""
    keys = Keys(stream, BUNDLE_ID)
    await a_life(store)
    await client.delete(keys.payloads)
    await client.set(keys.payloads, "something else")

    assert "keys" in faults(await verified(StreamReader(Wire(client), keys)))


def details(found: Verified) -> tuple[str, ...]:
    return next(check.details for check in found.checks if check.name == "payloads")
