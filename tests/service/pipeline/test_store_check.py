"""What is unsafe about the store is seen while it runs, and said once."""

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from service.pipeline.asking import Asking
from service.pipeline.batching import Queue
from service.pipeline.readiness import Readiness
from service.pipeline.store_check import StoreCheck
from service.state.errors import StoreMisconfigured
from service.telemetry.metrics import Metrics
from tests.service.fake_store import FakeStore, Shared


@pytest.fixture
def store() -> FakeStore:
    return FakeStore(Shared())


@pytest.fixture
async def readiness() -> Readiness:
    ready = Readiness(Queue(max_items=9, max_batch=9), Metrics(CollectorRegistry()).of("test"))
    ready.ready()
    return ready


@pytest.fixture
def check(store: FakeStore, readiness: Readiness) -> StoreCheck:
    return StoreCheck(store, Asking(store, readiness, None), readiness)  # type: ignore[arg-type]  # a fake


async def test_unsafe_and_mended(store: FakeStore, readiness: Readiness, check: StoreCheck) -> None:
    """While the store may forget, that is the reason not to serve; mended, there is none."""
    await check.open()
    store.fails("check", StoreMisconfigured("the append-only file is off"))
    await check.again()
    assert "the append-only file is off" == readiness.reason
    await check.again()

    assert readiness.reason is None


async def test_unsafe_at_the_start(store: FakeStore, check: StoreCheck) -> None:
    """Then nothing begins: a person must act."""
    store.fails("open", StoreMisconfigured("eviction"))

    with pytest.raises(StoreMisconfigured):
        await check.open()


async def test_warnings_are_said_once(store: FakeStore, check: StoreCheck) -> None:
    """However often it is looked at; one that is over is no longer told."""
    store.warnings = ("a", "b")
    with capture_logs() as said:
        await check.open()
        await check.again()
    assert ("a", "b") == check.warnings
    assert ["a", "b"] == [entry["warning"] for entry in said if entry["event"] == "redis_unsafe"]
    store.warnings = ("b",)
    await check.again()

    assert ("b",) == check.warnings
