"""Why streams are not tried again, and for how long."""

import pytest

from service.errors import StreamFails
from service.state.errors import StoreError
from service.streams.failed_streams import MOST, PAUSE_S, FailedStreams


class Clock:
    """Stands still until it is told to go."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def failed(clock: Clock) -> FailedStreams:
    return FailedStreams(clock)


def test_a_pause_and_then_another_try(failed: FailedStreams, clock: Clock) -> None:
    """Until it is over everybody is told why, and when to come again."""
    assert failed.note("a", StoreError("no snapshot is intact."))
    clock.now += PAUSE_S - 1.5
    with pytest.raises(
        StreamFails, match=r"'a' cannot be served: no snapshot is intact\. It is tried again in 2 s"
    ) as e:
        failed.check("a")
    failed.check("b")

    assert 2 == e.value.retry_after_s
    assert "no snapshot is intact." == failed.reason("a")
    clock.now += 1.5
    assert failed.reason("a") is None
    failed.check("a")


def test_a_bug_gives_nothing_away(failed: FailedStreams) -> None:
    """It is told from what a person can mend, and its text is not for clients."""
    assert not failed.note("a", RuntimeError("the secret of line 7"))
    assert "something failed inside. This is a bug in firstseen." == failed.reason("a")


def test_a_bounded_number(failed: FailedStreams, clock: Clock) -> None:
    """The oldest failures are forgotten; one that failed again is not old."""
    failed.note("first", StoreError("once"))
    for n in range(MOST - 1):
        failed.note(f"s{n}", StoreError("once"))
    clock.now += 1
    failed.note("first", StoreError("again"))
    failed.note("last", StoreError("once"))

    assert "again" == failed.reason("first")
    assert failed.reason("s0") is None
    assert "once" == failed.reason("s1") == failed.reason("last")
