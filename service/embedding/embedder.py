"""The runtime that was chosen, as the pipeline calls it.

Calls block for milliseconds and are made from worker threads, one at a time, never from the event loop: a backend's
buffers are not made for two callers.
"""

from collections.abc import Callable, Sequence
from threading import Lock

from model.bundle import Bundle
from model.inputs import Payload
from service.embedding.choice import Runtime, candidates, choose
from service.records import Float32s


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
        self._backend = choice.backend
        self.device = choice.backend.device
        self.dim = choice.backend.dim
        self.runtime = choice.backend.name
        self._trials = choice.trials
        self._one_at_a_time = Lock()

    def embed(self, items: Sequence[Payload]) -> Float32s:
        """Embed B payloads -> float32 (B, D)."""
        with self._one_at_a_time:
            return self._backend.embed(items)

    def shown(self) -> dict[str, object]:
        """What serves, and how it came to that, for /info."""
        return {"name": self.runtime, "trials": {trial.runtime: trial.shown() for trial in self._trials}}
