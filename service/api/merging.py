"""What waits to be sent over a socket, in as few messages as may be.

The frames of a batch are answered in one moment, each with verdicts and an ack. Every message is a system call on both
sides and wakes the client, so what waits behind one another leaves together:

    verdicts a, ack, verdicts b, ack, verdicts c, nack, ack   ──►   verdicts a b c, nack, ack

Order stays, and an ack that another follows says nothing which that one does not say. Nothing waits for this: what is
alone leaves alone.
"""

from collections import deque

from service.ingest.protocol import Ack, Verdicts
from service.ingest.session import Close, Send

MOST_TOGETHER = 1024
"""Verdicts from which on a message takes no more, so that none is larger than a client's limit on a frame."""


def take_next(waiting: deque[Send | Close]) -> Send | Close:
    """Take the next effect; verdicts with those that follow with nothing but an ack between.

    Args:
        waiting: At least one; what is returned is gone from it.
    """
    first = waiting.popleft()
    if not (isinstance(first, Send) and isinstance(first.message, Verdicts)):
        return first
    results = first.message.results
    while len(waiting) > 1 and len(results) < MOST_TOGETHER:
        ack, more = waiting[0], waiting[1]
        if not (isinstance(ack, Send) and isinstance(ack.message, Ack)):
            break
        if not (isinstance(more, Send) and isinstance(more.message, Verdicts)):
            break
        waiting.popleft()
        waiting.popleft()
        results = [*results, *more.message.results]
    return first if results is first.message.results else Send(Verdicts(results))
