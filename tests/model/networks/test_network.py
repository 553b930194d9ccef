"""The base of all nets."""

import pytest
import torch
from torch import Tensor

from model.networks import Network


class _Doubling(Network):
    def layers(self, x: Tensor) -> dict[str, Tensor]:
        return {"penultimate": x, "output": 2 * x}


def test_calling_a_net_gives_its_output_layer() -> None:
    """Calling a net gives the layer named output."""
    net = _Doubling({"penultimate": 3, "output": 3})

    assert net(torch.ones(2, 3)).tolist() == [[2.0] * 3] * 2


def test_a_net_must_say_what_its_layers_are() -> None:
    """The base class alone has no layers."""
    with pytest.raises(NotImplementedError):
        Network({"penultimate": 1, "output": 1})(torch.ones(1, 1))
