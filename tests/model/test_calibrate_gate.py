"""Which scores make the gate, of those that were asked for."""

import pytest

from model.calibrate import default_gate, wanted_gate
from model.config import ConfigError


def test_a_score_without_a_layer_looks_at_every_layer() -> None:
    """Parts come as asked, each once; a part that names a layer is that one alone."""
    asked = ("energy", "mahalanobis:output", "energy:output")
    expected = (("energy", "pooled"), ("energy", "output"), ("mahalanobis", "output"))

    assert expected == wanted_gate(asked, ("pooled", "output"))


def test_nothing_asked_is_the_default_gate() -> None:
    """Nearest neighbours, or distances where there are too many classes to look through."""
    assert default_gate(("a", "b")) == wanted_gate((), ("a", "b"))
    assert (("relative-mahalanobis", "a"),) == wanted_gate((), ("a",))


def test_a_gate_on_a_layer_that_is_not_embedded_is_refused() -> None:
    """The layers there are, are named."""
    with pytest.raises(ConfigError, match="gate has energy:pooled, and the embedding has the layers output"):
        wanted_gate(("energy:pooled",), ("output",))
