"""The card is made of the run's facts."""

import dataclasses
import shlex

import numpy as np

from model.bundle import CalibrationSpec, EmbeddingSpec, LayerSpec, ScoreSpec
from model.card import command, write_card
from model.choice import Choice, Met, Tried
from model.config import TrainConfig
from model.configs import starting_config
from model.datasets import load_dataset
from model.datasets.split import split
from model.rehearse import Expected, Rehearsal


def card(
    hold_out: tuple[str, ...],
    *,
    pooled: tuple[str, ...] = (),
    nines: int | None = None,
    config: TrainConfig | None = None,
    choice: Choice | None = None,
    scores: tuple[tuple[str, str], ...] = (("relative-mahalanobis", "output"),),
    layers: tuple[tuple[str, int], ...] = (("penultimate", 128), ("output", 32)),
    more: dict[str, float | None] | None = None,
    rehearsal: Rehearsal | None = None,
    expected: Expected | None = None,
) -> str:
    data = load_dataset("digits", data_dir=None)
    if nines is not None:
        kept = np.concatenate([np.flatnonzero(data.y != 9), np.flatnonzero(data.y == 9)[:nines]])
        data = dataclasses.replace(data, x=data.x[kept], y=data.y[kept])
    calibration = CalibrationSpec(
        scores=tuple(ScoreSpec(score=s, layer=layer, mean=0.0, scale=1.0) for s, layer in scores),  # type: ignore[arg-type]
        known_error_rate=0.05,
        cluster_dim=4,
        cluster_radius=1.1,
        stream_dim=4,
        pooled_labels=pooled,
    )
    return write_card(
        config or TrainConfig(hold_out=hold_out),
        data=data,
        split=split(data, hold_out, seed=0),
        labels=[label for label in data.labels if label not in hold_out],
        embedding=EmbeddingSpec(layers=tuple(LayerSpec(name=n, dim=d) for n, d in layers), norm="l2"),
        calibration=calibration,
        metrics={
            "known_accuracy": 0.98765,
            "auroc": 0.5 if hold_out else None,
            "caught/3": 0.25,
            **(more or {}),
        },
        choice=choice,
        rehearsal=rehearsal,
        expected=expected,
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


def section(text: str, name: str) -> str:
    """What stands under a heading."""
    return text.partition(f"## {name}\n")[2].partition("\n## ")[0]


def test_what_other_nets_showed_stands_apart_from_what_fresh_items_showed() -> None:
    """Figures of choosing and of rehearsing have a table that says whose they are, and what they rest on."""
    rehearsed = {"left_out_auroc": 0.875, "expected/found": 0.75, "expected/items": 2340.0}
    expected = Expected(figures={}, note="rehearsed on 4 streams, 2,340 items in all")
    text = card((), more=rehearsed, expected=expected)
    measured, own = section(text, "Measured"), section(text, "Rehearsed")

    assert "| 0.988 |" in measured
    for value in ("| 0.875 |", "| 0.750 |", "| 2,340 |"):
        assert value in own
        assert value not in measured
    assert "by other nets than the bundle's" in own
    assert "4 streams, 2,340 items in all." in own


def test_without_held_out_classes_what_was_rehearsed_is_what_was_measured() -> None:
    """Finding new classes was measured then, on other nets; without a rehearsal it was not."""
    limits = section(card((), more={"expected/found": 0.75}), "Limits")

    assert "was not measured" not in limits
    assert "measured on other nets than this one" in limits


def test_it_says_why_nothing_was_rehearsed() -> None:
    """As asked, for too few classes, or for streams too short; and then there is no table."""
    nothing = Rehearsal(radius=1.6, reason="Too few.", folds=())
    short = Expected(
        figures={}, note="not rehearsed: a fold's stream would have 96 items, and 300 are needed"
    )

    for own, why in (
        (section(card(()), "Rehearsed"), "not rehearsed, as asked"),
        (section(card((), rehearsal=nothing), "Rehearsed"), "too few known classes could be left out"),
        (section(card((), expected=short), "Rehearsed"), "would have 96 items, and 300 are needed."),
    ):
        assert why in own
        assert "|" not in own


def test_the_rate_asked_for_is_held_against_fresh_items() -> None:
    """With its interval and the number of items; a rate outside it is a limit in bold."""
    fresh = {"known_error_rate_low": 0.03, "known_error_rate_high": 0.06, "fresh_items": 1234.0}
    holds = section(card((), more={"known_error_rate": 0.04, **fresh}), "Limits")
    fails = section(
        card((), more={"known_error_rate": 0.04, **fresh, "known_error_rate_high": 0.045}), "Limits"
    )

    assert "fresh items: asked .05, found .04, 95 % interval .03 to .06, on 1,234 fresh items." in holds
    assert "**" not in holds
    assert "**That rate does not hold on fresh items**: asked .05, found .04" in fails


def test_it_names_the_classes_that_were_too_small() -> None:
    """What was set aside is said with its number of items, and not at all where nothing was."""
    assert "fewer than 15 items, so neither known nor measured: 9 (6)." in card((), nines=6)
    assert "Set aside" not in card(())


def test_the_command_names_what_differs_from_the_defaults() -> None:
    """The command has every option that differs, quoted for a shell, and no other."""
    config = starting_config("my digits", None, {"network": "mlp", "augment": False, "seed": 3})

    assert (
        command(config) == "firstseen train 'my digits' --network mlp --auxiliary none --no-augment --seed 3"
    )


def test_the_command_names_what_stands_beside_an_export() -> None:
    """Whose settings it takes."""
    config = starting_config("my export", None, {"beside": "digits", "seed": 3})

    assert command(config) == "firstseen train 'my export' --with digits --seed 3"
    assert config.epochs == starting_config("digits", None, {}).epochs


def test_the_command_lists_columns_between_commas() -> None:
    """As they are given."""
    config = starting_config("nsl-kdd", None, {"drop": ("id", "time"), "categories": ("port",)})

    assert command(config) == "firstseen train nsl-kdd --categories port --drop id,time"


def test_what_the_defaults_have_and_the_run_has_not_is_no_option() -> None:
    """A folder named as a run that has a limit, trained on without: the command starts from a run without one."""
    config = starting_config("original", "mnist", {})
    words = shlex.split(command(config))

    assert config.max_items is None
    assert starting_config("original", None, {}).max_items is not None
    assert "None" not in words
    assert words[:4] == ["firstseen", "train", "original", "--config"]
    assert starting_config("original", words[4], {}).max_items is None


def test_a_switch_that_is_on_takes_no_value() -> None:
    """What differs by being on is named alone, as the command line has it."""
    config = starting_config("digits", None, {"flip": True, "auxiliary": "two-views", "stop_at": 0.8})

    assert command(config) == "firstseen train digits --auxiliary two-views --stop-at 0.8 --flip"


def test_it_says_what_was_trained_on_and_how_long() -> None:
    """The auxiliary with its weight, and passes that were not made."""
    config = TrainConfig(auxiliary="two-views", auxiliary_weight=0.5, stop_at=0.6)

    assert "objective proxy-anchor, no auxiliary, 40 epochs;" in card(())
    assert "auxiliary two-views with weight 0.5, stopped after 24 of 40 epochs;" in card((), config=config)


def test_it_says_how_the_run_was_chosen() -> None:
    """Everything that was tried with its measures, the winner in bold, and the reasons; or that it was not."""
    plain, other = TrainConfig(), TrainConfig(objective="supcon")
    met = Met(auroc=0.9, cluster_accuracy=0.8)
    best = Tried(config=other, met=(met, met))
    choice = Choice(
        winner=other,
        tried=(Tried(config=plain, met=(Met(auroc=0.7, cluster_accuracy=None),)), best),
        stops=(best,),
        expected=best,
        left_out=(("1", "2"),),
        reasons=("Because it is better.",),
    )
    chosen = card((), config=other, choice=choice).partition("## How it was chosen")[2]

    assert "| proxy-anchor | 0.700 | - | 0.700 |" in chosen
    assert "| **supcon** | 0.900 | 0.800 | 0.850 |" in chosen
    assert "- Because it is better." in chosen
    assert "It was not" in card(()).partition("## How it was chosen")[2]


def test_a_choice_that_measured_nothing_has_no_table() -> None:
    """Only its reason is given."""
    choice = Choice(
        winner=TrainConfig(), tried=(), stops=(), expected=None, left_out=(), reasons=("Too few classes.",)
    )
    chosen = card((), choice=choice).partition("## How it was chosen")[2]

    assert chosen.strip() == "- Too few classes."


def test_it_names_the_layers_and_the_scores_that_decide() -> None:
    """All layers are named where the configuration says none, with their widths; scores with their layers."""
    several = card((), scores=(("nearest-neighbour", "penultimate"), ("energy", "output")))
    single = card((), layers=(("pooled", 64),), scores=(("mahalanobis", "pooled"),))

    assert "embedding: layers penultimate (128) + output (32), norm l2;" in several
    assert "known-class score: the mean of nearest-neighbour on penultimate, energy on output." in several
    assert "embedding: layer pooled (64), norm l2; known-class score: mahalanobis on pooled." in single


def test_the_command_lists_layers_and_scores_between_commas() -> None:
    """So that the shell gives back the same run."""
    changes = {"layers": ("pooled", "output"), "gate": ("energy:output", "mahalanobis"), "augment": False}

    assert command(starting_config("digits", None, changes)) == (
        "firstseen train digits --layers pooled,output --gate energy:output,mahalanobis --no-augment"
    )
