"""Fits beside the stream: one at a time, taken once, dropped with the memory."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from service.clustering.stream_gate import constants
from service.fits import Fits
from service.metrics import Metrics


class Gate:
    """Solves when it is let, or fails."""

    def __init__(self, answer: Any = "fit") -> None:
        self.answer = answer
        self.may_go = threading.Event()

    def solve(self, job: Any) -> Any:
        assert job == "job"
        assert self.may_go.wait(10)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
async def fits() -> AsyncIterator[Fits]:
    made = Fits(Metrics(CollectorRegistry()))
    yield made
    made.close()


def begin(fits: Fits, gate: Gate) -> None:
    fits.begin(gate, "job")  # type: ignore[arg-type]  # all that is needed of them


async def taken(fits: Fits, seq: int) -> Any:
    for _ in range(500):
        if (fit := fits.take(seq)) is not None:
            return fit
        await asyncio.sleep(0.01)
    return None


async def test_a_fit_is_taken_once_when_it_is_ready(fits: Fits) -> None:
    """Until then nobody waits, and no other is begun."""
    gate = Gate()
    assert fits.may_begin(0)
    begin(fits, gate)

    assert not fits.may_begin(0)
    assert fits.take(0) is None
    gate.may_go.set()
    assert await taken(fits, 0) == "fit"
    assert fits.take(0) is None
    assert fits.may_begin(0)


async def test_after_one_that_failed_the_next_waits(fits: Fits) -> None:
    """EVERY items; the one before is kept meanwhile."""
    gate = Gate(ValueError("no fit"))
    begin(fits, gate)
    gate.may_go.set()
    for _ in range(500):
        assert fits.take(7) is None
        if fits.may_begin(7 + constants.EVERY):
            break
        await asyncio.sleep(0.01)

    assert not fits.may_begin(7 + constants.EVERY - 1)
    assert fits.may_begin(7 + constants.EVERY)


async def test_one_that_was_dropped_is_never_taken(fits: Fits) -> None:
    """Though its thread goes on to the end."""
    gate = Gate()
    begin(fits, gate)
    fits.drop()
    gate.may_go.set()
    await asyncio.sleep(0.05)

    assert fits.take(0) is None
    assert fits.may_begin(0)
