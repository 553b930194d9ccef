"""Calibration: geometry, conformal scores, and what the p-values promise."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.bundle import KnownArrays
from model.calibrate import (
    _stream_projection,
    calibrate,
    check_count,
    clustered_numbers,
    conformal_p,
    conformal_scores,
    fewest_own_scores,
    fit,
    in_proportion,
    overall_p,
    p_values,
    ranked,
)
from model.datasets import DataError
from model.scores import Gate, LayerSlice

LAYERS = (LayerSlice(name="a", start=0, stop=2), LayerSlice(name="b", start=2, stop=6))
"""Of the six dimensions of `blobs`."""


def blobs(seed: int, n: int, *, K: int = 3, D: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """K Gaussian classes in D dimensions around fixed centres: float32 (K n, D), int64 (K n,)."""
    centres = 6 * np.random.default_rng(99).normal(size=(K, D))
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(K), n)).astype(np.int64)
    return (centres[y] + rng.normal(size=(K * n, D))).astype(np.float32), y


def gate_for(z_fit: np.ndarray, y_fit: np.ndarray, z_cal: np.ndarray, y_cal: np.ndarray) -> Gate:
    wanted = [("relative-mahalanobis", "a"), ("nearest-neighbour", "b")]
    return Gate.fit(wanted, LAYERS, z_fit=z_fit, y_fit=y_fit, z_cal=z_cal, y_cal=y_cal)


def calibrated(seed: int = 0, *, n: int = 120, rate: float = 0.1) -> tuple[KnownArrays, tuple[int, ...]]:
    z_fit, y_fit = blobs(2 * seed, 150)
    z_cal, y_cal = blobs(2 * seed + 1, n)
    geometry = fit(z_fit, y_fit, cluster_dim=4)
    gate = gate_for(z_fit, y_fit, z_cal, y_cal)
    return calibrate(geometry, gate, z_cal, y_cal, z_fit=z_fit, y_fit=y_fit, known_error_rate=rate)


def test_whitened_distance_is_mahalanobis_under_the_shrunk_covariance() -> None:
    """The whitener turns Euclidean into Mahalanobis distance under 0.9 S + 0.1 (tr S / D) I."""
    z, y = blobs(0, 50)
    geometry = fit(z, y, cluster_dim=4)
    prototypes = np.stack([z[y == k].astype(float).mean(0) for k in range(3)])
    S = np.cov((z - prototypes[y]).T, bias=True)
    shrunk = 0.9 * S + 0.1 * np.trace(S) / 6 * np.eye(6)
    for k in range(3):
        gap = z - prototypes[k]
        expected = np.einsum("nd,de,ne->n", gap, np.linalg.inv(shrunk), gap)
        found = np.square((z - geometry.prototypes[k]) @ geometry.class_whitener).sum(1)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


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


def test_the_cluster_space_is_made_of_the_numbers_that_are_clustered() -> None:
    """The others do not enter it: what they are changes nothing, and the median class has radius 1 all the same."""
    z, y = blobs(0, 80)
    clustered = np.array([True, True, True, True, False, False])
    other = z.copy()
    other[:, 4:] = 100 * np.random.default_rng(0).normal(size=(len(z), 2))
    first, second = (fit(each, y, cluster_dim=3, clustered=clustered) for each in (z, other))
    w = (other - second.cluster_mean) @ second.cluster_projection
    radii = [np.sqrt(np.square(w[y == k] - w[y == k].mean(0)).sum(1).mean()) for k in range(3)]

    np.testing.assert_allclose(first.cluster_projection, second.cluster_projection, atol=1e-6)
    np.testing.assert_allclose(second.cluster_projection[4:], 0, atol=1e-6)
    assert float(np.median(radii)) == pytest.approx(1, rel=1e-4)


def test_all_layers_are_clustered_but_the_output_beside_others() -> None:
    """Alone, it is all there is."""
    layers = [("pooled", 0, 2), ("output", 2, 5), ("penultimate", 5, 6)]
    slices = [LayerSlice(name=name, start=start, stop=stop) for name, start, stop in layers]

    assert clustered_numbers(slices).tolist() == [True, True, False, False, False, True]
    assert clustered_numbers([LayerSlice(name="output", start=0, stop=3)]).tolist() == [True] * 3
    assert clustered_numbers(slices[:1]).tolist() == [True] * 2


@pytest.mark.parametrize("stream_dim", [3, 6])
def test_stream_features_are_half_whitened_directions_of_standardised_embeddings(stream_dim: int) -> None:
    """They do not go together, and each varies as the root of what its direction does, the widest first."""
    z, y = blobs(0, 60)
    z = z * np.array([1, 10, 100, 0.1, 1, 5], dtype=np.float32)
    geometry = fit(z, y, cluster_dim=2, stream_dim=stream_dim)
    standard = (z - z.mean(0)) / z.std(0)
    variances = np.linalg.eigvalsh(standard.T @ standard / len(z))[::-1][:stream_dim]
    features = (z - geometry.stream_mean) @ geometry.stream_projection

    assert (len(z), stream_dim) == features.shape
    np.testing.assert_allclose(features.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(features.T @ features / len(z), np.diag(np.sqrt(variances)), atol=1e-4)


def test_stream_features_do_not_depend_on_units() -> None:
    """An embedding in other units, dimension by dimension, has the same features but for their signs."""
    z, _ = blobs(0, 40)
    around = z - z.mean(0, dtype=np.float64)
    scaled = around * np.array([1, 1e3, 1e-3, 7, 1, 30])
    first, second = around @ _stream_projection(around, 4), scaled @ _stream_projection(scaled, 4)

    np.testing.assert_allclose(np.abs(first), np.abs(second), atol=1e-9)


def test_stream_features_leave_out_what_never_varies() -> None:
    """A constant dimension says nothing and breaks nothing; two that are one are one."""
    z, y = blobs(0, 40)
    z[:, 4], z[:, 5] = 7, z[:, 0]
    projection = fit(z, y, cluster_dim=2).stream_projection

    assert projection.shape == (6, 4)
    assert np.isfinite(projection).all()
    np.testing.assert_allclose(projection[4], 0, atol=1e-6)


def test_a_collapsed_embedding_is_refused() -> None:
    """Embeddings that do not differ within classes are refused, with what to change."""
    with pytest.raises(DataError, match=r"same point.*Train longer"):
        fit(np.repeat(np.eye(2, dtype=np.float32), 5, axis=0), np.repeat([0, 1], 5), cluster_dim=2)


def test_a_collapse_of_all_that_is_clustered_is_refused() -> None:
    """That a layer beside it varies does not help the cluster space."""
    z = np.hstack([np.repeat(np.eye(2), 5, axis=0), np.random.default_rng(0).normal(size=(10, 1))])
    only = np.array([True, True, False])

    with pytest.raises(DataError, match="same point"):
        fit(z.astype(np.float32), np.repeat([0, 1], 5), cluster_dim=2, clustered=only)


def test_p_values_by_hand() -> None:
    """Among scores 1, 2, 3: one as large as 3, three as large as 1, none as large as 4."""
    among = np.array([1, 2, 3], dtype=np.float32)

    assert conformal_p(np.array([0.5, 3.0, 2.5, 4.0]), among).tolist() == [1.0, 0.5, 0.5, 0.25]
    assert conformal_p(np.array([7.0]), np.empty(0, dtype=np.float32)).tolist() == [1.0]


def test_an_item_is_left_out_of_its_own_count() -> None:
    """With its own score 3 left out of 1, 2, 3 it is compared with 1 and 2; NaN leaves nothing out."""
    among = np.array([1, 2, 3], dtype=np.float32)
    fresh = np.array([3.0, 2.5, 4.0, 3.0])
    own = np.array([3.0, 3.0, 3.0, np.nan])

    assert conformal_p(fresh, among, own=own).tolist() == [1 / 3, 1 / 3, 1 / 3, 2 / 4]
    assert conformal_p(np.array([5.0]), np.array([5], np.float32), own=np.array([5.0])).tolist() == [1.0]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 30), st.booleans())
def test_leaving_out_is_what_calibration_without_the_item_would_give(seed: int, n: int, ties: bool) -> None:
    """For every item, whatever its score for the class, and its score among the others."""
    rng = np.random.default_rng(seed)
    own, fresh = rng.normal(size=(2, n))
    if ties:
        own, fresh = np.round(own), np.round(fresh)
    expected = [
        conformal_p(fresh[i : i + 1], np.sort(np.delete(own, i)).astype(np.float32))[0] for i in range(n)
    ]

    assert expected == conformal_p(fresh, np.sort(own.astype(np.float32)), own=own).tolist()


@pytest.mark.parametrize(("n", "pooled"), [(25, (0, 1, 2)), (60, ())])
def test_calibration_p_values_are_those_of_a_calibration_without_the_item(
    n: int, pooled: tuple[int, ...]
) -> None:
    """Item by item and class by class, with pooled scores and with a class's own; all above 0 and up to 1."""
    z_fit, y_fit = blobs(0, 50)
    z_cal, y_cal = blobs(1, n)
    gate = gate_for(z_fit, y_fit, z_cal, y_cal)
    rate = 2 / (n + 20) if pooled else 2 / (n - 5)
    known, borrowed = calibrate(
        fit(z_fit, y_fit, cluster_dim=4), gate, z_cal, y_cal, z_fit=z_fit, y_fit=y_fit, known_error_rate=rate
    )
    strange = gate(z_cal)
    true_class = strange[np.arange(len(y_cal)), y_cal]
    for i in range(len(y_cal)):
        others = np.arange(len(y_cal)) != i
        scores, offsets, _ = conformal_scores(
            true_class[others], y_cal[others], classes=3, known_error_rate=rate
        )
        for k in range(3):
            p = conformal_p(strange[i : i + 1, k], scores[offsets[k] : offsets[k + 1]])[0]
            assert np.float32(p) == known.calibration_p[i, k]

    assert borrowed == pooled
    assert known.calibration_p.min() > 0
    assert known.calibration_p.max() <= 1


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
        refused += int((p_values(known.gate(z), known).max(1) <= rate).sum())
        items += len(z)
    # Each seed's threshold is itself an estimate from 360 scores, so both counts add to the variance.
    sigma = np.sqrt(rate * (1 - rate) * (1 / items + 1 / (seeds * 360)))

    assert refused / items <= rate + 4 * sigma
    assert refused / items > rate / 2


