"""The GPU itself; nearly all of it can only be seen where there is one."""

import pytest
import torch

from model.bundle import Bundle, check_golden
from service.embedding.cuda_device import CudaDevice
from service.embedding.torch_cuda import TorchCuda
from tests.service import digits

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")


def test_it_is_called_cuda() -> None:
    """As the setting is."""
    assert "cuda" == CudaDevice().name
    assert "cuda" == CudaDevice().place.type


@needs_gpu
def test_the_net_on_the_gpu_gives_the_golden_embeddings(digits_bundle: Bundle) -> None:
    """Captured, padded, in half precision where that is exact enough."""
    backend = TorchCuda(digits_bundle)

    assert check_golden(digits_bundle, backend.embed) < 1e-3
    assert (600, backend.dim) == backend.embed([digits.decoded(n) for n in range(600)]).shape
