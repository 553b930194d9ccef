"""What the routes share: which stream is meant, and who may make one."""

from contextlib import nullcontext
from typing import Any, cast

import pytest
from starlette.requests import HTTPConnection

from service.access.allowances import Allowances, Limits
from service.access.keyring import Keyring
from service.api.access import Access, Caller
from service.api.context import Context, stream_name, stream_to_feed
from service.errors import OverQuota
from service.settings import Settings
from tests.service.keyed import FakeKeyStore, key_of


class Opened:
    """A stream that is used by nobody."""

    def in_use(self) -> Any:
        return nullcontext()


class FakeStreams:
    """Streams that are made when they may be; `there` are in the store."""

    def __init__(self, *there: str) -> None:
        self.there = set(there)
        self.made: list[str] = []
        self.looked: list[str] = []

    def peek(self, name: str) -> Opened | None:
        return Opened() if name == "mine" else None

    async def exists(self, name: str) -> bool:
        self.looked.append(name)
        return name in self.there

    async def open(self, name: str, *, may_create: bool) -> Opened:
        assert may_create
        if name not in {"mine", *self.there}:
            self.made.append(name)
            self.there.add(name)
        return Opened()


class Served:
    """As much of a context as is looked at here."""

    settings = Settings.read({}, stream="mine")

    def __init__(self, streams: FakeStreams | None = None) -> None:
        self.streams = streams


def connection(query: bytes) -> HTTPConnection:
    scope: dict[str, Any] = {"type": "http", "headers": [], "query_string": query}
    return HTTPConnection(scope)


def caller(most: int | None, store: FakeKeyStore) -> Caller:
    """A key that may make so many streams."""
    key, _ = key_of(family="f", new_streams=most)
    keyring = Keyring(store, now=lambda: 0.0)  # type: ignore[arg-type]  # it has the methods that are called
    allowances = Allowances(Limits(), clock=lambda: 0.0, families=set)
    access = cast("Access", type("Ring", (), {"keyring": keyring}))
    return Caller(key, allowances.of("f"), Limits(new_streams=most), access)


@pytest.mark.parametrize(
    ("query", "name"), [(b"", "mine"), (b"stream=mine", "mine"), (b"stream=other", "other")]
)
def test_the_stream_that_is_meant(query: bytes, name: str) -> None:
    """The one that is named, or else the default one."""
    assert name == stream_name(connection(query), cast("Context", Served()))


async def feed(streams: FakeStreams, who: Caller, name: str) -> None:
    await stream_to_feed(connection(f"stream={name}".encode()), cast("Context", Served(streams)), who)


async def test_as_many_as_it_may() -> None:
    """What is there is free; what is made is counted in the store, and looked at for nothing else."""
    store, streams = FakeKeyStore(), FakeStreams("old")
    who = caller(2, store)
    for name in ("mine", "old", "a", "a", "b"):
        await feed(streams, who, name)
    with pytest.raises(OverQuota, match="may create 2"):
        await feed(streams, who, "c")

    assert ["a", "b"] == streams.made
    assert {"f": 2} == store.made
    assert ["old", "a", "a", "b", "c"] == streams.looked


async def test_without_a_limit_nobody_looks() -> None:
    """The stream is just opened."""
    store, streams = FakeKeyStore(), FakeStreams()
    await feed(streams, caller(None, store), "a")
    await feed(streams, Caller(None, None, Limits(), caller(None, store)._access), "b")

    assert (["a", "b"], [], {}) == (streams.made, streams.looked, store.made)


async def test_a_store_that_is_away_counts_nothing() -> None:
    """The stream is made all the same."""
    store, streams = FakeKeyStore(), FakeStreams()
    store.is_away = True
    await feed(streams, caller(2, store), "a")

    assert ["a"] == streams.made
