"""The trained part of a net for texts."""

import pytest
import torch

from model.networks.head import Head


def test_layers_have_the_stated_widths() -> None:
    """Hidden values are at least 0, and an item alone gives what it gives among others."""
    head = Head(6, hidden=5, output_dim=3, dropout=0.5).eval()
    x = torch.randn(4, 6)

    layers = head(x)

    assert {"penultimate": (4, 5), "output": (4, 3)} == {name: tuple(z.shape) for name, z in layers.items()}
    assert (layers["penultimate"] >= 0).all()
    torch.testing.assert_close(head(x[:1])["output"], layers["output"][:1])


def test_features_are_left_out_while_training_only() -> None:
    """Two passes over the same features differ while training: two views of each item."""
    head = Head(50, hidden=5, output_dim=3, dropout=0.5)
    x = torch.randn(8, 50)

    assert not torch.equal(head(x)["output"], head(x)["output"])
    head.eval()
    assert torch.equal(head(x)["output"], head(x)["output"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"hidden": 0}, "at least 1"), ({"dropout": 1.0}, "below 1"), ({"dropout": -0.1}, "from 0")],
)
def test_what_cannot_be_is_refused(changes: dict[str, float], message: str) -> None:
    """A width of nothing, or a share that leaves nothing."""
    with pytest.raises(ValueError, match=message):
        Head(4, **{"hidden": 2, "output_dim": 2, "dropout": 0.2, **changes})  # type: ignore[arg-type]
