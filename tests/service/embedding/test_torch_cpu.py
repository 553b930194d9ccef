"""The net by torch on the CPU."""

import numpy as np
import pytest

from benchmarks.embedding import untrained
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


@pytest.mark.parametrize(("side", "items", "parts"), [(8, 600, [341, 259]), (64, 20, [8, 8, 4])])
def test_large_batches_go_in_parts(digits_bundle: Bundle, side: int, items: int, parts: list[int]) -> None:
    """As many images of three planes as fill 256 kB; an embedding does not depend on the part."""
    photos = untrained(digits_bundle, side=side, channels=2, hidden=4, output_dim=3)
    backend = TorchCpu(photos, threads=1)
    seen: list[int] = []
    backend._net.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    xs = list(np.random.default_rng(0).random((items, 3, side, side), dtype=np.float32))
    z = backend.embed(xs)

    assert parts == seen
    np.testing.assert_allclose(z[-3:], backend.embed(xs[-3:]), atol=1e-5)
