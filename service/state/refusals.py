"""What the refusals of functions.lua mean to who asked: word and figures become an error that says what to do."""

from service.state.errors import (
    LeaseHeld,
    SaveOvertaken,
    SequenceConflict,
    StoreError,
    StoreMisconfigured,
    StreamsFull,
)
from service.state.wire import Refusal


def error_of(refusal: Refusal, *, stream: str, horizon: int) -> StoreError:
    """The error for a refusal; itself, where it is one that the caller has to put into words.

    Args:
        refusal: Neither FENCED nor BUNDLE, which say something about the store that asked.
        stream: Which was asked.
        horizon: The dedup horizon that was asked with.
    """
    rest = refusal.rest
    match refusal.word:
        case "LEASEHELD":
            remaining, _, owner = rest.partition(" ")
            return LeaseHeld(
                f"stream {stream} is held by {owner} for {remaining} ms more; wait, or stop it",
                owner=owner,
                remaining_ms=max(0, int(remaining)),
            )
        case "CONFLICT":
            return SequenceConflict(f"the log goes on at seq {rest}", expected=int(rest), got=-1)
        case "HORIZON":
            return StoreMisconfigured(
                f"stream {stream} was made with a dedup horizon of {rest} items, not {horizon}: set it back, or choose "
                "another stream name"
            )
        case "STREAMS":
            return StreamsFull(f"there are {rest} streams, which is the most: use one of them")
        case "SAVING":
            return SaveOvertaken(
                f"snapshot generation {rest} of stream {stream} was overtaken: save one at a time"
            )
    return refusal
