"""Items to embeddings: the bundle's net on a GPU if torch sees one, else on one CPU thread.

The only torch of the service. It is checked against the bundle's golden embeddings before the first item.
Calls block for milliseconds and are made from one worker thread, never from the event loop.
"""

from collections.abc import Sequence

import numpy as np
import torch

from model.bundle import Bundle, check_golden
from model.networks import load_embedder
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
        self._shape = bundle.manifest.input.shape
        self._net = load_embedder(bundle).to(self.device)
        check_golden(bundle, self.embed)

    def embed(self, x: Float32s | Sequence[Float32s]) -> Float32s:
        """Embed a batch.

        Args:
            x: float32 (B, *shape), scaled.

        Returns:
            float32 (B, D).
        """
        batch = np.asarray(x, dtype=np.float32).reshape(-1, *self._shape)
        with torch.inference_mode():
            z = self._net(torch.from_numpy(batch).to(self.device))
        return z.float().cpu().numpy()  # type: ignore[no-any-return]
