"""Events reach every watcher in order; a slow one is cut off and slows nobody."""

import asyncio

import pytest

from service.events import ClusterEvent, EventKind
from service.pipeline.fanout import Fanout
from tests.service.told import cluster


def event(seq: int) -> ClusterEvent:
    return ClusterEvent(
        kind=EventKind.EMERGED, seq=seq, t=0.0, cluster=cluster(emerged_seq=seq, last_seq=seq)
    )


async def test_order() -> None:
    """Every watcher gets every event, in order."""
    fanout = Fanout(10)
    with fanout.subscribe() as one, fanout.subscribe() as two:
        fanout.publish([event(1), event(2)])
        fanout.publish([event(3)])

        for watching in (one, two):
            assert [event(n) for n in (1, 2, 3)] == [await watching.next() for _ in range(3)]


async def test_from_now_on() -> None:
    """A watcher gets what comes after it came."""
    fanout = Fanout(10)
    fanout.publish([event(1)])
    with fanout.subscribe() as watching:
        fanout.publish([event(2)])

        assert event(2) == await watching.next()


async def test_overflow() -> None:
    """One that is too far behind gets what it has room for, then the end; the others get all."""
    fanout = Fanout(2)
    with fanout.subscribe() as slow, fanout.subscribe() as quick:
        for n in range(5):
            fanout.publish([event(n)])
            assert event(n) == await quick.next()

        assert slow.overflowed
        assert not quick.overflowed
        assert [event(0), event(1), None] == [await slow.next() for _ in range(3)]


async def test_just_full() -> None:
    """As many as the queue holds are no overflow."""
    fanout = Fanout(2)
    with fanout.subscribe() as watching:
        fanout.publish([event(0), event(1)])

        assert not watching.overflowed


@pytest.mark.parametrize("waiting", [0, 1, 2])
async def test_end(waiting: int) -> None:
    """The end comes after what waits, also when the queue is full."""
    fanout = Fanout(2)
    with fanout.subscribe() as watching:
        fanout.publish([event(n) for n in range(waiting)])
        fanout.end()

        assert [*(event(n) for n in range(waiting)), None] == [
            await watching.next() for _ in range(waiting + 1)
        ]


async def test_waits() -> None:
    """A watcher waits for the next event."""
    fanout = Fanout(2)
    with fanout.subscribe() as watching:
        waiting = asyncio.create_task(watching.next())
        await asyncio.sleep(0)
        assert not waiting.done()
        fanout.publish([event(1)])

        assert event(1) == await waiting


def test_leaves() -> None:
    """One that has gone is forgotten."""
    fanout = Fanout(2)
    with fanout.subscribe():
        assert 1 == len(fanout)

    assert 0 == len(fanout)
