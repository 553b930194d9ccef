"""An open stream: whether anybody would miss it."""

import asyncio
import contextlib

from service.pipeline.batching import Job, Queue
from service.streams.stream import Stream
from tests.service.pipeline_rig import known


async def test_idle_is_who_is_neither_held_nor_waited_for() -> None:
    """Holders are counted, however they end; what waits counts, too."""
    queue = Queue(max_items=9, max_batch=9)
    stream = Stream(
        name="a", pipeline=None, queue=queue, fanout=None, events=None, webhooks=None, metrics=None
    )  # type: ignore[arg-type]  # not used
    seen = [stream.is_idle]
    with contextlib.suppress(ZeroDivisionError), stream.in_use(), stream.in_use():
        seen.append(stream.is_idle)
        seen.append(1 / 0 > 0)
    seen.append(stream.is_idle)
    job = Job(items=[known()], done=asyncio.get_running_loop().create_future())
    queue.offer(job)
    seen.append(stream.is_idle)
    await queue.take()
    seen.append(stream.is_idle)

    assert [True, False, True, False, True] == seen
