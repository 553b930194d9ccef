"""The few things a GPU does for an embedder, in one place, so that the rest can be tested without one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

_WARM_UP_RUNS = 3
"""Before a capture: libraries choose their algorithms and make their workspaces in the first runs."""


class CudaDevice:
    """torch's GPU. Everything happens in the one thread that embeds."""

    name = "cuda"

    def __init__(self) -> None:
        self._pool: object | None = None
        self._captures: torch.cuda.Stream | None = None

    @property
    def place(self) -> torch.device:
        """Where the net and its inputs lie."""
        return torch.device("cuda")

    def pinned(self, *shape: int) -> Tensor:
        """A float32 buffer in memory that the GPU reads and writes by itself."""
        return torch.zeros(shape, pin_memory=True)

    def finish(self) -> None:
        """Wait until all that was asked for is done."""
        torch.cuda.synchronize()

    def is_lost(self) -> bool:
        """Whether it answers nothing any more. After a fault of a kernel, or of the card, that is for good."""
        try:
            torch.cuda.synchronize()
        except RuntimeError:
            return True
        return False

    @contextmanager
    def half(self, dtype: torch.dtype | None) -> Iterator[None]:
        """Compute in `dtype` where that is safe, as torch's autocast knows; None: float32 throughout.

        Weights are cast in every run: torch's cache of cast weights must not be filled inside a capture.
        """
        with torch.autocast("cuda", dtype=dtype, enabled=dtype is not None, cache_enabled=False):
            yield

    def captured(self, call: Callable[[], None]) -> Callable[[], None]:
        """`call` as a CUDA graph: one launch instead of one a kernel.

        The caller keeps the tensors that `call` reads and writes: the graph has their addresses and nothing else. What
        the net makes in between lies in memory that all graphs of this device share, so two must not run at once.

        References: "CUDA graphs" in torch's notes on CUDA semantics.
        """
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_WARM_UP_RUNS):
                call()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        if self._pool is None:
            self._pool = torch.cuda.graph_pool_handle()
            # Our own: what libraries keep for a stream, such as cuBLAS its workspace, is then part of our memory, too.
            self._captures = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        with torch.cuda.graph(graph, pool=self._pool, stream=self._captures):  # type: ignore[arg-type]
            call()
        return graph.replay
