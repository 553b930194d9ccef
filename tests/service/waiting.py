"""Wait for what another thread or process will do, with a deadline; a test never sleeps for a time it guessed."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_LOOK_EVERY_S = 0.03
_never = threading.Event()


def until(look: Callable[[], T], what: str, *, within_s: float = 60.0) -> T:
    """The first true thing that `look` returns; AssertionError naming `what` when it stays away."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {within_s:g} s")
        _never.wait(_LOOK_EVERY_S)
    return found


async def soon(look: Callable[[], T], what: str, *, within_s: float = 60.0) -> T:
    """The same inside an event loop."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {within_s:g} s")
        await asyncio.sleep(0.001)
    return found
