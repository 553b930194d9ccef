"""What every runtime promises, for each that can be had here."""

from collections.abc import Callable

import numpy as np
import pytest

from service.embedding.backend import Backend
from service.embedding.onnx_cpu import OnnxCpu
from service.embedding.torch_cpu import TorchCpu
from service.embedding.torch_cuda import TorchCuda
from tests.service import digits
from tests.service.embedding.graphs import bundle_with_graph, needs_onnx
from tests.service.embedding.test_torch_cuda import FakeGpu


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: TorchCpu(digits.bundle(), threads=1), id="torch"),
        pytest.param(lambda: OnnxCpu(bundle_with_graph(), threads=1), id="onnx", marks=needs_onnx),
        pytest.param(lambda: TorchCuda(digits.bundle(), device=FakeGpu(), shapes=(1, 4)), id="cuda"),
    ],
)
def test_a_batch_is_its_items(make: Callable[[], Backend]) -> None:
    """float32 (B, D) in order, rows of their own memory, the same bits for the same batch; none for none."""
    backend = make()
    items = [digits.decoded(n) for n in range(6)]
    z = backend.embed(items)
    again = backend.embed(items)

    assert ((6, backend.dim), np.float32) == (z.shape, z.dtype)
    assert z.tobytes() == again.tobytes()
    assert not np.shares_memory(z, again)
    np.testing.assert_allclose(backend.embed(items[4:])[0], z[4], atol=1e-5)
    assert (0, backend.dim) == backend.embed([]).shape
    assert backend.name
    assert backend.device in {"cpu", "cuda"}
