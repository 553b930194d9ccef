"""What each key has used of what it may: items a second, open WebSockets and streams of lines, streams created.

Limits are the key's own, or else the service's defaults; None is no limit. What is used is kept by *family*, so that a
key and the one that takes its place share one quota. It is kept in this process: N replicas let N times as many items
pass. Streams are the exception, since they stay: their number is in the store, and what this process created since
it last looked is added.

The table has an entry a family that was here, and is cut down to those that there still are when it has more than
there can be keys; an entry with open sockets stays until they close.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from service.access.bucket import Bucket, Rate, charge, full, refilled, spend
from service.access.rights import MOST_KEYS, Key
from service.errors import OverQuota

POLICY: Final = "items"

TICKETS: Final = Rate(items_per_s=10.0, burst=50)
"""How many tickets a family may ask for (service/api/tickets.py)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """None: no limit. rate: of items; connections: WebSockets and streams of lines at once; new_streams: ever made."""

    rate: Rate | None = None
    connections: int | None = None
    new_streams: int | None = None


def rate_of(items_per_s: float | None, burst: int | None) -> Rate | None:
    """A rate; where no burst is given, what comes in a second, and at least one item."""
    if items_per_s is None:
        return None
    return Rate(items_per_s, burst if burst is not None else max(1, math.ceil(items_per_s)))


def limits_of(key: Key, defaults: Limits) -> Limits:
    """A key's limits."""
    return Limits(
        rate=defaults.rate if key.items_per_s is None else rate_of(key.items_per_s, key.burst),
        connections=defaults.connections if key.connections is None else key.connections,
        new_streams=defaults.new_streams if key.new_streams is None else key.new_streams,
    )


class Allowance:
    """What one family has used, under the limits of the key that is here now."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._bucket: Bucket | None = None
        self._tickets: Bucket | None = None
        self.connections = 0
        self._making: set[str] = set()

    def _now(self, rate: Rate) -> tuple[Bucket, float]:
        now = self._clock()
        return (full(rate, now) if self._bucket is None else self._bucket), now

    def take(self, n: int, rate: Rate) -> float:
        """Count `n` items that are here already; the seconds to wait before more may come."""
        bucket, now = self._now(rate)
        self._bucket, wait_s = charge(bucket, rate, n, now)
        return wait_s

    def check(self, rate: Rate) -> None:
        """Refuse who could not have even one item; nothing is counted.

        Raises:
            OverQuota: Not now; it says when.
        """
        bucket, now = self._now(rate)
        self._refuse(1, rate, spend(bucket, rate, 1, now)[1])

    def demand(self, n: int, rate: Rate) -> None:
        """Count `n` items, or none.

        Raises:
            OverQuota: Not now; it says when.
        """
        bucket, now = self._now(rate)
        self._bucket, wait_s = spend(bucket, rate, n, now)
        self._refuse(n, rate, wait_s)

    def _refuse(self, n: int, rate: Rate, wait_s: float) -> None:
        if wait_s > 0:
            raise OverQuota(
                f"{n} items are over the quota of this key, {rate.items_per_s:g} items a second and {rate.burst} at "
                f"once; send the same again in {math.ceil(wait_s)} s.",
                retry_after_s=wait_s,
            )

    def demand_ticket(self) -> None:
        """Count a ticket, or refuse it.

        Raises:
            OverQuota: Not now; it says when.
        """
        now = self._clock()
        self._tickets, wait_s = spend(self._tickets or full(TICKETS, now), TICKETS, 1, now)
        if wait_s > 0:
            raise OverQuota(
                f"Tickets come {TICKETS.items_per_s:g} a second and {TICKETS.burst} at once; ask again in a moment.",
                retry_after_s=wait_s,
            )

    def fields(self, rate: Rate) -> tuple[tuple[bytes, bytes], ...]:
        """The header fields RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-10).

        The policy is `burst` items in the time in which as many come; what is left, and when all of it is back.
        """
        bucket, now = self._now(rate)
        bucket = refilled(bucket, rate, now)
        window_s = max(1, math.ceil(rate.burst / rate.items_per_s))
        left = max(0, math.floor(bucket.tokens))
        reset_s = math.ceil((rate.burst - bucket.tokens) / rate.items_per_s)
        return (
            (b"ratelimit-policy", f'"{POLICY}";q={rate.burst};w={window_s};qu="items"'.encode()),
            (b"ratelimit", f'"{POLICY}";r={left};t={reset_s}'.encode()),
        )

    @contextmanager
    def making_one(self, name: str, made: int, most: int | None) -> Iterator[bool]:
        """A stream that is being made, of which there are `made` already; False: that is counted by somebody else.

        Raises:
            OverQuota: There are as many.
        """
        if name in self._making:
            yield False
            return
        if most is not None and made + len(self._making) >= most:
            raise OverQuota(
                f"This key has created {made} streams, and may create {most}: send to one that is there."
            )
        self._making.add(name)
        try:
            yield True
        finally:
            self._making.discard(name)

    @contextmanager
    def connection(self, most: int | None) -> Iterator[None]:
        """A WebSocket or a stream of lines, for as long as the context is open.

        Raises:
            OverQuota: There are as many.
        """
        if most is not None and self.connections >= most:
            raise OverQuota(
                f"This key has {self.connections} WebSockets open (streams of lines count as such), which is the "
                "most; close one first."
            )
        self.connections += 1
        try:
            yield
        finally:
            self.connections -= 1


class Allowances:
    """All families that were here.

    Args:
        defaults: Limits of keys that have none of their own.
        clock: Seconds of a clock that does not go back.
        families: Of the keys that there are.
    """

    def __init__(
        self, defaults: Limits, *, clock: Callable[[], float], families: Callable[[], set[str]]
    ) -> None:
        self.defaults = defaults
        self._clock = clock
        self._families = families
        self._table: dict[str, Allowance] = {}

    def __len__(self) -> int:
        return len(self._table)

    def of(self, family: str) -> Allowance:
        """What a family has used."""
        found = self._table.get(family)
        if found is None:
            if len(self._table) >= MOST_KEYS:
                there = self._families()
                self._table = {f: a for f, a in self._table.items() if f in there or a.connections}
            found = self._table[family] = Allowance(self._clock)
        return found
