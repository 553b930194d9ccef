"""Items to embeddings: the bundle's net on a GPU if torch sees one, else on one CPU thread.

The only torch of the service. It is checked against the bundle's golden embeddings before the first item.
Calls block for milliseconds and are made from one worker thread, never from the event loop.
"""

from collections.abc import Sequence

import torch

from model.bundle import Bundle, check_golden
from model.inputs import Payload
from model.networks import embed_items, load_embedder
from service.errors import InvalidSetting
from service.records import Float32s


def choose_device(wanted: str) -> str:
    """The device that is there for auto, cpu or cuda.

    Raises:
        InvalidSetting: "cuda" where torch sees none.
    """
    has_gpu = torch.cuda.is_available()
    if wanted == "cuda" and not has_gpu:
        raise InvalidSetting(
            "FIRSTSEEN_DEVICE=cuda, but torch sees no GPU. Install a CUDA build, or use auto or cpu."
        )
    return "cuda" if has_gpu and wanted != "cpu" else "cpu"


class Embedder:
    """The bundle's net, ready to embed."""

    def __init__(self, bundle: Bundle, *, device: str, threads: int) -> None:
        """Load and self-test.

        Raises:
            BundleError: The net does not give the golden embeddings.
        """
        torch.set_num_threads(threads)
        self.device = choose_device(device)
        self.dim = bundle.manifest.embedding.dim
        self._net = load_embedder(bundle).to(self.device)
        check_golden(bundle, self.embed)

    def embed(self, items: Sequence[Payload]) -> Float32s:
        """Embed B payloads -> float32 (B, D)."""
        return embed_items(self._net, items, batch_size=max(len(items), 1))
