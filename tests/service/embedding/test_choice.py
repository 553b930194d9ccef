"""Which runtime serves: the faster of those that are right."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import structlog

from model.bundle import Bundle, BundleError
from model.inputs import Payload
from service.embedding.choice import Make, candidates, choose
from service.embedding.onnx_cpu import OnnxMissing
from service.errors import InvalidSetting
from service.records import Float32s


@dataclass
class Clock:
    """Seconds that pass when somebody works."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Table:
    """A backend that knows the golden items, and takes its time."""

    name: str
    golden: Float32s
    clock: Clock
    call_s: float
    item_s: float
    device: str = "cpu"
    sizes: list[int] = field(default_factory=list)

    @property
    def dim(self) -> int:
        return self.golden.shape[1]

    def embed(self, items: Sequence[Payload]) -> Float32s:
        self.sizes.append(len(items))
        self.clock.now += self.call_s + self.item_s * len(items)
        return np.resize(self.golden, (len(items), self.dim))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def table(digits_bundle: Bundle, clock: Clock) -> Callable[..., Make]:
    def make(name: str, *, call_s: float = 0.001, item_s: float = 0.001, off: float = 0.0) -> Make:
        golden = digits_bundle.golden.embeddings + np.float32(off)
        return lambda: Table(name, golden, clock, call_s, item_s)

    return make


def test_the_faster_one_serves(digits_bundle: Bundle, clock: Clock, table: Callable[..., Make]) -> None:
    """Whichever comes first; its rates are kept for people."""
    makes = {"slow": table("slow", item_s=0.004), "fast": table("fast", item_s=0.001)}

    for order in (makes, dict(reversed(makes.items()))):
        choice = choose(digits_bundle, order, clock=clock)

        assert "fast" == choice.backend.name
        rates = next(trial.items_per_s for trial in choice.trials if trial.runtime == "fast")
        assert {1: pytest.approx(1 / 0.002), 64: pytest.approx(64 / 0.065)} == rates


def test_single_items_count_as_much_as_batches(
    digits_bundle: Bundle, clock: Clock, table: Callable[..., Make]
) -> None:
    """Five times as fast at one item outweighs somewhat slower batches."""
    makes = {
        "batches": table("batches", call_s=0.050, item_s=0.0010),
        "singles": table("singles", call_s=0.009, item_s=0.0020),
    }

    assert "singles" == choose(digits_bundle, makes, clock=clock).backend.name


def test_one_that_is_wrong_never_serves_however_fast(
    digits_bundle: Bundle, clock: Clock, table: Callable[..., Make]
) -> None:
    """And the log says so as an error."""
    makes = {"right": table("right", item_s=1.0), "wrong": table("wrong", item_s=0.0, off=0.1)}
    with structlog.testing.capture_logs() as logs:
        choice = choose(digits_bundle, makes, clock=clock)

    assert "right" == choice.backend.name
    assert ["wrong"] == [trial.runtime for trial in choice.trials if trial.refused]
    (said,) = [line for line in logs if line["event"] == "runtime_is_wrong"]
    assert ("error", "wrong") == (said["log_level"], said["runtime"])


def test_when_all_are_wrong_nothing_is_served(
    digits_bundle: Bundle, clock: Clock, table: Callable[..., Make]
) -> None:
    """The refusal names the golden items."""
    with pytest.raises(BundleError, match="golden"):
        choose(digits_bundle, {"wrong": table("wrong", off=0.1)}, clock=clock)


def test_one_that_is_not_here_leaves_the_other(
    digits_bundle: Bundle, clock: Clock, table: Callable[..., Make]
) -> None:
    """Under auto that is no error."""

    def missing() -> Table:
        raise OnnxMissing("onnxruntime is not installed")

    choice = choose(digits_bundle, {"onnx": missing, "torch": table("torch")}, clock=clock)

    assert "torch" == choice.backend.name


def test_one_asked_for_by_name_must_be_here(digits_bundle: Bundle, clock: Clock) -> None:
    """Nobody is served by what they did not ask for."""
    makes = candidates(digits_bundle, runtime="onnx", device="cpu", threads=1)

    with pytest.raises(InvalidSetting, match="FIRSTSEEN_RUNTIME=onnx cannot be used: the bundle has no"):
        choose(digits_bundle, makes, clock=clock)


def test_a_single_candidate_is_not_timed(
    digits_bundle: Bundle, clock: Clock, table: Callable[..., Make]
) -> None:
    """It costs the golden check and no more."""
    choice = choose(digits_bundle, {"torch": table("torch")}, clock=clock)

    assert isinstance(choice.backend, Table)
    assert [len(digits_bundle.golden.items)] == choice.backend.sizes


def test_what_is_tried(digits_bundle: Bundle) -> None:
    """Auto tries the graph where there is one; torch and onnx are taken at their word."""
    with_graph = replace(digits_bundle, onnx=b"graph")

    assert {"torch"} == candidates(digits_bundle, runtime="auto", device="cpu", threads=1).keys()
    assert {"torch", "onnx"} == candidates(with_graph, runtime="auto", device="cpu", threads=1).keys()
    assert {"torch"} == candidates(with_graph, runtime="torch", device="cpu", threads=1).keys()
    assert {"onnx"} == candidates(with_graph, runtime="onnx", device="cpu", threads=1).keys()


def test_one_that_crashes_leaves_the_other(
    digits_bundle: Bundle, clock: Clock, table: Callable[..., Make]
) -> None:
    """Whatever a library raises, when it is made or when it runs; alone, it is told as it is."""

    def broken() -> Table:
        raise RuntimeError("no kernel for this graph")

    makes = {"broken": broken, "torch": table("torch")}
    with structlog.testing.capture_logs() as logs:
        choice = choose(digits_bundle, makes, clock=clock)

    assert "torch" == choice.backend.name
    assert ["RuntimeError: no kernel for this graph"] == [t.refused for t in choice.trials if t.refused]
    assert ["error"] == [line["log_level"] for line in logs if line["event"] == "runtime_fails"]
    with pytest.raises(RuntimeError, match="no kernel"):
        choose(digits_bundle, {"broken": broken}, clock=clock)
