"""The store is asked until it answers, and looked at before it is trusted again."""

import pytest
from prometheus_client import CollectorRegistry

from service import asking
from service.asking import Asking
from service.batching import Queue
from service.metrics import Metrics
from service.readiness import Readiness
from service.state.errors import Fenced, StoreError
from tests.service.fake_store import FakeStore, Shared, away


@pytest.fixture
def store() -> FakeStore:
    return FakeStore(Shared())


@pytest.fixture
def readiness() -> Readiness:
    made = Readiness(Queue(max_items=1, max_batch=1), Metrics(CollectorRegistry()))
    made.ready()
    return made


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "RETRY_S", (0.0,))


def asks(store: FakeStore, readiness: Readiness, revived: list[int] | None = None) -> Asking:
    async def revive() -> None:
        assert revived is not None
        revived.append(1)

    return Asking(store, readiness, None if revived is None else revive)  # type: ignore[arg-type]


async def test_an_answer_is_an_answer(store: FakeStore, readiness: Readiness) -> None:
    """Nothing else is asked."""
    assert 1 == await asks(store, readiness).until_answered(store.acquire)
    assert ["acquire"] == store.calls


async def test_it_asks_again_until_it_is_answered(store: FakeStore, readiness: Readiness) -> None:
    """The same call; the store is opened before, revived if it can be, and readiness told meanwhile."""
    revived: list[int] = []
    seen: list[str | None] = []
    store.fails("acquire", away(), times=3)

    async def acquire() -> int:
        seen.append(readiness.reason)
        return await store.acquire()

    assert 1 == await asks(store, readiness, revived).until_answered(acquire)
    assert ["acquire", "open"] * 3 + ["acquire"] == store.calls
    assert 3 == len(revived)
    assert [True, False, False, False] == [reason is None for reason in seen]
    assert readiness.reason is None


@pytest.mark.parametrize("error", [Fenced("no longer", ours=1, current=2), StoreError("unsafe")])
async def test_other_errors_are_not_for_asking_again(
    store: FakeStore, readiness: Readiness, error: Exception
) -> None:
    """They are raised at once."""
    store.fails("acquire", error)
    with pytest.raises(type(error)):
        await asks(store, readiness).until_answered(store.acquire)

    assert ["acquire"] == store.calls
