"""When to try again, and when to give up.

Pauses grow to a second; a service that says when (`Retry-After`) is believed. The clock runs from the first failure on,
and any answer stops it: a thousand cuts with answers in between are no reason to give up, one long silence is.
"""

from collections.abc import Callable

from service.client.answers import Problem
from service.client.errors import GaveUp

PAUSES_S = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Before the next try; the last one for good."""


class Patience:
    """Of one call, or of one stream.

    Args:
        patience_s: How long nothing may be answered, from the first failure on.
        now: The clock, in seconds.
        what: Whom it waits for, for the message.
    """

    def __init__(self, patience_s: float, *, now: Callable[[], float], what: str) -> None:
        self._patience_s = patience_s
        self._now = now
        self._what = what
        self._since: float | None = None
        self._tries = 0

    def renew(self) -> None:
        """Something was answered."""
        self._since = None

    def failed(
        self, why: object, *, retry_after_s: float | None = None, problem: Problem | None = None
    ) -> float:
        """How long to pause before the next try.

        Raises:
            GaveUp: It has been too long, or would be by then.
        """
        now = self._now()
        if self._since is None:
            self._since, self._tries = now, 0
        pause_s = PAUSES_S[min(self._tries, len(PAUSES_S) - 1)]
        self._tries += 1
        if retry_after_s is not None:
            pause_s = max(pause_s, retry_after_s)
        away_s = now - self._since
        if away_s > self._patience_s or (retry_after_s or 0) > self._patience_s:
            wanted = f", and asks to wait {retry_after_s:g} s" if retry_after_s else ""
            raise GaveUp(f"{self._what} did not answer for {away_s:.3g} s{wanted}: {why}", problem)
        return pause_s
