"""The net in the service gives what it gave when it was trained; it says when it cannot."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from model.bundle import Bundle, Golden
from model.inputs import Payload, decode_item
from model.manifest import BundleError
from service.clustering import snapshot
from service.clustering.engine import Engine
from service.clustering.params import EngineParams
from service.embedding import Embedder, choose_device
from service.embedding.backend import DeviceLost
from service.embedding.torch_cpu import TorchCpu
from service.errors import InvalidSetting
from service.pipeline.recovery import replay
from service.records import Float32s
from service.state.packing import pack_items
from service.state.store import LogRecord
from tests.service import digits
from tests.service.embedding.graphs import bundle_with_graph, needs_onnx


@pytest.fixture
def clock() -> Callable[[], float]:
    ticks = itertools.count()
    return lambda: float(next(ticks))


@pytest.fixture(scope="module")
def embedder(digits_bundle: Bundle) -> Embedder:
    return Embedder(digits_bundle, device="cpu", threads=1)


def test_golden(embedder: Embedder, digits_bundle: Bundle) -> None:
    """The golden inputs have the golden embeddings."""
    found = embedder.embed([decode_item(x, digits_bundle.manifest.input) for x in digits_bundle.golden.items])

    assert np.float32 == found.dtype
    np.testing.assert_allclose(found, digits_bundle.golden.embeddings, atol=1e-4)


def test_list(embedder: Embedder) -> None:
    """A list of items is embedded in order, as each would be alone, within rounding."""
    xs = [digits.decoded(n) for n in range(7)]
    together = embedder.embed(xs)

    assert (7, embedder.dim) == together.shape
    for x, z in zip(xs, together, strict=True):
        np.testing.assert_allclose(embedder.embed([x])[0], z, atol=1e-5)


def test_same_again(embedder: Embedder) -> None:
    """The same batch gives the same bits: nothing is random, and nothing is learnt."""
    xs = [digits.decoded(n) for n in range(5)]

    assert embedder.embed(xs).tobytes() == embedder.embed(xs).tobytes()


def test_finite(embedder: Embedder) -> None:
    """The corners of the input range have finite embeddings."""
    corners = [np.full((1, 8, 8), value, dtype=np.float32) for value in (0.0, 1.0)]

    assert np.isfinite(embedder.embed(corners)).all()


def test_other_golden(digits_bundle: Bundle) -> None:
    """A net that does not give the golden embeddings is not served."""
    golden = digits_bundle.golden
    wrong = Golden(items=golden.items, embeddings=golden.embeddings[::-1].copy())

    with pytest.raises(BundleError, match="golden"):
        Embedder(replace(digits_bundle, golden=wrong), device="cpu", threads=1)


def test_device() -> None:
    """Cpu is cpu; auto takes a GPU where there is one."""
    assert "cpu" == choose_device("cpu")
    assert ("cuda" if torch.cuda.is_available() else "cpu") == choose_device("auto")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_no_gpu() -> None:
    """A GPU that is asked for and not there is an error that says what to do."""
    with pytest.raises(InvalidSetting, match="auto or cpu"):
        choose_device("cuda")


@needs_onnx
def test_auto(clock: Callable[[], float]) -> None:
    """Both runtimes are tried on a bundle with a graph; the one that serves is among them and says so."""
    embedder = Embedder(bundle_with_graph(), device="cpu", threads=1, runtime="auto", clock=clock)
    shown = embedder.shown()

    assert {"torch", "onnx"} == set(shown["trials"])
    assert shown["name"] in shown["trials"]
    assert "cpu" == embedder.device


@needs_onnx
def test_replay_needs_no_net() -> None:
    """What one runtime decided and logged gives the same state again, whichever serves next: an embedding of another
    start may differ in its last digits, and the log has the one that was decided by.
    """
    bundle = bundle_with_graph()
    params = EngineParams()
    items = [digits.decoded(n) for n in range(200)]
    ids = tuple(f"i{n}" for n in range(200))
    z = {
        name: Embedder(bundle, device="cpu", threads=1, runtime=name).embed(items)
        for name in ("torch", "onnx")
    }
    assert z["torch"].tobytes() != z["onnx"].tobytes()
    engine = Engine(bundle.known, bundle.manifest.labels, params)
    log = []
    for name, part in (("torch", slice(0, 100)), ("onnx", slice(100, 200))):  # a restart in between
        observed = engine.decide(z[name][part], ids[part], np.full(100, 1e6))
        result = engine.apply(observed)
        log.append(
            LogRecord(
                first_seq=observed.first_seq,
                count=100,
                payload=pack_items(observed, result.verdicts),
            )
        )
    again = Engine(bundle.known, bundle.manifest.labels, params)
    replay(again, log)

    assert snapshot.digest(engine) == snapshot.digest(again)


class Fails(TorchCpu):
    """A GPU that goes after the first batch."""

    name, device = "torch, float16", "cuda"

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle, threads=1)
        self.batches_left = 2  # the golden items are one

    def embed(self, items: Sequence[Payload]) -> Float32s:
        if self.batches_left == 0:
            raise DeviceLost("CUDA error: unspecified launch failure")
        self.batches_left -= 1
        return super().embed(items)


def test_a_gpu_that_goes_is_replaced_by_the_cpu(
    digits_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch in hand is embedded, so are the next ones, and an operator is told."""
    gpu = Fails(digits_bundle)
    monkeypatch.setattr("service.embedding.embedder.candidates", lambda *_, **__: {"torch": lambda: gpu})
    embedder = Embedder(digits_bundle, device="auto", threads=1)
    xs = [digits.decoded(n) for n in range(5)]

    before = embedder.embed(xs)
    assert ("cuda", ()) == (embedder.device, embedder.warnings)
    after = [embedder.embed(xs) for _ in range(2)]

    assert [before.tobytes()] * 2 == [z.tobytes() for z in after]
    assert ("cpu", "torch") == (embedder.device, embedder.runtime)
    assert ["The GPU is gone (CUDA error: unspecified launch failure)"] == [
        warning.partition(",")[0] for warning in embedder.warnings
    ]
    assert {"torch, float16", "torch, cpu"} == set(embedder.shown()["trials"])  # type: ignore[call-overload]
