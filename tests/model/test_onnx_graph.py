"""The embedder as an ONNX graph: the same embeddings, at any batch size; or a sentence that says why there is none."""

from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import torch

from model import onnx_graph
from model.inputs import ImageInput, InputSpec, TableInput, TextInput, VectorInput
from model.networks import Embedder, embed_items
from model.networks.cnn import Cnn
from model.networks.mlp import Mlp
from model.networks.table import Table
from model.onnx_graph import export_onnx

needs_onnx = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("onnx", "onnxruntime", "onnxscript")),
    reason="needs the extra onnx: pip install 'firstseen[onnx]'",
)

IMAGE = ImageInput(shape=(1, 6, 6), minimum=0, maximum=1)
VECTOR = VectorInput(shape=(5,), minimum=0, maximum=1)
TABLE = TableInput.model_validate(
    {
        "kind": "table",
        "columns": [
            {"name": "bytes", "kind": "number"},
            {"name": "protocol", "kind": "category", "values": ["tcp", "udp"]},
        ],
    }
)


def images(n: int) -> np.ndarray:
    return np.random.default_rng(0).random((n, 1, 6, 6), dtype=np.float32)


def net_of(spec: InputSpec) -> Embedder:
    torch.manual_seed(0)
    net: Any
    match spec.kind:
        case "image":
            net = Cnn(spec, output_dim=3, channels=4, hidden=8)
        case "vector":
            net = Mlp(spec, output_dim=3, width=8, depth=2)
        case _:
            net = Table(spec, output_dim=3, width=8, hidden=8)
    return Embedder(net, ("penultimate", "output"), "l2").eval().requires_grad_(requires_grad=False)


def items_of(spec: InputSpec) -> np.ndarray:
    if spec.kind == "table":
        rows = [{"bytes": 12, "protocol": "tcp"}, {"bytes": None, "protocol": "icmp"}, {"bytes": 1e6}]
        return np.stack([np.asarray(spec.decode({"bytes": None, "protocol": None} | row)) for row in rows])
    shape = getattr(spec, "shape")  # noqa: B009 - images and vectors have one
    return np.random.default_rng(0).random((7, *shape), dtype=np.float32)


@needs_onnx
@pytest.mark.parametrize("spec", [IMAGE, VECTOR, TABLE], ids=lambda spec: spec.kind)
def test_the_graph_gives_what_the_net_gives_at_any_batch_size(spec: InputSpec) -> None:
    """A runtime that knows nothing of torch embeds one item, or more than the trace saw, alike."""
    import onnxruntime

    embedder, items = net_of(spec), items_of(spec)
    exported = export_onnx(embedder, spec, items)
    assert exported.onnx is not None, exported.note
    session = onnxruntime.InferenceSession(exported.onnx, providers=["CPUExecutionProvider"])

    for n in (1, 2, 3, 70):
        x = np.resize(items, (n, *items.shape[1:]))
        (z,) = session.run(["z"], {"x": x})
        np.testing.assert_allclose(z, embed_items(embedder, x), atol=1e-5)


@needs_onnx
def test_the_same_net_gives_the_same_bytes_and_they_say_nothing_of_this_machine() -> None:
    """A bundle's id stands for every byte, so two trainings that end alike must write alike."""
    embedder = net_of(IMAGE)
    one, two = (export_onnx(embedder, IMAGE, images(2)).onnx for _ in range(2))

    assert one is not None
    assert one == two
    for trace in (b".py", b"stack_trace", b"site-packages"):
        assert trace not in one


@needs_onnx
def test_a_graph_that_differs_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another net's graph is not written, and the note says how far it is off."""
    torch.manual_seed(1)
    other = Embedder(Cnn(IMAGE, output_dim=3, channels=4, hidden=8), ("penultimate", "output"), "l2").eval()
    graph = onnx_graph._graph(other, (1, 6, 6))
    monkeypatch.setattr(onnx_graph, "_graph", lambda *_: graph)
    exported = export_onnx(net_of(IMAGE), IMAGE, images(3))

    assert exported.onnx is None
    assert "differs from the net" in exported.note


def test_text_has_no_graph() -> None:
    """Nets for text stay with torch, and the trainer says so."""
    exported = export_onnx(net_of(IMAGE), TextInput(), images(1))

    assert exported.onnx is None
    assert "text" in exported.note


def test_without_the_extra_there_is_a_sentence_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has not installed it loses nothing but the speed, and reads how to get it."""
    monkeypatch.setattr(onnx_graph, "find_spec", lambda _: None)
    exported = export_onnx(net_of(IMAGE), IMAGE, images(1))

    assert exported.onnx is None
    assert "pip install 'firstseen[onnx]'" in exported.note


@needs_onnx
def test_what_cannot_be_exported_is_no_reason_to_lose_a_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exporter fails; the note says how."""

    def fails(*_: object) -> bytes:
        raise RuntimeError("no such operator\nand a page of details")

    monkeypatch.setattr(onnx_graph, "_graph", fails)
    exported = export_onnx(net_of(IMAGE), IMAGE, images(1))

    assert exported.onnx is None
    assert exported.note.endswith("(no such operator)")
    assert replace(exported, note="").onnx is None
