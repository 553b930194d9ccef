"""A bound on what all connections hold together: bytes of unread bodies, open WebSockets.

A limit of one request says nothing about a thousand of them. A `Budget` is one number for all; each user takes
its part of it through a `Share`, which gives back what it took when its `with` ends, however that happens.

    with budget.share("8f3a") as share:
        share.take(len(chunk))      # Overloaded when all shares together would hold more than `most`

Where it is known who asks, one holder (a family of keys) gets at most `each`: the rest is there
for everybody else.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from service.errors import Overloaded, OverQuota

RETRY_AFTER_S = 1.0


class Budget:
    """At most `most` units in use at once. Lives in one event loop.

    Args:
        most: The bound, in units of the caller's choice.
        when_full: The message of the refusal; it says what to do.
        each: Most units of one holder; None: as many as there are.
    """

    def __init__(self, most: int, *, when_full: str, each: int | None = None) -> None:
        self._most = most
        self._each = most if each is None else each
        self._when_full = when_full
        self._used = 0
        self._by_holder: Counter[str] = Counter()  # those who hold something: no more entries than shares

    @property
    def used(self) -> int:
        """Units that all shares hold now."""
        return self._used

    @contextmanager
    def share(self, holder: str | None = None) -> Iterator["Share"]:
        """A part of the budget, empty at first, given back when the context closes.

        Args:
            holder: Who has it; None where nobody is told from others.
        """
        share = Share(self, holder)
        try:
            yield share
        finally:
            self._take(-share.taken, holder)

    def _take(self, n: int, holder: str | None) -> None:
        if n > 0 and self._used + n > self._most:
            raise Overloaded(self._when_full)
        if holder is not None:
            own = self._by_holder[holder] + n
            if n > 0 and own > self._each:
                raise OverQuota(
                    f"This key alone has {self._each} of them, which is the most. {self._when_full}",
                    retry_after_s=RETRY_AFTER_S,
                )
            if own:
                self._by_holder[holder] = own
            else:
                del self._by_holder[holder]
        self._used += n


class Share:
    """What one user of a budget holds."""

    def __init__(self, budget: Budget, holder: str | None) -> None:
        self._budget = budget
        self._holder = holder
        self.taken = 0

    def take(self, n: int) -> None:
        """Hold `n` units more.

        Raises:
            Overloaded: All shares together would be over the bound; nothing was taken.
            OverQuota: Those of its holder would be over what one may hold; likewise.
        """
        self._budget._take(n, self._holder)  # noqa: SLF001 - the two are one thing; nobody else may take without giving back
        self.taken += n

    def give_back(self, n: int) -> None:
        """Hold `n` units less, of those taken."""
        assert 0 <= n <= self.taken
        self._budget._take(-n, self._holder)  # noqa: SLF001 - likewise
        self.taken -= n
