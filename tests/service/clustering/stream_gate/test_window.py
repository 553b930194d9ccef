"""The window holds the latest items, oldest first, however they came."""

from collections import deque

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.clustering.stream_gate import constants
from service.clustering.stream_gate.window import Window

SIZE = 7


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(0, 3 * SIZE), max_size=8), again=st.integers(0, 8))
def test_it_is_a_queue_with_an_end(monkeypatch: pytest.MonkeyPatch, sizes: list[int], again: int) -> None:
    """Batches larger than it, and empty ones; and filled from itself anywhere it goes on the same."""
    monkeypatch.setattr(constants, "WINDOW", SIZE)
    window, expected = Window(2), deque[int](maxlen=SIZE)
    n = 0
    for turn, size in enumerate(sizes):
        if turn == again:
            other = Window(2)
            other.fill(window.recent())
            window = other
        at = np.arange(n, n + size)
        window.take(np.stack([at, -at], axis=1).astype(np.float16), at.astype(np.int32), at)
        expected.extend(at.tolist())
        n += size
    recent = window.recent()

    assert len(expected) == len(window)
    assert list(expected) == recent.cores.tolist() == recent.births.tolist()
    assert [[n, -n] for n in expected] == recent.features.tolist()
    assert (np.float16, np.int32, np.int64) == (
        recent.features.dtype,
        recent.cores.dtype,
        recent.births.dtype,
    )


def test_what_is_read_is_a_copy() -> None:
    """A fit works on it while the stream goes on."""
    window = Window(1)
    window.take(np.ones((3, 1), np.float16), np.zeros(3, np.int32), np.zeros(3, np.int64))
    before = window.recent()
    window.take(
        np.zeros((constants.WINDOW, 1), np.float16),
        np.ones(constants.WINDOW, np.int32),
        np.ones(constants.WINDOW, np.int64),
    )

    assert [[1], [1], [1]] == before.features.tolist()
    assert [0, 0, 0] == before.births.tolist()


def test_the_share_of_some_micro_clusters() -> None:
    """Of the items that are in it; those in a known class's core are that class's."""
    window = Window(1)
    assert 0.0 == window.share_of(np.array([1]))
    births, cores = np.array([0, 1, 1, 2, 3, 0, 0, 0]), np.array([-1, -1, 4, -1, -1, 0, 0, 0], np.int32)
    window.take(np.zeros((8, 1), np.float16), cores, births)

    assert 2 / 8 == window.share_of(np.array([1, 2]))
    assert 0.0 == window.share_of(np.empty(0, dtype=np.int64))
