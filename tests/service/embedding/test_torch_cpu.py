"""The net by torch on the CPU."""

import numpy as np

from model.bundle import Bundle, check_golden
from service.embedding.torch_cpu import TorchCpu
from tests.service import digits


def test_it_gives_the_golden_embeddings_at_any_size(digits_bundle: Bundle) -> None:
    """And none for no items."""
    backend = TorchCpu(digits_bundle, threads=1)

    assert check_golden(digits_bundle, backend.embed) < 1e-4
    assert (0, backend.dim) == backend.embed([]).shape
    together = backend.embed([digits.decoded(n) for n in range(4)])
    np.testing.assert_allclose(backend.embed([digits.decoded(3)])[0], together[3], atol=1e-5)
