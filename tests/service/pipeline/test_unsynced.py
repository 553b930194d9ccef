"""A bound from above of what is not synced, in bounded memory."""

from hypothesis import given
from hypothesis import strategies as st

from service.pipeline.unsynced import GRAIN_S, WINDOW_S, Unsynced


class Clock:
    """Goes when it is told to."""

    def __init__(self) -> None:
        self.t = 0.0

    def __call__(self) -> float:
        return self.t


@given(st.lists(st.tuples(st.floats(0.0, 1.5), st.integers(1, 50)), max_size=60), st.floats(0.0, 5.0))
def test_it_is_a_bound_and_not_a_bad_one(steps: list[tuple[float, int]], wait: float) -> None:
    """Never less than what came within the window, never more than what came within a little more."""
    clock = Clock()
    unsynced = Unsynced(clock)
    came: list[tuple[float, int]] = []
    seq = 0
    for pause, items in steps:
        clock.t += pause
        seq += items
        came.append((clock.t, items))
        unsynced.stands(seq)
    clock.t += wait
    least = sum(items for t, items in came if clock.t - t <= WINDOW_S)
    most = sum(items for t, items in came if clock.t - t <= WINDOW_S + 2 * GRAIN_S + 1e-6)

    assert least <= unsynced.items <= most


def test_memory_is_bounded() -> None:
    """However many batches there are a second."""
    clock = Clock()
    unsynced = Unsynced(clock)
    for seq in range(100_000):
        clock.t += 0.0005
        unsynced.stands(seq)

    assert len(unsynced._places) <= WINDOW_S / GRAIN_S + 2


def test_what_was_read_from_the_store_is_there() -> None:
    """It was not written just now."""
    unsynced = Unsynced(Clock())
    unsynced.stands(7)
    assert 7 == unsynced.items
    unsynced.restored(5)
    assert 0 == unsynced.items
    unsynced.stands(6)
    assert 1 == unsynced.items
