"""The original net."""

import pytest
import torch
from torch import nn

from model.inputs import ImageInput, VectorInput
from model.networks import Mlp

MNIST = ImageInput(shape=(1, 28, 28), minimum=0, maximum=255)


def test_for_mnist_it_is_784_to_seven_layers_of_520_to_d() -> None:
    """For a 28x28 image the net is 784 -> 7 ReLU layers of 520 -> D."""
    net = Mlp(MNIST, output_dim=3)
    linears = [layer for layer in net.modules() if isinstance(layer, nn.Linear)]

    assert [784, *[520] * 7] == [layer.in_features for layer in linears]
    assert [*[520] * 7, 3] == [layer.out_features for layer in linears]
    assert sum(isinstance(layer, nn.ReLU) for layer in net.modules()) == 7


def test_penultimate_is_the_last_hidden_layer() -> None:
    """The layer penultimate is what the output is a linear map of, and is never negative."""
    net = Mlp(MNIST, output_dim=3)

    layers = net.layers(torch.rand(4, 1, 28, 28))

    assert tuple(layers["penultimate"].shape) == (4, 520)
    assert bool((layers["penultimate"] >= 0).all())
    torch.testing.assert_close(net.output(layers["penultimate"]), layers["output"])


def test_a_signal_survives_seven_layers_at_the_start() -> None:
    """At the start items keep their scale through seven layers: neither vanished nor exploded."""
    torch.manual_seed(0)
    spec = VectorInput(shape=(520,), minimum=-9, maximum=9)
    x = torch.randn(64, 520)

    deep = Mlp(spec).layers(x)["penultimate"].detach()

    assert 0.3 < float(deep.square().mean() / x.square().mean()) < 3


def test_a_vector_is_taken_as_it_is() -> None:
    """A vector of F numbers meets F weights."""
    net = Mlp(VectorInput(shape=(6,), minimum=0, maximum=1), output_dim=2, width=4, depth=1)

    assert tuple(net(torch.rand(5, 6)).shape) == (5, 2)


def test_a_depth_of_zero_is_refused() -> None:
    """A net without hidden layers would have no penultimate one."""
    with pytest.raises(ValueError, match="depth"):
        Mlp(MNIST, depth=0)
