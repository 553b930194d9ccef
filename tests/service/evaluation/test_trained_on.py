"""What a bundle says of its training is believed only where it can be so."""

from pathlib import Path
from typing import Any

import pytest

from model.bundle import Bundle, BundleError
from service.evaluation.trained_on import TrainedOn, trained_on


def read(**config: Any) -> TrainedOn:
    return trained_on(config, bundle=Path("bundles/x"))


def test_what_the_trainer_writes_is_read(digits_bundle: Bundle) -> None:
    """The fields of a real bundle, whatever else is there."""
    found = read(**digits_bundle.manifest.config, field_of_tomorrow=[1])

    assert ("digits", ("3", "7"), 0, None) == (found.dataset, found.hold_out, found.seed, found.max_items)


def test_what_is_missing_is_not_said() -> None:
    """A bundle of another trainer may say nothing."""
    assert TrainedOn() == read()


@pytest.mark.parametrize(
    "config",
    [
        {"dataset": 5},
        {"dataset": "a/" * 5000},
        {"dataset": ""},
        {"label": 5},
        {"text": ["a"]},
        {"categories": 5},
        {"categories": "abc"},
        {"drop": 5},
        {"drop": [5]},
        {"image_size": "8"},
        {"image_size": 0},
        {"hold_out": 5},
        {"hold_out": [["a"]]},
        {"hold_out": "37"},
        {"max_items": "x"},
        {"max_items": -1},
        {"seed": -1},
        {"seed": 10**30},
        {"seed": 1.5},
        {"seed": [1]},
        {"seed": True},
    ],
)
def test_what_no_trainer_writes_is_refused(config: dict[str, Any]) -> None:
    """With the bundle, and the field."""
    (field,) = config
    with pytest.raises(BundleError, match=rf"bundles/x.*config\.{field}\b"):
        read(**config)
