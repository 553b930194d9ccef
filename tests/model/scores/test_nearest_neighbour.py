"""The distance to the fifth nearest reference, by looking at all of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.scores.nearest_neighbour import NEIGHBOUR, REFERENCES, NearestNeighbour


def literal(z: np.ndarray, y: np.ndarray, fresh: np.ndarray) -> np.ndarray:
    """All distances to the first hundred of each class, sorted; of fewer than five the last."""
    scores = []
    for x in fresh:
        row = []
        for k in range(int(y.max()) + 1):
            own = [r for r, c in zip(z.astype(np.float64), y, strict=True) if c == k][:100]
            distances = sorted(float(np.sqrt(((x - r) ** 2).sum())) for r in own)
            row.append(distances[min(5, len(distances)) - 1])
        scores.append(row)
    return np.array(scores)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=4), st.integers(1, 6), st.integers(0, 1000))
def test_it_is_the_formula(counts: list[int], d: int, seed: int) -> None:
    """For classes of any sizes, also of fewer than five items; an item on a reference included."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    z = rng.normal(size=(len(y), d)).astype(np.float32)
    fresh = np.concatenate([rng.normal(size=(4, d)), z[:1].astype(np.float64)])
    expected = literal(z, y, fresh)

    np.testing.assert_allclose(NearestNeighbour.fit(z, y)(fresh), expected, rtol=1e-6, atol=1e-6)


def test_the_fifth_nearest_by_hand() -> None:
    """From 0 the references 1 to 9 are as far as they are large; of three at 10, 20, 30 the farthest counts."""
    z = np.array([*range(9, 0, -1), 10, 30, 20], dtype=np.float32)[:, None]
    score = NearestNeighbour.fit(z, np.repeat([0, 1], [9, 3]))

    assert NEIGHBOUR == 5
    assert score(np.zeros((1, 1))).tolist() == [[5, 30]]


def test_a_class_is_represented_by_its_first_items() -> None:
    """What comes after the hundredth item of a class changes nothing, and takes no room."""
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(250, 3)).astype(np.float32), np.repeat([0, 1], [150, 100])
    other = z.copy()
    other[100:150] += 50
    first, second = NearestNeighbour.fit(z, y).arrays(), NearestNeighbour.fit(other, y).arrays()

    assert first["references"].shape == (2, REFERENCES, 3)
    np.testing.assert_array_equal(first["references"], second["references"])
    np.testing.assert_array_equal(z[150:], first["references"][1])


def test_rows_beyond_a_class_count_for_nothing() -> None:
    """They are zero when fitted, and whatever they are, no item is near them."""
    z = np.array([[1, 0], [2, 0], [3, 0], [5, 5]], dtype=np.float32)
    arrays = NearestNeighbour.fit(z, np.array([0, 0, 0, 1])).arrays()
    fresh = np.random.default_rng(0).normal(size=(6, 2))
    expected = NearestNeighbour.from_arrays(arrays)(fresh)

    assert arrays["counts"].tolist() == [3, 1]
    assert not arrays["references"][1, 1:].any()
    arrays["references"][1, 1:] = 0.25
    np.testing.assert_array_equal(expected, NearestNeighbour.from_arrays(arrays)(fresh))


@pytest.mark.parametrize("count", [0, -1, 2.5, 4, np.nan, np.inf])
def test_counts_that_cannot_be_are_refused(count: float) -> None:
    """A class has at least one reference, a whole number, and no more than there are rows."""
    arrays = {
        "references": np.ones((2, 3, 4), dtype=np.float32),
        "counts": np.array([3, count], dtype=np.float32),
    }

    with pytest.raises(ValueError, match="has counts that are not whole numbers from 1 to 3"):
        NearestNeighbour.from_arrays(arrays)


def test_moving_everything_moves_no_score() -> None:
    """Only where an item lies among the references matters; turning all of it does not."""
    rng = np.random.default_rng(0)
    z, y, fresh = rng.normal(size=(40, 3)), np.repeat([0, 1], 20), rng.normal(size=(7, 3))
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    expected = NearestNeighbour.fit(z.astype(np.float32), y)(fresh)
    moved = NearestNeighbour.fit((z @ turn + 2).astype(np.float32), y)(fresh @ turn + 2)

    np.testing.assert_allclose(expected, moved, atol=1e-5)
