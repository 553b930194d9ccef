"""The bundle's net by torch on the CPU: what every bundle can be served with.

A large batch goes through it in parts. What a layer makes of 256 photos fills no cache, and is taken from the system
and given back, page by page, in every call: in parts of 8 an item takes half the time
(`python -m benchmarks.embedding`), and the memory of a call no longer grows with its batch.
"""

from collections.abc import Sequence

import torch

from model.bundle import Bundle
from model.inputs import NumericInput, Payload
from model.networks import embed_items, load_embedder
from service.records import Float32s

_PART_BYTES = 256 * 1024
"""Of payloads that are embedded together: 8 photos of 3x64x64, 83 digits of 28x28."""

_FEWEST = 8
_MOST = 512


class TorchCpu:
    """The net, eagerly.

    Args:
        bundle: Verified.
        threads: CPU threads of one call; for the whole process, as torch has it.
    """

    name = "torch"
    device = "cpu"

    def __init__(self, bundle: Bundle, *, threads: int) -> None:
        torch.set_num_threads(threads)
        self._net = load_embedder(bundle)
        self.dim = self._net.dim
        self._together = _together(bundle)

    def embed(self, items: Sequence[Payload]) -> Float32s:
        """Embed B payloads -> float32 (B, D)."""
        return embed_items(self._net, items, batch_size=self._together)


def _together(bundle: Bundle) -> int:
    """How many items are embedded at once, at most."""
    spec = bundle.manifest.input
    if isinstance(spec, NumericInput):
        return min(max(_PART_BYTES // (4 * spec.size), _FEWEST), _MOST)
    return _MOST
