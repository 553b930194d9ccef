"""The GPU itself; nearly all of it can only be seen where there is one."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

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


@needs_gpu
def test_memory_does_not_grow_with_what_is_embedded(digits_bundle: Bundle) -> None:
    """Batches of all sizes, from another thread than the one that made it."""
    backend = TorchCuda(digits_bundle)
    held = torch.cuda.memory_reserved()
    with ThreadPoolExecutor(1) as thread:
        for n in range(1, 700, 7):
            thread.submit(backend.embed, [digits.decoded(k) for k in range(n)]).result()

    assert held == torch.cuda.memory_reserved()


@needs_gpu
def test_what_is_captured_disturbs_nothing_else(digits_bundle: Bundle) -> None:
    """A graph writes to where its tensors were when it was made; nobody else may have been given that memory since."""
    first, second = TorchCuda(digits_bundle), TorchCuda(digits_bundle)
    others = [torch.zeros(n, device="cuda") for n in range(64, 8192, 64)]
    for n in range(1, 600, 40):
        first.embed([digits.decoded(k) for k in range(n)])

    assert check_golden(digits_bundle, second.embed) < 1e-3
    assert not any(other.any().item() for other in others)


_LOSES_IT = """
import sys
from pathlib import Path

import torch

from model.bundle import check_golden, read_bundle
from service.embedding import Embedder

bundle = read_bundle(Path(sys.argv[1]))
embedder = Embedder(bundle, device="cuda", threads=1)
check_golden(bundle, embedder.embed)
try:  # a kernel that fails takes the GPU from the whole process
    torch.zeros(3, device="cuda")[torch.tensor([9], device="cuda")]
    torch.cuda.synchronize()
except RuntimeError:
    pass
check_golden(bundle, embedder.embed)
print(embedder.device, *embedder.warnings)
"""


@needs_gpu
def test_a_process_that_loses_its_gpu_goes_on_without(digits_bundle: Bundle) -> None:
    """A fault of a kernel, as any code in the process can cause it; in a process of its own, since that is for good."""
    done = subprocess.run(
        [sys.executable, "-c", _LOSES_IT, str(digits_bundle.path)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == done.returncode, done.stderr
    assert done.stdout.splitlines()[-1].startswith("cpu The GPU is gone (")
