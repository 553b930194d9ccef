"""When it tries again and when it gives up, by a clock that is a number."""

import pytest

from service.client import GaveUp, Problem
from service.client.patience import PAUSES_S, Patience


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_pauses_grow_to_the_last(clock: Clock) -> None:
    """A service that starts is found soon; one that is away is not flooded."""
    patience = Patience(60, now=clock, what="it")

    assert [*PAUSES_S, PAUSES_S[-1]] == [patience.failed("cut") for _ in range(len(PAUSES_S) + 1)]


def test_it_gives_up_when_nothing_was_answered_for_so_long(clock: Clock) -> None:
    """From the first failure on, not from the start."""
    patience = Patience(10, now=clock, what="http://x")
    clock.now += 1000
    patience.failed("cut")
    clock.now += 10
    patience.failed("cut")
    clock.now += 0.5

    with pytest.raises(GaveUp, match=r"http://x did not answer for 10\.5 s: cut"):
        patience.failed("cut")


def test_any_answer_renews_it(clock: Clock) -> None:
    """Time and pauses begin anew."""
    patience = Patience(10, now=clock, what="it")
    for _ in range(5):
        patience.failed("cut")
        clock.now += 9
        patience.renew()

    assert PAUSES_S[0] == patience.failed("cut")


@pytest.mark.parametrize(("said", "expected"), [(3.0, 3.0), (0.0, PAUSES_S[0]), (None, PAUSES_S[0])])
def test_a_service_that_says_when_is_believed(clock: Clock, said: float | None, expected: float) -> None:
    """But never asked at once."""
    assert expected == Patience(10, now=clock, what="it").failed("full", retry_after_s=said)


def test_a_wait_longer_than_the_patience_is_not_begun(clock: Clock) -> None:
    """A quota that is full for an hour is told of at once, with the problem."""
    problem = Problem(kind="/problems/quota", title="t", status=429, detail="an hour")

    with pytest.raises(GaveUp, match="asks to wait 3600 s") as raised:
        Patience(60, now=clock, what="it").failed("full", retry_after_s=3600, problem=problem)
    assert problem == raised.value.problem
