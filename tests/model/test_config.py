"""Training configurations are refused with what to choose."""

import json

import pytest

from model.config import ConfigError, TrainConfig


def test_the_defaults_are_a_valid_run_on_digits() -> None:
    """The defaults are the CNN with proxy-anchor on digits."""
    config = TrainConfig()

    assert (config.dataset, config.network, config.objective) == ("digits", "cnn", "proxy-anchor")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": "vit"}, "network must be one of cnn, mlp, sentence, table, tfidf; not 'vit'"),
        ({"objective": "triplet"}, "objective must be one of proxy-anchor, hinge, rbf"),
        ({"layer": "last"}, "layer must be one of penultimate, output, pooled"),
        ({"network": "mlp", "layer": "pooled"}, "only the network cnn has a layer pooled"),
        ({"network": "cnn", "layer": "features"}, "only the network tfidf or table has a layer features"),
        ({"network": "tfidf", "layer": "encoder"}, "only the network sentence has a layer encoder"),
        ({"network": "tfidf", "encoder": "x"}, "the network tfidf has no encoder to choose or tune"),
        ({"tune": True}, "the network cnn has no encoder to choose or tune; sentence has one"),
        ({"norm": "l1"}, "norm must be one of l2, none"),
        ({"device": "tpu"}, "device must be one of cpu, cuda"),
        ({"epochs": -1}, "epochs must be at least 0, not -1"),
        ({"batch_size": 1}, "batch_size must be at least 2, not 1"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"threads": 0}, "threads must be at least 1"),
        ({"cluster_dim": 0}, "cluster_dim must be at least 1"),
        ({"embedding_dim": 0}, "embedding_dim must be at least 1"),
        ({"max_items": 0}, "max_items must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be above 0"),
        ({"weight_decay": -1.0}, "weight_decay must be 0 or above"),
        ({"known_error_rate": 0.0}, "known_error_rate must be above 0"),
        ({"known_error_rate": 0.6}, "at most 0.5"),
    ],
)
def test_a_run_that_cannot_work_is_refused(changes: dict[str, object], message: str) -> None:
    """Each value that cannot work is refused by the field's name."""
    with pytest.raises(ConfigError, match=message):
        TrainConfig(**changes)  # type: ignore[arg-type]


def test_it_survives_json() -> None:
    """A configuration written to JSON and read back is the same one."""
    config = TrainConfig(hold_out=("3", "7"), max_items=5, drop=("id",))
    values = json.loads(json.dumps(config.as_json()))
    lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}

    assert config == TrainConfig(**values | lists)


@pytest.mark.parametrize(("items", "epochs"), [(1, 100), (640, 80), (6400, 8), (64_000, 5), (10**7, 5)])
def test_epochs_that_are_left_open_give_enough_steps(items: int, epochs: int) -> None:
    """About 800 of 64 items each, but 5 epochs at least, and 100 at most."""
    assert epochs == TrainConfig(epochs=0, batch_size=64).settled(items).epochs


def test_epochs_that_are_stated_stay() -> None:
    """Whatever the number of items."""
    config = TrainConfig(epochs=3)

    assert config.settled(10) is config
