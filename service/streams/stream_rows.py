"""A stream in a list of streams: how it stands, and whether this process serves it."""

from dataclasses import dataclass

from service.state.names import StoredStream
from service.streams.stream import Stream

NOT_OPEN = "not open here; its first use opens it"


@dataclass(frozen=True, kw_only=True)
class StreamRow:
    """One row.

    Attributes:
        name: Its name.
        ready: Whether it takes items here, now.
        reason: Why not.
        seq: The seq after its last durable item, as the store has it; None where that is of another bundle.
        epoch: How often it was taken.
    """

    name: str
    ready: bool
    reason: str | None
    seq: int | None
    epoch: int


def row_of(
    name: str, *, stream: Stream | None, failure: str | None, stored: StoredStream | None
) -> StreamRow:
    """What is to be told of a stream.

    Args:
        name: Its name.
        stream: It, where it is open here.
        failure: Why it could not be served a moment ago.
        stored: It in the store; None where it is not there yet.
    """
    if stream is not None:
        reason = stream.pipeline.reason
    elif failure is not None:
        reason = failure
    elif stored is not None and stored.seq is None:
        reason = f"its state is of bundle {stored.bundle_id}"
    elif stored is not None and stored.owner is not None:
        reason = f"another process ({stored.owner}) owns the stream"
    else:
        reason = NOT_OPEN
    return StreamRow(
        name=name,
        ready=reason is None,
        reason=reason,
        seq=0 if stored is None else stored.seq,
        epoch=0 if stored is None else stored.epoch,
    )
