"""What every known-class score promises, whichever it is; its formula is in the file of its name."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.scores import SCORES
from model.scores.score import Score

KINDS = sorted(SCORES)


def blobs(n: int, *, K: int, d: int, seed: int = 0, spread: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Draw n items of each of K classes around fixed places: float32 (K n, d), int64 (K n,), classes mixed."""
    centres = 3 * np.random.default_rng(99).normal(size=(K, d))
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(K), n)).astype(np.int64)
    return (centres[y] + spread * rng.normal(size=(K * n, d))).astype(np.float32), y


def fitted(kind: str, n: int = 20, *, K: int = 3, d: int = 6, seed: int = 0) -> Score:
    return SCORES[kind].fit(*blobs(n, K=K, d=d, seed=seed))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None)
@given(
    n=st.integers(1, 120),
    K=st.integers(1, 5),
    d=st.integers(1, 40),
    B=st.integers(0, 6),
    seed=st.integers(0, 99),
)
def test_every_item_has_a_finite_score_for_every_class(
    kind: str, n: int, K: int, d: int, B: int, seed: int
) -> None:
    """Down to one class, one dimension, one item of a class and no item to score."""
    score = fitted(kind, n, K=K, d=d, seed=seed)
    found = score(np.random.default_rng(seed).normal(size=(B, d)))

    assert (score.classes, score.dim) == (K, d)
    assert (B, K) == found.shape
    assert found.dtype == np.float64
    assert np.isfinite(found).all()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None)
@given(K=st.integers(1, 40), d=st.integers(1, 70), B=st.integers(1, 9), seed=st.integers(0, 99))
def test_what_an_item_scores_does_not_depend_on_its_batch(
    kind: str, K: int, d: int, B: int, seed: int
) -> None:
    """Batches are rows one by one, to the last bit."""
    score = fitted(kind, 7, K=K, d=d, seed=seed)
    z = np.random.default_rng(seed).normal(size=(B, d))
    found = score(z)
    for row in range(B):
        np.testing.assert_array_equal(found[row], score(z[row : row + 1])[0], strict=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 3, 20, 130])
def test_what_is_stored_is_what_was_fitted(kind: str, n: int) -> None:
    """Through its arrays, float32 all of them, a score comes back to the last bit, and so do its arrays."""
    score = fitted(kind, n)
    stored = score.arrays()
    again = SCORES[kind].from_arrays(stored)
    z = blobs(5, K=4, d=6, seed=1)[0].astype(np.float64)

    np.testing.assert_array_equal(score(z), again(z), strict=True)
    assert stored.keys() == again.arrays().keys()
    for name, array in stored.items():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, again.arrays()[name], strict=True)


@pytest.mark.parametrize("kind", KINDS)
def test_an_item_is_least_strange_for_its_own_class(kind: str) -> None:
    """Where classes lie far apart, fresh items have their smallest score in their own column."""
    z, y = blobs(10, K=3, d=6, seed=1)

    np.testing.assert_array_equal(y, fitted(kind)(z.astype(np.float64)).argmin(1))


@pytest.mark.parametrize("kind", KINDS)
def test_the_numbers_of_the_classes_do_not_matter(kind: str) -> None:
    """Classes in another order are columns in another order."""
    z, y = blobs(20, K=3, d=6)
    order = np.array([2, 0, 1])
    fresh = blobs(10, K=3, d=6, seed=1)[0].astype(np.float64)
    first, second = SCORES[kind].fit(z, y), SCORES[kind].fit(z, order[y])

    np.testing.assert_allclose(first(fresh), second(fresh)[:, order], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_items_that_are_all_the_same_point_break_nothing(kind: str) -> None:
    """A class without any spread, a layer without any, and an item without length still have finite scores."""
    z, y = blobs(6, K=2, d=3)
    collapsed = np.where(y[:, None] == 0, np.float32(1), z)
    for items in (collapsed, np.ones_like(z), np.zeros_like(z)):
        score = SCORES[kind].fit(items, y)
        assert np.isfinite(score(np.array([[0.0, 0, 0], [1, 1, 1], [5, -5, 0]]))).all()


@pytest.mark.parametrize("kind", KINDS)
def test_every_array_is_needed_and_no_other_is_taken(kind: str) -> None:
    """What is missing or unknown is named."""
    stored = fitted(kind).arrays()
    for name in stored:
        rest = {other: array for other, array in stored.items() if other != name}
        with pytest.raises(ValueError, match=f"has no array {name}"):
            SCORES[kind].from_arrays(rest)
    with pytest.raises(ValueError, match="has an unknown array 'extra'"):
        SCORES[kind].from_arrays({**stored, "extra": np.ones(1, np.float32)})


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_of_another_form_are_refused_by_name(kind: str) -> None:
    """Another dtype or another number of dimensions, in whichever array."""
    stored = fitted(kind).arrays()
    for name, array in stored.items():
        for wrong in (array.astype(np.float64), array[None], array[:0]):
            with pytest.raises(ValueError, match=f"has {name} as"):
                SCORES[kind].from_arrays({**stored, name: wrong})


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("mahalanobis", "whitener"),
        ("relative-mahalanobis", "background_mean"),
        ("relative-mahalanobis", "background_whitener"),
        ("nearest-neighbour", "counts"),
        ("centre-radius", "squared_radii"),
    ],
)
def test_arrays_that_do_not_go_together_are_refused(kind: str, name: str) -> None:
    """One array of a score for other classes, or of another layer."""
    stored, others = fitted(kind).arrays(), fitted(kind, K=2, d=4).arrays()

    with pytest.raises(ValueError, match=rf"has {name} of shape .*, where . is"):
        SCORES[kind].from_arrays({**stored, name: others[name]})
