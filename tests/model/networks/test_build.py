"""From a bundle's words to a net."""

import pytest
import torch

from model.bundle import NetworkSpec
from model.inputs import ImageInput, TextInput
from model.networks import Cnn, Mlp, TfIdf, build_network
from model.networks.build import no_larger_than

DIGIT = ImageInput(shape=(1, 8, 8), minimum=0, maximum=16)


def test_options_reach_the_net() -> None:
    """Options are the net's keyword arguments."""
    spec = NetworkSpec(name="cnn", options={"output_dim": 7, "hidden": 9})

    net = build_network(spec, DIGIT)

    assert isinstance(net, Cnn)
    assert net.widths == {"pooled": 64, "penultimate": 9, "output": 7}


def test_the_name_picks_the_net() -> None:
    """The name picks the net."""
    assert isinstance(build_network(NetworkSpec(name="mlp", options={}), DIGIT), Mlp)


def test_a_whole_number_is_a_number() -> None:
    """JSON has one kind of number: 0 is a share, too."""
    net = build_network(NetworkSpec(name="tfidf", options={"dropout": 0}), TextInput())

    assert isinstance(net, TfIdf)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            NetworkSpec(name="gru", options={}),
            "no network is called 'gru'; choose one of cnn, mlp, sentence, table, tfidf",
        ),
        (
            NetworkSpec(name="cnn", options={"depth": 2}),
            "no option 'depth'; it has output_dim",
        ),
        (NetworkSpec(name="mlp", options={"depth": True}), "depth .* must be a whole number"),
        (NetworkSpec(name="mlp", options={"depth": 2.0}), "depth .* must be a whole number"),
        (
            NetworkSpec(name="tfidf", options={"characters": 1}),
            "must be true or false, not 1",
        ),
        (NetworkSpec(name="tfidf", options={"dropout": "a"}), "must be a number, not 'a'"),
        (NetworkSpec(name="tfidf", options={"files": 1}), "no option 'files'"),
        (NetworkSpec(name="mlp", options={"width": 10**18}), "width .* must be at most 1,000,000"),
        (NetworkSpec(name="mlp", options={"depth": -(10**7)}), "depth .* must be at most 1,000,000"),
        (NetworkSpec(name="sentence", options={"encoder": 1}), "must be a text, not 1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_built_is_refused_with_the_choices(spec: NetworkSpec, message: str) -> None:
    """An unknown name or option, or an option of the wrong type, is refused with what to choose."""
    with pytest.raises(ValueError, match=message):
        build_network(spec, DIGIT)


def test_a_net_that_memory_does_not_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What torch says of it is no answer to who asked for the net."""

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory\nand much more")

    monkeypatch.setattr(torch.nn.init, "kaiming_normal_", fails)
    with pytest.raises(ValueError, match=r"network mlp is too large with width 9 .*can't allocate memory\)$"):
        build_network(NetworkSpec(name="mlp", options={"width": 9}), DIGIT)


@pytest.mark.parametrize(
    "options", [{"width": 10**6, "depth": 10**6}, {"width": 1, "depth": 10**6}, {"width": 600}]
)
def test_a_net_far_larger_than_its_weights_is_not_built(options: dict[str, int]) -> None:
    """It stops at the first parameter that is too many, and nothing is left behind."""
    arrays = {
        name: value.numpy()
        for name, value in build_network(NetworkSpec(name="mlp", options={}), DIGIT).state_dict().items()
    }
    small = {name: arrays[name] for name in list(arrays)[:2]}
    with pytest.raises(ValueError, match="far more weights"), no_larger_than(small):
        build_network(NetworkSpec(name="mlp", options={"output_dim": 32, **options}), DIGIT)

    with no_larger_than(arrays):
        build_network(NetworkSpec(name="mlp", options={}), DIGIT)
    build_network(NetworkSpec(name="mlp", options={"width": 600}), DIGIT)
