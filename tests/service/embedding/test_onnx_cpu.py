"""The bundle's graph by onnxruntime: the embeddings of torch, or a sentence that says what is missing."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from model.bundle import Bundle, check_golden
from service.embedding.onnx_cpu import OnnxCpu, OnnxMissing
from service.embedding.torch_cpu import TorchCpu
from tests.service import digits
from tests.service.embedding.graphs import bundle_with_graph, needs_onnx


@needs_onnx
def test_it_gives_the_golden_embeddings_and_what_torch_gives() -> None:
    """Within rounding, at sizes from none to more than a batch."""
    bundle = bundle_with_graph()
    onnx, torch = OnnxCpu(bundle, threads=1), TorchCpu(bundle, threads=1)

    assert check_golden(bundle, onnx.embed) < 1e-4
    for n in (0, 1, 5, 300):
        items = [digits.decoded(k) for k in range(n)]
        found = onnx.embed(items)

        assert (n, onnx.dim) == found.shape
        assert np.float32 == found.dtype
        np.testing.assert_allclose(found, torch.embed(items), atol=1e-5)


@needs_onnx
def test_the_same_batch_gives_the_same_bits() -> None:
    """Nothing is random."""
    backend = OnnxCpu(bundle_with_graph(), threads=1)
    items = [digits.decoded(k) for k in range(9)]

    assert backend.embed(items).tobytes() == backend.embed(items).tobytes()


def test_a_bundle_without_a_graph_says_so(digits_bundle: Bundle) -> None:
    """As bundles of before have none."""
    with pytest.raises(OnnxMissing, match="train it again"):
        OnnxCpu(digits_bundle, threads=1)


def test_without_onnxruntime_it_says_what_to_install(
    digits_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The extra is named."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)

    with pytest.raises(OnnxMissing, match=r"firstseen\[onnx\]"):
        OnnxCpu(replace(digits_bundle, onnx=b"graph"), threads=1)


@needs_onnx
def test_what_is_no_graph_is_refused(digits_bundle: Bundle) -> None:
    """With the runtime's own words."""
    with pytest.raises(OnnxMissing, match="refuses"):
        OnnxCpu(replace(digits_bundle, onnx=b"no graph"), threads=1)
