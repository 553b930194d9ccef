"""Two halves of the held-out items, that share none."""

import numpy as np
import pytest

from service.clustering.stream_gate import constants
from service.clustering.stream_gate.features import FeatureSpace
from service.clustering.stream_gate.held_out import are_enough, halves
from tests.service.clustering.overlapping import overlapping


def test_no_item_is_in_both() -> None:
    """Every other one is fitted, the rest judged."""
    known = overlapping().known
    fitted, judged = halves(known, FeatureSpace(known))

    assert are_enough(known)
    assert set(range(3000)) == {*fitted.places.tolist(), *judged.places.tolist()}
    assert 1500 == len(fitted.places) == len(judged.places)
    for half in (fitted, judged):
        np.testing.assert_array_equal(known.calibration_labels[half.places], half.labels)
        np.testing.assert_array_equal(np.bincount(half.labels), half.counts)
        np.testing.assert_array_equal(known.calibration_p[half.places].max(axis=1), half.p)
        assert half.mass(np.array([0.7, 0.1, 0.1, 0.1])).sum() == pytest.approx(1.0)


def test_too_few_are_all_judged() -> None:
    """By the known gate alone, which needs no fit."""
    few = overlapping(held_out=400).known
    _, judged = halves(few, FeatureSpace(few))

    assert not are_enough(few)
    assert list(range(400)) == judged.places.tolist()


def test_no_more_are_fitted_than_bounds_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many the bundle has."""
    monkeypatch.setattr(constants, "MOST_FITTED", 100)
    known = overlapping().known

    assert 100 == len(halves(known, FeatureSpace(known))[0].places)
