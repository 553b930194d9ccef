"""The net on a GPU, whose place a device takes that does all of it on the CPU and writes down what it was asked for."""

import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import CellType, FunctionType

import numpy as np
import pytest
import torch
from torch import Tensor

from model.bundle import Bundle, BundleError, Golden, check_golden
from service.embedding.backend import DeviceLost
from service.embedding.torch_cpu import TorchCpu
from service.embedding.torch_cuda import TorchCuda
from tests.service import digits, texts


class FakeGpu:
    """Pinned memory is memory; half precision is as inexact as it is told to be.

    A graph is the call itself, but keeps nothing of what that works on alive, as the real one does not.
    """

    name = "cuda"
    place = torch.device("cpu")

    def __init__(self, *, wrong: tuple[torch.dtype | None, ...] = (), captures: bool = True) -> None:
        self.buffers: list[tuple[int, ...]] = []
        self.captures = 0
        self.runs = 0
        self.asked: list[torch.dtype | None] = []
        self.is_broken = self.is_gone = False
        self._wrong = wrong
        self._captures = captures
        self._off = 0.0

    def pinned(self, *shape: int) -> Tensor:
        self.buffers.append(shape)
        return torch.zeros(shape)

    def finish(self) -> None:
        if self.is_broken:
            raise RuntimeError("CUDA error: unspecified launch failure\nCompile with TORCH_USE_CUDA_DSA")

    def is_lost(self) -> bool:
        return self.is_gone

    @contextmanager
    def half(self, dtype: torch.dtype | None) -> Iterator[None]:
        self.asked.append(dtype)
        if dtype in self._wrong:
            with torch.autocast("cpu", dtype=torch.bfloat16):  # three digits: not what was trained
                yield
        else:
            yield

    def captured(self, call: Callable[[], None]) -> Callable[[], None]:
        if not self._captures:
            raise RuntimeError("operation not permitted when stream is capturing")
        call()
        self.captures += 1
        code, names = call.__code__, call.__globals__
        held = [weakref.ref(cell.cell_contents) for cell in call.__closure__ or ()]

        def replay() -> None:
            self.runs += 1
            there = [ref() for ref in held]
            assert not any(tensor is None for tensor in there), "memory that was given back is written to"
            FunctionType(code, names, closure=tuple(map(CellType, there)))()

        return replay


def items(n: int) -> list[np.ndarray]:
    return [digits.decoded(k) for k in range(n)]


def test_a_lost_gpu_says_so(digits_bundle: Bundle) -> None:
    """Whoever holds it can go on elsewhere; an error of one batch stays what it was."""
    device = FakeGpu()
    backend = TorchCuda(digits_bundle, device=device, shapes=(4,))
    device.is_broken = True
    with pytest.raises(RuntimeError, match="launch failure"):
        backend.embed(items(2))
    device.is_gone = True

    with pytest.raises(DeviceLost, match=r"^CUDA error: unspecified launch failure$"):
        backend.embed(items(2))
    lost = weakref.ref(backend)
    del backend
    gc.collect()
    assert lost() is not None, "memory is given back to a device that is not there"


def test_padding_changes_no_embedding(digits_bundle: Bundle) -> None:
    """Whatever the size: between two shapes, one of them, none, and more than the largest."""
    backend = TorchCuda(digits_bundle, device=FakeGpu(), shapes=(1, 4, 16))
    plain = TorchCpu(digits_bundle, threads=1)

    for n in (0, 1, 2, 4, 5, 16, 17, 40):
        found = backend.embed(items(n))

        assert (n, backend.dim) == found.shape
        np.testing.assert_allclose(found, plain.embed(items(n)), atol=1e-5)


def test_what_was_embedded_before_is_not_seen(digits_bundle: Bundle) -> None:
    """Buffers are used again; a large batch leaves nothing for a small one after it, and answers stay as they were."""
    backend = TorchCuda(digits_bundle, device=FakeGpu(), shapes=(8,))
    before = backend.embed(items(8))
    kept = before.copy()
    small = backend.embed(items(3))

    assert before.tobytes() == kept.tobytes()
    np.testing.assert_allclose(small, before[:3], atol=1e-6)


def test_all_shapes_are_made_at_start_and_none_later(digits_bundle: Bundle) -> None:
    """Memory is bounded by the shapes, and no request waits for a capture."""
    device = FakeGpu()
    backend = TorchCuda(digits_bundle, device=device, shapes=(1, 4, 16))
    made, captured = len(device.buffers), device.captures
    for n in (1, 3, 9, 40):
        backend.embed(items(n))

    assert captured >= 3
    assert (made, captured) == (len(device.buffers), device.captures)
    assert device.runs == 1 + 1 + 1 + 1 + 3


@pytest.mark.parametrize(
    ("wrong", "kept"),
    [
        ((), "float16"),
        ((torch.float16,), "bfloat16"),
        ((torch.float16, torch.bfloat16), "float32"),
    ],
)
def test_the_first_precision_that_gives_the_golden_embeddings_serves(
    digits_bundle: Bundle, wrong: tuple[torch.dtype, ...], kept: str
) -> None:
    """Half precision only where nobody could tell."""
    backend = TorchCuda(digits_bundle, device=FakeGpu(wrong=wrong), shapes=(8,))

    assert f"torch, {kept}" == backend.name
    assert check_golden(digits_bundle, backend.embed) < 1e-3


def test_a_net_that_is_wrong_in_every_precision_does_not_serve(digits_bundle: Bundle) -> None:
    """It is the net then."""
    golden = digits_bundle.golden
    other = Golden(items=golden.items, embeddings=golden.embeddings[::-1].copy())

    with pytest.raises(BundleError, match="golden"):
        TorchCuda(replace(digits_bundle, golden=other), device=FakeGpu(), shapes=(8,))


def test_a_net_that_no_graph_can_hold_is_run_as_it_is(digits_bundle: Bundle) -> None:
    """Slower, and right."""
    backend = TorchCuda(digits_bundle, device=FakeGpu(captures=False), shapes=(4,))

    assert check_golden(digits_bundle, backend.embed) < 1e-4


def test_texts_are_neither_padded_nor_captured() -> None:
    """Their batches are several tensors of their own shapes; the net runs as it is."""
    device, text_bundle = FakeGpu(), texts.bundle()
    backend = TorchCuda(text_bundle, device=device)
    said = ["please block my card", "play that song", "an apple pie"]

    assert check_golden(text_bundle, backend.embed) < 1e-3
    np.testing.assert_allclose(backend.embed(said), TorchCpu(text_bundle, threads=1).embed(said), atol=1e-5)
    assert not device.buffers
    assert not device.captures
