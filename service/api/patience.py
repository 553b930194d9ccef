"""How long a client waits for its answer, and whether it still does: what nobody waits for is not embedded.

    Firstseen-Deadline-Ms: 250      the answer is of use for 250 ms from now, whole milliseconds, 1 to 3,600,000

The time runs from when the request's head was read, so clocks need not agree. An item that is not in hand by then is
dropped, counted in `firstseen_dropped_items`, and its request answered at once with 504: it was not counted, and may
be sent again. What is in hand is decided, becomes durable, and its answer leaves however late; so a deadline
never makes an outcome unknown.

There is no standard header for this. `Prefer: wait` (RFC 7240 section 4.3) has whole seconds, and is a wish; gRPC's and
Envoy's headers belong to their protocols.

A client that closes its connection waits for nothing. The server's connection knows that the moment it happens
(`service.api.connection`) and tells through the ASGI scope; it is asked when a batch forms, so that being asked costs
a request nothing, and a client that went while its items waited is seen before they are embedded.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.requests import HTTPConnection, Request

from service.api.access import Caller
from service.errors import InvalidParameter, OutcomeUnknown
from service.pipeline.batching import Answer, Job, Queue

DEADLINE_HEADER = "Firstseen-Deadline-Ms"
LONGEST_MS = 3_600_000

DEADLINE: dict[str, Any] = {
    "name": DEADLINE_HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "integer", "minimum": 1, "maximum": LONGEST_MS},
    "description": "Milliseconds from now after which the answer is of no use.",
}
"""The header as OpenAPI has it."""

_LOOK_S = 1.0
"""How often one who waits is looked after."""

GONE = "firstseen.gone"
"""The extension of the ASGI scope: a function that says whether the client has gone."""


def deadline_of(request: Request, *, now: float) -> float | None:
    """When the answer ceases to be of use, in the time of `now`; None where the client does not say.

    Raises:
        InvalidParameter: The header is there and is no such number.
    """
    sent = request.headers.get(DEADLINE_HEADER)
    if sent is None:
        return None
    digits = sent.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 7 and 1 <= int(digits) <= LONGEST_MS):
        raise InvalidParameter(
            f"{DEADLINE_HEADER}: send whole milliseconds from 1 to {LONGEST_MS}, such as 250, not {sent[:20]!r}."
        )
    return now + int(digits) / 1000


def is_gone(connection: HTTPConnection) -> Callable[[], bool] | None:
    """Tells whether the client has gone; None where the server does not know."""
    found: Callable[[], bool] | None = connection.scope.get("extensions", {}).get(GONE)
    return found


async def paid(
    caller: Caller, n: int, ended: "asyncio.Future[None]", gone: Callable[[], bool] | None
) -> bool:
    """Wait until `n` items that are here may pass under the caller's quota, and count them.

    Nobody passes while the key is in debt, over whichever connection that was made: who leaves and comes back waits
    for what he took before. Nobody who has left waits: his place is free within a second.

    Returns:
        Whether they may; not once `ended` is done or the client has gone.
    """
    while (wait_s := caller.take(0)) > 0:
        await asyncio.wait({ended}, timeout=min(wait_s, _LOOK_S))
        if ended.done() or (gone is not None and gone()):
            return False
    caller.take(n)
    return True


async def answered(queue: Queue, job: Job, *, timeout_s: float) -> list[Answer]:
    """Queue a job and wait for what becomes of it.

    Raises:
        DeadlineMissed: Its deadline passed before it was in hand.
        Unavailable: Not now, or not in time.
    """
    queue.offer(job)
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout_s
    if job.deadline is not None and job.deadline < end:
        await asyncio.wait({job.done}, timeout=job.deadline - loop.time())
        if not job.done.done() and not job.taken:
            job.miss_deadline()  # it falls out of the queue as the next batch forms
    try:
        async with asyncio.timeout_at(end):
            return await job.done
    except TimeoutError:
        raise OutcomeUnknown(
            f"No verdict within {timeout_s:g} s. The items may or may not be counted: send "
            "them again under the same ids, and each will have one verdict."
        ) from None
