"""The card is made of the run's facts."""

import dataclasses

import numpy as np

from model.bundle import CalibrationSpec
from model.card import command, write_card
from model.config import TrainConfig
from model.configs import starting_config
from model.datasets import load_dataset
from model.datasets.split import split


def card(hold_out: tuple[str, ...], *, pooled: tuple[str, ...] = (), nines: int | None = None) -> str:
    data = load_dataset("digits", data_dir=None)
    if nines is not None:
        kept = np.concatenate([np.flatnonzero(data.y != 9), np.flatnonzero(data.y == 9)[:nines]])
        data = dataclasses.replace(data, x=data.x[kept], y=data.y[kept])
    calibration = CalibrationSpec(
        score="relative-mahalanobis",
        known_error_rate=0.05,
        cluster_dim=4,
        cluster_radius=1.1,
        pooled_labels=pooled,
    )
    return write_card(
        TrainConfig(hold_out=hold_out),
        data=data,
        split=split(data, hold_out, seed=0),
        labels=[label for label in data.labels if label not in hold_out],
        calibration=calibration,
        metrics={"known_accuracy": 0.98765, "auroc": 0.5 if hold_out else None, "caught/3": 0.25},
    )


def test_it_states_data_limits_measures_and_command() -> None:
    """A card names the source, the classes, the rate, each measure and the command."""
    text = card(("3", "7"), pooled=("1", "2"))

    for fact in (
        "scikit-learn",
        "Known classes: 0, 1, 2, 4, 5, 6, 8, 9.",
        "Held-out classes: 3, 7.",
        "image of 1x8x8 numbers, each from 0 to 16",
        "About 5.0% of items",
        "pooled scores",
        "| 0.988 |",
        "items of 3 called new at the default rate | 0.250 |",
        "firstseen train digits --hold-out 3,7",
    ):
        assert fact in text


def test_it_admits_what_was_not_measured() -> None:
    """Without held-out classes the card says that finding new ones was not measured."""
    text = card(())

    assert "Held-out classes: none." in text
    assert "was not measured" in text
    assert "| not measured |" in text
    assert "pooled" not in text


def test_it_names_the_classes_that_were_too_small() -> None:
    """What was set aside is said with its number of items, and not at all where nothing was."""
    assert "fewer than 15 items, so neither known nor measured: 9 (6)." in card((), nines=6)
    assert "Set aside" not in card(())


def test_the_command_names_what_differs_from_the_defaults() -> None:
    """The command has every option that differs, quoted for a shell, and no other."""
    config = starting_config("my digits", None, {"network": "mlp", "augment": False, "seed": 3})

    assert command(config) == "firstseen train 'my digits' --network mlp --no-augment --seed 3"


def test_the_command_lists_columns_between_commas() -> None:
    """As they are given."""
    config = starting_config("nsl-kdd", None, {"drop": ("id", "time"), "categories": ("port",)})

    assert command(config) == "firstseen train nsl-kdd --categories port --drop id,time"
