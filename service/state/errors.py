"""What can go wrong between firstseen and its Redis, as one small tree.

Every class says what it *means*; every message says what to do. Three questions decide the reaction of a
caller, so the tree is cut along them:

- Is the outcome known? Only `StoreUnavailable` may leave it open (`outcome_unknown`): the command was sent
  and no answer came. Resend the very same batch; the append is idempotent.
- Are we still the owner? `Fenced` says no: drop everything in memory and step down.
- Can waiting help? For `StoreUnavailable` and `LeaseHeld` yes, for all others a person must act.
"""

from collections.abc import Sequence


class StoreError(Exception):
    """Durable state could not be read or written."""


class StoreUnavailable(StoreError):
    """Redis is away, still loading, out of memory, read-only or refuses writes: wait, then send the same
    again.

    `outcome_unknown` is True when the command may have been carried out although no answer came (a time-out,
    a lost connection), False when Redis itself refused it.
    """

    def __init__(self, message: str, *, outcome_unknown: bool) -> None:
        super().__init__(message)
        self.outcome_unknown = outcome_unknown


class Fenced(StoreError):
    """Another owner has taken the stream: nothing was written; drop what is in memory and step down.

    `ours` is the epoch we hold (0 for none), `current` the epoch in Redis (0 where it is gone).
    """

    def __init__(self, message: str, *, ours: int, current: int) -> None:
        super().__init__(message)
        self.ours = ours
        self.current = current


class LeaseHeld(StoreError):
    """Another live owner holds the stream; its lease runs out in `remaining_ms` unless it is renewed."""

    def __init__(self, message: str, *, owner: str, remaining_ms: int) -> None:
        super().__init__(message)
        self.owner = owner
        self.remaining_ms = remaining_ms


class BundleMismatch(StoreError):
    """The stream's state was written with another bundle: two embedding spaces must never meet."""

    def __init__(self, message: str, *, stored: str, offered: str) -> None:
        super().__init__(message)
        self.stored = stored
        self.offered = offered


class StoreMisconfigured(StoreError):
    """Redis is set up so that it may lose what was acknowledged, or lets us in only halfway."""


class SequenceConflict(StoreError):
    """What was sent, or what is stored, does not continue the log without gap, overlap or change.

    From `append`: `expected` is the seq the log continues with, `got` what was sent; load and replay again.
    From `replay`: the log itself has a hole from `expected` to `got`.
    """

    def __init__(self, message: str, *, expected: int, got: int) -> None:
        super().__init__(message)
        self.expected = expected
        self.got = got


class DuplicateIds(StoreError):
    """Some ids of the batch have a verdict already, or occur twice in it: nothing was written.

    `ids` are the offenders in batch order. Look them up and send the batch without them.
    """

    def __init__(self, message: str, *, ids: Sequence[str]) -> None:
        super().__init__(message)
        self.ids = tuple(ids)


class DeadLettersFull(StoreError):
    """No room for another item that crashed the engine: nothing was written. Drop some."""


class StreamsFull(StoreError):
    """There are as many streams as there may be: this one was not made. Those there are go on."""


class SaveOvertaken(StoreError):
    """The snapshot being saved is not, or no longer, the one that the stream has noted: save again."""


class SnapshotCorrupt(StoreError):
    """No snapshot that the log could continue is intact; starting empty would silently forget."""


class LogCorrupt(StoreError):
    """An entry of the log does not have the checksum that it was written with."""


class DataFolderInUse(StoreError):
    """Another process has the data folder open; `pid` is its process id, None where it left none."""

    def __init__(self, message: str, *, pid: int | None) -> None:
        super().__init__(message)
        self.pid = pid


class EmbeddedServerFailed(StoreError):
    """The embedded server did not start, or would not stop; the message ends with the tail of its log."""