def test_the_largest_p_value_is_ranked_among_those_of_held_out_items() -> None:
    """Of held-out items whose largest are .25, .5 and 1, two are as small as .5, one as .3, none as .2."""
    known, _ = calibrated()
    largest = np.array([[0.25, 0.1, 0.2], [0.3, 0.5, 0.1], [0.4, 0.2, 1.0]], dtype=np.float32)
    known = dataclasses.replace(known, calibration_p=largest)

    assert overall_p(np.array([0.5, 0.3, 0.2, 1.0]), known).tolist() == [3 / 4, 2 / 4, 1 / 4, 1]


def test_ranked_among_held_out_items_as_many_fresh_ones_are_called_new_as_were_asked_for() -> None:
    """Over many seeds, the share of fresh known items at or below any rate is that rate within binomial error."""
    seeds, p = 40, []
    for seed in range(seeds):
        known, _ = calibrated(seed, rate=0.1)
        p.append(overall_p(p_values(known.gate(blobs(10_000 + seed, 40)[0]), known).max(1), known))
    fresh = np.concatenate(p)
    for rate in (0.05, 0.1, 0.3):
        sigma = np.sqrt(rate * (1 - rate) * (1 / len(fresh) + 1 / (seeds * 360)))
        assert (fresh <= rate).mean() == pytest.approx(rate, abs=4 * sigma + 1 / 361)


