"""Ready or not, and why: told alike to readers, the queue and the metrics."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from service.batching import Job, Queue
from service.errors import NotReady, StoreAway
from service.metrics import Metrics
from service.readiness import Readiness


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


@pytest.fixture
def queue() -> Queue:
    return Queue(max_items=10, max_batch=10)


@pytest.fixture
def readiness(queue: Queue, metrics: Metrics) -> Readiness:
    return Readiness(queue, metrics)


def offer(queue: Queue) -> None:
    queue.offer(Job(items=[], done=asyncio.get_running_loop().create_future()))


async def test_it_begins_not_ready(readiness: Readiness, queue: Queue, metrics: Metrics) -> None:
    """And refuses work with the reason until it is."""
    assert "starting" == readiness.reason
    with pytest.raises(NotReady, match="not ready: starting"):
        offer(queue)
    readiness.ready()

    assert readiness.reason is None
    offer(queue)
    assert 1 == metrics.registry.get_sample_value("firstseen_ready")


async def test_a_store_that_is_away_is_told_first(
    readiness: Readiness, queue: Queue, metrics: Metrics
) -> None:
    """Work is refused as retryable; when it is back, what was in the way before still is."""
    readiness.unready("replaying")
    readiness.store_is_away("timeout")
    assert "timeout" == readiness.reason
    with pytest.raises(StoreAway, match=r"does not answer \(timeout\)"):
        offer(queue)
    readiness.ready()
    assert "timeout" == readiness.reason
    readiness.store_is_away(None)

    assert readiness.reason is None
    offer(queue)
    assert 1 == metrics.registry.get_sample_value("firstseen_ready")


async def test_stopping_is_for_good(readiness: Readiness, queue: Queue) -> None:
    """Nothing makes it ready again, and a client is sent to the next one even while the store is away."""
    readiness.ready()
    readiness.stop()
    readiness.ready()
    readiness.store_is_away("timeout")

    assert readiness.is_stopping
    with pytest.raises(NotReady, match="stopping"):
        offer(queue)
