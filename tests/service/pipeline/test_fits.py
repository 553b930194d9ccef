"""Fits beside the stream: one at a time, taken once, and no harm when they fail or are dropped."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from service.clustering.stream_gate import StreamFit, constants
from service.pipeline.fits import Fits
from service.streams.workers import Workers
from service.telemetry.metrics import Metrics
from tests.service.waiting import soon

FIT = StreamFit(
    weights=np.zeros(2, np.float32),
    shares=np.ones(1, np.float32),
    members=np.empty((0, 4), np.float32),
    clusters=np.empty(0, np.int64),
    joins=np.empty((0, 2), np.int64),
    partings=np.empty((0, 2), np.int64),
)


class Gate:
    """Solves when it may: by what `answer` gives or raises."""

    def __init__(self, answer: Callable[[], StreamFit] = lambda: FIT) -> None:
        self.may_go = threading.Event()
        self.asked: list[object] = []
        self._answer = answer

    def solve(self, job: object) -> StreamFit:
        self.asked.append(job)
        assert self.may_go.wait(10)
        return self._answer()


def fails() -> StreamFit:
    raise np.linalg.LinAlgError("singular")


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


@pytest.fixture
async def fits(metrics: Metrics) -> AsyncIterator[Fits]:
    workers = Workers()
    made = Fits(metrics.of("test"), workers.fits)
    yield made
    made.drop()
    workers.close()


def counted(metrics: Metrics, name: str) -> float | None:
    return metrics.registry.get_sample_value(name, {"stream": "test"})


def begin(fits: Fits, gate: Any, job: Any = None) -> None:
    fits.begin(gate, job)


async def test_one_is_made_beside_and_taken_once(fits: Fits, metrics: Metrics) -> None:
    """While it is under way there is none to take, and no other may begin."""
    gate = Gate()
    assert fits.may_begin(0)
    begin(fits, gate, "a job")

    assert (None, False) == (fits.take(0), fits.may_begin(10**9))
    gate.may_go.set()
    assert FIT is await soon(lambda: fits.take(0), "it is ready")
    assert (None, True) == (fits.take(0), fits.may_begin(0))
    assert ["a job"] == gate.asked
    assert 1 == counted(metrics, "firstseen_fit_seconds_count")


async def test_one_that_fails_is_counted_and_the_next_waits(fits: Fits, metrics: Metrics) -> None:
    """Not begun again at once, only to fail again: EVERY items later."""
    gate = Gate(fails)
    begin(fits, gate)
    gate.may_go.set()
    await soon(
        lambda: fits.take(70) is None and counted(metrics, "firstseen_fits_failed_total"), "it has failed"
    )

    assert [False, True] == [fits.may_begin(seq) for seq in (69 + constants.EVERY, 70 + constants.EVERY)]
    begin(fits, gate)
    assert 1 == counted(metrics, "firstseen_fits_failed_total")


@pytest.mark.parametrize("answer", [lambda: FIT, fails])
async def test_what_was_dropped_never_comes(
    fits: Fits, metrics: Metrics, answer: Callable[[], StreamFit]
) -> None:
    """Its thread may go on; whether it ends well or not, nobody hears of it, and another can be begun."""
    gate, other = Gate(answer), Gate()
    begin(fits, gate)
    await soon(lambda: gate.asked, "it has begun")
    fits.drop()
    assert (None, True) == (fits.take(0), fits.may_begin(0))
    begin(fits, other, "another")
    gate.may_go.set()
    other.may_go.set()

    await soon(lambda: fits.take(0), "the other is ready")
    assert ["another"] == other.asked
    assert 0 == counted(metrics, "firstseen_fits_failed_total")


async def test_dropped_before_its_turn_it_is_not_made(fits: Fits) -> None:
    """There is one thread; what waits for it and is dropped costs nothing."""
    slow, never, last = Gate(), Gate(), Gate()
    begin(fits, slow)
    await soon(lambda: slow.asked, "the first has begun")
    fits.drop()
    begin(fits, never)
    fits.drop()
    begin(fits, last)
    await asyncio.sleep(0)  # the loop tells the thread's queue of it, before the thread is free
    for gate in (slow, never, last):
        gate.may_go.set()
    await soon(lambda: fits.take(0), "the last is ready")

    assert [] == never.asked


async def test_closing_waits_for_nobody() -> None:
    """A fit under way does not hold the service up, and ends in silence."""
    workers, gate = Workers(), Gate(fails)
    fits = Fits(Metrics(CollectorRegistry()).of("test"), workers.fits)
    begin(fits, gate)
    await soon(lambda: gate.asked, "it has begun")
    fits.drop()
    workers.close()
    gate.may_go.set()

    assert fits.take(0) is None
