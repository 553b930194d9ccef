"""The streams of the benchmarks have the shape they promise."""

import numpy as np
import pytest

from benchmarks.streams import filaments, moons_and_circles


@pytest.mark.parametrize("d", [2, 16])
def test_filaments_lie_far_apart_and_have_the_class_they_came_from(d: int) -> None:
    """No two items of different chains are within ten radii of each other, less the noise."""
    stream = filaments(d=d, micro_clusters=40, items=200, seed=3)

    assert stream.x.shape == (200, d)
    apart = np.linalg.norm(stream.x[:, None, :] - stream.x[None, :, :], axis=-1)
    assert apart[stream.y[:, None] != stream.y[None, :]].min() > 4.0
    assert set(range(4)) == set(stream.y.tolist())


def test_fewer_items_than_balls_is_a_short_stream() -> None:
    """The first visit is cut, not filled up."""
    assert len(filaments(d=2, micro_clusters=100, items=7, seed=0).x) == 7


@pytest.mark.parametrize(
    "make",
    [
        lambda s: filaments(d=3, micro_clusters=20, items=50, seed=s),
        lambda s: moons_and_circles(items=50, seed=s),
    ],
)
def test_the_seed_decides(make) -> None:  # noqa: ANN001 - a stream maker
    """Same seed, same items; another seed, others."""
    np.testing.assert_array_equal(make(1).x, make(1).x)

    assert not np.array_equal(make(1).x, make(2).x)


def test_moons_and_circles_has_four_classes_of_equal_size() -> None:
    """Two moons, two rings."""
    stream = moons_and_circles(items=400, seed=0)

    assert [100, 100, 100, 100] == np.bincount(stream.y).tolist()
