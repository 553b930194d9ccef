"""The bundle's net by torch on the CPU: what every bundle can be served with."""

from collections.abc import Sequence

import torch

from model.bundle import Bundle
from model.inputs import Payload
from model.networks import embed_items, load_embedder
from service.records import Float32s


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

    def embed(self, items: Sequence[Payload]) -> Float32s:
        """Embed B payloads -> float32 (B, D)."""
        return embed_items(self._net, items, batch_size=max(len(items), 1))
