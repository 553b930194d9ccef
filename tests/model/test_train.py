"""Training: repeatable, quiet about the rest of the process, and clear when it cannot work."""

import dataclasses

import numpy as np
import pytest
import torch

from model.config import ConfigError, TrainConfig
from model.datasets import DataError, LabelledData, load_dataset
from model.datasets.split import split
from model.inputs import VectorInput, scale
from model.networks import Embedder, embed_items
from model.objectives import OBJECTIVES
from model.train import Trained, TrainingError, known_classes, repeatable, train

SHORT = TrainConfig(epochs=2, hold_out=("3", "7"), threads=1)


def silent(stage: str, done: int, total: int, note: str) -> None:
    """Take a report and keep nothing."""


def trained(config: TrainConfig, data: LabelledData | None = None) -> Trained:
    data = load_dataset("digits", data_dir=None) if data is None else data
    return train(config, data, split(data, config.hold_out, seed=config.seed), silent)


def vectors(counts: list[int]) -> LabelledData:
    """Classes of the given sizes, class k around k / 10 in four dimensions."""
    y = np.repeat(np.arange(len(counts)), counts)
    x = np.clip(0.1 * y[:, None] + 0.01 * np.random.default_rng(0).normal(size=(len(y), 4)), 0, 1)
    return LabelledData(
        name="vectors",
        input=VectorInput(shape=(4,), minimum=0, maximum=1),
        x=x.astype(np.float32),
        y=y,
        labels=tuple("abcdef"[: len(counts)]),
        source="drawn",
    )


def test_losses_fall_and_every_epoch_is_reported() -> None:
    """Progress is told of each epoch, and the loss falls."""
    data = load_dataset("digits", data_dir=None)
    reports: list[tuple[str, int, int, str]] = []
    result = train(SHORT, data, split(data, SHORT.hold_out, seed=0), lambda *report: reports.append(report))

    assert [report[:3] for report in reports] == [("train", 1, 2), ("train", 2, 2)]
    assert f"loss {result.losses[1]:.3f}" == reports[1][3]
    assert result.losses[1] < result.losses[0]


def test_the_embedding_is_the_layers_asked_for_or_all() -> None:
    """One after the other, in the order asked for; where none is, all that the net has, in its order."""
    data = vectors([40, 40])
    config = TrainConfig(network="mlp", epochs=1, threads=1)
    asked = dataclasses.replace(config, layers=("output", "penultimate"))

    assert trained(config, data).embedder.layers == ("penultimate", "output")
    assert trained(asked, data).embedder.layers == ("output", "penultimate")
    assert trained(dataclasses.replace(config, layers=("output",)), data).embedder.dim == 32


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": ("pooled",)}, "the network mlp has no layer 'pooled'; choose among penultimate, output"),
        (
            {"gate": ("energy:pooled",)},
            "gate has energy:pooled, and the embedding has the layers penultimate, out",
        ),
    ],
)
def test_a_layer_that_the_net_lacks_is_refused(changes: dict[str, tuple[str, ...]], message: str) -> None:
    """Before the first epoch, with what there is to choose from."""
    with pytest.raises(ConfigError, match=message):
        trained(TrainConfig(network="mlp", threads=1, **changes), vectors([40, 40]))  # type: ignore[arg-type]


def test_held_out_classes_are_not_among_the_labels() -> None:
    """The labels are the known classes, in the data set's order."""
    assert tuple("01245689") == trained(SHORT).labels


