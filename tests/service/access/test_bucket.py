"""The token bucket: never more than burst + rate x time, and nothing that cannot ever pass."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.access.bucket import Bucket, Rate, charge, full, refilled, spend

rates = st.builds(Rate, items_per_s=st.floats(0.01, 1e6, allow_subnormal=False), burst=st.integers(1, 10_000))
asked = st.lists(st.tuples(st.floats(0, 100), st.integers(0, 20_000)), max_size=30)


def test_by_hand() -> None:
    """Ten at once, two a second."""
    rate = Rate(items_per_s=2.0, burst=10)
    bucket, wait = spend(full(rate, 0.0), rate, 8, 0.0)
    assert (Bucket(2.0, 0.0), 0.0) == (bucket, wait)

    bucket, wait = spend(bucket, rate, 4, 0.5)
    assert (Bucket(3.0, 0.5), 0.5) == (bucket, wait), "one is missing, which takes half a second"

    bucket, wait = spend(bucket, rate, 4, 1.0)
    assert (Bucket(0.0, 1.0), 0.0) == (bucket, wait)
    assert Bucket(10.0, 100.0) == refilled(bucket, rate, 100.0)


@given(rates, asked)
def test_no_more_than_promised(rate: Rate, steps: list[tuple[float, int]]) -> None:
    """What passed by any time is at most burst + rate x time, and the last request at that."""
    bucket, now, passed, largest = full(rate, 0.0), 0.0, 0, 0
    for pause, n in steps:
        now += pause
        bucket, wait = spend(bucket, rate, n, now)
        if wait == 0:
            passed += n
            largest = max(largest, n - rate.burst)
        assert passed <= rate.burst + rate.items_per_s * now + max(0, largest) + 1e-6 * (1 + passed)
        assert bucket.tokens <= rate.burst


@given(rates, asked, st.integers(0, 20_000))
def test_waiting_helps(rate: Rate, steps: list[tuple[float, int]], n: int) -> None:
    """Whatever was before, who waits as long as he is told gets through: also with more than fits at once."""
    bucket, now = full(rate, 0.0), 0.0
    for pause, before in steps:
        now += pause
        bucket, _ = spend(bucket, rate, before, now)
    bucket, wait = spend(bucket, rate, n, now)
    _, again = spend(bucket, rate, n, now + wait * (1 + 1e-9) + 1e-6) if wait else (bucket, 0.0)

    assert again == 0


@given(rates, asked)
def test_a_charge_is_paid_later(rate: Rate, steps: list[tuple[float, int]]) -> None:
    """What came on credit is counted in full; after the wait there is no debt."""
    bucket, now = full(rate, 0.0), 0.0
    for pause, n in steps:
        now += pause
        before = refilled(bucket, rate, now)
        bucket, wait = charge(bucket, rate, n, now)
        assert bucket.tokens == before.tokens - n
        assert (wait > 0) is (bucket.tokens < 0)
        assert refilled(bucket, rate, now + wait).tokens >= -1e-6 * (1 + n)


@given(rates, st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_clock_that_goes_back(rate: Rate, late: float, early: float) -> None:
    """Makes no token, and loses none."""
    bucket, _ = charge(full(rate, late), rate, 1, late)

    assert bucket.tokens <= refilled(bucket, rate, early).tokens <= rate.burst
    assert refilled(refilled(bucket, rate, late - 1.0), rate, late) == bucket


@pytest.mark.parametrize("n", [0, 1])
def test_none_and_one(n: int) -> None:
    """Nothing costs nothing."""
    rate = Rate(items_per_s=1.0, burst=1)

    assert (Bucket(1.0 - n, 5.0), 0.0) == spend(full(rate, 5.0), rate, n, 5.0)
