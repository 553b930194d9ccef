"""Which runs are tried around the one that was asked for."""

import pytest

from model.candidates import around
from model.choice import differing
from model.config import ConfigError, TrainConfig
from model.objectives import OBJECTIVES
from model.scores import SCORES


def test_the_asked_run_comes_first_and_nothing_comes_twice() -> None:
    """Every combination once; what changes fewer fields is preferred."""
    for config in (TrainConfig(), TrainConfig(objective="hinge", layers=("pooled",), auxiliary="two-views")):
        tried = around(config)
        changes = [len(differing([config, one])) for one in tried]

        assert tried[0] == config
        assert len(set(tried)) == len(tried)
        assert sorted(changes) == changes


def test_all_combinations_are_tried() -> None:
    """Objectives, auxiliary, layers, gates; an asked value that is not among them comes on top."""
    nets, here, without_output = 5 * 2, 7, 5

    assert len(around(TrainConfig())) == nets * (here + without_output + here)
    assert len(around(TrainConfig(objective="hinge"))) == nets * (here + without_output + here)
    assert len(around(TrainConfig(layers=("pooled",)))) == nets * (
        here + without_output + here + without_output
    )
    assert len(around(TrainConfig(gate=("centre-radius", "mahalanobis")))) == nets * (
        here + without_output + here + 3
    )


def test_what_was_given_stays() -> None:
    """A field that whoever asked gave is no question."""
    tried = around(TrainConfig(objective="hinge"), {"objective", "seed"})

    assert {"hinge"} == {config.objective for config in tried}
    assert {"none", "two-views"} == {config.auxiliary for config in tried}
    assert (TrainConfig(),) == around(TrainConfig(), {"objective", "auxiliary", "layers", "gate"})


def test_a_gate_on_named_layers_keeps_the_layers() -> None:
    """The layers that it looks at must be there."""
    tried = around(TrainConfig(gate=("energy:output",)), {"gate"})

    assert {()} == {config.layers for config in tried}


def test_a_gate_is_left_out_where_its_layer_is() -> None:
    """Energy looks at the output, which a candidate of the layer before alone has not."""
    tried = around(TrainConfig())
    with_energy = {config.layers for config in tried if any("energy" in part for part in config.gate)}

    assert {(), ("penultimate", "output")} == with_energy
    assert ("penultimate",) in {config.layers for config in tried}


def test_every_objective_and_every_score_is_tried() -> None:
    """Alone or in a mean with others."""
    tried = around(TrainConfig())
    parts = {part.partition(":")[0] for config in tried for part in config.gate}

    assert {config.objective for config in tried} == set(OBJECTIVES)
    assert parts == set(SCORES)
    assert any(len(config.gate) > 1 for config in tried)


def test_an_encoder_that_is_tuned_has_no_two_views() -> None:
    """It trains on tokens, which nothing changes."""
    assert {"none"} == {config.auxiliary for config in around(TrainConfig(network="sentence", tune=True))}


def test_without_augmentation_there_are_no_two_views() -> None:
    """What cannot work is not tried."""
    assert {"none"} == {config.auxiliary for config in around(TrainConfig(augment=False))}


def test_a_run_that_stops_early_leaves_nothing_to_find_out() -> None:
    """Where to stop is part of the choice."""
    with pytest.raises(ConfigError, match="leave stop_at away"):
        around(TrainConfig(stop_at=0.5))
