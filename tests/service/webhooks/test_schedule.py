"""When a message is tried again."""

from hypothesis import given
from hypothesis import strategies as st

from service.webhooks.schedule import JITTER, PAUSES_S, next_try

HOUR = 3600


def test_it_is_the_recommended_schedule() -> None:
    """At once, 5 s, 5 min, 30 min, 2, 5, 10, 14, 20 and 24 h."""
    assert [0, 5, 300, 1800, *(h * HOUR for h in (2, 5, 10, 14, 20, 24))] == list(PAUSES_S)


@given(st.integers(1, 20), st.floats(0, 2e9), st.floats(0, 1, exclude_max=True))
def test_a_pause_is_lengthened_by_luck_and_never_shortened(tries: int, now: float, luck: float) -> None:
    """Within a fifth; after the tenth try there is no other."""
    at = next_try(tries, now, luck)
    if tries >= len(PAUSES_S):
        assert at is None
    else:
        assert at is not None
        assert now + PAUSES_S[tries] <= at <= now + PAUSES_S[tries] * (1 + JITTER)


def test_in_all_it_takes_three_days() -> None:
    """So that a receiver may be away over a weekend."""
    now, tries = 0.0, 1
    while (at := next_try(tries, now, 0.0)) is not None:
        now, tries = at, tries + 1

    assert 10 == tries
    assert 3 * 24 * HOUR < now < 4 * 24 * HOUR
