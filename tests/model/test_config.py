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
        ({"objective": "triplet"}, "objective must be one of proxy-anchor, supcon, normalised-softmax"),
        ({"auxiliary": "rotation"}, "auxiliary must be one of none, two-views"),
        ({"auxiliary": "two-views", "augment": False}, "two views of an item that is not augmented"),
        ({"auxiliary_weight": 0.0}, "auxiliary_weight must be above 0"),
        ({"flip": True, "augment": False}, "flip is one of the changes that augment makes"),
        ({"stop_at": 0.0}, "stop_at must be above 0 and at most 1"),
        ({"stop_at": 1.5}, "stop_at must be above 0 and at most 1"),
        ({"network": "tfidf", "encoder": "x"}, "the network tfidf has no encoder to choose or tune"),
        ({"tune": True}, "the network cnn has no encoder to choose or tune; sentence has one"),
        ({"layers": ("output", "output")}, "layers must be distinct, not output, output"),
        ({"gate": ("softmax:output",)}, "a score of gate must be one of relative-mahalanobis, mahalanobis"),
        ({"gate": ("energy:",)}, "gate has 'energy:': write SCORE:LAYER, with a layer of the embedding, or"),
        ({"layers": ("output",), "gate": ("energy:pooled",)}, "gate has 'energy:pooled': write SCORE:LAYER"),
        ({"norm": "l1"}, "norm must be one of l2, none"),
        ({"device": "tpu"}, "device must be one of cpu, cuda"),
        ({"epochs": -1}, "epochs must be at least 0, not -1"),
        ({"batch_size": 1}, "batch_size must be at least 2, not 1"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"threads": 0}, "threads must be at least 1"),
        ({"cluster_dim": 0}, "cluster_dim must be at least 1"),
        ({"embedding_dim": 0}, "embedding_dim must be at least 1"),
        ({"embedding_dim": 10**8}, "embedding_dim must be at most 4,096, not 100,000,000"),
        ({"seed": 2**32}, "seed must be at most 4,294,967,295"),
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


@pytest.mark.parametrize("gate", ["energy", "energy:output", "mahalanobis:penultimate"])
def test_a_score_of_the_gate_may_name_its_layer_or_none(gate: str) -> None:
    """A score alone looks at every layer of the embedding."""
    assert TrainConfig(layers=("penultimate", "output"), gate=(gate,)).gate == (gate,)


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        ("entropy", "a score of gate must be one of"),
        ("energy:", "write SCORE:LAYER"),
        ("energy:pooled", "with a layer of the embedding"),
    ],
)
def test_a_gate_that_cannot_look_is_refused(gate: str, message: str) -> None:
    """An unknown score, an empty layer, or one that the embedding does not have."""
    with pytest.raises(ConfigError, match=message):
        TrainConfig(layers=("penultimate", "output"), gate=(gate,))


def test_it_survives_json() -> None:
    """A configuration written to JSON and read back is the same one."""
    config = TrainConfig(
        hold_out=("3", "7"), max_items=5, drop=("id",), layers=("pooled", "output"), gate=("energy:pooled",)
    )
    values = json.loads(json.dumps(config.as_json()))
    lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}

    assert config == TrainConfig(**values | lists)


@pytest.mark.parametrize("gate", [("energy",), ("energy:pooled", "mahalanobis"), ("energy:features",)])
def test_a_gate_may_name_layers_that_only_the_net_knows(gate: tuple[str, ...]) -> None:
    """Where the embedding is all that the net has, what that is turns out when the net is built."""
    assert gate == TrainConfig(gate=gate).gate


@pytest.mark.parametrize(
    ("epochs", "stop_at", "expected"), [(40, 1.0, 40), (40, 0.8, 32), (6, 0.6, 4), (2, 0.1, 1)]
)
def test_a_run_stops_at_a_share_of_its_schedule(epochs: int, stop_at: float, expected: int) -> None:
    """The passes made are that share of the epochs, rounded, and never none."""
    assert expected == TrainConfig(epochs=epochs, stop_at=stop_at).epochs_run


@pytest.mark.parametrize(("items", "epochs"), [(1, 100), (640, 80), (6400, 8), (64_000, 5), (10**7, 5)])
def test_epochs_that_are_left_open_give_enough_steps(items: int, epochs: int) -> None:
    """About 800 of 64 items each, but 5 epochs at least, and 100 at most."""
    assert epochs == TrainConfig(epochs=0, batch_size=64).settled(items).epochs


def test_epochs_that_are_stated_stay() -> None:
    """Whatever the number of items."""
    config = TrainConfig(epochs=3)

    assert config.settled(10) is config
