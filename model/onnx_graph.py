"""The embedder as an ONNX graph, so that a service can run it without torch's overhead.

    x float32 (B, *shape) ─► the net, batch norms folded ─► layers, each of length one ─► z float32 (B, D)

`torch.onnx.export` traces the embedder with a free batch size; the graph is a file of the bundle (`embedder.onnx`),
under its checksum like the others, and holds the weights once more. On a CPU onnxruntime runs a small CNN several
times as fast as torch does, since it lays a convolution, its activation and its memory out together
(`service/embedding` takes whichever is faster on the machine at hand).

What the exporter notes about where the graph came from is taken out: it is as long as the graph, and two machines
would write two bundles.

Nets for text have no graph. Their batch is not one tensor: tf-idf sums embedding bags of any length and spends its
time in counting words, which is Python; a sentence encoder cuts a batch up by the lengths of its texts, and a traced
graph would hold the cut of one batch. They are served by torch.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from model.inputs import InputSpec
from model.networks import Embedder, embed_items

_NEEDED = ("onnx", "onnxruntime", "onnxscript")
_TRACED_WITH = 3
"""Items; neither 0 nor 1, which a trace would take for a constant."""

INPUT, OUTPUT = "x", "z"
"""Names of what goes in and what comes out: float32 (B, *shape) and float32 (B, D)."""

LARGEST_DIFFERENCE = 1e-4
"""Between the graph and the net on items of the trainer; well inside the tolerance of the golden items."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """The file, or None and why there is none; `note` is a sentence for people either way."""

    onnx: bytes | None
    note: str


def export_onnx(embedder: Embedder, spec: InputSpec, items: NDArray[np.float32]) -> Exported:
    """Make the graph of an embedder and compare what it gives.

    Args:
        embedder: on the CPU, in eval mode.
        spec: what the net eats.
        items: payloads to compare with, float32 (N, *shape), N at least 1; of no use for nets that have no graph.

    Returns:
        The graph, or why the bundle has none; nothing that goes wrong here is a reason to lose a training.
    """
    if spec.kind == "text":
        return Exported(onnx=None, note="no embedder.onnx: nets for text are served by torch")
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        return Exported(
            onnx=None,
            note=f"no embedder.onnx: {', '.join(missing)} not installed; pip install 'firstseen[onnx]'",
        )
    try:
        raw = _graph(embedder, items.shape[1:])
        difference = _difference(raw, embedder, items)
    except Exception as error:  # noqa: BLE001 - the exporter raises whatever its passes raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        return Exported(onnx=None, note=f"no embedder.onnx: the net cannot be exported ({reason})")
    if not difference <= LARGEST_DIFFERENCE:
        return Exported(
            onnx=None, note=f"no embedder.onnx: the graph differs from the net by {difference:.3g}"
        )
    return Exported(onnx=raw, note=f"embedder.onnx, {len(raw) / 2**20:.1f} MiB")


def _graph(embedder: Embedder, shape: tuple[int, ...]) -> bytes:
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            embedder,
            (torch.zeros(_TRACED_WITH, *shape),),
            dynamo=True,
            verbose=False,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim("B")},),
        )
    assert program is not None
    model = program.model_proto
    _forget_origin(model)
    raw: bytes = model.SerializeToString(deterministic=True)
    return raw


def _forget_origin(model: Any) -> None:  # noqa: ANN401 - an extra's class
    """Take out names of files and modules, which no runtime reads."""
    graph = model.graph
    for part in [
        model,
        graph,
        *graph.node,
        *graph.input,
        *graph.output,
        *graph.value_info,
        *graph.initializer,
    ]:
        part.ClearField("metadata_props")
        part.ClearField("doc_string")


def _difference(raw: bytes, embedder: Embedder, items: NDArray[np.float32]) -> float:
    """Return the largest difference between graph and net, over batches of several sizes."""
    import onnxruntime  # noqa: PLC0415 - an extra

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
    worst = 0.0
    for x in (items[:1], items):
        (z,) = session.run([OUTPUT], {INPUT: np.ascontiguousarray(x, dtype=np.float32)})
        worst = max(worst, float(np.abs(z - embed_items(embedder, x)).max()))
    return worst


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the exporter says about itself from the user."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
