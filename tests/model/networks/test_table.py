"""The net for tables."""

import numpy as np
import pytest
import torch

from model.inputs import TableColumn, TableInput, VectorInput
from model.networks.table import Table

SPEC = TableInput(
    columns=(
        TableColumn(name="bytes", kind="number"),
        TableColumn(name="protocol", kind="category", values=("tcp", "udp")),
    )
)


def codes(n: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.lognormal(3, 2, n), rng.integers(-1, 3, n)]).astype(np.float32)
    x[::7, 0] = np.nan
    return x


def prepared() -> Table:
    torch.manual_seed(0)
    net = Table(SPEC, output_dim=3)
    net.prepare(codes(50))
    return net.eval()


def test_layers_have_the_widths_they_state() -> None:
    """Features are two for a number and one for each value, missing and any other; the rest as asked."""
    net = prepared()
    layers = net.layers(net.collate(codes(5)))

    assert {"features": 6, "penultimate": 128, "output": 3} == net.widths
    assert {name: (5, width) for name, width in net.widths.items()} == {
        name: tuple(z.shape) for name, z in layers.items()
    }
    assert bool((layers["penultimate"] >= 0).all())
    torch.testing.assert_close(net.output(layers["penultimate"]), layers["output"])


def test_one_item_alone_is_embedded_as_among_others() -> None:
    """Missing cells of one row do not touch another."""
    net = prepared()
    together = net(net.collate(codes(20)))
    alone = torch.cat([net(net.collate([row])) for row in codes(20)])

    torch.testing.assert_close(together, alone)


def test_training_leaves_the_front_end_as_it_was_fitted() -> None:
    """Only what follows it has gradients."""
    assert not any(name.startswith("front") for name, _ in prepared().named_parameters())


def test_features_are_left_out_only_while_training() -> None:
    """Dropout makes two passes differ in training, never in serving."""
    net, x = prepared(), torch.from_numpy(codes(30))

    assert torch.equal(net(x), net(x))

    net.train()

    assert not torch.equal(net(x), net(x))


def test_other_inputs_are_referred_to_other_nets() -> None:
    """Vectors in a known range have the mlp."""
    with pytest.raises(ValueError, match="choose cnn for images or mlp for vectors"):
        Table(VectorInput(shape=(3,), minimum=0, maximum=1))


@pytest.mark.parametrize(
    "options", [{"width": 0}, {"depth": 0}, {"hidden": 0}, {"output_dim": 0}, {"dropout": 1.0}]
)
def test_sizes_that_make_no_net_are_refused(options: dict[str, int]) -> None:
    """Each by name."""
    with pytest.raises(ValueError, match=next(iter(options))):
        Table(SPEC, **options)
