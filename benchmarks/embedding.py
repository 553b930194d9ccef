"""How fast is the net, by itself, in each runtime, and what does each of the GPU's devices gain?

    python -m benchmarks.embedding [--quick] [--json FILE]

Three nets: the one that serves digits, as trained; and two with weights of chance, since speed does not depend on
them, as large as what serves photos: a CNN on 3x64x64 pixels, small and wide. Each embeds batches of payloads of
several sizes: the median of a few calls, from payloads in this machine's memory to embeddings there.

    cpu                  torch, one thread; onnxruntime where the bundle has a graph
    as one would write   `net(torch.from_numpy(x).to("cuda")).cpu()`: the peer; float32, nothing prepared
    compiled             the same by `torch.compile`, another peer (not with --quick)
    served               what the service does: half precision, fixed shapes, pinned buffers, CUDA graphs
    - graphs, - pinned, - half     the same without one of them

`ratio` is the rate beside the peer's; on a machine without a GPU there are the rows of the CPU alone. `off` is the
largest difference from the golden embeddings, which a CPU made in float32.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import torch
from torch import Tensor

from benchmarks.report import Row, log, machine, parser, publish
from benchmarks.training import train_for
from model.bundle import Bundle, Golden, read_bundle
from model.datasets import load_dataset
from model.inputs import Payload, decode_item
from model.inputs.image import ImageInput
from model.manifest import EmbeddingSpec, LayerSpec, NetworkSpec
from model.networks import Embedder as Net
from model.networks import build_network, embed_items, load_embedder
from service.embedding.cuda_device import CudaDevice
from service.embedding.onnx_cpu import OnnxCpu
from service.embedding.torch_cpu import TorchCpu
from service.embedding.torch_cuda import TorchCuda
from service.records import Float32s

Embed = Callable[[Sequence[Payload]], Float32s]

SIZES = (1, 8, 64, 256, 512)
_COMPILED = (1, 64)  # each takes a quarter of a minute
_GOLDEN = 16
_WARM_UP = 5
_SECONDS = 1.0


class _NoGraphs(CudaDevice):
    """One launch a kernel."""

    def captured(self, call: Callable[[], None]) -> Callable[[], None]:
        return call


class _NoPinned(CudaDevice):
    """Buffers that the driver has to copy once more; a graph cannot hold such a copy, so there is none."""

    def pinned(self, *shape: int) -> Tensor:
        return torch.zeros(shape)

    def captured(self, call: Callable[[], None]) -> Callable[[], None]:
        return call


class _NoHalf(CudaDevice):
    """float32 throughout."""

    def half(self, dtype: torch.dtype | None) -> AbstractContextManager[None]:
        del dtype
        return nullcontext()


def untrained(like: Bundle, *, side: int, channels: int, hidden: int, output_dim: int) -> Bundle:
    """A bundle of a CNN on 3 x side x side pixels with weights of chance, that gives its own golden embeddings."""
    spec = ImageInput(shape=(3, side, side), minimum=0.0, maximum=255.0)
    network = NetworkSpec(
        name="cnn", options={"output_dim": output_dim, "channels": channels, "hidden": hidden}
    )
    torch.manual_seed(0)
    net = build_network(network, spec, {}).eval()
    dims = {"pooled": 2 * channels, "penultimate": hidden, "output": output_dim}
    layers = tuple(LayerSpec(name=name, dim=dim) for name, dim in dims.items())
    embedding = EmbeddingSpec(layers=layers, norm="l2")
    random = np.random.default_rng(0)
    items = tuple(pixels.tolist() for pixels in random.integers(0, 256, (_GOLDEN, 3, side, side)))
    decoded = [decode_item(item, spec) for item in items]
    z = embed_items(Net(net, tuple(dims), "l2").eval(), decoded)
    return replace(
        like,
        manifest=like.manifest.model_copy(update={"input": spec, "network": network, "embedding": embedding}),
        weights={name: value.numpy() for name, value in net.state_dict().items()},
        golden=Golden(items=items, embeddings=z),
        onnx=None,
    )


def peers(bundle: Bundle, *, compiled: bool) -> dict[str, Embed]:
    """What one would write, on the GPU."""
    net = load_embedder(bundle).to("cuda")
    found: dict[str, Embed] = {"as one would write": _written(net)}
    if compiled:
        found["compiled"] = _written(torch.compile(net))  # type: ignore[arg-type]
    return found


def _written(net: Callable[[Tensor], Tensor]) -> Embed:
    def embed(items: Sequence[Payload]) -> Float32s:
        with torch.inference_mode():
            x = torch.from_numpy(np.asarray(items, dtype=np.float32))
            z: Float32s = net(x.to("cuda")).cpu().numpy()
        return z

    return embed


def runtimes(bundle: Bundle, *, compiled: bool) -> dict[str, Embed]:
    """All that can be had here, by name."""
    found: dict[str, Embed] = {"cpu, torch": TorchCpu(bundle, threads=1).embed}
    if bundle.onnx is not None:
        found["cpu, onnx"] = OnnxCpu(bundle, threads=1).embed
    if torch.cuda.is_available():
        found |= peers(bundle, compiled=compiled)
        devices = {"served": CudaDevice, "- graphs": _NoGraphs, "- pinned": _NoPinned, "- half": _NoHalf}
        for name, device in devices.items():
            backend = TorchCuda(bundle, device=device())
            found[f"{name} ({backend.name})" if name == "served" else name] = backend.embed
    return found


def measured(bundle: Bundle, *, sizes: Sequence[int], runs: int, compiled: bool) -> list[Row]:
    """A row a runtime and size."""
    golden = [decode_item(item, bundle.manifest.input) for item in bundle.golden.items]
    rows: list[Row] = []
    peer: dict[int, float] = {}
    for name, embed in runtimes(bundle, compiled=compiled).items():
        off = float(np.abs(embed(golden) - bundle.golden.embeddings).max())
        seconds = 0.0
        if name == "compiled":
            for size in _COMPILED:
                embed([golden[n % len(golden)] for n in range(size)])
        for size in sizes if name != "compiled" else [size for size in sizes if size in _COMPILED]:
            items = [golden[n % len(golden)] for n in range(size)]
            if seconds > _SECONDS:
                break  # a larger one would take longer still, to tell the same
            seconds = _median_s(embed, items, runs)
            if name == "as one would write":
                peer[size] = size / seconds
            rows.append(
                {
                    "runtime": name,
                    "items a call": size,
                    "ms a call": 1e3 * seconds,
                    "items/s": size / seconds,
                    "ratio": None,
                    "off": off,
                }
            )
    for row in rows:
        if row["items a call"] in peer:
            row["ratio"] = row["items/s"] / peer[row["items a call"]]
    return rows


def _median_s(embed: Embed, items: Sequence[Payload], runs: int) -> float:
    """Of as many calls as there is time for, at least one; the first ones are not counted, where there are others."""
    times: list[float] = []
    while len(times) < runs + _WARM_UP and (sum(times) < _SECONDS or not times):
        start = perf_counter()
        embed(items)
        times.append(perf_counter() - start)
    return median(times[_WARM_UP:] or times[-1:])


def start_s(bundle: Bundle) -> Row:
    """What the GPU costs at start: preparing every shape, and the memory that is held then."""
    torch.cuda.empty_cache()
    before = torch.cuda.memory_reserved()
    start = perf_counter()
    backend = TorchCuda(bundle)
    backend.embed([])
    return {
        "start, s": perf_counter() - start,
        "reserved, MB": (torch.cuda.memory_reserved() - before) / 1e6,
    }


def run(options: argparse.Namespace) -> None:
    """Train, measure, print."""
    with tempfile.TemporaryDirectory(prefix="fs-embedding-") as folder:
        log("training on digits ...")
        data = load_dataset("digits", data_dir=None)
        train_for(data, None, Path(folder) / "digits", hold_out=("3", "7"), epochs=3)
        digits = read_bundle(Path(folder) / "digits")
    nets = {
        "digits, 1x8x8": digits,
        "photo, 3x64x64, 32 channels": untrained(digits, side=64, channels=32, hidden=128, output_dim=32),
        "photo, 3x64x64, 256 channels": untrained(digits, side=64, channels=256, hidden=512, output_dim=64),
    }
    torch.set_num_threads(1)
    nets_rows: dict[str, list[Row]] = {}
    starts: list[Row] = []
    for name, bundle in nets.items():
        log(f"{name} ...")
        sizes = SIZES[:4] if options.quick else SIZES
        nets_rows[name] = measured(
            bundle, sizes=sizes, runs=5 if options.quick else 30, compiled=not options.quick
        )
        publish({}, [(name, nets_rows[name])], None)  # at once, for who waits
        if torch.cuda.is_available():
            starts.append({"net": name} | start_s(bundle))
    report = {
        "question": "How fast is the net by itself in each runtime?",
        "machine": machine(["torch", "onnxruntime", "numpy"])
        | {"gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None},
        "nets": nets_rows,
        "starts": starts,
    }
    publish(report, [("What the GPU costs at start", starts)] if starts else [], options.json)


if __name__ == "__main__":
    run(parser(__doc__.splitlines()[0]).parse_args())
