"""The digits bundle with an ONNX graph, made once a test session where the extra is installed."""

import functools
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from model.bundle import Bundle
from model.inputs import decode_item
from model.networks import load_embedder
from model.onnx_graph import export_onnx
from tests.service import digits

needs_onnx = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("onnx", "onnxruntime", "onnxscript")),
    reason="needs the extra onnx: pip install 'firstseen[onnx]'",
)


@functools.cache
def bundle_with_graph() -> Bundle:
    bundle = digits.bundle()
    spec = bundle.manifest.input
    items = np.stack([np.asarray(decode_item(x, spec)) for x in bundle.golden.items])
    exported = export_onnx(load_embedder(bundle), spec, items)
    assert exported.onnx is not None, exported.note
    return replace(bundle, onnx=exported.onnx)
