"""To end tasks for certain: a cancellation may be caught by something on the way.

Until Python 3.12 `asyncio.wait_for` swallows one that comes as what it waits for is done, and redis-py uses it where a
connection is opened. So whoever needs a task to end cancels it again.
"""

import asyncio
from typing import Any

import structlog

_TIMES = 3
_WAIT_S = 0.8

log = structlog.get_logger("firstseen.cancelling")


async def cancelled(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel tasks and wait for their end; again, should it have been caught by something on the way."""
    left = {task for task in tasks if not task.done()}
    for _ in range(_TIMES):
        for task in left:
            task.cancel()
        if left:
            _, left = await asyncio.wait(left, timeout=_WAIT_S)
    for task in left:
        log.error(
            "does_not_end",
            task=task.get_name(),
            reason="it was cancelled, and goes on; nothing acknowledged depends on it",
        )
