"""The store is asked until it answers."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from service.pipeline import asking
from service.pipeline.asking import Asking
from service.pipeline.readiness import Readiness
from service.state.errors import EmbeddedServerFailed, StoreError, StoreMisconfigured, StoreUnavailable
from service.telemetry.metrics import Metrics
from tests.service.pipeline.test_readiness import Door


class Store:
    """Opens, and counts how often."""

    opened = 0

    async def open(self) -> None:
        self.opened += 1


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "RETRY_S", (0.0,))


def made(store: Store, revived: list[int]) -> tuple[Asking, Readiness]:
    readiness = Readiness(Door(), Metrics(CollectorRegistry()).of("test"))  # type: ignore[arg-type]  # all it needs of a queue
    readiness.ready()

    async def revive() -> None:
        revived.append(1)

    return Asking(store, readiness, revive), readiness  # type: ignore[arg-type]  # all it needs of a store


async def test_it_asks_again_until_there_is_an_answer() -> None:
    """Unchanged; the store is opened anew and revived each time, and readers see why it is away meanwhile."""
    store, revived, seen = Store(), [], []
    ask, readiness = made(store, revived)

    async def call() -> str:
        seen.append(readiness.reason)
        if len(seen) < 4:
            raise StoreUnavailable("gone", outcome_unknown=False)
        return "here"

    assert await ask.until_answered(call) == "here"
    assert len(seen) == 4
    assert seen[1] is not None
    assert readiness.reason is None
    assert (3, 3) == (store.opened, len(revived))


async def test_what_is_no_absence_is_raised_at_once() -> None:
    """Asking again would not help."""
    ask, _ = made(Store(), [])

    async def call() -> None:
        raise StoreError("state of another bundle")

    with pytest.raises(StoreError, match="another bundle"):
        await ask.until_answered(call)


async def test_a_store_that_comes_back_set_up_to_forget() -> None:
    """Nothing is asked of it, and the reason is told, until it is mended: what is in hand waits, and ends nothing."""
    store, seen, calls = Store(), [], []
    ask, readiness = made(store, [])

    async def opened() -> None:
        store.opened += 1
        seen.append(readiness.reason)
        if store.opened < 4:
            raise StoreMisconfigured("the append-only file is off")

    store.open = opened  # type: ignore[method-assign]

    async def call() -> str:
        calls.append(1)
        if len(calls) == 1:
            raise StoreUnavailable("gone", outcome_unknown=True)
        return "here"

    assert await ask.until_answered(call) == "here"
    assert ["gone", *["the append-only file is off"] * 3] == seen
    assert len(calls) == 2
    assert readiness.reason is None


async def test_a_store_that_is_set_up_to_forget_from_the_start() -> None:
    """That is for a person, at once."""
    ask, _ = made(Store(), [])

    async def call() -> None:
        raise StoreMisconfigured("eviction")

    with pytest.raises(StoreMisconfigured):
        await ask.until_answered(call)


async def test_a_server_that_does_not_start_again_is_started_once_more() -> None:
    """Killed again while it started, or the disk is full: that is an absence too, told in one line."""
    store, tries, seen = Store(), [], []
    readiness = Readiness(Door(), Metrics(CollectorRegistry()).of("test"))  # type: ignore[arg-type]  # as above
    readiness.ready()

    async def revive() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise EmbeddedServerFailed("the embedded server ended at once; server.log ends with:\nno space")

    async def call() -> str:
        if len(tries) < 3:
            raise StoreUnavailable("gone", outcome_unknown=True)
        return "here"

    async def opened() -> None:
        seen.append(readiness.reason)

    store.open = opened  # type: ignore[method-assign]
    ask = Asking(store, readiness, revive)  # type: ignore[arg-type]  # as above

    assert await ask.until_answered(call) == "here"
    assert seen[0] == "the embedded server ended at once"
    assert readiness.reason is None


async def test_one_answer_does_not_mend_what_another_call_waits_for() -> None:
    """A Redis out of memory renews a lease and refuses a batch: the stream is not served until the batch is taken."""
    ask, readiness = made(Store(), [])
    has_room, told = asyncio.Event(), []

    async def append() -> str:
        if not has_room.is_set():
            raise StoreUnavailable("OOM", outcome_unknown=False)
        return "taken"

    async def renew() -> str:
        return "renewed"

    waiting = asyncio.create_task(ask.until_answered(append))
    while readiness.reason is None:  # noqa: ASYNC110 - it has no event to wait for
        await asyncio.sleep(0)
    assert await ask.until_answered(renew) == "renewed"
    told.append(readiness.reason)
    has_room.set()

    assert await waiting == "taken"
    assert told == ["OOM"]
    assert readiness.reason is None


async def test_a_call_that_is_given_up_does_not_keep_the_store_away() -> None:
    """The next answer says that it is there."""
    ask, readiness = made(Store(), [])

    async def never() -> str:
        raise StoreUnavailable("gone", outcome_unknown=True)

    async def ping() -> str:
        return "here"

    waiting = asyncio.create_task(ask.until_answered(never))
    while readiness.reason is None:  # noqa: ASYNC110 - it has no event to wait for
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    assert await ask.until_answered(ping) == "here"
    assert readiness.reason is None
