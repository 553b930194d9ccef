"""Tasks that are to end do end, also where something catches a cancellation."""

import asyncio

import pytest

from service import cancelling
from service.cancelling import cancelled


async def stubborn(times: int) -> None:
    """Catches so many cancellations."""
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            times -= 1
            if times < 0:
                raise


async def test_a_task_that_catches_its_cancellation(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is cancelled once more; the others are not waited for in vain."""
    monkeypatch.setattr(cancelling, "_WAIT_S", 0.05)
    tasks = [asyncio.create_task(stubborn(times)) for times in (0, 1, 2)]
    await asyncio.sleep(0)
    await cancelled(*tasks)

    assert all(task.cancelled() for task in tasks)


async def test_one_that_never_ends_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told of, and left."""
    monkeypatch.setattr(cancelling, "_WAIT_S", 0.01)
    task = asyncio.create_task(stubborn(cancelling._TIMES))
    await asyncio.sleep(0)
    await cancelled(task)

    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_nothing_to_end() -> None:
    """No task, or one that is done."""
    done = asyncio.create_task(asyncio.sleep(0))
    await done
    await cancelled()
    await cancelled(done)

    assert done.result() is None
