"""Which streams there are, as somebody sees it who owns none of them."""

import pytest
from redis.asyncio import Redis

from service.state.batches import Append
from service.state.hook_box import HookChanges
from service.state.keys import STREAMS, Keys
from service.state.names import StoredStream, StreamNames
from tests.service.state.conftest import MakeStore


@pytest.fixture
def names(client: "Redis") -> StreamNames:
    return StreamNames(client, "bundle-a")


async def test_nothing_there(names: StreamNames, stream: str) -> None:
    """Looking makes nothing."""
    assert not await names.has(stream)
    assert stream not in await names.all()
    assert [] == await names.look([stream])
    assert [] == await names.look([])


async def test_which_have_webhooks(names: StreamNames, make_store: MakeStore, stream: str) -> None:
    """Asked of several at once."""
    store = make_store()
    await store.open()
    await store.acquire()
    before = await names.with_webhooks([stream])
    await store.hooks.record(HookChanges(hooks={"wh_a": b"1"}))

    assert [] == before == await names.with_webhooks([])
    assert [stream] == await names.with_webhooks(["nothing-of-that-name", stream])


async def test_a_stream_is_there_from_the_moment_it_is_taken(
    names: StreamNames, make_store: MakeStore, stream: str
) -> None:
    """With where it stands and who has it; given back, it stays and nobody has it."""
    store = make_store()
    await store.open()
    before = await names.has(stream)
    await store.acquire()
    await store.append(Append(first_seq=0, count=2, payload=b"p", verdicts=[]))
    taken = await names.look(["nothing-of-that-name", stream])
    await store.release()

    assert not before
    assert await names.has(stream)
    assert stream in await names.all()
    expected = {"name": stream, "bundle_id": "bundle-a", "seq": 2, "epoch": 1}
    assert [StoredStream(**expected, owner="owner-a")] == taken  # type: ignore[arg-type]  # values by name
    assert [StoredStream(**expected, owner=None)] == await names.look([stream])  # type: ignore[arg-type]  # as above


async def test_a_stream_of_another_bundle(names: StreamNames, make_store: MakeStore, stream: str) -> None:
    """Its name is taken, so it is there; where it stands only its own bundle can tell."""
    await make_store(bundle_id="bundle-b").acquire()
    (found,) = await names.look([stream])

    assert await names.has(stream)
    assert ("bundle-b", None) == (found.bundle_id, found.seq)


async def test_all_names_in_order(names: StreamNames, make_store: MakeStore, stream: str) -> None:
    """However they were made, each once."""
    for name in (f"{stream}-b", f"{stream}-a", f"{stream}-b"):
        await make_store(stream=name).acquire(steal=True)

    assert [f"{stream}-a", f"{stream}-b"] == [n for n in await names.all() if n.startswith(f"{stream}-")]


async def test_a_stream_that_somebody_deleted(
    names: StreamNames, make_store: MakeStore, client: "Redis", stream: str
) -> None:
    """Its name may be left: it is not there."""
    await make_store().acquire()
    await client.delete(*await client.keys(f"fs:{{{stream}}}:*"))

    assert stream in await names.all()
    assert not await names.has(stream)
    assert [] == await names.look([stream])


def test_the_names_are_no_key_of_a_stream() -> None:
    """No stream can be called so that a key of its own is the key of all names."""
    assert not STREAMS.startswith(Keys("s", "b").every.partition("{")[0] + "{")
