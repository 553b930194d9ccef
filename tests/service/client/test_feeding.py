"""Iterables become lists of what is there."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy as np
import pytest

from service.client import feeding
from service.client.feeding import BOUND, Feed, feed_of
from tests.service.waiting import soon


async def numbers(n: int) -> AsyncIterator[int]:
    for k in range(n):
        yield k


async def drained(feed: Feed, most: int = 7) -> list[Any]:
    taken: list[Any] = []
    async with asyncio.timeout(60):
        while got := await feed.take(most):
            assert len(got) <= most
            taken += got
    return taken


@pytest.mark.parametrize("n", [0, 1, 7, 3000])
@pytest.mark.parametrize("make", [lambda n: list(range(n)), lambda n: iter(range(n)), numbers, np.arange])
async def test_all_of_it_in_order(make: Any, n: int) -> None:
    """Of lists, arrays, iterators and asynchronous ones; and then nothing, however often it is asked."""
    feed = feed_of(make(n))

    assert list(range(n)) == await drained(feed)
    assert [] == await feed.take(7)


async def test_an_iterable_that_waits_holds_up_nothing() -> None:
    """What it gave so far can be taken while it waits for the next."""
    gate = threading.Event()

    def slow() -> Iterator[int]:
        yield from (1, 2)
        gate.wait(20)
        yield 3

    feed = feed_of(slow())
    async with asyncio.timeout(60):
        first = [*await feed.take(1), *await feed.take(1)]
        gate.set()
        assert ([1, 2], [3]) == (first, await feed.take(9))
    assert [] == await feed.take(9)


@pytest.mark.parametrize("is_async", [False, True])
async def test_what_it_raises_comes_after_what_it_gave(is_async: bool) -> None:
    """As if it had been iterated here."""

    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("the caller's")

    async def failing_too() -> AsyncIterator[int]:
        for number in failing():
            yield number

    feed = feed_of(failing_too() if is_async else failing())

    assert [1] == await feed.take(9)
    with pytest.raises(ValueError, match="the caller's"):
        await feed.take(9)


@pytest.mark.parametrize("is_async", [False, True])
async def test_it_does_not_read_ahead_without_bound(is_async: bool) -> None:
    """An endless iterable fills what may lie ready, and waits."""
    read = 0

    def endless() -> Iterator[int]:
        nonlocal read
        while True:
            read += 1
            yield read

    async def endless_too() -> AsyncIterator[int]:
        for number in endless():
            yield number

    feed = feed_of(endless_too() if is_async else endless())
    await feed.take(1)
    await soon(lambda: read >= BOUND, "it has read so many")
    for _ in range(20):
        await asyncio.sleep(0)

    assert read <= BOUND + 2
    feed.close()


async def test_a_closed_feed_ends_its_thread() -> None:
    """Also one that waits for room."""
    feed = feed_of(iter(range(10 * BOUND)))
    await feed.take(1)
    feed.close()
    name = "firstseen-feed"

    await soon(lambda: all(t.name != name for t in threading.enumerate()), "the thread ends")


@pytest.mark.parametrize("items", ["a text", b"bytes", {"x": 1}])
async def test_a_single_item_is_not_taken_for_several(items: Any) -> None:
    """A text would be sent letter by letter."""
    with pytest.raises(TypeError, match="Several items"):
        feed_of(items)


def test_the_bound_is_what_the_docstring_says() -> None:
    """Others count on it."""
    assert "BOUND" in (feeding.__doc__ or "")
