"""The bundle's `embedder.onnx` by onnxruntime on the CPU.

onnxruntime is an extra (`pip install 'firstseen[onnx]'`) and imported here alone, when such a backend is made. The
graph came with the bundle and under its checksum; like every runtime it has to give the golden embeddings before it
serves.
"""

from collections.abc import Sequence

import numpy as np

from model.bundle import Bundle
from model.inputs import Payload
from service.records import Float32s

_INPUT, _OUTPUT = "x", "z"


class OnnxMissing(Exception):
    """This bundle cannot be run by onnxruntime here; the message says why, and what to do."""


class OnnxCpu:
    """The graph, on as many threads as are given.

    Args:
        bundle: Verified.
        threads: CPU threads of one call. They do not spin while they wait: a core has other work.

    Raises:
        OnnxMissing: The bundle has no graph, onnxruntime is not installed, or refuses the graph.
    """

    name = "onnx"
    device = "cpu"

    def __init__(self, bundle: Bundle, *, threads: int) -> None:
        if bundle.onnx is None:
            raise OnnxMissing(
                "the bundle has no embedder.onnx: train it again where firstseen[onnx] is installed"
            )
        try:
            import onnxruntime  # noqa: PLC0415 - an extra, and its import costs who has it only
        except ImportError:
            raise OnnxMissing("onnxruntime is not installed: pip install 'firstseen[onnx]'") from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                bundle.onnx, options, providers=["CPUExecutionProvider"]
            )
            shape = self._session.get_inputs()[0].shape
        except Exception as error:  # noqa: BLE001 - onnxruntime's exceptions share no class of their own
            raise OnnxMissing(
                f"onnxruntime refuses embedder.onnx ({str(error).splitlines()[0][:200]})"
            ) from None
        self.dim = bundle.manifest.embedding.dim
        self._shape = tuple(shape[1:])

    def embed(self, items: Sequence[Payload]) -> Float32s:
        """Embed B payloads -> float32 (B, D)."""
        if not len(items):
            return np.empty((0, self.dim), dtype=np.float32)
        z: Float32s = self._session.run([_OUTPUT], {_INPUT: np.asarray(items, dtype=np.float32)})[0]
        return z
