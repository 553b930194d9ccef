"""Measures, with numbers from paper."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.achieved import interval
from model.bundle import KnownArrays
from model.calibrate import calibrate, fit
from model.evaluate import auroc, cluster_accuracy, evaluate, fpr95, oracle_clusters
from model.scores import Gate, LayerSlice


def points(centres: list[tuple[float, float]], n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    y = np.repeat(np.arange(len(centres)), n).astype(np.int64)
    noise = np.random.default_rng(seed).normal(size=(len(y), 2))
    return (np.array(centres)[y] + noise).astype(np.float32), y


KNOWN = [(0.0, 0.0), (20.0, 0.0), (0.0, 20.0)]


def known_arrays() -> KnownArrays:
    z, y = points(KNOWN, 60, 0)
    z_cal, y_cal = points(KNOWN, 60, 1)
    gate = Gate.fit(
        [("relative-mahalanobis", "output"), ("nearest-neighbour", "output")],
        [LayerSlice(name="output", start=0, stop=2)],
        z_fit=z,
        y_fit=y,
        z_cal=z_cal,
        y_cal=y_cal,
    )
    geometry = fit(z, y, cluster_dim=2)
    return calibrate(geometry, gate, z_cal, y_cal, z_fit=z, y_fit=y, known_error_rate=0.1)[0]


def measured(unseen: list[tuple[float, float]]) -> dict[str, float | None]:
    z_fresh, y_fresh = points(KNOWN, 50, 2)
    z_unseen, y_unseen = (
        points(unseen, 50, 3) if unseen else (np.empty((0, 2), np.float32), np.empty(0, np.int64))
    )
    return evaluate(
        known_arrays(),
        z_fresh=z_fresh,
        y_fresh=y_fresh,
        z_unseen=z_unseen,
        y_unseen=y_unseen,
        unseen_labels=tuple("xyz"[: len(unseen)]),
        known_error_rate=0.1,
        seed=0,
    )


def test_two_far_new_classes_are_caught_and_come_apart() -> None:
    """Classes far from the known ones and each other score 1 on everything."""
    metrics = measured([(60.0, 60.0), (60.0, -60.0)])

    for name in ("known_accuracy", "auroc", "caught/x", "caught/y", "cluster_accuracy", "cluster_nmi"):
        assert metrics[name] == pytest.approx(1.0), name
    assert metrics["fpr95"] == 0
    assert metrics["known_error_rate"] == pytest.approx(0.1, abs=0.1)


def test_a_new_class_on_top_of_a_known_one_is_not_caught() -> None:
    """A class where a known one lies is as strange as that one: AUROC near a half."""
    metrics = measured([KNOWN[0]])

    assert metrics["caught/x"] is not None
    assert metrics["caught/x"] < 0.3
    assert metrics["auroc"] == pytest.approx(0.5, abs=0.2)


def test_without_held_out_classes_their_measures_are_none() -> None:
    """With nothing unseen, only the known classes are measured."""
    metrics = measured([])

    assert {"auroc", "fpr95", "cluster_accuracy", "cluster_nmi"} == {
        n for n, v in metrics.items() if v is None
    }
    assert metrics["known_accuracy"] == 1


def test_the_rate_that_fresh_items_show_has_an_interval() -> None:
    """Around the share called new, on all fresh items."""
    metrics = measured([])
    found, low, high = (metrics[f"known_error_rate{end}"] for end in ("", "_low", "_high"))

    assert metrics["fresh_items"] == 150
    assert found is not None
    assert (low, high) == interval(round(150 * found), 150)


def test_a_single_new_class_has_nothing_to_come_apart_from() -> None:
    """With one held-out class the cluster measures are None."""
    metrics = measured([(60.0, 60.0)])

    assert metrics["cluster_accuracy"] is None
    assert metrics["auroc"] == 1


@pytest.mark.parametrize(
    ("fresh", "unseen", "expected"),
    [([0, 1], [2, 3], 1.0), ([2, 3], [0, 1], 0.0), ([1], [1], 0.5), ([0, 2], [1, 3], 0.75)],
)
def test_auroc_counts_pairs(fresh: list[float], unseen: list[float], expected: float) -> None:
    """AUROC is the share of pairs in the right order, ties counting half."""
    assert expected == auroc(np.array(fresh, float), np.array(unseen, float))


def test_fpr95_accepts_ninety_five_percent_of_the_known() -> None:
    """Of twenty fresh items nineteen are accepted, and with them unseen items up to the nineteenth."""
    fresh = np.arange(20.0)

    assert fpr95(fresh, np.array([17.5, 18.0, 18.5, 40.0])) == 0.5


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.permutations(range(4)))
def test_cluster_accuracy_does_not_depend_on_cluster_names(y: list[int], names: list[int]) -> None:
    """A right partition scores 1 whatever its clusters are called."""
    assert cluster_accuracy(np.array(y), np.array(names)[y]) == 1


def test_cluster_accuracy_matches_one_to_one() -> None:
    """A class cut in two keeps only its larger part: 3 + 2 of 6."""
    assert cluster_accuracy(np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 2, 1, 1])) == 5 / 6


def test_oracle_clusters_find_blobs() -> None:
    """k-means told k finds well-separated blobs, the same ones for the same seed."""
    z, y = points([(0, 0), (30, 0), (0, 30)], 20, 4)
    found = oracle_clusters(z, clusters=3, seed=1)

    assert cluster_accuracy(y, found) == 1
    np.testing.assert_array_equal(found, oracle_clusters(z, clusters=3, seed=1))
