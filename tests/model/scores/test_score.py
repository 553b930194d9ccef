"""What all scores are made with: products row by row, means of classes, arrays held to a layout."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.scores.score import class_means, row_by_row, taken

LAYOUT = {"means": ("K", "d"), "whitener": ("d", "d"), "radii": ("K",)}


def arrays() -> dict[str, np.ndarray]:
    shapes = {"means": (3, 2), "whitener": (2, 2), "radii": (3,)}
    return {
        name: np.arange(np.prod(shape), dtype=np.float32).reshape(shape) for name, shape in shapes.items()
    }


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 9), st.integers(1, 70), st.integers(1, 70), st.booleans(), st.integers(0, 99))
def test_a_row_of_a_product_does_not_depend_on_the_others(
    B: int, d: int, m: int, is_transposed: bool, seed: int
) -> None:
    """The product is z @ W, and each row has the bits it has alone, however W lies in memory."""
    rng = np.random.default_rng(seed)
    z, W = rng.normal(size=(B, d)), rng.normal(size=(m, d)).T if is_transposed else rng.normal(size=(d, m))
    product = row_by_row(z, W)

    np.testing.assert_allclose(z @ W, product, rtol=1e-12, atol=1e-12)
    for row in range(B):
        np.testing.assert_array_equal(row_by_row(z[row : row + 1], W)[0], product[row], strict=True)


def test_means_are_of_each_class_in_float64() -> None:
    """Class after class, in more digits than the items have."""
    z = np.array([[0, 1], [1, 1], [2, 4]], dtype=np.float32)
    means = class_means(z, np.array([1, 0, 1]))

    assert means.tolist() == [[1, 1], [1, 2.5]]
    assert means.dtype == np.float64


def test_taken_arrays_are_the_same_numbers_in_float64() -> None:
    """In the order of the layout, whatever the order they came in."""
    given_ = arrays()
    found = taken(dict(reversed(given_.items())), LAYOUT)

    assert list(found) == list(LAYOUT)
    for name, array in given_.items():
        np.testing.assert_array_equal(array.astype(np.float64), found[name], strict=True)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("means", np.ones((3, 2)), r"has means as float64 \(3, 2\), not float32 \(K, d\)"),
        ("means", np.ones((3, 2), np.int64), r"has means as int64 \(3, 2\), not float32 \(K, d\)"),
        ("means", np.ones(3, np.float32), r"has means as float32 \(3,\), not float32 \(K, d\)"),
        ("means", np.ones((0, 2), np.float32), r"has means as float32 \(0, 2\), not float32 \(K, d\)"),
        ("whitener", np.ones((2, 3), np.float32), r"has whitener of shape \(2, 3\), where d is 2"),
        ("whitener", np.ones((4, 4), np.float32), r"has whitener of shape \(4, 4\), where d is 2"),
        ("radii", np.ones(2, np.float32), r"has radii of shape \(2,\), where K is 3"),
        ("centres", np.ones(2, np.float32), "has an unknown array 'centres'"),
    ],
)
def test_arrays_that_do_not_fit_the_layout_are_refused_by_name(
    name: str, array: np.ndarray, message: str
) -> None:
    """A wrong dtype, number of dimensions or size, or an array nobody asked for."""
    with pytest.raises(ValueError, match=message):
        taken({**arrays(), name: array}, LAYOUT)


@pytest.mark.parametrize("name", LAYOUT)
def test_a_missing_array_is_named(name: str) -> None:
    """Whichever it is."""
    rest = {other: array for other, array in arrays().items() if other != name}

    with pytest.raises(ValueError, match=f"has no array {name}"):
        taken(rest, LAYOUT)
