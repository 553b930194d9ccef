"""The same item over and over is one piece of evidence."""

import numpy as np

from service.clustering.moments import APART, MOST_MOMENTS, SAME, Moment, is_repeat, remember

HERE = np.array([1.0, 2.0, 3.0])


def remembered(*points: tuple[int, float]) -> list[Moment]:
    """Points that counted: at which item, and how far from HERE."""
    moments: list[Moment] = []
    for seq, off in points:
        remember(moments, HERE + np.array([off, 0.0, 0.0]), seq)
    return moments


def test_the_same_again_is_a_repeat() -> None:
    assert not is_repeat([], HERE, 5)
    assert is_repeat(remembered((4, 0.0)), HERE, 5)


def test_near_is_the_same_and_far_is_not() -> None:
    """Within SAME; float32 in between does no harm."""
    assert is_repeat(remembered((4, 0.9 * SAME)), HERE, 5)
    assert not is_repeat(remembered((4, 1.1 * SAME)), HERE, 5)


def test_it_is_news_again_after_a_while() -> None:
    assert is_repeat(remembered((4, 0.0)), HERE, 4 + APART - 1)
    assert not is_repeat(remembered((4, 0.0)), HERE, 4 + APART)


def test_items_in_turns_are_repeats_too() -> None:
    """As many kinds as it remembers; of more, the oldest is forgotten."""
    kinds = [(n, 10.0 * n) for n in range(MOST_MOMENTS)]

    assert is_repeat(remembered(*kinds), HERE, MOST_MOMENTS)
    assert not is_repeat(remembered(*kinds, (MOST_MOMENTS, 99.0)), HERE, MOST_MOMENTS + 1)
    assert MOST_MOMENTS == len(remembered(*kinds, (MOST_MOMENTS, 99.0)))