def test_training_leaves_torch_as_it_was() -> None:
    """The caller's random state, thread count and determinism setting are untouched."""
    torch.manual_seed(5)
    before = (torch.get_rng_state(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())
    trained(dataclasses.replace(SHORT, epochs=1))
    after = (torch.get_rng_state(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())

    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


def test_torch_is_put_back_even_after_a_failure() -> None:
    """An error inside does not leave threads or determinism changed."""
    before = (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())
    with pytest.raises(KeyError), repeatable(1, 1, device="cpu"):
        raise KeyError

    assert before == (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())


def test_the_callers_random_state_does_not_matter() -> None:
    """Two runs from different global random states give the same weights; another seed gives others."""
    torch.manual_seed(1)
    first = trained(SHORT)
    torch.manual_seed(2)
    again, other = trained(SHORT), trained(dataclasses.replace(SHORT, seed=1))
    weights, same, different = (r.embedder.net.state_dict()["output.weight"] for r in (first, again, other))

    assert torch.equal(weights, same)
    assert not torch.equal(weights, different)


@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
def test_vectors_are_learnt_by_the_mlp(objective: str) -> None:
    """The MLP tells vector classes apart under every objective."""
    data = vectors([40, 40, 40])
    config = TrainConfig(network="mlp", objective=objective, epochs=30, learning_rate=1e-3, threads=1)
    z = embed_items(trained(config, data).embedder, scale(data.x, data.input))
    means = np.stack([z[data.y == k].mean(0) for k in range(3)])
    nearest = np.square(z[:, None] - means).sum(2).argmin(1)

    assert (nearest == data.y).mean() > 0.95


@pytest.mark.parametrize("dataset", ["digits", "vectors"])
def test_two_views_repeat_and_leave_nothing_behind(dataset: str) -> None:
    """With the auxiliary the same weights come out again, and they are those of the net alone."""
    data = load_dataset("digits", data_dir=None) if dataset == "digits" else vectors([40, 40, 40])
    network = "cnn" if dataset == "digits" else "mlp"
    plain = TrainConfig(network=network, epochs=1, threads=1)
    both = dataclasses.replace(plain, auxiliary="two-views")
    first, again, alone = (trained(c, data).embedder.net.state_dict() for c in (both, both, plain))

    assert first.keys() == alone.keys()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["output.weight"], alone["output.weight"])


def test_the_weight_of_the_auxiliary_matters() -> None:
    """A weight next to nothing leaves a net that another weight does not."""
    data = vectors([40, 40])
    config = TrainConfig(network="mlp", auxiliary="two-views", epochs=1, threads=1)
    light, heavy = (
        trained(dataclasses.replace(config, auxiliary_weight=w), data).embedder.net.state_dict()
        for w in (1e-6, 10.0)
    )

    assert not torch.equal(light["hidden.0.weight"], heavy["hidden.0.weight"])


def test_mirrored_images_train_another_net() -> None:
    """Flip is a change of its own, with and without the auxiliary."""
    short = dataclasses.replace(SHORT, epochs=1)
    nets = [
        trained(dataclasses.replace(short, auxiliary=auxiliary, flip=flip)).embedder.net.state_dict()
        for auxiliary in ("none", "two-views")
        for flip in (False, True)
    ]

    assert len({net["output.weight"].numpy().tobytes() for net in nets}) == 4


def test_a_run_that_stops_early_is_the_beginning_of_the_whole_one() -> None:
    """At a share of the schedule the losses so far are those of the whole run, and it says how long it is."""
    data = load_dataset("digits", data_dir=None)
    whole = dataclasses.replace(SHORT, epochs=4)
    half = dataclasses.replace(whole, stop_at=0.5)
    reports: list[tuple[str, int, int, str]] = []
    stopped = train(half, data, split(data, half.hold_out, seed=0), lambda *report: reports.append(report))

    assert trained(whole).losses[:2] == stopped.losses
    assert [("train", 1, 2), ("train", 2, 2)] == [report[:3] for report in reports]


def test_watching_a_run_does_not_change_it() -> None:
    """The watcher sees every pass's net, in eval mode; the weights are those of a run nobody watched."""
    data = load_dataset("digits", data_dir=None)
    seen: list[tuple[int, bool, bytes]] = []

    def watch(epoch: int, embedder: Embedder) -> None:
        with torch.inference_mode():
            z = embedder(torch.zeros(1, *data.input.shape))
        seen.append((epoch, embedder.net.training, z.numpy().tobytes()))

    watched = train(SHORT, data, split(data, SHORT.hold_out, seed=0), silent, watch=watch).embedder
    weights, alone = watched.net.state_dict(), trained(SHORT).embedder.net.state_dict()

    assert [(1, False), (2, False)] == [entry[:2] for entry in seen]
    assert seen[0][2] != seen[1][2]
    assert all(torch.equal(weights[name], alone[name]) for name in weights)


def test_the_weights_lie_as_any_others() -> None:
    """How convolutions were laid out while training is not seen afterwards."""
    net = trained(dataclasses.replace(SHORT, epochs=1)).embedder.net

    assert all(tensor.is_contiguous() for tensor in net.state_dict().values())


def test_a_loss_that_leaves_the_numbers_stops_with_advice() -> None:
    """A learning rate that explodes is answered with a lower one."""
    config = TrainConfig(network="mlp", objective="rbf", learning_rate=1e12, epochs=3, threads=1)

    with pytest.raises(TrainingError, match=r"The loss became .*try 1e\+11"):
        trained(config, vectors([40, 40]))


def test_a_tiny_class_is_refused_by_name() -> None:
    """A class with too few items to fit on, which no split leaves, is named, with what to do."""
    data = vectors([40, 40])
    parts = split(data, [], seed=0)
    parts = dataclasses.replace(parts, fit=np.append(parts.fit[data.y[parts.fit] == 0], 40))

    with pytest.raises(DataError, match=r"'b' has 1 items to fit on.*hold it out"):
        train(TrainConfig(network="mlp"), data, parts, silent)


def test_a_rare_class_is_learnt_beside_a_common_one() -> None:
    """A class of one in 250 is told from the others by the mean of its fitting items."""
    data = vectors([4000, 16, 4000])
    config = TrainConfig(network="mlp", epochs=2, learning_rate=1e-3, threads=1)
    z = embed_items(trained(config, data).embedder, scale(data.x, data.input))
    means = np.stack([z[data.y == k].mean(0) for k in range(3)])
    nearest = np.square(z[:, None] - means).sum(2).argmin(1)

    assert (nearest == data.y)[data.y == 1].mean() > 0.9


def test_a_cnn_for_vectors_is_referred_to_the_mlp() -> None:
    """A network that cannot take the data is refused with the one that can."""
    with pytest.raises(ConfigError, match="choose the network mlp"):
        trained(TrainConfig(network="cnn"), vectors([40, 40]))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here, so asking for one is no error")
def test_a_missing_gpu_is_named() -> None:
    """Asking for a GPU that is not there says to choose the CPU."""
    with pytest.raises(ConfigError, match="choose cpu"):
        trained(TrainConfig(device="cuda"))


def test_known_classes_are_numbered_anew() -> None:
    """Classes 0 and 2 of three become 0 and 1, under their own labels."""
    data = vectors([4, 4, 4])
    labels, y = known_classes(data, np.array([0, 9, 1, 8]))

    assert labels == ("a", "c")
    assert y.tolist() == [0, 1, 0, 1]
