"""Which runs are tried around the one that was asked for."""

import pytest

from model.candidates import around
from model.config import ConfigError, TrainConfig


def test_the_asked_run_comes_first_and_nothing_comes_twice() -> None:
    """Every combination once, in the order of preference."""
    for config in (TrainConfig(), TrainConfig(objective="hinge", layer="pooled", auxiliary="two-views")):
        tried = around(config)

        assert tried[0] == config
        assert len(set(tried)) == len(tried)


def test_all_combinations_are_tried() -> None:
    """Three objectives with and without the auxiliary, on two layers; an asked one besides comes on top."""
    assert len(around(TrainConfig())) == 12
    assert len(around(TrainConfig(objective="hinge"))) == 16


def test_what_was_given_stays() -> None:
    """A field that whoever asked gave is no question."""
    tried = around(TrainConfig(objective="hinge"), {"objective", "seed"})

    assert {"hinge"} == {config.objective for config in tried}
    assert {"none", "two-views"} == {config.auxiliary for config in tried}
    assert (TrainConfig(),) == around(TrainConfig(), {"objective", "auxiliary", "layer"})


def test_without_augmentation_there_are_no_two_views() -> None:
    """What cannot work is not tried."""
    assert {"none"} == {config.auxiliary for config in around(TrainConfig(augment=False))}


def test_a_run_that_stops_early_leaves_nothing_to_find_out() -> None:
    """Where to stop is part of the choice."""
    with pytest.raises(ConfigError, match="leave stop_at away"):
        around(TrainConfig(stop_at=0.5))
