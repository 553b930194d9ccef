import numpy as np

from model.datasets.digits import load_digits


def test_all_digits_are_there() -> None:
    """1797 images of 8x8, values 0 to 16, ten classes of 174 to 183 items."""
    data = load_digits()
    counts = np.bincount(data.y)

    assert data.x.shape == (1797, 1, 8, 8)
    assert (data.x.min(), data.x.max()) == (0, 16)
    assert data.labels == tuple("0123456789")
    assert (counts.min(), counts.max()) == (174, 183)


def test_a_zero_looks_like_a_zero() -> None:
    """Images and labels belong together: the mean 0 is hollow in the middle, the mean 1 is not."""
    data = load_digits()
    zero, one = data.x[data.y == 0].mean(axis=0)[0], data.x[data.y == 1].mean(axis=0)[0]

    assert zero[3:5, 3:5].mean() < 3
    assert one[3:5, 3:5].mean() > 10
