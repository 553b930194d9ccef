"""Calibration: geometry, conformal scores, and what the p-values promise."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.bundle import KnownArrays
from model.calibrate import (
    calibrate,
    check_count,
    conformal_p,
    conformal_scores,
    fewest_own_scores,
    fit,
    p_values,
    scores,
)
from model.datasets import DataError


def blobs(seed: int, n: int, *, K: int = 3, D: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """K Gaussian classes in D dimensions around fixed centres: float32 (K n, D), int64 (K n,)."""
    centres = 6 * np.random.default_rng(99).normal(size=(K, D))
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(K), n)).astype(np.int64)
    return (centres[y] + rng.normal(size=(K * n, D))).astype(np.float32), y


def calibrated(seed: int = 0, *, n: int = 120, rate: float = 0.1) -> tuple[KnownArrays, tuple[int, ...]]:
    z_fit, y_fit = blobs(2 * seed, 150)
    z_cal, y_cal = blobs(2 * seed + 1, n)
    geometry = fit(z_fit, y_fit, cluster_dim=4)
    return calibrate(geometry, z_cal, y_cal, z_fit=z_fit, y_fit=y_fit, known_error_rate=rate)


def test_whitened_distance_is_mahalanobis_under_the_shrunk_covariance() -> None:
    """Both whiteners turn Euclidean into Mahalanobis distance under 0.9 S + 0.1 (tr S / D) I."""
    z, y = blobs(0, 50)
    geometry = fit(z, y, cluster_dim=4)
    prototypes = np.stack([z[y == k].astype(float).mean(0) for k in range(3)])
    expected = np.zeros((len(z), 3))
    for k in range(3):
        for centres, sign, points in ((prototypes[y], 1, prototypes[k]), (z.mean(0), -1, z.mean(0))):
            S = np.cov((z - centres).T, bias=True)
            shrunk = 0.9 * S + 0.1 * np.trace(S) / 6 * np.eye(6)
            gap = z - points
            expected[:, k] += sign * np.einsum("nd,de,ne->n", gap, np.linalg.inv(shrunk), gap)

    np.testing.assert_allclose(scores(z, geometry), expected, rtol=1e-3, atol=1e-3)


def test_prototypes_are_class_means_and_counts_count() -> None:
    """Prototypes are the means of the fitting items of each class."""
    z = np.array([[0, 0], [2, 0], [9, 9], [9, 9], [9, 9]], dtype=np.float32)
    geometry = fit(z, np.array([0, 0, 1, 1, 1]), cluster_dim=2)

    assert geometry.prototypes.tolist() == [[1, 0], [9, 9]]
    assert geometry.counts.tolist() == [2, 3]


def test_in_cluster_space_the_median_class_has_radius_one() -> None:
    """The median over classes of the RMS distance to the class mean is 1 there."""
    z, y = blobs(0, 80, K=5)
    z[y == 0] *= 3
    geometry = fit(z, y, cluster_dim=4)
    w = (z - geometry.cluster_mean) @ geometry.cluster_projection
    radii = [np.sqrt(np.square(w[y == k] - w[y == k].mean(0)).sum(1).mean()) for k in range(5)]

    assert (len(z), 4) == w.shape
    assert float(np.median(radii)) == pytest.approx(1, rel=1e-4)


def test_cluster_space_has_no_empty_directions() -> None:
    """Embeddings that span two of six dimensions give a cluster space of two, whatever was asked."""
    z, y = blobs(0, 40)
    z[:, 2:] = 0

    assert fit(z, y, cluster_dim=16).cluster_projection.shape == (6, 2)


def test_a_collapsed_embedding_is_refused() -> None:
    """Embeddings that do not differ within classes are refused, with what to change."""
    with pytest.raises(DataError, match=r"same point.*Train longer"):
        fit(np.repeat(np.eye(2, dtype=np.float32), 5, axis=0), np.repeat([0, 1], 5), cluster_dim=2)


def test_p_values_by_hand() -> None:
    """Among scores 1, 2, 3: one as large as 3, three as large as 1, none as large as 4."""
    among = np.array([1, 2, 3], dtype=np.float32)

    assert conformal_p(np.array([0.5, 3.0, 2.5, 4.0]), among).tolist() == [1.0, 0.5, 0.5, 0.25]
    assert conformal_p(np.array([7.0]), np.empty(0, dtype=np.float32)).tolist() == [1.0]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 60), st.booleans())
def test_p_values_of_exchangeable_scores_are_super_uniform(seed: int, n: int, ties: bool) -> None:
    """P(p <= a) <= a for every a, with and without ties.

    Exactly, not within noise: leave each of n + 1 scores out in turn; at most floor(a (n + 1)) of the n + 1
    equally likely choices of the fresh one have p <= a.
    """
    draws = np.random.default_rng(seed).normal(size=n + 1).astype(np.float32)
    if ties:
        draws = np.round(draws)
    p = np.array(
        [conformal_p(draws[i : i + 1].astype(float), np.sort(np.delete(draws, i)))[0] for i in range(n + 1)]
    )
    for a in np.arange(1, n + 2) / (n + 1):
        assert (p <= a + 1e-12).sum() <= round(a * (n + 1))


def test_fresh_known_items_are_called_new_at_most_at_the_rate() -> None:
    """Over many seeds, the share of fresh known items called new stays at the rate within binomial error."""
    rate, seeds, refused, items = 0.1, 40, 0, 0
    for seed in range(seeds):
        known, _ = calibrated(seed, rate=rate)
        z, _ = blobs(10_000 + seed, 40)
        refused += int((p_values(z, known).max(1) <= rate).sum())
        items += len(z)
    # Each seed's threshold is itself an estimate from 360 scores, so both counts add to the variance.
    sigma = np.sqrt(rate * (1 - rate) * (1 / items + 1 / (seeds * 360)))

    assert refused / items <= rate + 4 * sigma
    assert refused / items > rate / 2


def test_what_is_far_from_everything_has_the_smallest_p() -> None:
    """An item far from all classes has p = 1 / (n + 1) for each."""
    known, pooled = calibrated()

    assert pooled == ()
    np.testing.assert_allclose(p_values(np.full((1, 6), 60, dtype=np.float32), known), 1 / 121)


def test_a_class_uses_its_own_scores_from_the_stated_count_on() -> None:
    """At a rate of .1 nineteen scores are a class's own; with eighteen it gets those of all classes."""
    y = np.repeat([0, 1, 2], [19, 18, 30])
    drawn = np.random.default_rng(0).normal(size=67)
    got, offsets, pooled = conformal_scores(drawn, y, classes=3, known_error_rate=0.1)

    assert fewest_own_scores(0.1) == 19
    assert pooled == (1,)
    assert offsets.tolist() == [0, 19, 19 + 67, 19 + 67 + 30]
    np.testing.assert_array_equal(np.sort(drawn.astype(np.float32)), got[19:86])
    np.testing.assert_array_equal(np.sort(drawn[:19].astype(np.float32)), got[:19])


