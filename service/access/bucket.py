"""A token bucket: so many items a second on average, so many at once; a pure function of (state, time).

    tokens(t) = min(burst, tokens(t0) + rate * (t - t0))

An item costs a token. Two ways to pay:

    spend    all or nothing, for who can be told to come back (HTTP): n items need min(n, burst) tokens. A request
             of more than `burst` items so needs a full bucket, and leaves a debt: it is possible, just not often
    charge   always, for what is here already (a WebSocket's frame came on credit that was given): it may leave a
             debt, and says how long until that is paid

Over any time T no more than burst + rate * T items pass, but for one request or frame: the debt is paid before the
next. The clock is any that does not go back; should it, no token is made or lost.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """items_per_s on average, above 0; burst, at least 1, at once."""

    items_per_s: float
    burst: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """tokens, as of time `at` in seconds; below 0 is a debt."""

    tokens: float
    at: float


def full(rate: Rate, at: float) -> Bucket:
    """A bucket that nobody took from."""
    return Bucket(float(rate.burst), at)


def refilled(bucket: Bucket, rate: Rate, now: float) -> Bucket:
    """The bucket as it is now."""
    elapsed = max(0.0, now - bucket.at)
    return Bucket(min(float(rate.burst), bucket.tokens + rate.items_per_s * elapsed), max(now, bucket.at))


def spend(bucket: Bucket, rate: Rate, n: int, now: float) -> tuple[Bucket, float]:
    """Pay for `n` items if that can be; else the seconds until it can, and nothing is paid."""
    bucket = refilled(bucket, rate, now)
    missing = min(n, rate.burst) - bucket.tokens
    if missing > 0:
        return bucket, missing / rate.items_per_s
    return Bucket(bucket.tokens - n, bucket.at), 0.0


def charge(bucket: Bucket, rate: Rate, n: int, now: float) -> tuple[Bucket, float]:
    """Pay for `n` items, in debt if need be; the seconds until there is none."""
    bucket = refilled(bucket, rate, now)
    left = bucket.tokens - n
    return Bucket(left, bucket.at), max(0.0, -left / rate.items_per_s)