def test_what_is_far_from_everything_has_the_smallest_p() -> None:
    """An item far from all classes has p = 1 / (n + 1) for each."""
    known, pooled = calibrated()

    assert pooled == ()
    far = known.gate(np.full((1, 6), 60, dtype=np.float32))
    np.testing.assert_allclose(p_values(far, known), 1 / 121)


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


@given(items=st.integers(1, 10**7), classes=st.integers(2, 150))
def test_the_rate_that_is_advised_is_accepted_and_hardly_larger_than_needed(items: int, classes: int) -> None:
    """Rounded up, and by less than a hundredth of it."""
    n = ranked(items, classes)
    with pytest.raises(DataError) as refused:
        check_count(items, 0.5 / (n + 1), classes=classes)
    advised = float(str(refused.value).removesuffix(" or more.").rpartition(" ")[2])

    check_count(items, advised, classes=classes)
    assert 1 <= advised * (n + 1) < 1.01


def test_items_that_are_not_ranked_among_do_not_count() -> None:
    """A million calibrate, 4,000 are ranked among: a rate of 1 in 10,000 would call nothing new, ever."""
    with pytest.raises(
        DataError, match=r"1000000 items .* 3995 are ranked .* So many are never ranked among"
    ):
        check_count(10**6, 1e-4, classes=10)

    check_count(10**6, 3e-4, classes=10)


