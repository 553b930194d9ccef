"""The owner's view of the quarantine: who is in it, and what people who ask are told."""

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from service.errors import ItemQuarantined, NotReady, PayloadNotKept, StoreAway, UnknownDeadLetter
from service.pipeline.asking import Asking
from service.pipeline.batching import Queue
from service.pipeline.dead_letters import DeadLetters
from service.pipeline.readiness import Readiness
from service.records import Item
from service.state.dead_letters import MOST_BYTES
from service.state.errors import Fenced
from service.telemetry.metrics import Metrics
from tests.service.fake_store import FakeStore, Shared, away

X = np.zeros(2, dtype=np.float32)


@pytest.fixture
async def store() -> FakeStore:
    store = FakeStore(Shared())
    await store.acquire()
    return store


@pytest.fixture
async def letters(store: FakeStore) -> DeadLetters:
    """Loaded, and empty."""
    metrics = Metrics(CollectorRegistry()).of("test")
    readiness = Readiness(Queue(max_items=1, max_batch=1), metrics)
    letters = DeadLetters(store, Asking(store, readiness, None), metrics, lambda: 5.0, "0.1")  # type: ignore[arg-type]  # all it needs of a store
    await letters.load(1)
    return letters


async def put(letters: DeadLetters, *ids: str | None) -> list[str | None]:
    refused = [await letters.quarantine(Item(id=id, x=X), reason="because", seq=3, attempts=2) for id in ids]
    assert all(isinstance(one.error, ItemQuarantined) for one in refused)
    return [one.id for one in refused]


async def test_who_is_in_it(letters: DeadLetters) -> None:
    """Those that were put in, until they are out."""
    await put(letters, "a", "b")
    assert (True, True, False) == ("a" in letters, "b" in letters, "c" in letters)
    assert 2 == len(letters)
    await letters.release("a")
    assert 1 == await letters.drop("b")

    assert 0 == len(letters)


async def test_ids_for_items_without(letters: DeadLetters) -> None:
    """They count up within an epoch, and an epoch is never had twice."""
    assert ["~1-0", "a", "~1-1"] == await put(letters, None, "a", None)
    await letters.load(1)
    assert ["~1-2"] == await put(letters, None)
    await letters.load(2)
    assert ["~2-0"] == await put(letters, None)


async def test_pages(letters: DeadLetters) -> None:
    """In order of the bytes of ids; the last page says that it is."""
    await put(letters, "b", "a", "ä", "c")
    first, more = await letters.page(after="", limit=3)
    rest, none = await letters.page(after=str(more), limit=3)

    assert (["a", "b", "c"], "c") == ([one.id for one in first], more)
    assert (["ä"], None) == ([one.id for one in rest], none)
    assert ([], None) == await letters.page(after="\U0010ffff", limit=3)


async def test_an_item_to_try_again(letters: DeadLetters) -> None:
    """As it was; one that was too large cannot be had."""
    await put(letters, "a")
    await letters.quarantine(Item(id="large", x="x" * (MOST_BYTES + 1)), reason="because", seq=0, attempts=2)
    item = await letters.item("a")

    assert "a" == item.id
    assert isinstance(item.x, np.ndarray)
    assert (item.x == X).all()
    with pytest.raises(PayloadNotKept, match="drop it, and send it again"):
        await letters.item("large")
    with pytest.raises(UnknownDeadLetter):
        await letters.item("nobody")


async def test_drop_all(letters: DeadLetters, store: FakeStore) -> None:
    """Also those that this process did not know of."""
    await put(letters, "a", "b")
    store.shared.letters["c"] = store.shared.letters["a"]

    assert 3 == await letters.drop(None)
    assert {} == store.shared.letters
    with pytest.raises(UnknownDeadLetter):
        await letters.drop("a")


async def test_a_person_does_not_wait_for_the_store(letters: DeadLetters, store: FakeStore) -> None:
    """Who asks while it is away is told so; who asks the wrong process, too."""
    store.fails("letter_ids", away())
    with pytest.raises(StoreAway):
        await letters.page(after="", limit=3)
    store.fails("letters", away())
    with pytest.raises(StoreAway):
        await letters.item("a")
    store.fails("drop_letters", away())
    with pytest.raises(StoreAway):
        await letters.drop("a")
    store.fails("drop_letters", Fenced("another", ours=1, current=2))
    with pytest.raises(NotReady, match="the one that owns it"):
        await letters.drop("a")


async def test_full(letters: DeadLetters, store: FakeStore) -> None:
    """It is refused, not kept, and there is a warning until there is room."""
    store.shared.most_letters = 1
    await put(letters, "a", "b", None)

    assert ["a"] == list(store.shared.letters)
    assert "b" not in letters
    assert "is full" in letters.warnings[0]
    await letters.drop("a")
    assert () == letters.warnings
    await put(letters, "b")
    assert "b" in letters
