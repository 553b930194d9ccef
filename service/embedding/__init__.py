"""Items to embeddings: by torch on a GPU, by torch on a CPU, or by onnxruntime on a CPU.

    backend.py      what a runtime promises
    torch_cpu.py    the bundle's net, eagerly
    torch_cuda.py   the same on a GPU: half precision, fixed batch shapes, pinned buffers, CUDA graphs
    onnx_cpu.py     the bundle's `embedder.onnx`
    choice.py       which of them: checked against the golden items, and timed
    embedder.py     the one that was chosen, as the pipeline calls it

Runtimes differ in the last digits. That does no harm: an item is embedded once and what follows from it is logged, so
a replay needs no net, and another start may choose another runtime (docs/decisions/032-embedding-runtime.md).
"""

from service.embedding.choice import choose_device
from service.embedding.embedder import Embedder

__all__ = ["Embedder", "choose_device"]
