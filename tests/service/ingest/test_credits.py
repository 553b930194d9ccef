"""The credit window: Little's law, its bounds, and what it does to the wait behind a slow engine and a fast one."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.ingest.credits import Credits, Window

WINDOW = Window(least=64, most=1024, delay_s=1.0)


@pytest.mark.parametrize(
    ("in_front", "wait_s", "expected"),
    [
        (200, 1.0, 200),  # just as long as it should
        (200, 2.0, 100),  # twice as long: half
        (64, 0.25, 256),  # a quarter: four times
        (64, 0.01, 1024),  # fast: all there is
        (1, 0.0, 1024),  # no time at all
        (1, 10.0, 64),  # however slow, a frame
    ],
)
def test_littles_law(in_front: int, wait_s: float, expected: int) -> None:
    """The window is the rate times the wait that should be, within its bounds."""
    assert expected == WINDOW.after(in_front=in_front, wait_s=wait_s)


@given(in_front=st.integers(1, 10**6), wait_s=st.floats(0, 1e6))
def test_bounds(in_front: int, wait_s: float) -> None:
    """Whatever is measured, a frame fits and no more than the most."""
    assert 64 <= WINDOW.after(in_front=in_front, wait_s=wait_s) <= 1024


@given(
    steps=st.lists(
        st.tuples(st.booleans(), st.integers(1, 300), st.floats(0, 10), st.booleans()), max_size=60
    )
)
def test_nothing_is_taken_back(steps: list[tuple[bool, int, float, bool]]) -> None:
    """The position up to which may be sent only grows, and with nothing unanswered a frame always fits."""
    granted = Credits(WINDOW)
    now, limit = 0.0, granted.limit
    for is_answer, n, pause_s, waits in steps:
        now += pause_s
        if is_answer:
            granted.answered(min(granted.accepted, granted.durable + n), now)
        elif n <= granted.left:
            granted.received(n, now, waits=waits)
        assert granted.limit >= limit
        limit = granted.limit
        if granted.durable == granted.accepted:
            assert granted.left >= WINDOW.least
        assert granted.left <= WINDOW.most


def longest_wait(*, rate_per_s: float, clients: int, batch: int = 64) -> tuple[float, float]:
    """Greedy clients and an engine of some speed: the longest wait once they know it, and the rate served."""
    all_credits = [Credits(WINDOW) for _ in range(clients)]
    queue: deque[tuple[int, int, float]] = deque()  # client, position after it, when it came
    now, waits, served = 0.0, [], 0
    for turn in range(600):
        for client, granted in enumerate(all_credits):
            while granted.left >= WINDOW.least:
                granted.received(WINDOW.least, now, waits=True)
                queue.append((client, granted.accepted, now))
        for _ in range(max(batch // WINDOW.least, 1)):
            client, position, came = queue.popleft()
            now += WINDOW.least / rate_per_s
            served += WINDOW.least
            all_credits[client].answered(position, now)
            if turn > 300:
                waits.append(now - came)
    return max(waits), served / now


@pytest.mark.parametrize("clients", [1, 3, 8])
@pytest.mark.parametrize("rate_per_s", [1_000, 2_000, 5_000])
def test_the_wait_is_bounded(rate_per_s: float, clients: int) -> None:
    """However many send as fast as they may, nobody waits much longer than the delay that is set."""
    wait_s, served_per_s = longest_wait(rate_per_s=rate_per_s, clients=clients)

    assert wait_s <= WINDOW.delay_s + (clients + 1) * WINDOW.least / rate_per_s
    assert served_per_s == pytest.approx(rate_per_s)


def test_a_slow_engine_has_a_short_queue() -> None:
    """At 200 items a second the full window would be a queue of five seconds."""
    wait_s, _ = longest_wait(rate_per_s=200, clients=1)

    assert wait_s <= 1.4


def test_a_fast_engine_has_the_full_window() -> None:
    """After one answer."""
    granted = Credits(WINDOW)
    granted.received(64, 0.0, waits=True)

    granted.answered(64, 0.005)

    assert WINDOW.most == granted.left


def test_refused_items_say_nothing_of_the_engine() -> None:
    """They are answered at once, without it."""
    granted = Credits(WINDOW)
    granted.received(64, 0.0, waits=False)

    granted.answered(64, 0.0)

    assert WINDOW.least == granted.left