def test_at_two_percent_a_class_needs_ninety_nine() -> None:
    """The default rate needs 99 scores for a class of its own."""
    assert fewest_own_scores(0.02) == 99


def test_too_few_items_for_any_to_be_called_new_is_an_error() -> None:
    """With n scores no p is below 1 / (n + 1); a rate below that is refused, naming a rate that works."""
    y = np.repeat([0, 1], 4)

    with pytest.raises(DataError, match=r"8 items .* at least 49 are needed.*0\.112"):
        conformal_scores(np.zeros(8), y, classes=2, known_error_rate=0.02)


@given(items=st.integers(1, 10**7))
def test_the_rate_that_is_advised_is_accepted_and_hardly_larger_than_needed(items: int) -> None:
    """Rounded up, and by less than a hundredth of it."""
    with pytest.raises(DataError) as refused:
        check_count(items, 0.5 / (items + 1))
    advised = float(str(refused.value).removesuffix(" or more.").rpartition(" ")[2])

    check_count(items, advised)
    assert 1 <= advised * (items + 1) < 1.01


def test_references_are_at_most_a_hundred_fitting_items_a_class() -> None:
    """Reference items are the first hundred fitting items of each class."""
    z, y = blobs(0, 150)
    known, _ = calibrated()

    assert np.bincount(known.reference_labels).tolist() == [100] * 3
    np.testing.assert_array_equal(z[y == 1][:100], known.reference_embeddings[known.reference_labels == 1])


def test_arrays_have_the_dtypes_of_a_bundle() -> None:
    """Every array is float32 or int64, as the bundle format says."""
    known, _ = calibrated()
    dtypes = {field.name: getattr(known, field.name).dtype for field in dataclasses.fields(known)}
    whole = {"counts", "calibration_offsets", "calibration_labels", "reference_labels"}

    assert {name: np.dtype(np.int64 if name in whole else np.float32) for name in dtypes} == dtypes
