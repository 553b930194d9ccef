"""Named configurations and what their docstrings promise."""

import dataclasses
import importlib
import shlex
from pathlib import Path

import numpy as np
import pytest

from model.card import command
from model.config import ConfigError, TrainConfig
from model.configs import CONFIGS, named_config, starting_config


def documentation(name: str) -> str:
    text = importlib.import_module(f"model.configs.{name.replace('-', '_')}").__doc__
    assert text is not None
    return text


@pytest.mark.parametrize("name", CONFIGS)
def test_the_documented_command_is_the_configuration(name: str) -> None:
    """The command in a docstring names the configuration, or every setting that differs from the defaults."""
    documented = shlex.split(documentation(name).split("Command:")[1].split("Duration:")[0])
    if "--config" in documented:
        assert ["firstseen", "train", "--config", name] == documented
        assert named_config(name) == starting_config(None, name, {})
    else:
        assert shlex.split(command(named_config(name))) == documented


@pytest.mark.parametrize("name", CONFIGS)
def test_every_configuration_states_duration_and_result(name: str) -> None:
    """A docstring states the duration and the expected AUROC."""
    text = documentation(name)

    assert "Duration:" in text
    assert "AUROC" in text


def test_the_digits_run_is_the_default_but_for_held_out_classes() -> None:
    """The default configuration is the digits run."""
    assert TrainConfig(hold_out=("3", "7")) == named_config("digits")


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    """An unknown configuration is refused with the list."""
    with pytest.raises(ConfigError, match="'cifar'; choose one of digits, mnist"):
        named_config("cifar")


def test_a_run_starts_from_what_suits_its_data_set_and_holds_nothing_out() -> None:
    """Without a named configuration, the data set's own settings are taken, but not its held-out classes."""
    assert dataclasses.replace(named_config("mnist"), hold_out=()) == starting_config("mnist", None, {})
    assert TrainConfig() == starting_config(None, None, {})


def test_a_folder_is_trained_with_the_settings_of_mnist() -> None:
    """But for its size, which may be any."""
    expected = dataclasses.replace(
        named_config("mnist"), dataset="a/folder", hold_out=(), epochs=0, batch_size=64
    )

    assert expected == starting_config("a/folder", None, {})


def test_tables_and_vectors_are_trained_with_the_settings_of_nsl_kdd(tmp_path: Path) -> None:
    """Whatever their names, and with nothing held out."""
    (tmp_path / "flows.csv").write_text("a,b\n1,2\n")
    np.savez(tmp_path / "vectors.npz", x=np.zeros((2, 3)), y=[0, 1])
    for name in ("flows.csv", "vectors.npz"):
        path = str(tmp_path / name)
        expected = dataclasses.replace(
            named_config("nsl-kdd"), dataset=path, hold_out=(), epochs=0, batch_size=64
        )

        assert expected == starting_config(path, None, {})


def test_arrays_of_images_are_trained_with_the_settings_of_mnist(tmp_path: Path) -> None:
    """Their header tells what they are."""
    np.savez(tmp_path / "images.npz", x=np.zeros((2, 3, 3)), y=[0, 1])

    assert starting_config(str(tmp_path / "images.npz"), None, {}).network == "cnn"


@pytest.mark.parametrize(
    ("changes", "network", "encoder"),
    [
        ({"text": "q", "label": "y"}, "tfidf", None),
        ({"text": "q", "encoder": "tfidf"}, "tfidf", None),
        ({"text": "q", "encoder": "some/encoder"}, "sentence", "some/encoder"),
        ({"text": "q", "network": "sentence"}, "sentence", None),
    ],
)
def test_a_file_of_texts_takes_the_settings_of_clinc150(
    changes: dict[str, str], network: str, encoder: str | None
) -> None:
    """With tf-idf unless an encoder is asked for; nothing is held out."""
    found = starting_config("tickets.csv", None, changes)

    assert (network, encoder, ()) == (found.network, found.encoder, found.hold_out)
    assert named_config("clinc150").epochs == found.epochs


def test_what_is_no_intent_stays_held_out() -> None:
    """The out-of-scope questions of CLINC150 are held out unless somebody asks for them."""
    assert ("oos",) == starting_config("clinc150", None, {}).hold_out
    assert () == starting_config("clinc150", None, {"hold_out": ()}).hold_out
    assert () == starting_config("stackoverflow", None, {}).hold_out


def test_an_encoder_can_be_changed_on_a_named_configuration() -> None:
    """For another one, for words alone, and for a network that has none."""
    assert "other" == starting_config(None, "clinc150-minilm", {"encoder": "other"}).encoder
    for change in ({"encoder": "tfidf"}, {"network": "tfidf"}):
        found = starting_config(None, "clinc150-minilm", change)
        assert ("tfidf", None) == (found.network, found.encoder)


def test_a_named_configuration_is_taken_whole_and_then_changed() -> None:
    """A named configuration brings its data set and held-out classes; changes win."""
    assert named_config("original") == starting_config(None, "original", {})
    assert 3 == starting_config(None, "original", {"seed": 3}).seed
