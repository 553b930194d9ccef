"""The runtime that was chosen, as the pipeline calls it.

Calls block for milliseconds and are made from worker threads, one at a time, never from the event loop: a backend's
buffers are not made for two callers.

A GPU can go while a process runs: the card fails, or a kernel does, and from then on every call of the process is
refused. What is in hand is then embedded on the CPU, by the net, checked against the golden embeddings once more,
and so is all that comes after it; the log and /readyz say so until the service is started again.
"""

from collections.abc import Callable, Sequence
from threading import Lock

import structlog

from model.bundle import Bundle, check_golden
from model.inputs import Payload
from service.embedding.backend import Backend, DeviceLost
from service.embedding.choice import Runtime, Trial, candidates, choose
from service.embedding.torch_cpu import TorchCpu
from service.records import Float32s

log = structlog.get_logger("firstseen.embedding")


class Embedder:
    """The bundle's net, checked and ready to embed.

    Args:
        bundle: Verified.
        device: "auto", "cpu" or "cuda".
        threads: CPU threads of one call.
        runtime: "torch", so that two runs of a benchmark or a replay of a data set take the same; "auto" or "onnx".
        clock: To time what "auto" may choose from; needed for it alone.

    Raises:
        BundleError: No runtime gives the golden embeddings.
        InvalidSetting: What was asked for is not here.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        device: str,
        threads: int,
        runtime: Runtime = "torch",
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        makes = candidates(bundle, runtime=runtime, device=device, threads=threads)
        choice = choose(bundle, makes, clock=clock)
        self._bundle = bundle
        self._threads = threads
        self._backend = choice.backend
        self.dim = choice.backend.dim
        self._trials = choice.trials
        self._warnings: tuple[str, ...] = ()
        self._one_at_a_time = Lock()

    @property
    def device(self) -> str:
        """Where it embeds now: "cpu" or "cuda"."""
        return self._backend.device

    @property
    def runtime(self) -> str:
        """What embeds now, such as "onnx"."""
        return self._backend.name

    @property
    def warnings(self) -> tuple[str, ...]:
        """What an operator should know although items are embedded."""
        return self._warnings

    def embed(self, items: Sequence[Payload]) -> Float32s:
        """Embed B payloads -> float32 (B, D).

        Raises:
            BundleError: The GPU is gone, and the CPU does not give the golden embeddings.
        """
        with self._one_at_a_time:
            try:
                return self._backend.embed(items)
            except DeviceLost as lost:
                self._backend = self._on_the_cpu(lost)
                return self._backend.embed(items)

    def _on_the_cpu(self, lost: DeviceLost) -> Backend:
        """What embeds from now on."""
        log.error("device_lost", device=self.device, reason=str(lost), now="cpu")
        backend = TorchCpu(self._bundle, threads=self._threads)
        difference = check_golden(self._bundle, backend.embed)
        self._trials += (
            Trial(runtime=f"{backend.name}, cpu", difference=difference, items_per_s={}, refused=None),
        )
        self._warnings = (
            f"The GPU is gone ({lost}), and items are embedded on the CPU, which is slower. Look at the card, and "
            "start the service again to use it.",
        )
        return backend

    def shown(self) -> dict[str, object]:
        """What serves, and how it came to that, for /info."""
        return {"name": self.runtime, "trials": {trial.runtime: trial.shown() for trial in self._trials}}
