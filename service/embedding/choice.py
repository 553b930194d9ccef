"""Which runtime serves: whatever gives the golden embeddings, and of these the fastest.

    auto     a GPU where torch sees one; else torch and onnxruntime are both tried, and the faster is taken
    torch    torch, on the GPU or the CPU
    onnx     onnxruntime on the CPU, and no other

Each candidate embeds the bundle's golden items before anything else. One that gives other embeddings is never used:
under `auto` the other one serves and the log says so as an error, since a runtime that computes wrongly is worth a
person's look; if it was asked for by name, or none is left, the service does not start. The same goes for one that
raises an exception.

Timed is what a stream asks for, single items and batches of 64, made of golden items: the median of a few runs each,
the two compared by the geometric mean of their rates (an idle service answers single items, a busy one batches; a
runtime that is twice as fast at one and half as fast at the other is no better). What was measured is logged and shown
in /info.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt
from statistics import median
from typing import Literal

import structlog
import torch

from model.bundle import Bundle, BundleError, check_golden
from model.inputs import decode_item
from service.embedding.backend import Backend
from service.embedding.onnx_cpu import OnnxCpu, OnnxMissing
from service.embedding.torch_cpu import TorchCpu
from service.embedding.torch_cuda import TorchCuda
from service.errors import InvalidSetting

log = structlog.get_logger("firstseen.embedding")

Runtime = Literal["auto", "torch", "onnx"]
Make = Callable[[], Backend]

SIZES = (1, 64)
_RUNS = 5
_REASON_CHARACTERS = 300


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What became of one candidate.

    `difference`: the largest from a golden embedding, None where it could not even be run; `items_per_s`: by batch
    size, empty where nothing had to be compared; `refused`: why it may not serve, None where it may.
    """

    runtime: str
    difference: float | None
    items_per_s: Mapping[int, float]
    refused: str | None

    def shown(self) -> dict[str, object]:
        """For the log and /info."""
        return {
            "difference": self.difference,
            "items_per_s": {str(size): round(rate) for size, rate in self.items_per_s.items()},
            "refused": self.refused,
        }


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The backend that serves, and the trials that led to it."""

    backend: Backend
    trials: tuple[Trial, ...]


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


def candidates(bundle: Bundle, *, runtime: Runtime, device: str, threads: int) -> dict[str, Make]:
    """The backends to try, by name; the one to prefer where they are equally fast first.

    Raises:
        InvalidSetting: A GPU was asked for and torch sees none, or for onnxruntime.
    """
    place = choose_device(device)
    if runtime == "onnx":
        if device == "cuda":
            raise InvalidSetting(
                "FIRSTSEEN_RUNTIME=onnx runs on the CPU; with FIRSTSEEN_DEVICE=cuda use torch or auto."
            )
        return {"onnx": lambda: OnnxCpu(bundle, threads=threads)}
    if place == "cuda":
        return {"torch": lambda: TorchCuda(bundle)}
    found: dict[str, Make] = {"torch": lambda: TorchCpu(bundle, threads=threads)}
    if runtime == "auto" and bundle.onnx is not None:
        found["onnx"] = lambda: OnnxCpu(bundle, threads=threads)
    return found


def choose(bundle: Bundle, makes: Mapping[str, Make], *, clock: Callable[[], float]) -> Choice:
    """Try each, and take the fastest of those that are right.

    Args:
        bundle: Has the golden items.
        makes: Candidates by name.
        clock: Seconds that only grow.

    Raises:
        BundleError: None gives the golden embeddings.
        InvalidSetting: The only one asked for cannot be run here.
        Exception: What the only one raised that could be run at all.
    """
    backends: list[Backend] = []
    trials: list[Trial] = []
    failures: list[Exception] = []
    for name, make in makes.items():
        try:
            backend = make()
            difference = check_golden(bundle, backend.embed)
        except OnnxMissing as missing:
            failures.append(InvalidSetting(f"FIRSTSEEN_RUNTIME={name} cannot be used: {missing}."))
            trials.append(_refused(name, str(missing)))
            log.info("runtime_not_here", runtime=name, reason=str(missing))
        except BundleError as wrong:
            failures.append(wrong)
            trials.append(_refused(name, str(wrong)))
            log.error("runtime_is_wrong", runtime=name, reason=str(wrong))  # noqa: TRY400 - the reason says it all
        except InvalidSetting:
            raise
        except Exception as failed:  # a library's own: another runtime may do
            failures.append(failed)
            trials.append(_refused(name, f"{type(failed).__name__}: {failed}"[:_REASON_CHARACTERS]))
            log.exception("runtime_fails", runtime=name)
        else:
            rates = _rates(bundle, backend, clock) if len(makes) > 1 else {}
            backends.append(backend)
            trials.append(Trial(runtime=backend.name, difference=difference, items_per_s=rates, refused=None))
    if not backends:
        raise next((e for e in failures if isinstance(e, BundleError)), failures[0])
    served = [trial for trial in trials if trial.refused is None]
    best = max(range(len(backends)), key=lambda n: _score(served[n].items_per_s))
    log.info("runtime", runtime=backends[best].name, device=backends[best].device, trials=_shown(trials))
    return Choice(backend=backends[best], trials=tuple(trials))


def _shown(trials: list[Trial]) -> dict[str, object]:
    return {trial.runtime: trial.shown() for trial in trials}


def _refused(name: str, reason: str) -> Trial:
    return Trial(runtime=name, difference=None, items_per_s={}, refused=reason)


def _rates(bundle: Bundle, backend: Backend, clock: Callable[[], float]) -> dict[int, float]:
    """Items a second by batch size: the median of a few runs, after one that warms up."""
    golden = [decode_item(item, bundle.manifest.input) for item in bundle.golden.items]
    rates = {}
    for size in SIZES:
        items = [golden[n % len(golden)] for n in range(size)]
        backend.embed(items)
        times = []
        for _ in range(_RUNS):
            start = clock()
            backend.embed(items)
            times.append(clock() - start)
        rates[size] = size / max(median(times), 1e-9)
    return rates


def _score(rates: Mapping[int, float]) -> float:
    return sqrt(rates[SIZES[0]] * rates[SIZES[1]]) if rates else 0.0
