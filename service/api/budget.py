"""A bound on what all connections hold together: bytes of unread bodies, open WebSockets.

A limit of one request says nothing about a thousand of them. A `Budget` is one number for all; each user takes
its part of it through a `Share`, which gives back what it took when its `with` ends, however that happens.

    with budget.share() as share:
        share.take(len(chunk))      # Overloaded when all shares together would hold more than `most`
"""

from collections.abc import Iterator
from contextlib import contextmanager

from service.errors import Overloaded


class Budget:
    """At most `most` units in use at once. Lives in one event loop.

    Args:
        most: The bound, in units of the caller's choice.
        when_full: The message of the refusal; it says what to do.
    """

    def __init__(self, most: int, *, when_full: str) -> None:
        self._most = most
        self._when_full = when_full
        self._used = 0

    @property
    def used(self) -> int:
        """Units that all shares hold now."""
        return self._used

    @contextmanager
    def share(self) -> Iterator["Share"]:
        """A part of the budget, empty at first, given back when the context closes."""
        share = Share(self)
        try:
            yield share
        finally:
            self._used -= share.taken

    def _take(self, n: int) -> None:
        if self._used + n > self._most:
            raise Overloaded(self._when_full)
        self._used += n


class Share:
    """What one user of a budget holds."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.taken = 0

    def take(self, n: int) -> None:
        """Hold `n` units more.

        Raises:
            Overloaded: All shares together would be over the bound; nothing was taken.
        """
        self._budget._take(n)  # noqa: SLF001 - the two are one thing; nobody else may take without giving back
        self.taken += n

    def give_back(self, n: int) -> None:
        """Hold `n` units less, of those taken."""
        assert 0 <= n <= self.taken
        self._budget._take(-n)  # noqa: SLF001 - likewise
        self.taken -= n
