"""The convolutional net."""

import pytest
import torch

from model.inputs import ImageInput, InputSpec, VectorInput
from model.networks import Cnn
from model.networks.cnn import pools_for


def image(*shape: int) -> InputSpec:
    return ImageInput(shape=shape, minimum=0, maximum=1)


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (1, 1, 1), (2, 5, 17), (1, 64, 3)])
def test_every_layer_has_the_stated_width_whatever_the_image(shape: tuple[int, ...]) -> None:
    """Every layer has the stated width, for square, odd, flat and tiny images."""
    net = Cnn(image(*shape), output_dim=5, channels=4, hidden=6)

    layers = net.layers(torch.rand(3, *shape))

    assert net.widths == {"pooled": 8, "penultimate": 6, "output": 5}
    assert {name: (3, width) for name, width in net.widths.items()} == {
        name: tuple(layer.shape) for name, layer in layers.items()
    }


@pytest.mark.parametrize(
    ("side", "pools"), [(1, 1), (8, 1), (9, 1), (16, 1), (17, 2), (28, 2), (32, 2), (33, 3), (64, 3)]
)
def test_images_are_halved_until_at_most_eight_wide(side: int, pools: int) -> None:
    """An image is halved until its longer side is at most 8, at least once."""
    assert pools == pools_for(side, 1) == pools_for(side, side)


def test_in_eval_mode_items_of_a_batch_do_not_change_each_other() -> None:
    """In eval mode an item's layers do not depend on the batch it comes in."""
    net = Cnn(image(1, 8, 8), channels=4, hidden=8).eval()
    x = torch.rand(5, 1, 8, 8)

    torch.testing.assert_close(net(x)[:1], net(x[:1]))


def test_a_vector_is_referred_to_the_mlp() -> None:
    """A vector is refused, and the message names the network to choose."""
    with pytest.raises(ValueError, match="choose the network mlp"):
        Cnn(VectorInput(shape=(64,), minimum=0, maximum=1))


def test_widths_must_be_positive() -> None:
    """A width of zero is refused by name."""
    with pytest.raises(ValueError, match="output_dim"):
        Cnn(image(1, 8, 8), output_dim=0)
