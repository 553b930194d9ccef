"""Why streams could not be served, for as long as they are not tried again.

A stream whose state cannot be read, or is of another bundle, fails at every try, and a try takes a lease and reads a
log. So who comes right after a failure is told its reason, and the next try is made after a pause. At most `MOST`
reasons are kept: beyond it the oldest goes, and its stream may be tried before its time.
"""

import math
from collections.abc import Callable

from service.errors import FirstseenError, StreamFails
from service.state.errors import StoreError

PAUSE_S = 5.0

MOST = 64


class FailedStreams:
    """The failures that count now.

    Args:
        now: Any clock that only goes forward, in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._failures: dict[str, tuple[str, float]] = {}  # in the order of their ends

    def note(self, name: str, error: Exception) -> bool:
        """Keep why a stream failed; whether that is a reason that a person can mend, and no bug of ours."""
        is_foreseen = isinstance(error, (StoreError, FirstseenError))
        reason = str(error) if is_foreseen else "something failed inside. This is a bug in firstseen."
        self._failures.pop(name, None)
        self._failures[name] = reason, self._now() + PAUSE_S
        while len(self._failures) > MOST:
            del self._failures[next(iter(self._failures))]
        return is_foreseen

    def reason(self, name: str) -> str | None:
        """Why a stream is not tried now; None when it may be."""
        reason, until = self._failures.get(name, ("", 0.0))
        if not reason:
            return None
        if until <= self._now():
            del self._failures[name]
            return None
        return reason

    def check(self, name: str) -> None:
        """Raise StreamFails where a stream may not be tried yet."""
        reason = self.reason(name)
        if reason is not None:
            left = max(1, math.ceil(self._failures[name][1] - self._now()))
            raise StreamFails(
                f"Stream {name!r} cannot be served: {reason.rstrip('.')}. It is tried again in {left} s.",
                retry_after_s=left,
            )
