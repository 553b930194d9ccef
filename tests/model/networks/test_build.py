"""From a bundle's words to a net."""

import pytest

from model.bundle import NetworkSpec
from model.inputs import ImageInput, TextInput
from model.networks import Cnn, Mlp, TfIdf, build_network

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
        (NetworkSpec(name="sentence", options={"encoder": 1}), "must be a text, not 1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_built_is_refused_with_the_choices(spec: NetworkSpec, message: str) -> None:
    """An unknown name or option, or an option of the wrong type, is refused with what to choose."""
    with pytest.raises(ValueError, match=message):
        build_network(spec, DIGIT)
