"""The threads that streams share."""

import asyncio
import threading

import pytest

from service.streams.workers import Workers


async def test_one_thread_each_and_nobody_waits_twice() -> None:
    """Engine and net have one thread, fits another; calls are made in the order in which they came."""
    workers = Workers()
    loop = asyncio.get_running_loop()
    order: list[int] = []
    engine = [loop.run_in_executor(workers.engine, threading.get_ident) for _ in range(3)]
    fits = [loop.run_in_executor(workers.fits, threading.get_ident) for _ in range(3)]
    calls = [loop.run_in_executor(workers.engine, order.append, n) for n in range(5)]
    await asyncio.gather(*calls)

    assert [0, 1, 2, 3, 4] == order
    assert 2 == len({*await asyncio.gather(*engine), *await asyncio.gather(*fits)})
    workers.close()


async def test_closing_waits_for_nobody() -> None:
    """What is under way ends by itself, what has not begun never does, and nothing more is taken."""
    workers, go, began = Workers(), threading.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def waits() -> str:
        began.set()
        go.wait()
        return "ended"

    under_way = loop.run_in_executor(workers.engine, waits)
    never = loop.run_in_executor(workers.engine, waits)
    await asyncio.to_thread(began.wait)
    workers.close()
    go.set()

    assert "ended" == await under_way
    with pytest.raises(asyncio.CancelledError):
        await never
    with pytest.raises(RuntimeError):
        loop.run_in_executor(workers.engine, waits)
