"""The loop: time jumps, order is kept, hosts stop and die, threads take their turns."""

import asyncio

import pytest

from tests.simulation.loop import Host, Stuck, VirtualLoop


class Burning(Host):
    """Writes down when its fuse has burnt down."""

    blown = 0

    def blow(self) -> None:
        self.blown += 1


def test_time_jumps() -> None:
    """A day's sleep takes no time, and ends a day later; what is due earlier comes earlier."""
    loop, seen = VirtualLoop(), []

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds)
        seen.append((seconds, loop.time()))

    async def all_of_them() -> None:
        await asyncio.gather(sleep(86_400), sleep(0.25), sleep(0))

    loop.run_until_complete(all_of_them())

    assert seen == [(0, 0), (0.25, 0.25), (86_400, 86_400)]


def test_a_timeout_ends_a_wait() -> None:
    """The time-outs of asyncio work on virtual time."""
    loop = VirtualLoop()

    async def wait() -> None:
        async with asyncio.timeout(3):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        loop.run_until_complete(wait())
    assert loop.time() == 3


def test_nothing_left_to_happen() -> None:
    """A wait for nothing is noticed, rather than waited for."""
    with pytest.raises(Stuck, match="nothing more happens"):
        VirtualLoop().run_until_complete(asyncio.Event().wait())


def test_a_circle_is_noticed() -> None:
    """Code that never comes to rest is stopped."""

    async def circle() -> None:
        while True:  # noqa: ASYNC110 - that is what is noticed
            await asyncio.sleep(0)

    with pytest.raises(Stuck, match="too many callbacks"):
        VirtualLoop(most_callbacks=1000).run_until_complete(circle())


def test_a_stopped_host() -> None:
    """A stopped host does nothing, its tasks' tasks neither; what was due meanwhile comes late, and in order."""
    loop, host, seen = VirtualLoop(), Host(), []

    async def child(n: int) -> None:
        await asyncio.sleep(n)
        seen.append((n, loop.time()))

    async def parent() -> None:
        await asyncio.gather(child(2), child(1), child(9))

    async def world() -> None:
        task = loop.create_task(parent(), context=host.context)
        await asyncio.sleep(0.5)
        loop.stop_host(host)
        await asyncio.sleep(5)
        assert seen == []
        loop.resume_host(host)
        await asyncio.wait({task})

    loop.run_until_complete(world())

    assert seen == [(1, 5.5), (2, 5.5), (9, 9)]


def test_a_fuse() -> None:
    """It burns by the host's own callbacks, blows once, and not while the host is stopped."""
    loop, host = VirtualLoop(), Burning()

    async def busy() -> None:
        for _ in range(10):
            await asyncio.sleep(1)

    async def world() -> None:
        task = loop.create_task(busy(), context=host.context)
        host.fuse = 4
        await asyncio.sleep(1.5)
        burnt = host.fuse
        loop.stop_host(host)
        await asyncio.sleep(20)
        assert (host.fuse, host.blown) == (burnt, 0)
        loop.resume_host(host)
        await asyncio.wait({task})

    loop.run_until_complete(world())

    assert (host.fuse, host.blown) == (None, 1)


def test_a_thread_does_one_thing_after_another() -> None:
    """Work of one executor takes turns, of two goes on side by side; an error is the waiter's."""
    loop, seen = VirtualLoop(lambda: 1.0), []

    def work(n: int) -> int:
        seen.append((n, loop.time()))
        return 1 // n

    async def world() -> list[object]:
        calls = [
            loop.run_in_executor(worker, work, n) for worker, n in (("a", 1), ("a", 2), ("b", 3), ("a", 0))
        ]
        return await asyncio.gather(*calls, return_exceptions=True)

    answers = loop.run_until_complete(world())

    assert seen == [(1, 1), (3, 1), (2, 2), (0, 3)]
    assert answers[:3] == [1, 0, 0]
    assert isinstance(answers[3], ZeroDivisionError)


def test_cancelled_work() -> None:
    """Work that has not begun is not done; work that has is done to its end, and nobody hears of it."""
    loop, seen = VirtualLoop(lambda: 1.0), []

    async def world() -> None:
        begun = loop.run_in_executor("a", seen.append, "begun")
        waits = loop.run_in_executor("a", seen.append, "waits")
        await asyncio.sleep(0.5)
        begun.cancel()
        waits.cancel()
        await asyncio.sleep(5)

    loop.run_until_complete(world())

    assert seen == ["begun"]
