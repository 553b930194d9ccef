"""The base of all nets."""

import numpy as np
import pytest
import torch
from torch import Tensor

from model.inputs import VectorInput
from model.networks import Mlp, Network, to_device


class _Doubling(Network):
    def layers(self, x: Tensor) -> dict[str, Tensor]:
        return {"penultimate": x, "output": 2 * x}


def test_calling_a_net_gives_its_output_layer() -> None:
    """Calling a net gives the layer named output."""
    net = _Doubling({"penultimate": 3, "output": 3})

    assert net(torch.ones(2, 3)).tolist() == [[2.0] * 3] * 2


def test_payloads_become_a_batch() -> None:
    """A list of arrays and an array of them are the same batch, and the rows to train on are that batch."""
    net = _Doubling({"penultimate": 3, "output": 3})
    items = [np.full(3, n, dtype=np.float32) for n in range(4)]

    batch = net.collate(items)

    assert isinstance(batch, Tensor)
    assert torch.equal(batch, net.collate(np.stack(items)))  # type: ignore[arg-type]
    chosen = net.rows(items, torch.device("cpu"))[torch.tensor([2, 2])]
    assert isinstance(chosen, Tensor)
    assert [[2.0] * 3] * 2 == chosen.tolist()


def test_a_batch_may_be_several_tensors() -> None:
    """All of them go to the device."""
    batch = to_device({"a": torch.ones(2), "b": torch.zeros(2, 3)}, torch.device("meta"))

    assert isinstance(batch, dict)
    assert {"a": "meta", "b": "meta"} == {name: tensor.device.type for name, tensor in batch.items()}


def test_most_nets_carry_no_files_and_learn_everywhere_at_one_rate() -> None:
    """And prepare nothing."""
    net = Mlp(VectorInput(shape=(3,), minimum=0, maximum=1), output_dim=2, width=4, depth=1)
    net.prepare([])

    assert {} == net.files()
    assert [(len(list(net.parameters())), 1.0)] == [(len(p), rate) for p, rate in net.parameter_rates()]


def test_a_net_must_say_what_its_layers_are() -> None:
    """The base class alone has no layers."""
    with pytest.raises(NotImplementedError):
        Network({"penultimate": 1, "output": 1})(torch.ones(1, 1))