def test_references_are_at_most_a_hundred_fitting_items_a_class() -> None:
    """Reference items are the first hundred fitting items of each class."""
    z, y = blobs(0, 150)
    known, _ = calibrated()

    assert np.bincount(known.reference_labels).tolist() == [100] * 3
    np.testing.assert_array_equal(z[y == 1][:100], known.reference_embeddings[known.reference_labels == 1])


def test_arrays_have_the_dtypes_of_a_bundle() -> None:
    """Every array, those of the gate's scores included, is float32 or int64, as the bundle format says."""
    known, _ = calibrated()
    dtypes = {name: array.dtype for name, array in known.table().items()}
    whole = {"counts", "calibration_offsets", "calibration_labels", "reference_labels"}

    assert {name: np.dtype(np.int64 if name in whole else np.float32) for name in dtypes} == dtypes


def test_embeddings_are_kept_of_some_calibration_items_of_every_class(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Scores count all of them; embeddings, labels and p-values are those of the same few, in their order."""
    whole, _ = calibrated()
    monkeypatch.setattr("model.calibrate.MOST_CALIBRATION_EMBEDDINGS", 30)
    few, _ = calibrated()
    z_cal, y_cal = blobs(1, 120)
    kept = in_proportion(y_cal, 30)

    np.testing.assert_array_equal(whole.calibration_scores, few.calibration_scores)
    assert np.bincount(few.calibration_labels).tolist() == [10] * 3
    np.testing.assert_array_equal(z_cal[kept], few.calibration_embeddings)
    np.testing.assert_array_equal(y_cal[kept], few.calibration_labels)
    np.testing.assert_array_equal(whole.calibration_p[kept], few.calibration_p)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(1, 70))
def test_some_of_every_class_are_taken_in_proportion(y: list[int], most: int) -> None:
    """The first of every class, its share rounded down but never none; all where there are few enough."""
    classes = np.array(y, dtype=np.int64)
    taken = in_proportion(classes, most)

    assert taken.tolist() == sorted(set(taken.tolist()))
    for k in set(y):
        own = np.flatnonzero(classes == k)
        share = len(own) if len(y) <= most else max(1, len(own) * most // len(y))
        assert own[:share].tolist() == [i for i in taken.tolist() if y[i] == k]
