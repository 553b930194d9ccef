"""The bundle's net by torch on a GPU: half precision, fixed batch shapes, pinned buffers, CUDA graphs.

    B payloads ─► the smallest shape S that holds them ─► pinned x (S, *shape) ─► net ─► pinned z (S, D) ─► B rows

A batch from a queue has any size, and a GPU wants to know it beforehand: a new shape makes libraries look for
algorithms and takes memory, and a graph has its one shape. So there are some shapes, a batch is padded up to the next
(with zeros; rows do not see each other in eval mode), and one larger than the largest goes in parts. Buffers of each
shape are made once, at start, and used again: nothing is allocated while it serves, and memory is bounded by the
largest shape, since all graphs work in the same memory, one after the other.

A small net on a GPU is bound by the launches of its kernels, not by arithmetic; a captured CUDA graph is one launch.
Where a net cannot be captured it is run as it is.

Half precision is tried first: float16, which has more digits, then bfloat16, which has more range; what gives the
golden embeddings within their tolerance is kept, else float32. Texts, whose batches are several tensors of their own
shapes, are neither padded nor captured.
"""

import ctypes
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Lock
from typing import Protocol

import numpy as np
import structlog
import torch
from torch import Tensor

from model.bundle import Bundle, BundleError, check_golden
from model.inputs import Payload
from model.networks import Embedder as Net
from model.networks import embed_items, load_embedder
from service.embedding.backend import DeviceLost
from service.embedding.cuda_device import CudaDevice
from service.records import Float32s

log = structlog.get_logger("firstseen.embedding")

SHAPES = (1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
"""Batch sizes that are prepared: from 3 items on less than half of what is computed is for padding, mostly a tenth.

A wide net has no time left for more: with steps of four, a batch of 64 took as long as one of 128, and longer than
without any preparation (`python -m benchmarks.embedding`)."""

_PRECISIONS: tuple[torch.dtype | None, ...] = (torch.float16, torch.bfloat16, None)


class Device(Protocol):
    """What is needed of a GPU: `service.embedding.cuda_device` has the real one."""

    name: str

    @property
    def place(self) -> torch.device: ...  # noqa: D102
    def pinned(self, *shape: int) -> Tensor: ...  # noqa: D102
    def finish(self) -> None: ...  # noqa: D102
    def is_lost(self) -> bool: ...  # noqa: D102
    def half(self, dtype: torch.dtype | None) -> AbstractContextManager[object]: ...  # noqa: D102
    def captured(self, call: Callable[[], None]) -> Callable[[], None]: ...  # noqa: D102


@dataclass(frozen=True, kw_only=True, slots=True)
class _Prepared:
    """One shape: its buffers here and there, and what runs the net from `x` to `z`.

    A captured graph knows its tensors by their addresses alone: they live as long as it does because they are here.
    """

    x: Tensor
    there: Tensor
    z: Tensor
    run: Callable[[], None]
    is_captured: bool


class TorchCuda:
    """The net on a GPU.

    Args:
        bundle: Verified.
        device: The GPU.
        shapes: Batch sizes to prepare, ascending.

    Raises:
        BundleError: The net does not give the golden embeddings in any precision.
    """

    def __init__(
        self, bundle: Bundle, *, device: Device | None = None, shapes: Sequence[int] = SHAPES
    ) -> None:
        self._device: Device = device or CudaDevice()
        self.device = self._device.name
        self._net: Net = load_embedder(bundle).to(self._device.place)
        self.dim = self._net.dim
        spec = bundle.manifest.input
        self._shape: tuple[int, ...] | None = None if spec.kind == "text" else _payload_shape(bundle)
        self._sizes = tuple(shapes)
        self._precision: torch.dtype | None = None
        self._one_at_a_time = Lock()
        self._prepared: dict[int, _Prepared] = {}
        self._settle_precision(bundle)
        if self._shape is not None:
            for size in reversed(self._sizes):  # the largest first: the others then fit into its memory
                self._ready(size, self._shape)
        self.name = f"torch, {self._precision_name()}"

    def _precision_name(self) -> str:
        return "float32" if self._precision is None else str(self._precision).removeprefix("torch.")

    def _settle_precision(self, bundle: Bundle) -> None:
        """Take the first precision that gives the golden embeddings."""
        for precision in _PRECISIONS:
            self._precision, self._prepared = precision, {}
            try:
                check_golden(bundle, self.embed)
            except BundleError as failed:
                if precision is None:
                    raise
                log.info("precision_not_used", precision=str(precision), reason=str(failed))
            else:
                return

    def embed(self, items: Sequence[Payload]) -> Float32s:
        """Embed B payloads -> float32 (B, D).

        Raises:
            DeviceLost: The GPU is gone.
        """
        with self._one_at_a_time:
            try:
                return self._embed(items)
            except RuntimeError as error:
                if self._device.is_lost():
                    _never_free(self)
                    raise DeviceLost(_first_line(error)) from error
                raise

    def _embed(self, items: Sequence[Payload]) -> Float32s:
        if self._shape is None:
            with self._device.half(self._precision):
                return embed_items(self._net, items, batch_size=max(len(items), 1))
        z = np.empty((len(items), self.dim), dtype=np.float32)
        largest = self._sizes[-1]
        for start in range(0, len(items), largest):
            part = items[start : start + largest]
            self._embed_part(part, self._shape, z[start : start + len(part)])
        return z

    def _embed_part(self, items: Sequence[Payload], shape: tuple[int, ...], z: Float32s) -> None:
        """Embed B payloads of this shape, B at most the largest size, into `z`."""
        n = len(items)
        prepared = self._ready(next(size for size in self._sizes if size >= n), shape)
        x = prepared.x.numpy()
        if n:
            np.stack(items, out=x[:n])
        x[n:] = 0.0
        prepared.run()
        self._device.finish()
        z[:] = prepared.z.numpy()[:n]

    def _ready(self, size: int, shape: tuple[int, ...]) -> _Prepared:
        """The buffers and the run of one size; made when first asked for, which is at start."""
        if size not in self._prepared:
            self._prepared[size] = self._prepare(size, shape)
        return self._prepared[size]

    def _prepare(self, size: int, shape: tuple[int, ...]) -> _Prepared:
        here, back = self._device.pinned(size, *shape), self._device.pinned(size, self.dim)
        there = torch.zeros(size, *shape, device=self._device.place)

        def run() -> None:
            with torch.inference_mode(), self._device.half(self._precision):
                there.copy_(here, non_blocking=True)
                back.copy_(self._net(there).float(), non_blocking=True)

        try:
            captured = self._device.captured(run)
        except RuntimeError as error:  # an operation that no graph can hold
            log.warning("not_captured", size=size, reason=_first_line(error))
            return _Prepared(x=here, there=there, z=back, run=run, is_captured=False)
        return _Prepared(x=here, there=there, z=back, run=captured, is_captured=True)


def _first_line(error: Exception) -> str:
    return f"{error}".partition("\n")[0][:200]


def _never_free(lost: object) -> None:
    """Keep it for good: what gives memory and graphs back to a GPU that is gone raises where nobody can catch it."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(lost))


def _payload_shape(bundle: Bundle) -> tuple[int, ...]:
    payload = bundle.manifest.input.decode(bundle.golden.items[0])
    return np.asarray(payload).shape
