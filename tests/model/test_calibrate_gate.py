"""Which scores make the gate, of those that were asked for."""

import pytest

from model.calibrate import default_gate, wanted_gate
from model.config import ConfigError


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (("energy:output",), [("energy", "output")]),
        (("energy",), [("energy", "pooled"), ("energy", "output")]),
        (("energy:output", "mahalanobis:pooled"), [("energy", "output"), ("mahalanobis", "pooled")]),
        (("energy:output", "energy"), [("energy", "output"), ("energy", "pooled")]),
        (
            ("energy", "mahalanobis:output", "energy:output"),
            [("energy", "pooled"), ("energy", "output"), ("mahalanobis", "output")],
        ),
    ],
)
def test_a_gate_is_what_was_asked_for(asked: tuple[str, ...], expected: list[tuple[str, str]]) -> None:
    """A score with its layer, or without one on all of them; in the order asked for, each pair once."""
    assert tuple(expected) == wanted_gate(asked, ("pooled", "output"))


def test_nothing_asked_is_relative_mahalanobis_distances_on_every_layer() -> None:
    """The default gate."""
    expected = (("relative-mahalanobis", "pooled"), ("relative-mahalanobis", "output"))

    assert expected == wanted_gate((), ("pooled", "output")) == default_gate(("pooled", "output"))


def test_a_gate_on_a_layer_that_is_not_embedded_is_refused() -> None:
    """The layers there are, are named, whichever part it is."""
    with pytest.raises(
        ConfigError, match="gate has energy:pooled, and the embedding has the layers a, output"
    ):
        wanted_gate(("mahalanobis:a", "energy:pooled"), ("a", "output"))
