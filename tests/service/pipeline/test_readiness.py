"""Whether the stream is served, and why not."""

import pytest
from prometheus_client import CollectorRegistry

from service.pipeline.readiness import Readiness
from service.telemetry.metrics import Metrics


class Door:
    """A queue as readiness knows it: open, or closed with a reason."""

    def __init__(self) -> None:
        self.why: Exception | None = None

    def open(self) -> None:
        self.why = None

    def close(self, why: Exception) -> None:
        self.why = why


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
def readiness(door: Door) -> Readiness:
    return Readiness(door, Metrics(CollectorRegistry()).of("test"))  # type: ignore[arg-type]  # all it needs of a queue


def test_it_starts_closed_and_opens_when_ready(readiness: Readiness, door: Door) -> None:
    """With a reason until then."""
    assert readiness.reason == "starting"
    assert door.why is not None
    readiness.ready()

    assert readiness.reason is None
    assert door.why is None


def test_a_store_that_is_away_comes_first(readiness: Readiness, door: Door) -> None:
    """It is what an operator can mend; when it is back, the earlier reason holds again."""
    readiness.unready("replaying the log")
    readiness.store_is_away("connection refused")

    assert readiness.reason == "connection refused"
    assert "Redis does not answer" in str(door.why)
    readiness.store_is_away(None)
    assert readiness.reason == "replaying the log"


def test_a_store_that_forgets_closes_the_door(readiness: Readiness, door: Door) -> None:
    """Whatever else is ready: nothing may be acknowledged that would not stay; mended, it opens again."""
    readiness.ready()
    readiness.store_is_unsafe("the append-only file is off")

    assert readiness.reason == "the append-only file is off"
    assert "Redis may forget what is acknowledged" in str(door.why)
    readiness.store_is_unsafe(None)
    assert readiness.reason is None
    assert door.why is None


def test_once_stopping_it_never_opens_again(readiness: Readiness, door: Door) -> None:
    """Neither when ready, nor when the store is back."""
    readiness.stop()
    readiness.ready()
    readiness.store_is_away("gone")
    readiness.store_is_away(None)

    assert readiness.is_stopping
    assert readiness.reason == "stopping"
    assert door.why is not None


def test_briefly_unready_keeps_the_door_open(readiness: Readiness, door: Door) -> None:
    """What is over in a moment refuses nobody; a store that is away, or a stop, does all the same."""
    readiness.ready()
    with readiness.briefly():
        readiness.unready("reading the state again")
        assert readiness.reason == "reading the state again"
        assert door.why is None
        readiness.store_is_away("gone")
        assert "Redis does not answer" in str(door.why)
        readiness.store_is_away(None)
        assert door.why is None
    assert "reading the state again" in str(door.why)
    readiness.ready()
    with readiness.briefly():
        readiness.stop()
        assert door.why is not None
